"""Jokes and plays: when somebody speaks and is not to be believed. Pure.

A play lasts for its session until somebody ends it, for what is said inside it is said by a character.
"""

import re
from collections.abc import Iterable

__all__ = ["STAGE_WORDS", "in_a_play", "is_joking"]

STAGE_WORDS = (
    r"pretend|role.?play|let.?s play|imagine|act as|in character|out of character|character|play the|you play|seriously"
    r"|playing|real life|reality|as if|end (of )?(the )?(scene|game|play|story)|game over|stop|new topic|your role"
    r"|my role"
)
"""A coarse search that finds whatever may begin or end a play, as a regular expression of any dialect."""

_BEGINS = re.compile(
    r"\b(?:pretend(?:ing)?|(?:speak|talk|act|behave|answer)\b[^.!?\n]{0,30}\bas if (?:i|you) (?:were|was|am|are)"
    r"|role-?\s?play(?:ing)?|let'?s (?:play|pretend|imagine)|act as|play the (?:role|part)"
    r"|you play|stay in character|(?:your|my) role (?:is|will be)|i(?:'?ll| will| am going to) be (?:the"
    r"|an?)\b[^.!?\n]{0,60}"
    r"\b(?:and )?you(?:'?ll| will)? be"
    r"|imagine (?:that )?(?:you|i|we)(?: (?:are|am|were|was)|'(?:re|m))\b)",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"\b(?:(?:stop|end|quit|finish|enough|done|no more|leave|over with)\b[^.!?\n]{0,30}\b(?:role-?\s?play(?:ing)?|game"
    r"|play(?:ing)?|pretend(?:ing)?|scene|story|act|character)|out of character|back to (?:reality|real life|normal)"
    r"|in real life now|game over|(?:the )?end (?:of )?(?:the |this )?(?:scene|role-?\s?play|game|play|story)"
    r"|seriously now|new topic)\b",
    re.IGNORECASE,
)
_JOKING = re.compile(
    r"(?:^|\s)/(?:s|j|jk|sarcasm)\b|\bj/?k\b|\b(?:just|only|merely|i'?m|am|was|totally) (?:kidding|joking|messing"
    r"|trolling|pulling your leg)\b|\bkidding\b|\b(?:that'?s|that was|it'?s|it was|as|this is|this was) a joke\b"
    r"|\bsarcas"
    r"|\bnot really\b|(?:^|[.!?]\s+)not\s*[.!]*\s*$"
    r"|\b(?:for|in) (?:my|the|a|an) (?:novel|story|book|poem|song|screenplay|script|game|scene|character|example)\b"
    r"|\b(?:april fools?|psych)\b",
    re.IGNORECASE,
)
_LAUGHING = re.compile(
    r"\b(?:lol|lmao|rofl|ha(?:ha)+|hehe)\b|[\U0001f602\U0001f923\U0001f61c\U0001f92a\U0001f61d\U0001f609]"
)


def in_a_play(texts: Iterable[str]) -> bool:
    """Tell whether a play goes on in the last of the texts of a session, which are in their order.

    A text that ends a play is still part of it up to there; what it says afterwards is not told apart.
    """
    playing = ended_now = False
    for text in texts:
        begins, ends = _last(_BEGINS, text), _last(_ENDS, text)
        # "Let us stop pretending" holds both: the end counts if it is not followed by another beginning.
        ended_now = ends >= 0 and playing
        if ends >= 0:
            playing = begins > _end(_ENDS, text)
        elif begins >= 0:
            playing = True
    return playing or ended_now


def is_joking(text: str, sentence: str) -> bool:
    """Tell whether a text says that it is a joke, or the sentence itself laughs."""
    return _JOKING.search(text) is not None or _LAUGHING.search(sentence) is not None


def _last(shape: re.Pattern[str], text: str) -> int:
    return max((match.start() for match in shape.finditer(text)), default=-1)


def _end(shape: re.Pattern[str], text: str) -> int:
    return max((match.end() for match in shape.finditer(text)), default=-1)
