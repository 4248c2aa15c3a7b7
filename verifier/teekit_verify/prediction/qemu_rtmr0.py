"""RTMR0 of a TDX guest on QEMU: what OVMF measures of firmware and machine, before anything of the image runs.

Each event says what its digest was computed from: the machine, the firmware or QEMU itself. Event order: edk2 OvmfPkg (TdxHelperLib, TdTcg2Dxe, AcpiPlatformLib) and the log of a dstack guest
(tests/assets/eventlogs). What depends on the release of edk2 is in `prediction.edk2`.

What is assumed: one NUMA node, and Secure Boot off (with it on, certificates that verified images are measured too).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.artifacts.firmware_volume import read_volumes
from teekit_verify.artifacts.tdvf import SectionType
from teekit_verify.artifacts.varstore import read_variables
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.qemu_boot_options import OvmfFiles, boot_options
from teekit_verify.prediction.rtmr0_events import (
    COMPUTED,
    RTMR0,
    ev_acpi_data,
    ev_efi_handoff_tables2,
    ev_efi_platform_firmware_blob2,
    ev_efi_variable_boot,
    ev_efi_variable_driver_config,
    ev_separator,
)
from teekit_verify.prediction.tdhob import MemoryRange, qemu_td_hob
from teekit_verify.prediction.uki import Prediction
from teekit_verify.prediction.variables import SecureBootVariables, Variable, boot_order
from teekit_verify.registers.events import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.artifacts.tdvf import TdxFirmware
    from teekit_verify.prediction.edk2 import Edk2
    from teekit_verify.prediction.qemu_boot_options import BootDevice

NO_KEYS = SecureBootVariables(b"", b"", b"", b"", b"")
"""A blank variable store: the variables do not exist, SecureBoot included."""

_FW_CFG_NAME_BYTES = 56
_MIB = 1 << 20
_MAX_MEMORY_BYTES = 1 << 46
_SMBIOS_MEASUREMENT = UUID("d27fed59-abb4-4fed-bead-2a878c7e4a7e")
"""SmbiosMeasurementDxe: firmware without this driver does not."""


@frozen
class QemuFirmware:
    """What RTMR0 needs of an OVMF. `sections` are those of type TD_HOB and TEMP_MEM; `hob` is where the TD HOB lies.

    `cfv_digest` is over the configuration volume (PcdCfvRawDataSize bytes); `cause` says where these are from. `files` are
    those that decide boot options, or in words why they are not known; `keys` what the firmware comes with.
    """

    edk2: Edk2
    sections: tuple[MemoryRange, ...]
    hob: MemoryRange
    cfv_digest: Digest
    cause: str
    files: OvmfFiles | str = "the firmware is not given"
    keys: SecureBootVariables = NO_KEYS


def firmware_of_file(firmware: TdxFirmware, edk2: Edk2) -> QemuFirmware:
    """Raises UnsupportedInputError for firmware without exactly one configuration volume and one TD HOB."""
    cfv, hob = firmware.only(SectionType.CFV), firmware.only(SectionType.TD_HOB)
    files, keys = files_and_keys(firmware)
    accepted = (SectionType.TD_HOB, SectionType.TEMP_MEM)
    return QemuFirmware(
        edk2,
        tuple(
            MemoryRange(section.memory_address, section.memory_size)
            for section in firmware.sections
            if section.type in accepted
        ),
        MemoryRange(hob.memory_address, hob.memory_size),
        Digest.of(Algorithm.SHA384, firmware.content(cfv)),
        f"{COMPUTED} from: the firmware",
        files,
        keys,
    )


def files_and_keys(firmware: TdxFirmware) -> tuple[OvmfFiles | str, SecureBootVariables]:
    """The files that decide boot options, or in words why they are not known, and the keys that it comes with.

    Firmware without Secure Boot starts with no variables at all (NvVars on the disk left aside), and with it with those
    of its configuration volume: OvmfPkg/Library/PlatformInitLib/Platform.c, PlatformInitEmuVariableNvStore().
    """
    try:
        files = OvmfFiles.of(read_volumes(firmware.content(firmware.only(SectionType.BFV))))
    except UnsupportedInputError as error:
        return error.message, NO_KEYS
    if not files.has_secure_boot:
        return files, NO_KEYS
    found = read_variables(firmware.content(firmware.only(SectionType.CFV)))
    keys = SecureBootVariables.found_in(found)
    if any(name.startswith(("Boot", "Driver", "SysPrep", "PlatformRecovery")) for _, name in found):
        return "its variable store has boot options already", keys
    return files, keys


@frozen
class Measured:
    """A named blob of the machine, by its SHA-384."""

    name: str
    digest: Digest

    @classmethod
    def of(cls, blobs: Iterable[tuple[str, bytes]]) -> tuple[Measured, ...]:
        return tuple(cls(name, Digest.of(Algorithm.SHA384, data)) for name, data in blobs)


@frozen
class MachineTables:
    """What QEMU hands its firmware over fw_cfg. `cause` begins with COMPUTED, and goes on with the source.

    `acpi`: in the order in which the firmware loads them, the table loader first. `fw_cfg`: the items that edk2 since
    stable202505 measures, in the order of its list; None where they are not known. `devices`: what can be booted from, or in
    words why that is not known.
    """

    cause: str
    acpi: tuple[Measured, ...]
    fw_cfg: tuple[Measured, ...] | None = None
    devices: tuple[BootDevice, ...] | str = "the devices of the machine are not known, give --qemu"


@frozen
class BootVariables:
    """The boot options in the order of BootOrder, which is measured before them. `cause` as in MachineTables."""

    cause: str
    options: tuple[Variable, ...]


def predict_rtmr0(
    memory_bytes: int,
    firmware: QemuFirmware,
    *,
    tables: MachineTables | None = None,
    boot: BootVariables | None = None,
    keys: SecureBootVariables | None = None,
    direct: bool = False,
) -> Prediction:
    """The event log of RTMR0 up to the start of the first boot option, or (`direct`) of the kernel that QEMU hands over.

    What is not given and cannot be computed is named in `missing`. Without `boot`, the options are computed from the
    firmware's files and the machine's devices; without `keys`, they are the firmware's own. Raises UnsupportedInputError
    with Secure Boot on.
    """
    if (keys or firmware.keys).on:
        raise UnsupportedInputError(
            "RTMR0 with Secure Boot on is not predicted: it holds the certificates that verified each image",
            hint="Predict for a machine without Secure Boot.",
        )
    options = boot or _options(firmware, tables, direct=direct)
    missing = list(_missing(firmware, tables, options))
    from_keys = f"{COMPUTED} from: Secure Boot keys in the variable store"
    events = [
        _td_hob_event(memory_bytes, firmware),
        ev_efi_platform_firmware_blob2(firmware.cfv_digest, firmware.cause),
        *(ev_fw_cfg_item(item, tables) for item in _fw_cfg(firmware.edk2, tables) if tables),
        *(ev_efi_variable_driver_config(variable, from_keys) for variable in (keys or firmware.keys).variables()),
        ev_separator(),
        *(ev_acpi_data(blob.digest, blob.name, tables.cause) for blob in (tables.acpi if tables else ()) if tables),
        *(_boot_events(options) if isinstance(options, BootVariables) else ()),
    ]
    if firmware.edk2.has_second_separator:
        events.append(ev_separator())
    return Prediction(RTMR0, tuple(events), tuple(missing))


def _missing(firmware: QemuFirmware, tables: MachineTables | None, options: BootVariables | str) -> Iterable[str]:
    if tables is None:
        yield "EV_PLATFORM_CONFIG_FLAGS: give ACPI tables, captured or generated by QEMU"
    elif firmware.edk2.measures_fw_cfg and tables.fw_cfg is None:
        yield "EV_PLATFORM_CONFIG_FLAGS: this edk2 measures fw_cfg items, which are not among the inputs"
    if firmware.edk2.may_measure_smbios and (
        isinstance(firmware.files, str) or _SMBIOS_MEASUREMENT in firmware.files.files
    ):
        yield "EV_EFI_HANDOFF_TABLES: this edk2 measures SMBIOS tables, which are not computed"
    if isinstance(options, str):
        yield f"EV_EFI_VARIABLE_BOOT: {options}"


def _fw_cfg(edk2: Edk2, tables: MachineTables | None) -> tuple[Measured, ...]:
    return (tables.fw_cfg or ()) if tables and edk2.measures_fw_cfg else ()


def _options(firmware: QemuFirmware, tables: MachineTables | None, *, direct: bool) -> BootVariables | str:
    """The boot options, or in words why they are not known."""
    if isinstance(firmware.files, str):
        return firmware.files
    devices = None if direct else tables.devices if tables else MachineTables("", ()).devices
    if isinstance(devices, str):
        return devices
    try:
        options = boot_options(firmware.edk2.release, firmware.files, devices)
    except UnsupportedInputError as error:
        return error.message
    return BootVariables(f"{COMPUTED} from: the firmware's files" + ("" if direct else " and the devices"), options)


def _td_hob_event(memory_bytes: int, firmware: QemuFirmware) -> Event:
    """Raises UnsupportedInputError for a memory size that QEMU would not take."""
    if memory_bytes % _MIB or not 0 < memory_bytes <= _MAX_MEMORY_BYTES:
        raise UnsupportedInputError(f"expected memory of whole MiB up to 64 TiB, found {memory_bytes} bytes")
    hob = qemu_td_hob(firmware.hob.start, firmware.sections, memory_bytes)
    cause = f"{COMPUTED} from: memory of {memory_bytes // _MIB} MiB and sections of the firmware"
    return ev_efi_handoff_tables2(hob, firmware.hob.start, cause)


def ev_fw_cfg_item(item: Measured, tables: MachineTables) -> Event:
    """QemuFwCfgCacheInit.c, CacheFwCfgInfoWithOptionalMeasurment(): the item as it is; the event names it."""
    data = b"QEMU FW CFG\0" + item.name.encode().ljust(_FW_CFG_NAME_BYTES, b"\0")
    kind = EventType.EV_PLATFORM_CONFIG_FLAGS
    return Event(RTMR0, kind, (item.digest,), f"fw_cfg item {item.name}", tables.cause, data)


def _boot_events(options: BootVariables) -> Iterable[Event]:
    """TdTcg2Dxe.c, ReadAndMeasureBootVariable(): BootOrder, then its options."""
    order = boot_order(tuple(int(option.name.removeprefix("Boot"), 16) for option in options.options))
    for variable in (order, *options.options):
        yield ev_efi_variable_boot(variable, options.cause)
