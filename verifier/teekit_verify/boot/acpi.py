"""The ACPI tables of a QEMU machine, made by stock QEMU itself, paused before the guest's first instruction.

QEMU builds them when firmware reads them, from the machine's arguments and from what firmware has set up by then. So the
firmware's part is played here, over qtest: what OVMF programs before it reads the tables and what they depend on. Sources:
QEMU hw/i386/acpi-build.c and hw/pci-host/q35.c (7.2 to 10); edk2 OvmfPkg/Library/PlatformInitLib (edk2-stable202502).
"""

from __future__ import annotations

import struct
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from teekit_verify.boot import qemu
from teekit_verify.boot.devices import boot_devices
from teekit_verify.boot.qmp import QmpClient
from teekit_verify.boot.qtest import FwCfgItem, PciFunction, QtestClient, fw_cfg_directory, fw_cfg_read
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.process import find_program, last_lines, started
from teekit_verify.prediction.qemu_rtmr0 import MachineTables, Measured
from teekit_verify.prediction.rtmr0_events import COMPUTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from teekit_verify.prediction.qemu_boot_options import BootDevice

_CONNECT_SECONDS = 120
_ABSENT = 0xFFFFFFFF
_BRIDGE = 1
_MAX_BARS = 6
_COMMAND = 0x04
_WIDE_MEMORY = 0b0100
_LOADER = "etc/table-loader"
_LOADER_ENTRY_BYTES = 128
_ALLOCATE = 1
_MAX_LOADER_BYTES = 1 << 20
_QTEST, _QMP = "qtest.sock", "qmp.sock"
_DECIDE_OPTIONS = ("bootorder", "opt/org.tianocore/EFIShellSupport", "opt/org.tianocore/FirmwareSetupSupport")
_BOOT_MENU_NAME, _BOOT_MENU = "BootMenu", FwCfgItem(0x0E, 2)
_MEASURED_ITEMS = (
    ("etc/extra-pci-roots", 8),
    (_BOOT_MENU_NAME, 2),
    ("etc/boot-menu-wait", 2),
    ("etc/reserved-memory-end", 8),
    ("opt/ovmf/X-PciMmio64Mb", 0),
    ("bootorder", 0),
)
"""edk2 OvmfPkg/Library/QemuFwCfgLib/QemuFwCfgCacheInit.c, mCacheFwCfgList (19759ca1): name, size in bytes or 0 for any."""


@dataclass(frozen=True, slots=True)
class OvmfSetup:
    """What OVMF sets up. `mmio64_base` is where it puts 64-bit BARs: the last eighth of the physical address space
    (edk2 OvmfPkg/Library/PlatformInitLib/MemDetect.c, PlatformDynamicMmioWindow()).

    Defaults: what edk2-stable202502 does (seen in a booted Debian 2025.02-8), on a TDX guest: its CPUs have 46 address bits
    or more, and edk2 since stable202308 uses at most 46 with four levels of page tables (PlatformAddressWidthFromCpuid()).
    """

    pci_config_address: int = 0xE0000000
    pm_base: int = 0x600
    mmio64_base: int = (1 << 46) - (1 << 43)


class _Process(Protocol):
    """What is asked of a running QEMU."""

    def poll(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class FirmwareView:
    """What the firmware gets of the machine, as (name, bytes): ACPI blobs in the order it loads them, fw_cfg items that
    edk2 since stable202505 measures. `devices` is what it can boot from, or in words why that is not known.
    """

    acpi: tuple[tuple[str, bytes], ...]
    fw_cfg: tuple[tuple[str, bytes], ...]
    devices: tuple[BootDevice, ...] | str

    def measured(self, qemu_version: str) -> MachineTables:
        cause = f"{COMPUTED} from: the arguments of QEMU, by QEMU {qemu_version} itself"
        return MachineTables(cause, Measured.of(self.acpi), Measured.of(self.fw_cfg), self.devices)


def generate(arguments: Sequence[str], setup: OvmfSetup | None = None) -> FirmwareView:
    """The blobs as the firmware of a machine with these QEMU arguments gets them, in the order it reads them.

    `arguments` come without program, accelerator and monitor. For a TDX guest: those of the machine without its
    confidential-guest-support, but with what TDX implies (`pic=off,smm=off,hpet=off`).
    Raises TeekitError, and UnsupportedInputError for a machine with PCI bridges: their windows are not predicted.
    """
    with tempfile.TemporaryDirectory(prefix="teekit-") as name:
        log = Path(name) / "log"
        words = argv(find_program(qemu.PROGRAM, hint=qemu.HINT), arguments, Path(name))
        with ExitStack() as running:
            process = running.enter_context(started(words, log=log))
            try:
                qtest = running.enter_context(_connect(Path(name) / _QTEST, process))
                qmp = running.enter_context(QmpClient(Path(name) / _QMP))
            except TeekitError as error:
                running.close()  # only then the log has all it said
                raise _not_started(log) from error
            set_up(qtest, setup or OvmfSetup())
            return _view(qtest, qmp)


def _connect(path: Path, process: _Process) -> QtestClient:
    """Wait for QEMU's socket. Raises TeekitError for a QEMU that ends instead."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if path.exists():
            with suppress(TeekitError):  # not yet, or not any more
                return QtestClient(path)
        time.sleep(0.05)
    raise TeekitError("QEMU makes no qtest socket")


def _not_started(log: Path) -> TeekitError:
    return TeekitError(
        "QEMU does not start; its last lines were:\n" + "\n".join(f"  | {line}" for line in last_lines(log))
    )


def argv(program: str, arguments: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Paused (-S), so that nothing but us touches the machine. Its sockets are in `folder`."""
    sockets = (
        "-qmp",
        f"unix:{folder / _QMP},server=on,wait=off",
        "-qtest",
        f"unix:{folder / _QTEST},server=on,wait=off",
    )
    return (program, *arguments, "-accel", "tcg", "-S", *sockets, "-qtest-log", "none")


def set_up(qtest: QtestClient, setup: OvmfSetup) -> None:
    """The configuration space's address (PCIEXBAR), the power management ports (PMBASE, ACPI_CNTL), and 64-bit BARs."""
    bridge, lpc = PciFunction(qtest, 0, 0), PciFunction(qtest, 0x1F, 0)
    bridge.write(0x64, setup.pci_config_address >> 32)
    bridge.write(0x60, setup.pci_config_address & 0xFFFFFFFF | 1)
    lpc.write(0x40, setup.pm_base | 1)
    lpc.write(0x44, 0x80)
    address = setup.mmio64_base
    bars = [(size, function, bar) for function in _functions(qtest) for bar, size in _wide_bars(function)]
    for size, function, bar in sorted(bars, key=lambda row: -row[0]):  # the largest first: no gaps, as edk2 does
        function.write(bar, address & 0xFFFFFFFF)
        function.write(bar + 4, address >> 32)
        function.write(_COMMAND, 7)
        address += size


def _functions(qtest: QtestClient) -> Iterator[PciFunction]:
    """The functions on bus 0. Raises UnsupportedInputError for a bridge."""
    for device in range(32):
        for number in range(8):
            function = PciFunction(qtest, device, number)
            if function.read(0) == _ABSENT:
                if number == 0:
                    break
                continue
            if function.read(0x0C) >> 16 & 0x7F == _BRIDGE:
                raise UnsupportedInputError(
                    f"the PCI bridge at 00:{device:02x}.{number}: ACPI tables of machines with bridges are not generated",
                    hint="Give tables captured from such a machine.",
                )
            yield function


def _wide_bars(function: PciFunction) -> Iterator[tuple[int, int]]:
    """(register, size in bytes) of the 64-bit prefetchable BARs: the others stay below 4 GiB, which no table tells."""
    number = 0
    while number < _MAX_BARS:
        register = 0x10 + 4 * number
        kind = function.read(register) & 0xF
        is_wide = kind & 0b0111 == _WIDE_MEMORY
        if is_wide and kind & 0b1000 and number < _MAX_BARS - 1:
            function.write(register, 0xFFFFFFFF)
            function.write(register + 4, 0xFFFFFFFF)
            mask = function.read(register + 4) << 32 | function.read(register) & ~0xF
            yield register, (1 << 64) - mask
        number += 2 if is_wide else 1


def _view(qtest: QtestClient, qmp: QmpClient) -> FirmwareView:
    directory = fw_cfg_directory(qtest)
    if _LOADER not in directory:
        raise UnsupportedInputError("this machine gives its firmware no ACPI tables")
    loader = fw_cfg_read(qtest, directory[_LOADER])
    names = allocated(loader)
    if missing := [name for name in names if name not in directory]:
        raise TeekitError(f"QEMU's table loader names an item that is not there: {missing[0][:60]!r}")
    rest = tuple((name, fw_cfg_read(qtest, directory[name])) for name in names)
    return FirmwareView(((_LOADER, loader), *rest), tuple(_measured_items(qtest, directory)), _devices(qmp, directory))


def _devices(qmp: QmpClient, directory: Mapping[str, FwCfgItem]) -> tuple[BootDevice, ...] | str:
    for name in _DECIDE_OPTIONS:
        if name in directory and directory[name].size_bytes:
            return f"boot options are not computed where the fw_cfg item {name} is given (bootindex, -fw_cfg)"
    try:
        return boot_devices(qmp)
    except UnsupportedInputError as error:
        return error.message


def _measured_items(qtest: QtestClient, directory: Mapping[str, FwCfgItem]) -> Iterator[tuple[str, bytes]]:
    for name, size_bytes in _MEASURED_ITEMS:
        item = _BOOT_MENU if name == _BOOT_MENU_NAME else directory.get(name, FwCfgItem(0, 0))
        if item.size_bytes and size_bytes in {0, item.size_bytes}:
            yield name, fw_cfg_read(qtest, item)


def allocated(loader: bytes) -> list[str]:
    """The items that the table loader has firmware load, in its order (edk2 OvmfPkg/AcpiPlatformDxe/QemuLoader.h)."""
    if len(loader) > _MAX_LOADER_BYTES or len(loader) % _LOADER_ENTRY_BYTES:
        problem = f"expected a multiple of {_LOADER_ENTRY_BYTES} bytes up to 1 MiB, found {len(loader)}"
        raise MalformedInputError("ACPI table loader", field="size", offset=0, problem=problem)
    names = []
    for offset in range(0, len(loader), _LOADER_ENTRY_BYTES):
        kind, name = struct.unpack_from("<I56s", loader, offset)
        if kind == _ALLOCATE:
            names.append(name.rstrip(b"\0").decode("ascii", "replace"))
    return names
