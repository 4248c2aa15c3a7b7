"""A shell leaves nothing in its folder that runs with the rights of the folder's owner, by whichever system call it is tried."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from builders.tools import require
from teekit_verify.rebuild.sandbox import Sandbox

# Numbers: asm/unistd_64.h, of chmod also asm/unistd_32.h. Each attempt is a function of a file's name; it makes the file or finds it.
_ATTEMPTS = r"""
import ctypes, mmap, os, stat, struct, sys

call = ctypes.CDLL(None, use_errno=True).syscall
HERE, SET = -100, 0o6755
CREATE, TEMPORARY = os.O_CREAT | os.O_RDWR, os.O_TMPFILE | os.O_RDWR
CAPABILITY, VALUE = b"security.capability", struct.pack("<5I", 0x02000001, 1 << 7, 0, 0, 0)  # cap_setuid, effective

def by_name(number, *more):
    return lambda name: call(number, *(name if one is name_here else one for one in more))

name_here = object()

def temporary(name):
    made = call(257, HERE, b".", TEMPORARY, SET)
    call(265, HERE, f"/proc/self/fd/{made}".encode(), HERE, name, 0x400)  # linkat, AT_SYMLINK_FOLLOW

def openat2(name):
    how = ctypes.create_string_buffer(struct.pack("=3Q", CREATE, SET, 0))
    call(437, HERE, name, how, 24)

def attribute_at(name):
    value = ctypes.create_string_buffer(VALUE)
    arguments = ctypes.create_string_buffer(struct.pack("=QII", ctypes.addressof(value), len(VALUE), 0))
    call(463, HERE, name, 0, CAPABILITY, arguments, 16)

def of_i386(name):
    # push rbx; mov eax, 15 (chmod); mov ebx, name; mov ecx, mode; int 0x80; pop rbx; ret, all of it below 4 GiB
    place = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)
    at = ctypes.addressof(ctypes.c_char.from_buffer(place))
    code = b"\x53\xb8" + struct.pack("<I", 15) + b"\xbb" + struct.pack("<I", at + 256) + b"\xb9" + struct.pack("<I", SET)
    place[: len(code) + 4] = code + b"\xcd\x80\x5b\xc3"
    place[256 : 256 + len(name) + 1] = name + b"\0"
    ctypes.CFUNCTYPE(ctypes.c_int)(at)()

def descriptor(number, *more):
    def attempt(name):
        held = os.open(name, os.O_RDONLY)
        call(number, held, *more)
    return attempt

N = name_here
THERE = {
    "chmod": by_name(90, N, SET),
    "fchmod": descriptor(91, SET),
    "fchmodat": by_name(268, HERE, N, SET),
    "fchmodat2": by_name(452, HERE, N, SET, 0),
    "fchmodat2-empty": descriptor(452, b"", SET, 0x1000),
    "chmod-x32": by_name(0x40000000 + 90, N, SET),
    "chmod-i386": of_i386,
    "setxattr": by_name(188, N, CAPABILITY, VALUE, len(VALUE), 0),
    "lsetxattr": by_name(189, N, CAPABILITY, VALUE, len(VALUE), 0),
    "fsetxattr": descriptor(190, CAPABILITY, VALUE, len(VALUE), 0),
    "setxattrat": attribute_at,
}
NEW = {
    "open": by_name(2, N, CREATE, SET),
    "creat": by_name(85, N, SET),
    "openat": by_name(257, HERE, N, CREATE, SET),
    "openat-temporary": temporary,
    "openat2": openat2,
    "mknod": by_name(133, N, stat.S_IFREG | SET, 0),
    "mknodat": by_name(259, HERE, N, stat.S_IFREG | SET, 0),
}
os.chdir("/here")
os.umask(0)
for name, attempt in (THERE | NEW).items():
    if name in THERE:
        open(name, "x").close()
    child = os.fork()  # a kernel without these calls may end it
    if not child:
        try:
            attempt(name.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""
_SURE = {"chmod", "fchmod", "fchmodat", "open", "creat", "openat", "openat2", "mknod", "mknodat"}
"""What every kernel since 5.10 has, on every file system that tests are run on."""


def _left(folder: Path, *, terminal: bool) -> set[str]:
    """The files that would run with their owner's rights, after all attempts."""
    require("bwrap")
    sandbox = Sandbox(root=Path("/"), tree=("usr",), binds={"/here": folder}, network=True, terminal=terminal)
    inside = sandbox.command_line(["python3", "-c", _ATTEMPTS])
    done = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=600, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return {path.name for path in folder.iterdir() if _gives_rights(path)}


def _gives_rights(path: Path) -> bool:
    return bool(path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)) or "security.capability" in _attributes(path)


def _attributes(path: Path) -> list[str]:
    """None on a file system that has none."""
    try:
        return os.listxattr(path)
    except OSError:
        return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "here"
    made.mkdir()
    return made


def test_a_shell_leaves_no_file_with_its_owners_rights(folder: Path) -> None:
    assert _left(folder, terminal=True) == set()
    assert {"chmod", "setxattr"} <= {path.name for path in folder.iterdir()}, "the attempts were made"


def test_without_the_filter_each_attempt_leaves_one(folder: Path) -> None:
    assert _left(folder, terminal=False) >= _SURE
