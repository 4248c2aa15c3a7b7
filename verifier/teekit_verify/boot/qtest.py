"""Plays the firmware's part on a paused QEMU over its qtest socket: I/O ports, PCI configuration space, guest memory, fw_cfg.

Commands and answers: QEMU system/qtest.c (qtest.c up to 8.2), the comment at its top. Devices see what a guest's own
instructions would do; no instruction of a guest runs.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from teekit_verify.core.errors import MalformedInputError, TeekitError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_TIMEOUT_SECONDS = 60
_MAX_ANSWER_BYTES = 16 << 20
_PCI_ADDRESS, _PCI_DATA = 0xCF8, 0xCFC
_FW_CFG_DMA_HIGH, _FW_CFG_DMA_LOW = 0x514, 0x518
_FW_CFG_DIRECTORY = 0x19
_DMA_READ_SELECTED, _DMA_FAILED = 0x0A, 0x01
_SCRATCH_ADDRESS = 0x100000
"""Guest memory that nobody else uses while no guest runs."""
_ATTEMPTS, _PAUSE_SECONDS = 100, 0.05
_MAX_ITEMS = 1024
_MAX_ITEM_BYTES = 4 << 20


class QtestClient:
    """One connection. Use it as a context manager. Every failure is a TeekitError."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_TIMEOUT_SECONDS)
        try:
            self._connect(path)
        except OSError as error:
            self._socket.close()
            raise TeekitError(f"QEMU's qtest socket does not answer: {error}") from error
        self._lines = self._socket.makefile("rb")

    def _connect(self, path: Path) -> None:
        """QEMU's socket has its name a moment before anybody listens."""
        for _ in range(_ATTEMPTS):
            try:
                return self._socket.connect(str(path))
            except ConnectionRefusedError:
                time.sleep(_PAUSE_SECONDS)
        return self._socket.connect(str(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def command(self, text: str) -> str:
        """What stands behind `OK` in the answer. Raises TeekitError for any other answer."""
        try:
            self._socket.sendall(text.encode() + b"\n")
            line = self._lines.readline(_MAX_ANSWER_BYTES)
        except OSError as error:
            raise TeekitError(f"QEMU does not answer the qtest command {text[:40]!r}: {error}") from error
        status, _, value = line.decode("ascii", "replace").rstrip("\n").partition(" ")
        if status != "OK" or not line.endswith(b"\n"):
            raise TeekitError(f"QEMU refuses the qtest command {text[:40]!r}: {line[:80]!r}")
        return value

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        try:
            return bytes.fromhex(self.command(f"read {address:#x} {size_bytes:#x}").removeprefix("0x"))
        except ValueError as error:
            raise TeekitError("QEMU's qtest answer to `read` is not hexadecimal") from error

    def write_memory(self, address: int, data: bytes) -> None:
        self.command(f"write {address:#x} {len(data):#x} 0x{data.hex()}")


@dataclass(frozen=True, slots=True)
class PciFunction:
    """A function on bus 0; registers are 32 bits wide, at multiples of 4."""

    qtest: QtestClient
    device: int
    function: int

    def read(self, register: int) -> int:
        self._select(register)
        try:
            return int(self.qtest.command(f"inl {_PCI_DATA:#x}"), 16)
        except ValueError as error:
            raise TeekitError("QEMU's qtest answer to `inl` is not a number") from error

    def write(self, register: int, value: int) -> None:
        self._select(register)
        self.qtest.command(f"outl {_PCI_DATA:#x} {value:#x}")

    def _select(self, register: int) -> None:
        address = 0x80000000 | self.device << 11 | self.function << 8 | register
        self.qtest.command(f"outl {_PCI_ADDRESS:#x} {address:#x}")


@dataclass(frozen=True, slots=True)
class FwCfgItem:
    selector: int
    size_bytes: int


def fw_cfg_directory(qtest: QtestClient) -> dict[str, FwCfgItem]:
    """QEMU's named items (docs/specs/fw_cfg.rst: number of files, then size, selector, reserved, 56 bytes of name)."""
    (count,) = struct.unpack(">I", fw_cfg_read(qtest, FwCfgItem(_FW_CFG_DIRECTORY, 4)))
    if count > _MAX_ITEMS:
        raise MalformedInputError("fw_cfg", field="number of items", offset=0, problem=f"{count} are too many")
    data = fw_cfg_read(qtest, FwCfgItem(_FW_CFG_DIRECTORY, 4 + 64 * count))[4:]
    rows = struct.iter_unpack(">IHH56s", data)
    return {name.rstrip(b"\0").decode("ascii", "replace"): FwCfgItem(key, size) for size, key, _, name in rows}


def fw_cfg_read(qtest: QtestClient, item: FwCfgItem) -> bytes:
    """A whole item, over the DMA interface: structure and ports are big-endian. Reading the ACPI items builds them anew."""
    if not 0 <= item.size_bytes <= _MAX_ITEM_BYTES:
        raise MalformedInputError(
            "fw_cfg", field="item size", offset=0, problem=f"{item.size_bytes} bytes are too many"
        )
    target = _SCRATCH_ADDRESS + 4096
    request = struct.pack(">IIQ", item.selector << 16 | _DMA_READ_SELECTED, item.size_bytes, target)
    qtest.write_memory(_SCRATCH_ADDRESS, request)
    qtest.command(f"outl {_FW_CFG_DMA_HIGH:#x} 0x0")
    swapped = int.from_bytes(_SCRATCH_ADDRESS.to_bytes(4, "big"), "little")
    qtest.command(f"outl {_FW_CFG_DMA_LOW:#x} {swapped:#x}")
    (control,) = struct.unpack(">I", qtest.read_memory(_SCRATCH_ADDRESS, 4))
    if control & _DMA_FAILED:
        raise TeekitError(f"QEMU cannot read the fw_cfg item {item.selector:#x}")
    return qtest.read_memory(target, item.size_bytes) if item.size_bytes else b""
