"""Where documents are cut: at headings, paragraphs, sentences; nothing lost, nothing too long, always an end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.splitting import Slice, split

SENTENCE = "The ship sails at dawn with forty barrels of salt and comes home late. "


def texts(text: str, *, markdown: bool = False) -> list[str]:
    return [text[piece.start : piece.end] for piece in split(text, markdown=markdown)]


@given(
    st.lists(
        st.sampled_from(["# A", "## B b", "```", "\n", "\n\n", " ", "word", "x" * 700, SENTENCE * 9, "\u8239" * 400])
    ),
    st.booleans(),
)
def test_nothing_is_lost_and_nothing_is_too_long(parts: list[str], markdown: bool) -> None:
    text = "\n".join(parts)
    pieces = split(text, markdown=markdown)
    covered = {position for piece in pieces for position in range(piece.start, piece.end)}
    assert all(text[position].isspace() for position in range(len(text)) if position not in covered)
    for piece in pieces:
        kept = text[piece.start : piece.end]
        assert kept == kept.strip() != ""
        assert len(kept.encode()) <= 900
    assert all(one.start < other.start and one.end < other.end for one, other in pairwise(pieces))


def test_a_long_text_is_cut_after_sentences_and_goes_on_with_the_last_one() -> None:
    pieces = texts(SENTENCE * 40)
    assert len(pieces) > 3
    assert all(piece.endswith("late.") and piece.startswith("The ship") for piece in pieces)
    found = split(SENTENCE * 40, markdown=False)
    assert all(0 < one.end - other.start <= 130 for one, other in pairwise(found)), "they overlap a little"


def test_paragraphs_are_kept_whole_where_they_fit() -> None:
    paragraph = SENTENCE * 8
    first, *_ = texts(f"{paragraph}\n\n{paragraph}")
    assert first == paragraph.strip()


def test_headings_begin_passages_and_tell_where_they_stand() -> None:
    text = f"# Ship\n\n## Crew\n\n{SENTENCE * 2}\n\n### Cook #\n\n{SENTENCE * 2}\n\n## Cargo\n\n{SENTENCE * 2}"
    pieces = split(text, markdown=True)
    assert [piece.headings for piece in pieces] == [("Ship", "Crew"), ("Ship", "Crew", "Cook"), ("Ship", "Cargo")]
    assert text[pieces[0].start :].startswith("# Ship")
    assert text[pieces[2].start :].startswith("## Cargo")


def test_tiny_sections_stand_together_under_what_they_share() -> None:
    text = "# Words\n\n## A\n\nx\n\n## B\n\ny\n"
    assert split(text, markdown=True) == [Slice(0, len(text) - 1, ("Words",))]


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_a_comment_in_code_is_no_heading(fence: str) -> None:
    text = f"# Code\n\n{fence}\n# no heading\n{fence}\n\n{SENTENCE * 2}"
    assert {piece.headings for piece in split(text, markdown=True)} == {("Code",)}


def test_signs_of_markdown_mean_nothing_in_plain_text() -> None:
    assert {piece.headings for piece in split("# One\n\n" + SENTENCE * 30, markdown=False)} == {()}


def test_a_text_without_a_place_to_cut_is_cut_all_the_same() -> None:
    assert [len(piece) for piece in texts("x" * 2000)] == [900, 900, 200]
    assert [len(piece) for piece in texts("\u8239" * 700)] == [300, 300, 100]
