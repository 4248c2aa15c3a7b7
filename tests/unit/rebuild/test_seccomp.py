"""The filters of system calls, in words: classic BPF programs as the kernel's seccomp_filter.rst and linux/filter.h define them.

`python tests/unit/rebuild/test_seccomp.py` writes the files anew.
"""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from teekit_verify.rebuild import sandbox

# linux/filter.h: code, offset of the next instruction if true, if false, operand. linux/seccomp.h: struct seccomp_data.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE = 0, 4
FIRST_ARGUMENT, SECOND_ARGUMENT, THIRD_ARGUMENT, FOURTH_ARGUMENT = 16, 24, 32, 40  # the lower half: they are ints
X86_64 = 0xC000003E  # linux/audit.h
X32 = 0x40000000  # asm/unistd.h
IOCTL, SOCKET, IO_URING_SETUP = 16, 41, 425  # asm/unistd_64.h
VSOCK = 40  # linux/socket.h
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # asm-generic/ioctls.h: both type what the caller wants into a terminal
ALLOW, ERRNO = 0x7FFF0000, 0x00050000  # linux/seccomp.h

PROGRAM = [
    (LOAD, 0, 0, ARCHITECTURE),
    (EQUAL, 0, 11, X86_64),
    (LOAD, 0, 0, NUMBER),
    (AT_LEAST, 9, 0, X32),
    (EQUAL, 8, 0, IO_URING_SETUP),  # its rings make sockets too
    (EQUAL, 3, 0, IOCTL),
    (EQUAL, 0, 5, SOCKET),
    (LOAD, 0, 0, FIRST_ARGUMENT),
    (EQUAL, 5, 3, VSOCK),
    (LOAD, 0, 0, SECOND_ARGUMENT),
    (EQUAL, 4, 0, TIOCSTI),
    (EQUAL, 3, 0, TIOCLINUX),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, ERRNO | errno.ENOSYS),
    (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT),
    (RETURN, 0, 0, ERRNO | errno.EPERM),
]


# asm/unistd_64.h. A mode is the second, the third or the fourth argument.
CHMOD, FCHMOD, CREAT, MKNOD = 90, 91, 85, 133
FCHMODAT, FCHMODAT2, MKNODAT = 268, 452, 259
OPEN, OPENAT, OPENAT2 = 2, 257, 437
SETXATTR, LSETXATTR, FSETXATTR, SETXATTRAT = 188, 189, 190, 463
UNKNOWN = 470  # the first one that Linux 6.17 has not: it may do what the others do. The numbers of x32 are greater
SET_ID = 0o6000  # S_ISUID, S_ISGID
CREATES = 0o20000100  # O_CREAT and the own bit of O_TMPFILE: without one of them the mode is not read

# A name alone is a place to go to.
SHELL: list[str | tuple[int, int | str, int | str, int]] = [
    (LOAD, 0, 0, ARCHITECTURE),
    (EQUAL, 0, "unknown", X86_64),
    (LOAD, 0, 0, NUMBER),
    (AT_LEAST, "unknown", 0, UNKNOWN),
    (EQUAL, "unknown", 0, IO_URING_SETUP),
    (EQUAL, "unknown", 0, OPENAT2),  # its mode is in memory, which a filter cannot read; callers fall back on openat
    *((EQUAL, "unsupported", 0, number) for number in (SETXATTR, LSETXATTR, FSETXATTR, SETXATTRAT)),  # so is the name
    (EQUAL, "ioctl", 0, IOCTL),
    (EQUAL, "socket", 0, SOCKET),
    *((EQUAL, "second is mode", 0, number) for number in (CHMOD, FCHMOD, CREAT, MKNOD)),
    *((EQUAL, "third is mode", 0, number) for number in (FCHMODAT, FCHMODAT2, MKNODAT)),
    (EQUAL, "open", 0, OPEN),
    (EQUAL, "openat", "allowed", OPENAT),
    "ioctl",
    (LOAD, 0, 0, SECOND_ARGUMENT),
    (EQUAL, "refused", 0, TIOCSTI),
    (EQUAL, "refused", "allowed", TIOCLINUX),
    "socket",
    (LOAD, 0, 0, FIRST_ARGUMENT),
    (EQUAL, "no family", "allowed", VSOCK),
    "open",
    (LOAD, 0, 0, SECOND_ARGUMENT),
    (ANY_BIT, "third is mode", "allowed", CREATES),
    "openat",
    (LOAD, 0, 0, THIRD_ARGUMENT),
    (ANY_BIT, "fourth is mode", "allowed", CREATES),
    "second is mode",
    (LOAD, 0, 0, SECOND_ARGUMENT),
    (ANY_BIT, "refused", "allowed", SET_ID),
    "third is mode",
    (LOAD, 0, 0, THIRD_ARGUMENT),
    (ANY_BIT, "refused", "allowed", SET_ID),
    "fourth is mode",
    (LOAD, 0, 0, FOURTH_ARGUMENT),
    (ANY_BIT, "refused", "allowed", SET_ID),
    "allowed",
    (RETURN, 0, 0, ALLOW),
    "unknown",
    (RETURN, 0, 0, ERRNO | errno.ENOSYS),
    "unsupported",
    (RETURN, 0, 0, ERRNO | errno.EOPNOTSUPP),
    "no family",
    (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT),
    "refused",
    (RETURN, 0, 0, ERRNO | errno.EPERM),
]


def assembled() -> list[tuple[int, int, int, int]]:
    """SHELL with offsets in the place of names."""
    places: dict[str, int] = {}
    rows: list[tuple[int, int | str, int | str, int]] = []
    for row in SHELL:
        if isinstance(row, str):
            places[row] = len(rows)
        else:
            rows.append(row)

    def offset(to: int | str, at: int) -> int:
        return places[to] - at - 1 if isinstance(to, str) else to

    return [(code, offset(yes, at), offset(no, at), operand) for at, (code, yes, no, operand) in enumerate(rows)]


def installed(path: Path = sandbox._FILTER) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("<HBBI", path.read_bytes()))


def run(
    path: Path = sandbox._FILTER,
    /,
    *,
    architecture: int = X86_64,
    number: int,
    argument: int = 0,
    second: int = 0,
    third: int = 0,
    fourth: int = 0,
) -> int:
    """What the program returns for a system call."""
    arguments = {FIRST_ARGUMENT: argument, SECOND_ARGUMENT: second, THIRD_ARGUMENT: third, FOURTH_ARGUMENT: fourth}
    data = {ARCHITECTURE: architecture, NUMBER: number, **arguments}
    program, at, accumulator = installed(path), 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == LOAD:
            accumulator = data[operand]
        elif code == RETURN:
            return operand
        else:
            holds = {
                EQUAL: accumulator == operand,
                AT_LEAST: accumulator >= operand,
                ANY_BIT: bool(accumulator & operand),
            }[code]
            at += if_true if holds else if_false


def test_the_file_is_this_program() -> None:
    assert installed() == PROGRAM


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"number": SOCKET, "argument": VSOCK}, ERRNO | errno.EAFNOSUPPORT),
        ({"number": SOCKET, "argument": 1}, ALLOW),
        ({"number": SOCKET, "argument": 2}, ALLOW),
        ({"number": 0, "argument": VSOCK}, ALLOW),
        ({"number": IOCTL, "second": TIOCSTI}, ERRNO | errno.EPERM),
        ({"number": IOCTL, "second": TIOCLINUX}, ERRNO | errno.EPERM),
        ({"number": IOCTL, "second": 0x5401}, ALLOW),  # TCGETS
        ({"number": IOCTL, "argument": TIOCSTI}, ALLOW),
        ({"number": SOCKET, "argument": 1, "second": TIOCSTI}, ALLOW),
        ({"number": IO_URING_SETUP}, ERRNO | errno.ENOSYS),
        ({"number": 424}, ALLOW),
        ({"number": 426}, ALLOW),
        ({"number": X32 + SOCKET, "argument": VSOCK}, ERRNO | errno.ENOSYS),
        (
            {"architecture": 0x40000003, "number": 102},
            ERRNO | errno.ENOSYS,
        ),  # i386, whose socketcall(2) hides the family
    ],
)
def test_what_it_refuses(call: dict[str, int], expected: int) -> None:
    assert run(**call) == expected
    assert run(sandbox._SHELL_FILTER, **call) == expected


def test_the_shells_file_is_its_program() -> None:
    assert installed(sandbox._SHELL_FILTER) == assembled()


SET_USER, SET_GROUP, STICKY = 0o4755, 0o2755, 0o1777
O_CREAT, O_TMPFILE, O_RDWR = 0o100, 0o20200000, 2
REFUSED = ERRNO | errno.EPERM


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        *(({"number": number, "second": SET_USER}, REFUSED) for number in (CHMOD, FCHMOD, CREAT, MKNOD)),
        *(({"number": number, "second": SET_GROUP}, REFUSED) for number in (CHMOD, FCHMOD, CREAT, MKNOD)),
        *(({"number": number, "second": STICKY}, ALLOW) for number in (CHMOD, FCHMOD, CREAT, MKNOD)),
        *(({"number": number, "third": SET_USER}, REFUSED) for number in (FCHMODAT, FCHMODAT2, MKNODAT)),
        *(({"number": number, "third": 0o644, "second": SET_USER}, ALLOW) for number in (FCHMODAT, FCHMODAT2, MKNODAT)),
        ({"number": OPEN, "second": O_CREAT | O_RDWR, "third": SET_USER}, REFUSED),
        ({"number": OPEN, "second": O_TMPFILE | O_RDWR, "third": SET_GROUP}, REFUSED),
        ({"number": OPEN, "second": O_CREAT | O_RDWR, "third": 0o666}, ALLOW),
        ({"number": OPEN, "second": O_RDWR, "third": SET_USER}, ALLOW),  # whatever was in the register
        ({"number": OPENAT, "third": O_CREAT | O_RDWR, "fourth": SET_USER}, REFUSED),
        ({"number": OPENAT, "third": O_TMPFILE | O_RDWR, "fourth": SET_USER}, REFUSED),
        ({"number": OPENAT, "third": 0o200000, "fourth": SET_USER}, ALLOW),  # O_DIRECTORY
        ({"number": OPENAT, "second": O_CREAT, "fourth": SET_USER}, ALLOW),
        ({"number": OPENAT2}, ERRNO | errno.ENOSYS),
        *(({"number": number}, ERRNO | errno.EOPNOTSUPP) for number in (SETXATTR, LSETXATTR, FSETXATTR, SETXATTRAT)),
        ({"number": UNKNOWN}, ERRNO | errno.ENOSYS),
        ({"number": UNKNOWN - 1}, ALLOW),
        ({"number": X32 + CHMOD, "second": SET_USER}, ERRNO | errno.ENOSYS),
        ({"architecture": 0x40000003, "number": 15}, ERRNO | errno.ENOSYS),  # chmod of i386
    ],
)
def test_what_the_shells_refuses(call: dict[str, int], expected: int) -> None:
    assert run(sandbox._SHELL_FILTER, **call) == expected
    if expected == REFUSED:
        assert run(**call) == ALLOW, "packages that a build unpacks have such files"


if __name__ == "__main__":
    sandbox._SHELL_FILTER.write_bytes(b"".join(struct.pack("<HBBI", *row) for row in assembled()))
    sandbox._FILTER.write_bytes(b"".join(struct.pack("<HBBI", *row) for row in PROGRAM))
