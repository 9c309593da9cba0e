"""Become another program, tied to the life of the parent: run as a script by `process.spawn`, never imported.

    python -I -S launch.py PARENT_PID DEATH_SIGNAL UID:GID|- PROGRAM [ARGUMENT...]

Owns the few system calls between fork and exec. They run in a fresh interpreter because code run between the fork and
the exec of a process with threads may meet a lock that is held for ever. It keeps the process id: exec replaces it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, death_signal, account, *argv = arguments
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of account, because that clears the setting.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):
        sys.exit("the parent ended before the setting was made")  # nobody would ever send the signal
    # Python ignores these, and exec would pass that on to a program that expects the defaults.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
