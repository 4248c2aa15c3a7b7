"""Quotes from the kernel: configfs-tsm (Linux, Documentation/ABI/testing/configfs-tsm).

A request is a folder in configfs: made, given `inblob`, read from `outblob`, removed.
"""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORTS = Path("/sys/kernel/config/tsm/report")
REPORT_DATA_BYTES = 64
# The kernel's own limit for a TDX quote (drivers/virt/coco/tdx-guest: GET_QUOTE_BUF_SIZE).
MOST_BYTES = 8192
TRIES = 3
PASSING = {errno.EBUSY, errno.EINTR, errno.ETIMEDOUT, errno.EWOULDBLOCK}

_numbers = itertools.count()


class NoTsm(Refused):
    """Nothing here makes quotes: no configfs-tsm, or no driver behind it."""


@dataclass(frozen=True, slots=True)
class Quote:
    """`provider` as the kernel names it: tdx_guest, sev_guest."""

    provider: str
    content: bytes


def quote(report_data: bytes, reports: Path = REPORTS) -> Quote:
    """A quote over 64 bytes of report data, or NoTsm, or Refused when the platform does not give one."""
    if len(report_data) != REPORT_DATA_BYTES:
        raise Refused(f"report data must be {REPORT_DATA_BYTES} bytes, found {len(report_data)}")
    if not reports.is_dir():
        raise NoTsm(f"this machine gives no quotes: there is no {reports}")
    for _ in range(TRIES - 1):
        try:
            return _quote(report_data, reports)
        except OSError as error:
            if error.errno not in PASSING:
                raise Refused(f"the platform gives no quote: {error.strerror}") from None
    try:
        return _quote(report_data, reports)
    except OSError as error:
        raise Refused(f"the platform gives no quote: {error.strerror}, {TRIES} times") from None


def _quote(report_data: bytes, reports: Path) -> Quote:
    with _entry(reports) as entry:
        before = int((entry / "generation").read_text())
        (entry / "inblob").write_bytes(report_data)
        with (entry / "outblob").open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        provider = (entry / "provider").read_text().strip()
        # Each write counts, and ours was one: with any other number, the quote may be over somebody else's data.
        after = int((entry / "generation").read_text())
    if after != before + 1:
        raise Refused(f"somebody else wrote to {entry.name}: its generation went from {before} to {after}")
    if not content or len(content) > MOST_BYTES:
        raise Refused(f"the platform gave a quote of {len(content)} bytes, expected 1 to {MOST_BYTES}")
    return Quote(provider, content)


@contextmanager
def _entry(reports: Path) -> Iterator[Path]:
    try:
        entry = reports / f"teekit-{os.getpid()}-{next(_numbers)}"
        entry.mkdir()
    except OSError as error:
        # ENXIO where configfs-tsm is there and no driver is, as on a plain virtual machine.
        raise NoTsm(f"this machine gives no quotes: {error.strerror}") from None
    try:
        yield entry
    finally:
        entry.rmdir()
