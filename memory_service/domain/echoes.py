"""What memory or an agent had said before: words that come back from the user are no new evidence. Pure."""

import re
from collections.abc import Iterable, Sequence

from memory_service.domain.extraction import Surroundings
from memory_service.domain.model import FactOrigin, Origin
from memory_service.domain.own_words import MAX_CHARACTERS, sentences, straight, words

__all__ = ["Said", "alike"]

_ABOUT_THE_USER = re.compile(r"\b(?:you|your|yours|you'\w+|the user|user|customer)\b", re.IGNORECASE)
_SUPPOSES = re.compile(
    r"\b(?:could|might|may|should|would|if|can|whether|let me know|maybe|perhaps|recommend|suggest)\b", re.IGNORECASE
)
_SMALL = frozenset({
    "i", "i'm", "im", "me", "my", "mine", "we", "our", "us", "you", "your", "you're", "yours", "a", "an", "the",
    "to", "in", "on", "at", "of", "for", "and", "or", "but", "is", "are", "am", "be", "was", "were", "it",
    "this", "that", "as", "by", "with", "from", "so", "do", "does", "did", "don't", "have", "has", "had",
    "i've", "i'd", "you've", "just", "also", "really", "very", "much", "now", "user's", "user", "that's",
    "it's", "there", "here", "well", "yes", "no", "oh", "ok", "okay", "hi", "hello",
})  # fmt: skip
_VERBATIM_WORDS = 4
_ENDING = re.compile(r"(?<=\w{2})(?:'s|ing|ed|es|s|e)$")


def alike(one: str, other: str) -> bool:
    """Tell whether two words are forms of one: live, lives, lived, living."""
    return one == other or (_stem(one) == _stem(other) and not one.isdigit())


def _stem(word: str) -> str:
    stem = _ENDING.sub("", word) or word
    if len(stem) > 3 and stem[-1] == stem[-2]:
        stem = stem[:-1]
    return f"{stem[:-1]}i" if stem.endswith("y") else stem


class Said:
    """Everything that was said before a turn, but for what the user said."""

    def __init__(self, around: Surroundings) -> None:
        texts = [straight(turn.output) for turn in around.earlier]
        texts += [straight(turn.input) for turn in around.earlier if turn.origin is not Origin.USER]
        self._statements = [
            (said, _ABOUT_THE_USER.search(said) is not None and _SUPPOSES.search(said) is None)
            for said in _statements(texts)
        ]
        self._flowing = [f" {' '.join(words(text[:MAX_CHARACTERS]))} " for text in texts]
        self._noted = {
            " ".join(words(f"{fact.key} {fact.value}".replace("_", " ")))
            for fact in around.known.values()
            if fact.origin not in {FactOrigin.CLIENT, FactOrigin.EXTRACTION}
        }

    def holds(self, quote: str, value: str, key: str, line: str) -> bool:
        """Tell whether the quote says what had been said, or the line that it stands in is a note of memory's."""
        flat = words(quote)
        if len(flat) >= _VERBATIM_WORDS and any(f" {' '.join(flat)} " in text for text in self._flowing):
            return True
        if " ".join(words(line.replace("_", " "))) in self._noted:
            return True
        meant = _content(value)
        rest = [word for word in _content(quote) if not any(alike(word, each) for each in meant)]
        # "I am a chef" has no word but its value; of others one must come back, or what it is about be named.
        named = [*rest, *words(key.replace("_", " "))] if rest else []
        for said, about_the_user in self._statements:
            if not about_the_user or not meant:
                continue
            heard = words(said)
            if _all_in(meant, heard) and (not named or any(_all_in([word], heard) for word in named)):
                return True
        return False


def _statements(texts: Iterable[str]) -> list[str]:
    found = []
    for text in texts:
        cut = text[:MAX_CHARACTERS]
        for span in sentences(cut):
            said = cut[span.start : span.end].strip()
            if not said.endswith("?"):
                found.append(said)
    return found


def _content(text: str) -> list[str]:
    return [word for word in words(text) if word not in _SMALL]


def _all_in(wanted: Sequence[str], heard: Sequence[str]) -> bool:
    return all(any(alike(word, each) for each in heard) for word in wanted)
