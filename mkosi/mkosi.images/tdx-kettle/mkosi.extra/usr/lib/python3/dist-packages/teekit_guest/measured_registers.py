"""The registers a machine has for what is measured at run time: RTMR3 of a TD, PCR 15 of a TPM.

RTMR3: Linux, Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest. What is written to the file is extended; it has to be
48 bytes, at once and from the start. Read, it is the register's value.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from . import tpm
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RTMR3 = Path("/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384")
RTMR_BYTES = 48
CPUINFO = Path("/proc/cpuinfo")
PCR = 15


class Register(Protocol):
    name: Mapping[str, int]  # as a record of the log names it
    banks: tuple[str, ...]  # hash algorithms, as hashlib names them

    def values(self) -> dict[str, bytes]: ...
    def extend(self, digests: Mapping[str, bytes]) -> None: ...


class Rtmr3:
    name: Mapping[str, int] = {"rtmr": 3}
    banks: tuple[str, ...] = ("sha384",)

    def values(self) -> dict[str, bytes]:
        try:
            with _opened(os.O_RDONLY) as descriptor:
                value = os.read(descriptor, RTMR_BYTES + 1)
        except OSError as error:
            raise Refused(f"RTMR3 cannot be read: {error.strerror}") from None
        if len(value) != RTMR_BYTES:
            raise Refused(f"RTMR3 has {len(value)} bytes, expected {RTMR_BYTES}")
        return {"sha384": value}

    def extend(self, digests: Mapping[str, bytes]) -> None:
        try:
            # Nothing is created or cut off: this is a register, and one write is one extending.
            with _opened(os.O_WRONLY) as descriptor:
                written = os.write(descriptor, digests["sha384"])
        except OSError as error:
            raise Refused(f"RTMR3 cannot be extended: {error.strerror}") from None
        if written != RTMR_BYTES:
            raise Refused(f"RTMR3 took {written} bytes of {RTMR_BYTES}")


@contextmanager
def _opened(flags: int) -> Iterator[int]:
    descriptor = os.open(RTMR3, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Pcr15:
    name: Mapping[str, int] = {"pcr": PCR}

    def __init__(self, device: tpm.Tpm) -> None:
        self._tpm = device
        self.banks = device.banks(PCR)
        if not self.banks:
            raise Refused(f"the TPM has PCR {PCR} in no bank that is known here")

    def values(self) -> dict[str, bytes]:
        return {bank: self._tpm.value(PCR, bank) for bank in self.banks}

    def extend(self, digests: Mapping[str, bytes]) -> None:
        self._tpm.extend(PCR, digests)


def is_td() -> bool:
    """By the processor's flag, which follows from CPUID: not by the driver, which may be missing. Raises OSError."""
    lines = CPUINFO.read_text().splitlines()
    return any("tdx_guest" in line.split() for line in lines if line.startswith("flags"))


@contextmanager
def of_this_machine() -> Iterator[tuple[Register, ...]]:
    """Those it has to have are there, or Refused is raised: a TD has RTMR3, whatever the kernel thinks of it."""
    with ExitStack() as stack:
        found: list[Register] = []
        if is_td() or RTMR3.exists():
            found.append(Rtmr3())
        if tpm.is_there():
            found.append(Pcr15(stack.enter_context(tpm.opened())))
        yield tuple(found)
