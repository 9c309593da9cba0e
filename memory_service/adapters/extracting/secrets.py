"""What must never become a fact: passwords, keys, PINs, the numbers of cards and accounts."""

import re

from meshkit.redaction import redact

__all__ = ["holds_secret"]

_SECRET = re.compile(
    r"\b(?:pass ?(?:word|phrase|code)|pin(?: code| number)?|cvv2?|cvc|security code|secret (?:key|code|word|phrase)"
    r"|(?:api|private|access|recovery|seed|encryption)[ _-]?(?:key|token|phrase|code)|auth(?:entication)? token"
    r"|social security number|ssn|one-time code|2fa|otp)s?\b[^.!?\n]{0,30}?(?:\bis\b|\bare\b|=|:|\bto\b)\s*\S",
    re.IGNORECASE,
)
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){13,19}(?!\d)")


def holds_secret(text: str) -> bool:
    """Tell whether a text holds what looks like a secret."""
    return (
        redact(text) != text
        or any(shape.search(text) for shape in (_SECRET, _SSN, _IBAN))
        or any(_is_card(re.sub(r"\D", "", match[0])) for match in _CARD.finditer(text))
    )


def _is_card(digits: str) -> bool:
    """Tell whether the digits end with the check digit of a card's number."""
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0
