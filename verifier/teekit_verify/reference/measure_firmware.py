"""MRTD from a firmware file, and RTMR0 of Google Cloud machines from a firmware file or from what is on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.tdvf import TdvfSection, open_tdvf
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.measurement.gcp_rtmr0 import Alternative, alternatives, firmware_of_file
from teekit_verify.measurement.mrtd import PageOrder, mrtd
from teekit_verify.reference import model
from teekit_verify.reference.create import register_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.artifacts.tdvf import TdxFirmware
    from teekit_verify.reference.platform_facts import FirmwareFact, GcpFacts

BOTH_ORDERS = tuple(PageOrder)
_GCP_ORDER = PageOrder.SINGLE


@dataclass(frozen=True, slots=True)
class SectionInspection:
    """A section of the TDVF metadata, and the SHA-384 of its bytes in the file (None if it has none there)."""

    section: TdvfSection
    sha384: Digest | None


@dataclass(frozen=True, slots=True)
class FirmwareInspection:
    """What a firmware file is. `sha384` is the name that Google publishes it under."""

    name: str
    size_bytes: int
    sha256: Digest
    sha384: Digest
    sections: tuple[SectionInspection, ...]


@dataclass(frozen=True, slots=True)
class FirmwareMeasurement:
    """`mrtd` has one value for each page order that was asked for: the VMM decides which of them it is."""

    firmware: FirmwareInspection
    mrtd: dict[PageOrder, Digest]


def inspect_firmware(path: Path) -> FirmwareInspection:
    """Raises TeekitError for what is not TDX firmware."""
    with open_tdvf(path) as firmware:
        return _inspect(path.name, firmware)


def measure_firmware(path: Path, orders: Sequence[PageOrder] = BOTH_ORDERS) -> FirmwareMeasurement:
    """MRTD of a TD started with this firmware. Raises TeekitError for what is not TDX firmware."""
    with open_tdvf(path) as firmware:
        return FirmwareMeasurement(_inspect(path.name, firmware), {order: mrtd(firmware, order) for order in orders})


def gcp_mrtds(facts: GcpFacts, path: Path | None) -> tuple[tuple[str, Digest], ...]:
    """MRTD on Google Cloud, as (label, value): computed from the firmware file, else every one on record."""
    if path is not None:
        return (("computed from the firmware", measure_firmware(path, [_GCP_ORDER]).mrtd[_GCP_ORDER]),)
    return tuple((f"recorded: {fact.label}", fact.mrtd) for fact in facts.firmware if fact.mrtd is not None)


def gcp_rtmr0(facts: GcpFacts, machine_name: str, path: Path | None, *, disks: int = 1) -> tuple[Alternative, ...]:
    """Every value RTMR0 may have: for the given firmware, else for each one whose configuration volume is on record.

    `disks` counts the boot disk too. Raises UnsupportedInputError for a machine type that is not on record.
    """
    machine, acpi = facts.machine(machine_name), facts.acpi_of(machine_name)
    if path is not None:
        with open_tdvf(path) as firmware:
            fact = facts.by_file(Digest.of(Algorithm.SHA384, firmware.data))
            second = fact is not None and fact.second_separator
            return alternatives(machine, firmware_of_file(firmware), acpi, disks=disks, second_separator=second)
    return tuple(
        Alternative(f"{fact.label}, {found.label}", found.prediction)
        for fact in facts.firmware
        if fact.cfv is not None
        for found in alternatives(
            machine, facts.recorded(fact), acpi, disks=disks, second_separator=fact.second_separator
        )
    )


def acceptable_mrtds(mrtds: Sequence[tuple[str, Digest]]) -> tuple[model.AcceptableValue, ...]:
    """For a reference with policy any-of; MRTD has no event log."""
    return tuple(model.AcceptableValue(label, model.RegisterValue((value,), "", ())) for label, value in mrtds)


def acceptable_rtmr0s(found: Sequence[Alternative]) -> tuple[model.AcceptableValue, ...]:
    """For a reference with policy any-of. Equal values stay apart: each has a log that explains it."""
    return tuple(
        model.AcceptableValue(
            item.label,
            register_value(
                item.prediction.register, item.prediction.events, missing="; ".join(item.prediction.missing)
            ),
        )
        for item in found
    )


def known_as(facts: GcpFacts, firmware: FirmwareInspection) -> FirmwareFact | None:
    """The release of Google's that this file is."""
    return facts.by_file(firmware.sha384)


def _inspect(name: str, firmware: TdxFirmware) -> FirmwareInspection:
    return FirmwareInspection(
        name,
        len(firmware.data),
        Digest.of(Algorithm.SHA256, firmware.data),
        Digest.of(Algorithm.SHA384, firmware.data),
        tuple(
            SectionInspection(
                section,
                Digest.of(Algorithm.SHA384, firmware.content(section)) if section.raw_size else None,
            )
            for section in firmware.sections
        ),
    )
