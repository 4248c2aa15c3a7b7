"""RTMR0 of a Google Cloud TDX machine: what its firmware measures of the machine, before anything of the image runs.

Each event says where its digest is from: `computed` from the machine, the firmware or the image, or `recorded`, for what
only Google's VMM knows (ACPI tables). Recorded digests have sources in reference/platforms/gcp.json. The order of the
events is that of edk2 and of the logs of real machines (google/go-eventlog, testdata/eventlogs/ccel, at b9c4e7a1).

What is assumed: Secure Boot is off, and the disks are persistent ones, in one NVMe controller, without local SSDs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.tdvf import SectionType
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.rtmr0_events import (
    COMPUTED,
    RECORDED,
    RTMR0,
    ev_acpi_data,
    ev_efi_handoff_tables2,
    ev_efi_platform_firmware_blob2,
    ev_efi_variable_boot,
    ev_efi_variable_driver_config,
    ev_separator,
)
from teekit_verify.prediction.tdhob import MemoryRange, gcp_ram_banks, gcp_td_hob
from teekit_verify.prediction.uki import Prediction
from teekit_verify.prediction.variables import SecureBootVariables, boot_order, gcp_nvme_option, ui_app_option

if TYPE_CHECKING:
    from teekit_verify.artifacts.tdvf import TdxFirmware
    from teekit_verify.prediction.variables import Variable
    from teekit_verify.registers.events import Event

PCI_DEVICES = (4, 5)
"""Where the NVMe controller is; both occur, and nothing that a customer chooses is known to decide it."""
MAX_DISKS = 128
_PLACEHOLDER_KEY = bytes.fromhex(
    "a159c0a5e494a74a87b5ab155c2bf072"  # EFI_CERT_X509_GUID
    "340000000000000018000000"  # 52 bytes, no header, signatures of 24 bytes
    "d2fa81d2888da44797925baa47bb1b89"  # owner
    "3082010a02820101"  # the start of a certificate
)
CUSTOM_IMAGE = SecureBootVariables(b"\0", *[_PLACEHOLDER_KEY] * 4)
"""What Google Cloud gives an image that brings no keys: a signature list without a usable certificate."""


@frozen
class GcpMachine:
    """A machine type. Memory is split evenly among its NUMA nodes."""

    name: str
    memory_bytes: int
    numa_nodes: int


@frozen
class GcpFirmware:
    """What RTMR0 needs of a firmware. `cause` says where it is from; without `cfv_digest` the prediction is incomplete."""

    cause: str
    sections: tuple[MemoryRange, ...]
    hob: MemoryRange
    cfv: MemoryRange
    cfv_digest: Digest | None


@frozen
class AcpiDigests:
    """SHA-384 of the three blobs the firmware gets from the VMM. `label` tells the set from others of the same machine."""

    label: str
    loader: Digest
    rsdp: Digest
    tables: Digest


@frozen
class Alternative:
    """One of several values that RTMR0 may have: which one it is, the customer cannot choose."""

    label: str
    prediction: Prediction


def firmware_of_file(firmware: TdxFirmware) -> GcpFirmware:
    """Raises UnsupportedInputError for firmware without exactly one configuration volume and one TD HOB."""
    cfv = firmware.only(SectionType.CFV)
    hob = firmware.only(SectionType.TD_HOB)
    return GcpFirmware(
        f"{COMPUTED} from the firmware",
        tuple(MemoryRange(section.memory_address, section.memory_size) for section in firmware.sections),
        MemoryRange(hob.memory_address, hob.memory_size),
        MemoryRange(cfv.memory_address, cfv.raw_size),
        Digest.of(Algorithm.SHA384, firmware.content(cfv)),
    )


def alternatives(
    machine: GcpMachine,
    firmware: GcpFirmware,
    acpi: tuple[AcpiDigests, ...],
    *,
    disks: int = 1,
    second_separator: bool = False,
) -> tuple[Alternative, ...]:
    """All values that RTMR0 may have on this machine: one for each known ACPI set and PCI device of the disks.

    For a machine without a recorded ACPI set: one for each PCI device, incomplete.
    """
    return tuple(
        Alternative(
            f"PCI device {device}" + (f", {tables.label}" if tables else ""),
            predict_rtmr0(machine, firmware, tables, disks=disks, pci_device=device, second_separator=second_separator),
        )
        for tables in (acpi or (None,))
        for device in PCI_DEVICES
    )


def predict_rtmr0(
    machine: GcpMachine,
    firmware: GcpFirmware,
    acpi: AcpiDigests | None,
    *,
    disks: int,
    pci_device: int,
    keys: SecureBootVariables = CUSTOM_IMAGE,
    second_separator: bool = False,
) -> Prediction:
    """The event log of RTMR0 up to the first boot option's start. `disks` counts the boot disk and the others.

    `second_separator` is for firmware before edk2 efaf8931bb (stable202411), which measured to RTMR0 the separator that
    belongs into RTMR1; RTMR1 then has none.

    Raises UnsupportedInputError with Secure Boot on: the certificates that verify the image are measured then too.
    """
    if keys.on:
        raise UnsupportedInputError(
            "RTMR0 with Secure Boot on is not predicted: it holds the certificates that verified each image",
            hint="Predict for a machine without Secure Boot.",
        )
    if not 1 <= disks <= MAX_DISKS:
        raise UnsupportedInputError(
            f"a machine has 1 to {MAX_DISKS} disks, not {disks}",
            hint="Give the number of the machine's disks, with the boot disk.",
        )
    missing = []
    events = [_td_hob_event(machine, firmware)]
    if firmware.cfv_digest is None:
        missing.append(
            "EV_EFI_PLATFORM_FIRMWARE_BLOB2: the firmware's configuration volume is not known, give the firmware"
        )
    else:
        events.append(ev_efi_platform_firmware_blob2(firmware.cfv_digest, firmware.cause, firmware.cfv))
    from_keys = f"{COMPUTED} from: Secure Boot keys of the image"
    events += [ev_efi_variable_driver_config(variable, from_keys) for variable in keys.variables()]
    events.append(ev_separator())
    if acpi is None:
        missing.append(f"EV_PLATFORM_CONFIG_FLAGS: no ACPI tables of {machine.name} are on record")
    else:
        events += _acpi_events(acpi)
    from_disks = f"{COMPUTED} from: boot options of a machine with {disks} disk{'s'[: disks > 1]}"
    events += [ev_efi_variable_boot(variable, from_disks) for variable in _boot_variables(disks, pci_device)]
    if second_separator:
        events.append(ev_separator())
    return Prediction(RTMR0, tuple(events), tuple(missing))


def _td_hob_event(machine: GcpMachine, firmware: GcpFirmware) -> Event:
    hob = gcp_td_hob(firmware.hob.start, firmware.sections, gcp_ram_banks(machine.memory_bytes, machine.numa_nodes))
    cause = f"{COMPUTED} from: memory of {machine.name} and sections of the firmware"
    return ev_efi_handoff_tables2(hob, firmware.hob.start, cause)


def _acpi_events(acpi: AcpiDigests) -> list[Event]:
    cause = f"{RECORDED}: {acpi.label}"
    tables = (("table loader", acpi.loader), ("root pointer", acpi.rsdp), ("tables", acpi.tables))
    return [ev_acpi_data(digest, name, cause) for name, digest in tables]


def _boot_variables(disks: int, pci_device: int) -> list[Variable]:
    """BootOrder, then each option in its order: the disks, then the firmware's setup."""
    numbers = range(1, disks + 1)
    return [
        boot_order((*numbers, 0)),
        *(gcp_nvme_option(number, pci_device) for number in numbers),
        ui_app_option(),
    ]
