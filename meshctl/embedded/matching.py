"""Which remembered sentence answers a question best, by the words they share.

Owns words, stems and scores. English, pure, no randomness: the same texts always give the same sentence.
"""

import re
from collections.abc import Iterable

__all__ = ["best_match", "is_question", "sentences"]

_ENOUGH = 1 / 3  # of a question's telling words; fewer, and a quotation would only look like an answer

_ASKING = re.compile(
    r"^(please\s+)?(what|what's|who|who's|whom|whose|where|when|which|why|how|do|does|did|is|are|am|was|were|can|could|"
    r"will|would|should|have|has|tell\s+me|remind\s+me|recall)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_STOP_WORDS = """
    a about also am an and any are as at be been but by can could did do does for from had has have he her him his how
    i i'm if in is it it's its know let me mine my of on or our please recall remember remind s say said she should so
    some tell than that the their them then there these they this to told us was we were what what's when where which
    who who's whom whose why will with would you your yours
"""
_STOPPED = frozenset(_STOP_WORDS.split())
_SAME = {"cal": "nam"}  # "What am I called?" asks for a name


def is_question(text: str) -> bool:
    """Whether the text asks for something to be told."""
    return text.rstrip().endswith("?") or _ASKING.match(text.strip()) is not None


def sentences(text: str) -> list[str]:
    """Split a text at the ends of its sentences."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def best_match(question: str, remembered: Iterable[str]) -> str | None:
    """Return the sentence that shares the most telling words with the question, the earliest among equals.

    None if no sentence shares at least a third of them. Questions are no answers: they are passed over.
    """
    wanted = _stems(question)
    if re.search(r"\bwho am i\b", question, re.IGNORECASE):
        wanted.add("nam")
    best, best_score = None, 0.0
    for text in remembered:
        for sentence in sentences(text):
            if is_question(sentence):
                continue
            score = len(wanted & _stems(sentence)) / len(wanted) if wanted else 0.0
            if score >= _ENOUGH and score > best_score:
                best, best_score = sentence, score
    return best


def _stems(text: str) -> set[str]:
    words = (word.casefold() for word in _WORD.findall(text.replace("\u2019", "'")))
    return {_stem(word) for word in words if word not in _STOPPED}


def _stem(word: str) -> str:
    """Cut the common endings, so that `prefers`, `preferred` and `preferring` are one word."""
    word = word.removesuffix("'s")
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    word = word.removesuffix("e") if len(word) > 3 else word
    return _SAME.get(word, word)
