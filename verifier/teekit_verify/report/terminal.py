"""Results for people: tables that fit a screen, the verdict last. Foreign text is escaped; colours only on a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from teekit_verify.appraisal.explain import aligned, causes
from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import Check, ExitStatus, Outcome
from teekit_verify.measurement.events import event_type_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.appraisal.checklist import Checklist
    from teekit_verify.measurement.registers import Register
    from teekit_verify.reference.model import Measurements, Reference, RegisterValue
    from teekit_verify.report.document import ComparisonReport, RebuildReport
    from teekit_verify.report.inspection import UkiFacts

_WIDE = 100_000
_SHORT = 16
_MAX_LINES = 12
_STYLES = {
    Outcome.MATCH: "green",
    Outcome.MISMATCH: "bold red",
    Outcome.NOT_CHECKED: "yellow",
    Outcome.ERROR: "bold red",
}
_STATUS_STYLES = {
    ExitStatus.HOLDS: "bold green",
    ExitStatus.DOES_NOT_HOLD: "bold red",
    ExitStatus.NO_VERDICT: "bold yellow",
}
_STATUS_WORDS = {
    ExitStatus.HOLDS: "MATCH: everything the reference asks for was compared, and is equal",
    ExitStatus.DOES_NOT_HOLD: "MISMATCH: this is not what was published",
    ExitStatus.NO_VERDICT: "NO VERDICT: not everything the reference asks for could be compared",
}


def console(stream: TextIO) -> Console:
    """A console for `stream`, in plain text when it is not a terminal. Lines have any length: the terminal breaks them."""
    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        width=_WIDE,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _text(text: object, style: str = "") -> Text:
    return Text(printable(str(text)), style)


def _line(out: Console, *parts: Text | str, indent: int = 0) -> None:
    out.print(Text(" " * indent).append_text(Text.assemble(*parts)))


def _table(out: Console, headings: Iterable[str], rows: Iterable[Iterable[Text]]) -> None:
    """Columns as wide as their content: nothing is cut, as digests are there to be copied."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(_text(heading), no_wrap=True)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _short(digest: str) -> str:
    return digest[:_SHORT] + ("..." if len(digest) > _SHORT else "") if _is_hex(digest) else digest


def _is_hex(text: str) -> bool:
    return bool(text) and set(text) <= set("0123456789abcdef")


def show_measurements(measurements: Measurements, out: Console, *, events: bool) -> None:
    """The registers of every platform, to be copied whole; with `events`, the event log of each, with short digests."""
    artifact = measurements.artifact
    _line(
        out,
        _text(artifact.name, "bold"),
        f", {artifact.size_bytes} bytes, systemd-stub ",
        _text(measurements.stub_version),
    )
    _line(out, f"sha256 {artifact.sha256.hex}")
    for platform, registers in measurements.platforms.items():
        out.print()
        rows = [row for register, value in registers.items() for row in _value_rows(str(register), value)]
        _table(out, (platform, "bank", "value"), rows)
        if events:
            for register, value in registers.items():
                out.print()
                _show_events(f"{platform} {register}", value, out)


def _value_rows(name: str, value: RegisterValue) -> Iterable[tuple[Text, Text, Text]]:
    for digest in value.values or ():
        yield _text(name), _text(digest.algorithm.value), _text(digest.hex)
    if value.values is None:
        yield _text(name), _text("-"), _text(f"not known: {value.missing}", "yellow")


def _show_events(title: str, value: RegisterValue, out: Console) -> None:
    banks = [bank.value for bank in value.banks]
    rows = [
        [
            _text(number),
            _text(event_type_name(event.type)),
            _text(event.description),
            _text(event.cause),
            *(_text(_short(digest.hex)) for digest in event.digests),
        ]
        for number, event in enumerate(value.events, start=1)
    ]
    _table(out, (title, "type", "what is measured", "comes from", *banks), rows)


def show_inspection(facts: UkiFacts, out: Console) -> None:
    """What is in a UKI; texts line by line."""
    _line(out, _text(facts.name, "bold"), f", {facts.size_bytes} bytes")
    for name, value in (
        ("sha256", facts.sha256.hex),
        ("Authenticode sha256", facts.authenticode_sha256.hex),
        ("Authenticode sha384", facts.authenticode_sha384.hex),
        ("systemd-stub", facts.stub_version),
        ("kernel", facts.kernel_release or "(not named)"),
        ("command line", "(none)" if facts.cmdline is None else facts.cmdline.rstrip("\0\n ")),
    ):
        _line(out, f"{name:<20} ", _text(value))
    for line in (facts.os_release or "").rstrip("\0\n").splitlines():
        _line(out, f"{'os-release':<20} ", _text(line))
    out.print()
    rows = [(_text(row.name), _text(row.size_bytes), _text(row.sha256.hex)) for row in facts.sections]
    _table(out, ("section", "bytes", "sha256"), rows)


def show_comparison(report: ComparisonReport, out: Console, *, reference: Reference | None = None) -> None:
    """The checklist, the first differences and the conclusion; with `reference`, also the events side by side."""
    used, artifact = report.reference, report.measurements.artifact
    _line(out, _text(artifact.name, "bold"), " against ", _text(used.release, "bold"), " (", _text(used.path), ")")
    out.print()
    _show_checklist(report.checklist, out)
    if reference is not None:
        _show_events_side_by_side(reference, report.measurements, out)
    out.print()
    status = report.conclusion.status
    _line(out, _text(_STATUS_WORDS[status], _STATUS_STYLES[status]))
    _show_causes(report.checklist, out)
    _show_lines(report.conclusion.reasons, out)


def _show_checklist(checklist: Checklist, out: Console) -> None:
    rows = [
        (_text(check.name), _text(_short(check.expected)), _text(_short(check.found)), _outcome(check))
        for check in checklist.checks
    ]
    ignored = [
        (_text(check.name), _text("-"), _text(_short(check.found) or "-"), _text("ignored", "yellow"))
        for check in checklist.ignored
    ]
    _table(out, ("compared", "expected", "found", "outcome"), rows + ignored)
    for check in checklist.ignored:
        _line(out, _text(f"{check.name}: {check.detail}", "yellow"))


def _show_causes(checklist: Checklist, out: Console) -> None:
    for cause, registers in causes(checklist.differences):
        _line(out, "differs: ", _text(cause, "bold"), _text(f" (seen in {', '.join(registers)})"), indent=2)


def _outcome(check: Check) -> Text:
    return _text(check.outcome.value, _STYLES[check.outcome])


def _show_events_side_by_side(reference: Reference, measurements: Measurements, out: Console) -> None:
    for platform, registers in reference.platforms.items():
        for register, published in registers.items():
            found = measurements.platforms.get(platform, {}).get(register)
            for acceptable in published.acceptable:
                if found is not None:
                    out.print()
                    title = f"{platform} {register} ({acceptable.label})"
                    _show_side_by_side(title, register, acceptable.register, found, out)


def _show_side_by_side(
    title: str, register: Register, expected: RegisterValue, found: RegisterValue, out: Console
) -> None:
    bank = next((bank for bank in expected.banks if bank in found.banks), None)
    if bank is None:
        return
    rows = []
    for number, pair in enumerate(aligned(expected.as_events(register), found.as_events(register), bank), start=1):
        digests = ["-" if event is None else event.digest(bank).hex for event in pair]
        same = digests[0] == digests[1]
        event = next(event for event in reversed(pair) if event is not None)
        mark = _text("=" if same else "differs", _STYLES[Outcome.MATCH if same else Outcome.MISMATCH])
        words = _text(event.description), _text(event.cause)
        rows.append([_text(number), *words, *(_text(_short(digest)) for digest in digests), mark])
    _table(out, (title, "what is measured", "comes from", f"expected ({bank.value})", "found", ""), rows)


def show_rebuild(report: RebuildReport, out: Console) -> None:
    """One screen: what was built, the artifacts, the registers, and the verdict with its reasons."""
    _show_heading(report, out)
    if report.artifacts:
        out.print()
        _show_artifacts(report, out)
    if report.checklist is not None:
        out.print()
        _show_checklist(report.checklist, out)
    elif report.measurements is not None:
        _show_short_measurements(report.measurements, out)
    if report.differences:
        out.print()
        _line(out, _text("where A and B differ", "bold"))
        _show_lines([f"{difference.where}: {difference.what}" for difference in report.differences], out)
    out.print()
    if report.steps:
        _line(out, "time    ", ", ".join(f"{printable(step.name)} {step.seconds:.1f} s" for step in report.steps))
    _line(out, "report  ", _text(report.directory))
    _line(out, _text(f"{report.verdict.value}: {report.verdict.meaning}", _STATUS_STYLES[report.verdict.exit_status]))
    if report.checklist is not None:
        _show_causes(report.checklist, out)
    _show_lines(report.reasons, out)


def _show_heading(report: RebuildReport, out: Console) -> None:
    profiles = f" ({', '.join(report.profiles)})" if report.profiles else ""
    _line(out, "image        ", _text(f"{report.image}{profiles}", "bold"))
    if report.reference is not None:
        _line(out, "reference    ", _text(f"{report.reference.release} ({report.reference.path})"))
    if report.environment is not None:
        _line(out, "environment  ", _text(report.environment.store_path))
    if report.inputs is not None:
        _line(out, "inputs       ", report.inputs.sha256_a.hex)
    if report.variations:
        varied = [item.name for item in report.variations if item.value_a != item.value_b]
        same = [item.name for item in report.variations if item.value_a == item.value_b]
        _line(out, "varied       ", _text(", ".join(varied) + (f"; not: {', '.join(same)}" if same else "")))


def _show_artifacts(report: RebuildReport, out: Console) -> None:
    rows = []
    for pair in report.artifacts:
        sizes = {str(item.size_bytes) for item in (pair.a, pair.b) if item is not None}
        digests = [_short(item.sha256.hex) if item is not None else "-" for item in (pair.a, pair.b)]
        word = _text("equal", "green") if pair.same else _text("differs", "bold red")
        rows.append((_text(pair.name), _text(" / ".join(sorted(sizes))), *map(_text, digests), word))
    _table(out, ("artifact", "bytes", "build A", "build B", ""), rows)


def _show_short_measurements(measurements: Measurements, out: Console) -> None:
    out.print()
    rows = [
        (_text(f"{platform} {name.plain}"), bank, _text(_short(value.plain), str(value.style)))
        for platform, registers in measurements.platforms.items()
        for register, known in registers.items()
        for name, bank, value in _value_rows(str(register), known)
    ]
    _table(out, ("measured", "bank", "value"), rows)


def _show_lines(lines: Iterable[str], out: Console) -> None:
    """Each on a line of its own, a run of equal beginnings cut short: the report has them all."""
    physical = [piece for line in lines for piece in line.splitlines()]
    unique = [line for line, _ in groupby(physical)]
    for line in unique[:_MAX_LINES]:
        _line(out, _text(line), indent=2)
    if len(unique) > _MAX_LINES:
        _line(out, f"and {len(unique) - _MAX_LINES} more: see report.json or --json", indent=2)
