"""What a question asks for and what a turn shows, read from a few English words and from digits.

Owns the word lists. Every sign is weak and only shifts a ranking; in other languages the signs stay off.
"""

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

__all__ = ["ASKS", "MARKS", "asks", "date_matches", "from_bits", "marks", "to_bits"]

Floats = NDArray[np.float32]

ASKS = ("when", "many", "might")
MARKS = ("time", "number", "question", "photo")

_WHEN = re.compile(
    r"\bwhen\b|\bwhat (?:date|day|month|year|time)\b|\bwhich (?:date|day|month|year)\b|\bhow long\b", re.IGNORECASE
)
_MANY = re.compile(r"\bhow (?:many|much|often|old)\b", re.IGNORECASE)
_MIGHT = re.compile(r"\b(?:would|could|might|likely|probably)\b", re.IGNORECASE)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_TIME = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|ago|recently|last|next|this (?:week|month|year|weekend|morning|summer"
    r"|winter|spring|fall|autumn)|since|weekend|mon|tues|wednes|thurs|fri|satur|sun)(?:day)?\b"
    rf"|\b(?:{'|'.join(_MONTHS)})\b|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|once|twice|couple|few|several)\b", re.IGNORECASE
)
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})\b", re.IGNORECASE)
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_DAY = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?:{'|'.join(_MONTHS)})\b|\b(?:{'|'.join(_MONTHS)}) (\d{{1,2}})\b",
    re.IGNORECASE,
)


def asks(question: str) -> Floats:
    """Return 1 or 0 for each of `ASKS`: for a time, for an amount, for something that must be inferred."""
    return np.array([bool(sign.search(question)) for sign in (_WHEN, _MANY, _MIGHT)], dtype=np.float32)


def marks(texts: Sequence[str]) -> Floats:
    """Return (texts, `MARKS`): 1 where a text names a time, holds a number, asks something, shows a photo."""
    rows = [(bool(_TIME.search(text)), bool(_NUMBER.search(text)), "?" in text, "[photo:" in text) for text in texts]
    return np.array(rows, dtype=np.float32).reshape(len(texts), len(MARKS))


def to_bits(text: str) -> int:
    """Return a text's marks, a bit for each."""
    return sum(1 << number for number, mark in enumerate(marks([text])[0]) if mark)


def from_bits(bits: int) -> list[float]:
    """Return the marks of `to_bits`, 1 or 0 for each."""
    return [float(bits >> number & 1) for number in range(len(MARKS))]


def date_matches(question: str, times: Sequence[datetime]) -> Floats:
    """Return how well each time fits the date that the question names: the share of month, year and day, or 0."""
    months = {_MONTHS.index(month.lower()) + 1 for month in _MONTH.findall(question)}
    years = {int(year) for year in _YEAR.findall(question)}
    days = {int(a or b) for a, b in _DAY.findall(question)}
    if not (months or years):
        return np.zeros(len(times), dtype=np.float32)
    asked = bool(months) + bool(years) + bool(days)
    fits = [
        ((time.month in months) + (time.year in years) + (bool(days) and time.day in days and time.month in months))
        / asked
        for time in times
    ]
    return np.array(fits, dtype=np.float32)
