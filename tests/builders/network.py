"""A network with nobody else in it, for tests whose ports are given: the guest asks for metadata on port 8090, and nowhere else."""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from builders.tools import require

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_OWN = Path("/proc/thread-self/ns/net")


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and all that it starts meanwhile, have only a loopback device of their own; every port of it is free.

    Who may not make one stays where he is: other users than root could not go back.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare() and os.setns() come with Python 3.12
    before = os.open(_OWN, os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            yield
            return
        try:
            subprocess.run([require("ip"), "link", "set", "lo", "up"], check=True)
            yield
        finally:
            if libc.setns(before, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "cannot go back to the host's network")
    finally:
        os.close(before)
