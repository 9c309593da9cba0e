"""Turns the bytes of a page into text, by the encoding that the page names."""

import codecs
import re

__all__ = ["decode"]

# Of what Python calls encodings, those of web pages: others are no text (`hex`), or take long to read (`idna`).
_KNOWN = re.compile(
    r"utf-?(8|16(-?[lb]e)?)|(us-)?ascii|latin-?1|iso-?8859-?\d{1,2}|windows-?\d{3,4}|cp\d{3,4}|koi8-?[ru]|gb(k|2312|18030)"
    r"|big5(-hkscs)?|(shift|x)[_-](jis|sjis)|euc-?(jp|kr)|macintosh|tis-?620",
    re.IGNORECASE,
)
_IN_PAGE = re.compile(
    rb"""<(?:meta\s[^>]{0,200}charset|\?xml\s[^>]{0,200}encoding)\s*=\s*["']?([\w-]{1,40})""", re.IGNORECASE
)
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decode(body: bytes, charset: str) -> str:
    """Return the text: by its byte order mark, by `charset`, by what its first bytes declare, or as UTF-8."""
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    if not charset and (declared := _IN_PAGE.search(body[:2048])) is not None:
        charset = declared[1].decode("ascii")
    try:
        return body.decode(charset if _KNOWN.fullmatch(charset) else "utf-8", "replace")
    except LookupError:  # of that family, and still unknown
        return body.decode("utf-8", "replace")
