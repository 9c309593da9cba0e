"""A file that is costly to make, kept on disk: made once, even by processes that start together, and checked when read.

Owns the folder given by the configuration. The digest beside a file finds damage, not malice: the folder is readable
and writable by its owner alone.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["cached_file"]


def cached_file(folder: Path, name: str, make: Callable[[], bytes]) -> bytes:
    """Return the content of `folder/name`, made by `make()` when it is missing or damaged. Blocks while it is made.

    `name` must tell everything that the content depends on. Raises OSError when the folder cannot be used.
    """
    path = folder / name
    content = _read(path)
    if content is not None:
        return content
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder / f"{name}.lock"):
        content = _read(path)  # another process may have made it while this one waited
        if content is None:
            content = make()
            _write(path, content)
            _write(_digest_path(path), hashlib.sha256(content).hexdigest().encode())
    return content


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _read(path: Path) -> bytes | None:
    try:
        content, digest = path.read_bytes(), _digest_path(path).read_bytes()
    except FileNotFoundError:
        return None
    return content if hashlib.sha256(content).hexdigest().encode() == digest else None


def _write(path: Path, content: bytes) -> None:
    # Written aside and renamed, so that a reader sees the whole file or none.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The kernel frees the lock when its holder dies, so a killed process leaves nothing to clean up.
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
