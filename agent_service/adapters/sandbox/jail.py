"""A place with nothing in it but Python: namespaces, a root of its own, limits.

    leave the user, if it is root ─► namespaces ─► (a process of the new ones) ─► root ─► limits ─► the program

Part of what runs inside the sandbox: it imports the standard library alone. Whatever cannot be had raises OSError, and
then nothing is run.
"""

import os
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_service.adapters.sandbox import kernel

__all__ = ["OUT", "PROGRAM", "WORK", "confine", "leave_the_mesh", "move_in"]

WORK = Path("/work")
"""The only folder that the program may write to; it lies in memory."""
OUT = WORK / "out"
PROGRAM = Path("/program.py")

_STRANGER = 65533  # no account is given this number; `nobody` has other processes, as the embedded database
_NOBODY = 65534  # what it is called inside
_PROCESSES = Path("/proc")
_NEW_ROOT = Path("/mnt")  # covered in the new namespace only
_MEBIBYTE = 1024 * 1024
_WORK_OPTIONS = "size=64m,nr_inodes=4k,mode=700"
_ROOT_OPTIONS = "size=2m,nr_inodes=1k,mode=755"
_LIMITS = {
    resource.RLIMIT_CPU: (10, 11),  # seconds; of one process
    resource.RLIMIT_AS: (512 * _MEBIBYTE,) * 2,  # of one process; of all together the supervisor looks after
    resource.RLIMIT_FSIZE: (8 * _MEBIBYTE,) * 2,
    resource.RLIMIT_NPROC: (64, 64),
    resource.RLIMIT_NOFILE: (64, 64),
    resource.RLIMIT_CORE: (0, 0),
}
_NICENESS = 10  # the agents of the process go first
_PREFIX, _PYTHON = Path(sys.base_prefix).resolve(), Path(sys.executable).resolve()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the host's file system that the program may see; `link` is where it leads if it is a link."""

    path: Path
    link: str
    folder: bool


def leave_the_mesh() -> None:
    """Become a stranger, in namespaces of its own; the next child is the first process there."""
    _tell("/proc/self/oom_score_adj", "1000")  # when memory gets short, this goes first
    os.chdir(_PREFIX)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_STRANGER, _STRANGER, _STRANGER)
        os.setresuid(_STRANGER, _STRANGER, _STRANGER)
        kernel.make_dumpable()
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NAMESPACES)
    _tell("/proc/self/setgroups", "deny")
    _tell("/proc/self/uid_map", f"{_NOBODY} {user} 1")
    _tell("/proc/self/gid_map", f"{_NOBODY} {group} 1")


def move_in(program: bytes, files: Mapping[str, bytes]) -> int:
    """Build the root and move there; called by the first process of the namespaces.

    Returns a descriptor of its `/proc`, which nothing else in there can see.
    """
    kernel.mount("", "/", "", kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("tmpfs", str(_NEW_ROOT), "tmpfs", kernel.NOSUID | kernel.NODEV, _ROOT_OPTIONS)
    for piece in _VISIBLE:
        _show(piece)
    for folder in (WORK, _PROCESSES):
        _inside(folder).mkdir()
    _inside(PROGRAM).write_bytes(program)
    flags = kernel.NOSUID | kernel.NODEV | kernel.NOEXEC
    kernel.mount("proc", str(_inside(_PROCESSES)), "proc", flags)
    kernel.swap_root(str(_NEW_ROOT))
    processes = os.open(_PROCESSES, os.O_RDONLY | os.O_DIRECTORY)
    _tell("/proc/sys/user/max_user_namespaces", "0")  # none inside this one: they would give rights again
    kernel.unmount(str(_PROCESSES))
    kernel.make_tree_read_only("/")
    kernel.mount("tmpfs", str(WORK), "tmpfs", kernel.NOSUID | kernel.NODEV, _WORK_OPTIONS)
    os.chdir(WORK)
    OUT.mkdir()
    for name, content in files.items():
        (WORK / name).write_bytes(content)
    socket.sethostname("sandbox")
    return processes


def confine() -> None:
    """Give up all rights and accept the limits; what comes next is the program."""
    os.setsid()
    os.nice(_NICENESS)
    for limit, values in _LIMITS.items():
        resource.setrlimit(limit, values)
    kernel.drop_capabilities()
    kernel.allow_no_new_privileges()
    kernel.deny_calls()


def _visible() -> list[_Piece]:
    """Return what the program may see: the interpreter, the system's libraries, time zones, harmless devices."""
    system = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
    devices = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
    found: list[_Piece] = []
    for path in (*map(Path, system), _PREFIX / "lib", _PYTHON, *map(Path, devices)):
        if path.exists() and not any(path.is_relative_to(seen.path) for seen in found):
            found.append(_Piece(path, str(path.readlink()) if path.is_symlink() else "", path.is_dir()))
    return found


def _show(piece: _Piece) -> None:
    target = _inside(piece.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if piece.link:
        target.symlink_to(piece.link)
        return
    if piece.folder:
        target.mkdir()
    else:
        target.touch()
    # From where it stands: the way to the interpreter may be closed to a stranger, as root's home is.
    path = piece.path
    source = path.relative_to(_PREFIX) if path.is_relative_to(_PREFIX) else path
    kernel.mount(str(source), str(target), "", kernel.BIND | kernel.RECURSIVE)


def _inside(path: Path) -> Path:
    return _NEW_ROOT / path.relative_to("/")


def _tell(path: str, text: str) -> None:
    Path(path).write_text(text)


_VISIBLE = _visible()  # looked at while it can be seen
