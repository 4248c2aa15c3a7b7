"""What Google Cloud's firmware decides of a machine's registers, release by release.

A customer cannot choose the release, so each gives an alternative: a value for each of MRTD, RTMR0 and RTMR1. The values
of one release belong together: they have its label as their group.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.artifacts.tdvf import open_tdvf
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.documents import model
from teekit_verify.documents.register_values import register_value
from teekit_verify.prediction.gcp_rtmr0 import GcpFirmware, GcpMachine, alternatives, firmware_of_file
from teekit_verify.prediction.mrtd import PageOrder, google_builds, mrtd
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from teekit_verify.prediction.gcp_facts import GcpFacts


@frozen
class GcpRelease:
    """A release of the firmware. What is not known of it is None.

    `second_separator`: see `measurement.gcp_rtmr0.predict_rtmr0`. `acpi`: the labels of the ACPI tables it goes with.
    """

    label: str
    mrtd: Digest | None
    firmware: GcpFirmware | None
    second_separator: bool
    acpi: tuple[str, ...] | None


def releases(facts: GcpFacts, path: Path | None) -> tuple[GcpRelease, ...]:
    """The release that this file is, else every one on record. Raises TeekitError for what is not TDX firmware."""
    if path is None:
        return tuple(
            GcpRelease(
                fact.label, fact.mrtd, facts.recorded(fact) if fact.cfv else None, fact.second_separator, fact.acpi
            )
            for fact in facts.firmware
        )
    with open_tdvf(path) as firmware:
        fact = facts.by_file(Digest.of(Algorithm.SHA384, firmware.data))
        value = mrtd(firmware, PageOrder.SINGLE) if google_builds(firmware) else None
        known = firmware_of_file(firmware)
        if fact is None:
            return (GcpRelease("the given firmware", value, known, second_separator=False, acpi=None),)
        return (GcpRelease(fact.label, value, known, fact.second_separator, fact.acpi),)


def mrtds(known: Sequence[GcpRelease]) -> tuple[model.AcceptableValue, ...]:
    """One for each release whose MRTD is known; it has no event log."""
    return tuple(
        model.AcceptableValue(release.label, model.RegisterValue((release.mrtd,), "", ()), (release.label,))
        for release in known
        if release.mrtd is not None
    )


def rtmr0s(
    known: Sequence[GcpRelease], facts: GcpFacts, machine: GcpMachine, *, disks: int = 1
) -> tuple[model.AcceptableValue, ...]:
    """For each release whose configuration volume is known: one for each set of ACPI tables it goes with, and PCI device of
    the disks. Of a machine type without any such set: one for each release and device, incomplete.

    Equal values stay apart: each has a log that explains it. `disks` counts the boot disk too.
    """
    found = tuple(_rtmr0s(known, facts, machine, disks))
    return tuple(value for value in found if value.register.values is not None) or found


def _rtmr0s(
    known: Sequence[GcpRelease], facts: GcpFacts, machine: GcpMachine, disks: int
) -> Iterator[model.AcceptableValue]:
    for release in known:
        if release.firmware is None:
            continue
        acpi, second = facts.acpi_of(machine.name, release.acpi), release.second_separator
        for found in alternatives(machine, release.firmware, acpi, disks=disks, second_separator=second):
            prediction = found.prediction
            value = register_value(rtmr(0), prediction.events, missing="; ".join(prediction.missing))
            yield model.AcceptableValue(f"{release.label}, {found.label}", value, (release.label,))


def rtmr1s(known: Sequence[GcpRelease], of_image: model.RegisterValue) -> tuple[model.AcceptableValue, ...]:
    """RTMR1 with the separator, as `of_image` has it, and without, each for the releases that measure so."""
    values = (
        model.AcceptableValue("separator in RTMR1", of_image, _labels(known, second_separator=False)),
        model.AcceptableValue("separator in RTMR0", without_separator(of_image), _labels(known, second_separator=True)),
    )
    return tuple(value for value in values if value.groups)


def without_separator(of_image: model.RegisterValue) -> model.RegisterValue:
    """RTMR1 of firmware that measures the separator to RTMR0 (edk2 before efaf8931bb, stable202411)."""
    events = tuple(event for event in of_image.events if event.type != EventType.EV_SEPARATOR)
    return register_value(rtmr(1), replace(of_image, events=events).as_events(rtmr(1)), missing=of_image.missing)


def _labels(known: Sequence[GcpRelease], *, second_separator: bool) -> tuple[str, ...]:
    return tuple(release.label for release in known if release.second_separator is second_separator)
