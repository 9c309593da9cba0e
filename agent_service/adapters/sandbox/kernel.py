"""The calls of the Linux kernel that Python has no words for. Each raises OSError, which names the call.

Part of what runs inside the sandbox: it imports the standard library alone.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Sequence

__all__ = [
    "allow_no_new_privileges",
    "deny_calls",
    "die_with_parent",
    "drop_capabilities",
    "make_dumpable",
    "make_tree_read_only",
    "mount",
    "swap_root",
    "unmount",
    "unshare",
]

_libc = ctypes.CDLL(None, use_errno=True)

NAMESPACES = (
    0x10000000  # users
    | 0x00020000  # mounts
    | 0x20000000  # processes
    | 0x40000000  # network
    | 0x08000000  # System V objects and message queues
    | 0x04000000  # the host's name
    | 0x02000000  # control groups
)
NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 1 << 12, 1 << 14, 1 << 18
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE, _ATTRIBUTES = -100, 0x8000, 1 | NOSUID  # read-only, no set-user-id
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _CAPBSET_DROP, _SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
_FILTER_MODE = 2

# By machine: its number for audits, and the numbers of calls. Those from 424 on are the same on all machines.
_MACHINES = {
    "x86_64": (0xC000003E, {
        "socket": 41, "socketpair": 53, "pivot_root": 155, "ptrace": 101, "process_vm_readv": 310,
        "process_vm_writev": 311, "mount": 165, "umount2": 166, "chroot": 161, "unshare": 272, "setns": 308, "bpf": 321,
        "perf_event_open": 298, "add_key": 248, "request_key": 249, "keyctl": 250, "userfaultfd": 323,
        "open_by_handle_at": 304, "memfd_create": 319, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240,
        "kexec_load": 246, "init_module": 175, "finit_module": 313, "delete_module": 176, "swapon": 167, "reboot": 169,
    }),
    "aarch64": (0xC00000B7, {
        "socket": 198, "socketpair": 199, "pivot_root": 41, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "mount": 40, "umount2": 39, "chroot": 51, "unshare": 97, "setns": 268, "bpf": 280,
        "perf_event_open": 241, "add_key": 217, "request_key": 218, "keyctl": 219, "userfaultfd": 282,
        "open_by_handle_at": 265, "memfd_create": 279, "shmget": 194, "msgget": 186, "semget": 190, "mq_open": 180,
        "kexec_load": 104, "init_module": 105, "finit_module": 273, "delete_module": 106, "swapon": 224, "reboot": 142,
    }),
}  # fmt: skip
_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "memfd_secret": 447,
}  # fmt: skip


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    _check("unshare", _libc.unshare(flags))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount a file system."""
    done = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(f"mount {target}", done)


def unmount(target: str) -> None:
    """Take a mount out of sight; what is open on it stays usable."""
    _check(f"umount {target}", _libc.umount2(target.encode(), _DETACH))


def make_tree_read_only(target: str) -> None:
    """Let nothing be written to a mount, and to all mounts below it."""
    attributes = struct.pack("=QQQQ", _ATTRIBUTES, 0, 0, 0)
    _call("mount_setattr", _AT_FDCWD, target.encode(), _AT_RECURSIVE, attributes, ctypes.c_size_t(len(attributes)))


def swap_root(root: str) -> None:
    """Make a mount the root, and let go of the old one."""
    os.chdir(root)
    _call("pivot_root", b".", b".")
    unmount(".")
    os.chdir("/")


def die_with_parent(signal: int) -> None:
    """Get this signal when the parent dies. A change of credentials undoes it."""
    _prctl("pdeathsig", _SET_PDEATHSIG, signal)


def make_dumpable() -> None:
    """Own one's `/proc/self` again, after a change of user."""
    _prctl("dumpable", _SET_DUMPABLE, 1)


def allow_no_new_privileges() -> None:
    """Let no program gain rights when it is started."""
    _prctl("no_new_privs", _SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Let no capability survive the start of a program."""
    capability = 0
    while _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) == 0:  # up to the first one that this kernel does not know
        capability += 1
    if not capability:
        _check("capbset_drop", -1)


def deny_calls() -> None:
    """Deny the calls that reach past namespaces, those that hold memory out of every limit, and exotic sockets.

    Raises OSError on a machine whose calls are not known here.
    """
    audited, numbers = _machine()
    sockets = numbers["socket"], numbers["socketpair"]
    denied = {*numbers.values(), *_EVERYWHERE.values()}.difference(sockets)
    allow, refuse, no_family, kill = 0x7FFF0000, 0x00050001, 0x00050061, 0x80000000
    program = [
        _load(4),  # the machine
        _if_equal(audited, 1, 0),
        _return(kill),
        _load(0),  # the call
        (0x35, 0, 1, 0x40000000),  # one of another numbering
        _return(kill),
    ]
    for number in sorted(denied):
        program += [_if_equal(number, 0, 1), _return(refuse)]
    program += [_if_equal(sockets[0], 1, 0), _if_equal(sockets[1], 0, 5)]
    # Its family: local, IPv4 or IPv6. Others, as to the host of a virtual machine, know no namespaces.
    program += [_load(16), _if_equal(1, 3, 0), _if_equal(2, 2, 0), _if_equal(10, 1, 0), _return(no_family)]
    program.append(_return(allow))
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    prog = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    _prctl("seccomp", _SET_SECCOMP, _FILTER_MODE, prog)


def _load(offset: int) -> tuple[int, int, int, int]:
    return 0x20, 0, 0, offset


def _if_equal(value: int, then: int, otherwise: int) -> tuple[int, int, int, int]:
    return 0x15, then, otherwise, value


def _return(value: int) -> tuple[int, int, int, int]:
    return 0x06, 0, 0, value


def _machine() -> tuple[int, dict[str, int]]:
    machine = platform.machine()
    if machine not in _MACHINES:
        raise OSError(f"no calls are known of the machine {machine}")
    return _MACHINES[machine]


def _call(name: str, *arguments: object) -> None:
    number = _EVERYWHERE.get(name) or _machine()[1][name]
    _check(name, _libc.syscall(ctypes.c_long(number), *arguments))


def _prctl(name: str, option: int, *arguments: int | bytes) -> None:
    values: Sequence[object] = [
        each if isinstance(each, bytes) else ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]
    ]
    _check(name, _libc.prctl(option, *values))


def _check(name: str, result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
