"""A script: a PDF file on standard input, the text of its pages on standard output.

Owns how many pages and how much text are read; nothing of a picture of text is.
"""

import io
import logging
import sys
from collections.abc import Iterator

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError

__all__ = ["RefusedError", "pages_of"]

_MAX_PAGES = 500
_MAX_TEXT = 3_145_728  # bytes, as the service takes; a small file may hold gigabytes


class RefusedError(Exception):
    """The file is one that is not read; the message says why."""


def pages_of(content: bytes) -> Iterator[str]:
    """Yield the text of each page. Raises RefusedError, and whatever a broken file makes the parser raise."""
    try:
        pages = PdfReader(io.BytesIO(content)).pages
        count = len(pages)
    except (DependencyError, FileNotDecryptedError):
        raise RefusedError("it is encrypted") from None
    if count > _MAX_PAGES:
        raise RefusedError(f"it has {count} pages, and at most {_MAX_PAGES} are read")
    size = 0
    for page in pages:
        text = page.extract_text().replace("\0", "").strip()
        size += len(text.encode(errors="replace"))
        if size > _MAX_TEXT:
            raise RefusedError(f"it holds more than {_MAX_TEXT} bytes of text")
        yield text


def main() -> None:
    """Read, write, or end with status 3 and the reason."""
    logging.disable()  # what is odd about a file is nobody's message
    try:
        text = "\n\n".join(pages_of(sys.stdin.buffer.read()))
    except RefusedError as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    sys.stdout.buffer.write(text.encode(errors="replace"))


if __name__ == "__main__":
    main()
