"""Secrets out of texts and records: by the name of a field, and by the shape of a value.

Owns the list of what counts as a secret. Used for logs, error texts and stored failures. Standard library only.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["REDACTED", "is_secret_name", "redact", "redact_value"]

REDACTED = "[redacted]"

_NAME = re.compile(
    r"(token|secret|passw(or)?d|passphrase|authorization|cookie|credential|api[-_]?key|private[-_]?key|signing[-_]?key)",
    re.IGNORECASE,
)
# Names that hold the words above and no secret: counts of tokens and positions in a list.
_HARMLESS = re.compile(r"(page_token|tokens|token_(count|delta|budget)|max_token|_file)$", re.IGNORECASE)

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{2,}(\.[A-Za-z0-9_-]*)*"), REDACTED),  # a JWT
    (re.compile(r"\bmesh_[A-Za-z0-9]{4,}_[A-Za-z0-9_-]{8,}"), REDACTED),  # our API keys
    (re.compile(r"\b(sk|pk|rk)[-_][A-Za-z0-9_-]{8,}"), REDACTED),  # keys of model providers and payment services
    (re.compile(r"\b(gh[pousr]|github_pat|glpat|xox[abeprs])[-_][A-Za-z0-9_-]{8,}"), REDACTED),  # forges, chat
    (re.compile(r"\bhf_[A-Za-z0-9]{8,}"), REDACTED),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}"), REDACTED),  # AWS key ids
    (re.compile(r"\bAIza[A-Za-z0-9_-]{20,}"), REDACTED),  # Google API keys
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"\b([a-z][a-z0-9+.-]*://)([^\s:/@]*):([^\s@/]+)@", re.IGNORECASE), rf"\1\2:{REDACTED}@"),
    (
        # password=..., "api_key": "...", x-api-key: ...
        re.compile(
            r"""(?ix)\b([\w-]*(?:passw(?:or)?d|secret|api[-_]?key|access[-_]?token|auth[-_]?token|refresh[-_]?token
            |private[-_]?key)["']?\s*[=:]\s*["']?)([^\s"',;&)}\]]{3,})"""
        ),
        rf"\1{REDACTED}",
    ),
)


def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret."""
    return _NAME.search(name) is not None and _HARMLESS.search(name) is None


def redact(text: str) -> str:
    """Return the text with everything that has the shape of a secret replaced."""
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def redact_value(value: Any, name: str = "") -> Any:
    """Return a value fit for a log: mappings and sequences are walked, texts redacted, secret fields replaced."""
    if name and value is not None and is_secret_name(name):
        return REDACTED
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {str(key): redact_value(each, str(key)) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact_value(each) for each in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redact(str(value))
