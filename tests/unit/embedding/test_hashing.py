"""The fallback without weights: shared words are near, the same text is the same vector everywhere."""

import math

from hypothesis import given
from hypothesis import strategies as st

from memory_service.adapters.embedding.hashing import DIMENSION, encode_hashed

PLACES_OF_ADA = {33, 184, 338, 375}  # one word and three groups of letters


def cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


@given(st.text(max_size=200))
def test_any_text_has_a_unit_vector(text: str) -> None:
    (vector,) = encode_hashed([text])
    assert len(vector) == DIMENSION
    assert math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-9)


def test_shared_words_and_spellings_are_near() -> None:
    question, same, spelling, other = encode_hashed(
        ["where is my red bicycle", "The RED bicycle is in the cellar", "bicycles", "income tax declaration"]
    )
    assert cosine(question, same) > 0.4 > cosine(question, other)
    assert cosine(question, spelling) > cosine(other, spelling) + 0.1


def test_it_does_not_depend_on_the_process_or_the_machine() -> None:
    (vector,) = encode_hashed(["Ada"])
    assert {index for index, value in enumerate(vector) if value} == PLACES_OF_ADA


def test_a_lone_surrogate_is_no_error() -> None:
    (vector,) = encode_hashed(["broken \ud800 text"])
    assert math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-9)
