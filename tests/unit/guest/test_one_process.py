"""What a program can make that runs as one process: tried by the kernel, in a process of its own."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from builders.guest import PACKAGES

# Each says the error's number, or 0. By number, as the C library may take another call.
TRY = """
import ctypes, json, os, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(*map(ctypes.c_long, (number, *arguments)))
    if result == 0 and number in (56, 57, 58):
        os._exit(0)
    return ctypes.get_errno() if result < 0 else 0
def made(make):
    try:
        make()
    except OSError as error:
        return error.errno
    return 0
def thread():
    ran = []
    one = threading.Thread(target=lambda: ran.append(1))
    one.start()
    one.join()
    assert ran
SIGCHLD, VM, FILES, SIGHAND, THREAD = 17, 0x100, 0x400, 0x800, 0x10000
print(json.dumps({
    "thread": made(thread),
    "os.fork": made(lambda: os.fork() or os._exit(0)),
    "subprocess": made(lambda: subprocess.run([sys.executable, "-c", ""])),
    "clone": call(56, SIGCHLD),
    "a thread with a table of its own": call(56, VM | SIGHAND | THREAD),
    "a process with the same table": call(56, FILES | SIGCHLD),
    "fork": call(57),
    "clone3": call(435, 0, 0),
    "unshare": call(272, FILES),
    "close_range": call(436, 1000, 1001, 0),
    "close_range that stops sharing": call(436, 1000, 1001, 2),
    "of another ABI": call(0x40000000 + 57),
}))
"""
PROGRAM = [sys.executable, "-c", TRY]


@pytest.fixture(scope="module")
def confined() -> dict[str, int]:
    argv = [sys.executable, "-m", "teekit_guest.one_process", *PROGRAM]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("what", ["thread", "close_range"])
def test_it_has_threads_and_closes_files(confined: dict[str, int], what: str) -> None:
    assert confined[what] == 0


@pytest.mark.parametrize(
    "what",
    [
        *(
            "os.fork",
            "subprocess",
            "clone",
            "a thread with a table of its own",
            "a process with the same table",
            "fork",
        ),
        *("unshare", "close_range that stops sharing"),
    ],
)
def test_it_has_no_second_process_and_no_second_table_of_files(confined: dict[str, int], what: str) -> None:
    assert confined[what] == errno.EPERM


def test_calls_that_no_filter_sees_through_are_not_there(confined: dict[str, int]) -> None:
    assert confined["clone3"] == errno.ENOSYS
    assert confined["of another ABI"] in (errno.EPERM, errno.ENOSYS)


def test_the_same_is_possible_without() -> None:
    """Or the test would say nothing. (A thread by hand ends the process: left out.)"""
    without = TRY.replace('"a thread with a table of its own": call(56, VM | SIGHAND | THREAD),', "")
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=True, timeout=600)
    found = json.loads(done.stdout)
    for what in ("os.fork", "subprocess", "clone", "fork", "unshare", "close_range that stops sharing"):
        assert found[what] == 0, what
