"""A stand-in for the kernel's file of RTMR3 that does what its documentation says, and extends.

Linux, Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest: read, it is the current value; "all writes must start at offset 0 and be 48
bytes in size. Partial writes will result in EINVAL". The processor's TDG.MR.RTMR.EXTEND: SHA-384 of the value and what is extended.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

SIZE = 48


class SysfsRtmr:
    """Takes the place of the file at `path`, for os.open, os.read and os.write."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, before: Callable[[], None] = lambda: None) -> None:
        self.value = bytes(SIZE)
        self.writes: list[bytes] = []
        self.fails_with = 0
        self._path, self._before = path, before
        self._ours: dict[int, int] = {}
        self._kernels = {name: getattr(os, name) for name in ("open", "read", "write", "close")}
        path.touch()
        for name in self._kernels:
            monkeypatch.setattr(os, name, getattr(self, name))

    def open(self, path: str | Path, flags: int, *rest: int, **named: int) -> int:
        descriptor: int = self._kernels["open"](path, flags, *rest, **named)
        if str(path) == str(self._path):
            assert not flags & (os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            self._ours[descriptor] = 0
        return descriptor

    def close(self, descriptor: int) -> None:
        self._ours.pop(descriptor, None)
        self._kernels["close"](descriptor)

    def read(self, descriptor: int, count: int) -> bytes:
        if descriptor not in self._ours:
            return bytes(self._kernels["read"](descriptor, count))
        start = self._ours[descriptor]
        self._ours[descriptor] = min(SIZE, start + count)
        return self.value[start : start + count]

    def write(self, descriptor: int, content: bytes) -> int:
        if descriptor not in self._ours:
            return int(self._kernels["write"](descriptor, content))
        self._before()
        if self.fails_with:
            raise OSError(self.fails_with, os.strerror(self.fails_with))
        if self._ours[descriptor] != 0 or len(content) != SIZE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._ours[descriptor] += SIZE
        self.writes.append(content)
        self.value = hashlib.sha384(self.value + content).digest()
        return SIZE
