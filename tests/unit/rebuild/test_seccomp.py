"""The filter of system calls, in words: a classic BPF program as the kernel's seccomp_filter.rst and linux/filter.h define it."""

from __future__ import annotations

import errno
import struct

import pytest

from teekit_verify.rebuild import sandbox

# linux/filter.h: code, offset of the next instruction if true, if false, operand. linux/seccomp.h: struct seccomp_data.
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, SECOND_ARGUMENT = 0, 4, 16, 24  # of the arguments, the lower half: they are ints
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


def installed() -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("<HBBI", sandbox._FILTER.read_bytes()))


def test_the_file_is_this_program() -> None:
    assert installed() == PROGRAM


def run(*, architecture: int = X86_64, number: int, argument: int = 0, second: int = 0) -> int:
    """What the program returns for a system call."""
    data = {ARCHITECTURE: architecture, NUMBER: number, FIRST_ARGUMENT: argument, SECOND_ARGUMENT: second}
    program, at, accumulator = installed(), 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == LOAD:
            accumulator = data[operand]
        elif code == RETURN:
            return operand
        else:
            holds = accumulator == operand if code == EQUAL else accumulator >= operand
            at += if_true if holds else if_false


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
