"""The built-in rules: what they find in a sentence, in the words of the user."""

import pytest

from memory_service.adapters.extracting.rules import RuleExtractor
from memory_service.domain.extraction import Surroundings
from tests.unit.memory.gate import fact, turn


async def found(text: str, around: Surroundings | None = None) -> list[tuple[str, str]]:
    candidates = await RuleExtractor().extract(turn(text), around or Surroundings())
    assert all(candidate.quote in text for candidate in candidates)
    return [(candidate.key, candidate.value) for candidate in candidates]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("My name is Ada Lovelace and I live in Lyon.", [("name", "Ada Lovelace"), ("home", "Lyon")]),
        ("Hi, I'm Ben. People call me Benny.", [("name", "Ben"), ("name", "Benny")]),
        ("I have moved from Lyon to Paris in March", [("home", "Paris")]),
        ("I'm 34 years old. I just turned 35!", [("age", "34"), ("age", "35")]),
        ("I work as a nurse for Globex", [("employer", "Globex"), ("job", "nurse")]),
        ("My sister Anna, my dog's name is Rex and I have a cat named Miso",
         [("sister", "Anna"), ("dog", "Rex"), ("cat", "Miso")]),
        ("I\u2019m allergic to nuts, I love tea but I don't like coffee",
         [("allergy", "allergic to nuts"), ("likes", "love tea"), ("likes", "don't like coffee")]),
        ("I'd like to learn Spanish. I'm training for a marathon.",
         [("goal", "learn Spanish"), ("goal", "training for a marathon")]),
        ("My favourite colour is dark green", [("favorite_colour", "dark green")]),
        ("Please always answer in German", [("answer_language", "German")]),
        ("I like it. I love this! What do you like?", []),
        ("The weather in Lyon is fine", []),
        ("Ich wohne in Berlin", []),
        ("", []),
    ],
)  # fmt: skip
async def test_what_is_said_in_common_ways_is_found(text: str, facts: list[tuple[str, str]]) -> None:
    assert await found(text) == facts


async def test_a_correction_finds_what_it_is_about_in_memory() -> None:
    around = Surroundings(known={"home": fact("home", "Lyon"), "name": fact("name", "Ada")})
    assert await found("No, it's Paris, not Lyon.", around) == [("home", "Paris")]
    assert await found("No, it's Paris, not Rome.", around) == []
