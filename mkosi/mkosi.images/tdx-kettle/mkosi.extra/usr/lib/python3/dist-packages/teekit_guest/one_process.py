"""`python3 -m teekit_guest.one_process PROGRAM...`: runs a program that can make threads, and no further process.

systemd limits open files for each process, so limits them for nobody who can make processes. And open sockets are what the
machine has few of: each takes one of its ports, at which the kernel's firewall does not look before something is sent.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# linux/prctl.h, linux/seccomp.h, linux/audit.h
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
REFUSE, ALLOW = 0x0005_0000, 0x7FFF_0000
AUDIT_ARCH_X86_64 = 0xC000_003E
# struct seccomp_data: number, architecture, and the low halves of the first and the third argument.
NUMBER, ARCHITECTURE, FIRST, THIRD = 0, 4, 16, 32
# asm/unistd_64.h. Beyond that are those of another ABI.
CLONE, FORK, VFORK, UNSHARE, CLONE3, CLOSE_RANGE, NATIVE = 56, 57, 58, 272, 435, 436, 0x4000_0000
# linux/sched.h, linux/close_range.h: a thread that shares the table of open files, and a call that stops sharing it.
THREAD = 0x0001_0000 | 0x0000_0400
CLOSE_RANGE_UNSHARE = 2
# linux/bpf_common.h
LOAD, AND, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """As in struct sock_filter; jumps say how many instructions are left out."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def rules() -> bytes:
    """For seccomp: each line is complete, and goes on to the next where it does not apply."""
    eperm, allow = instruction(RETURN, REFUSE | errno.EPERM), instruction(RETURN, ALLOW)
    # Its flags are in memory, which no filter sees. The C library then takes clone.
    unknown = instruction(RETURN, REFUSE | errno.ENOSYS)
    return b"".join(
        (
            *(instruction(LOAD, ARCHITECTURE), instruction(EQUAL, AUDIT_ARCH_X86_64, 1, 0), eperm),
            *(instruction(LOAD, NUMBER), instruction(AT_LEAST, NATIVE, 0, 1), eperm),
            *(part for number in (FORK, VFORK, UNSHARE) for part in (instruction(EQUAL, number, 0, 1), eperm)),
            *(instruction(EQUAL, CLONE3, 0, 1), unknown),
            *(instruction(EQUAL, CLONE, 0, 5), instruction(LOAD, FIRST), instruction(AND, THREAD)),
            *(instruction(EQUAL, THREAD, 1, 0), eperm, allow),
            *(instruction(EQUAL, CLOSE_RANGE, 0, 3), instruction(LOAD, THIRD)),
            *(instruction(ANY_BIT, CLOSE_RANGE_UNSHARE, 0, 1), eperm),
            allow,
        )
    )


def confine() -> None:
    """For good: the caller, and what it executes. Raises OSError where the kernel does not do it."""
    libc = ctypes.CDLL(None, use_errno=True)
    content = ctypes.create_string_buffer(rules())
    # struct sock_fprog
    program = ctypes.create_string_buffer(struct.pack("=H6xQ", len(rules()) // 8, ctypes.addressof(content)))
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)):
        if libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def main(argv: Sequence[str]) -> None:
    confine()
    os.execv(argv[0], list(argv))  # noqa: S606 -- the unit's command line


if __name__ == "__main__":
    main(sys.argv[1:])
