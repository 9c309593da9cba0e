"""What a program keeps in its directory from one start to the next: its port and its passwords.

Owns these small files. A password is 32 random bytes in a file that only its owner can read; it is never printed.
"""

import contextlib
import os
import secrets
import socket
from pathlib import Path

__all__ = ["kept_password", "kept_port", "port_is_free", "write_private"]


def kept_port(file: Path) -> int:
    """Return the loopback port noted in `file` if it is free, else another free one, which is then noted.

    Clients that know a mesh by its port find it again after a restart. Between this choice and the program's own bind
    another process may take the port; the program then fails to start and says so.
    """
    with contextlib.suppress(FileNotFoundError, ValueError, OverflowError, OSError):
        if noted := int(file.read_text()):  # 0 would be another port each time
            return _bindable(noted)
    port = _bindable(0)
    write_private(file, f"{port}\n")
    return port


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    try:
        _bindable(port)
    except OSError:
        return False
    return True


def kept_password(file: Path) -> str:
    """Return the password in `file`, made at the first call. It needs no quoting in a URL, SQL or a config file."""
    with contextlib.suppress(FileNotFoundError):
        file.chmod(0o600)
        if password := file.read_text().strip():
            return password
    password = secrets.token_urlsafe(32)
    write_private(file, f"{password}\n")
    return password


def write_private(file: Path, text: str) -> None:
    """Replace `file` as a whole, readable by its owner only; after a power loss it is the old one or the new one."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def _bindable(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: old connections are no obstacle
        probe.bind(("127.0.0.1", port))
        bound: int = probe.getsockname()[1]
        return bound
