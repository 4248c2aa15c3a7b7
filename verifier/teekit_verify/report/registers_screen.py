"""Predicted registers for people: each once, however many platforms have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.prediction.platforms import PLATFORMS
from teekit_verify.registers.events import event_type_name
from teekit_verify.report.layout import fitting, show_line, show_table, styled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.documents.model import Measurements, RegisterValue
    from teekit_verify.registers.registers import Register
    from teekit_verify.report.console import Console, Text


def show_measurements(measurements: Measurements, out: Console, *, events: bool) -> None:
    """The registers of every platform, to be copied whole; with `events`, the event log of each, with digests that fit."""
    artifact = measurements.artifact
    show_line(
        out,
        styled(artifact.name, "bold"),
        f", {artifact.size_bytes} bytes, systemd-stub ",
        styled(measurements.stub_version),
    )
    show_line(out, f"sha256 {artifact.sha256.hex}")
    if measurements.disk is not None:
        disk = measurements.disk
        show_line(out, "on the disk ", styled(disk.name, "bold"), f" ({disk.format.value}, {disk.size_bytes} bytes)")
    if measurements.apps is not None:
        from teekit_verify.report.apps import show_apps

        show_apps(measurements.apps, out)
    for platforms, registers in _distinct(measurements).items():
        out.print()
        show_line(out, styled(", ".join(platforms), "bold"))
        rows = [row for register, value in registers for row in _value_rows(str(register), value)]
        show_table(out, ("", "", ""), rows)
        if zero := [str(register) for register, value in registers if _is_zero(value)]:
            show_line(out, f"{' and '.join(zero)}: zero, nothing of the image extends it")
        if events:
            for register, value in registers:
                for title, one in each_alternative(f"{', '.join(platforms)} {register}", value):
                    out.print()
                    _show_events(title, one, out)
    notes = [(known.name, known.note) for known in PLATFORMS if known.name in measurements.platforms and known.note]
    if notes:
        out.print()
    for note in dict.fromkeys(note for _, note in notes):
        names = ", ".join(name for name, other in notes if other == note)
        show_line(out, styled(f"{names}: {note}", "yellow"))


def _distinct(measurements: Measurements) -> dict[tuple[str, ...], list[tuple[Register, RegisterValue]]]:
    """Each register that is the same on several platforms once, under all their names; in the order of the first of them."""
    platforms: dict[tuple[Register, RegisterValue], list[str]] = {}
    for platform, registers in measurements.platforms.items():
        for register, value in registers.items():
            platforms.setdefault((register, value), []).append(platform)
    found: dict[tuple[str, ...], list[tuple[Register, RegisterValue]]] = {}
    for item, names in platforms.items():
        found.setdefault(tuple(names), []).append(item)
    return found


def _is_zero(value: RegisterValue) -> bool:
    return value.values is not None and not any(any(digest.value) for digest in value.values)


def each_alternative(title: str, value: RegisterValue) -> Iterable[tuple[str, RegisterValue]]:
    """The register, or each of its alternatives under its label."""
    if not value.alternatives:
        yield title, value
    for item in value.alternatives:
        yield f"{title} ({item.label})", item.register


def _value_rows(name: str, value: RegisterValue) -> Iterable[tuple[Text, Text, Text]]:
    """With alternatives, a row for each of them, and one that says so."""
    for item in value.alternatives:
        yield from _value_rows(f"{name} ({item.label})", item.register)
    if value.alternatives:
        yield styled(name), styled("-"), styled(value.missing, "yellow")
        return
    for digest in value.values or ():
        yield styled(name), styled(digest.algorithm.value), styled(digest.hex)
    if value.values is None:
        yield styled(name), styled("-"), styled(f"not known: {value.missing}", "yellow")


def _show_events(title: str, value: RegisterValue, out: Console) -> None:
    banks = [bank.value for bank in value.banks]
    rows = [
        [
            styled(number),
            styled(event_type_name(event.type)),
            styled(event.description),
            styled(event.cause),
            *(styled(fitting(digest.hex, out)) for digest in event.digests),
        ]
        for number, event in enumerate(value.events, start=1)
    ]
    show_table(out, (title, "type", "what is measured", "comes from", *banks), rows)
