"""Text that came from a model, made fit to be sent and stored."""

__all__ = ["clean"]


def clean(text: str) -> str:
    """Return the text without NUL, and with U+FFFD for halves of surrogate pairs, which nothing can encode."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
