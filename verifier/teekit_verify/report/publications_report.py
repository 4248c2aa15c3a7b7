"""What `release diff` and `compare REF REF` show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.published_registers import DIFFERENT, State
from teekit_verify.record import json_report
from teekit_verify.report.layout import show_line, show_outcome, show_table, styled
from teekit_verify.wording import publications as words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.appraisal.publications import PublicationDiff
    from teekit_verify.appraisal.published_registers import RegisterChange
    from teekit_verify.rebuild.input_changes import InputChanges
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/release-diff/v1"
_MAX_SHOWN = 40
_MAX_EVENTS = 12


def render(diff: PublicationDiff) -> bytes:
    """What `--json` prints: everything, however much it is."""
    return json_report.render({"schema": SCHEMA, "exit_status": int(diff.status)}, diff)


def show(diff: PublicationDiff, out: Console) -> None:
    """The conclusion first, then what went in, what came out, and the registers with the reason why they moved."""
    show_outcome(out, diff.status, words.conclusion(diff))
    for letter, side in zip("AB", diff.sides, strict=True):
        image = f", image {side.image}" if side.image else ""
        foreign = f" ({side.format})" if diff.inputs is None else ""
        show_line(out, f"{letter} ", styled(f"{side.name}{image}{foreign}"), indent=2)
    for line in words.source_lines(diff):
        show_line(out, styled(line))
    if diff.inputs is None:
        show_line(out, "inputs: not stated by both")
    else:
        _show_inputs(diff.inputs, out)
    _show_artifacts(diff, out)
    _show_registers(diff, out)


def _show_inputs(changes: InputChanges, out: Console) -> None:
    out.print()
    for line in words.input_lines(changes):
        show_line(out, styled(line, "bold"))
    packages = [(f"  {item.name}", words.package_words(item)) for item in changes.packages]
    files = [(f"  {item.path}", words.change_words(item.change)) for item in changes.source_files]
    for rows in (packages, files):
        if rows:
            show_table(out, ("", ""), ([styled(cell) for cell in row] for row in rows[:_MAX_SHOWN]))
            _show_more(len(rows) - _MAX_SHOWN, out)


def _show_artifacts(diff: PublicationDiff, out: Console) -> None:
    out.print()
    show_line(
        out, styled(f"artifacts: {len(diff.artifacts) or 'none'} changed, {diff.same_artifacts} the same", "bold")
    )
    for change in diff.artifacts[:_MAX_SHOWN]:
        show_line(out, styled(words.artifact_words(change)), indent=2)
    _show_more(len(diff.artifacts) - _MAX_SHOWN, out)
    for letter, names in zip("AB", diff.images, strict=True):
        for name in names[:_MAX_SHOWN]:
            show_line(out, styled(f"image {name}: only in {letter}"), indent=2)
        _show_more(len(names) - _MAX_SHOWN, out)
    for statement in diff.statements[:_MAX_SHOWN]:
        show_line(out, styled(words.statement_words(statement)), indent=2)
    _show_more(len(diff.statements) - _MAX_SHOWN, out)
    if diff.apps_changed:
        show_line(out, "what may run on it changed: see `apps` in both files", indent=2)


def _show_registers(diff: PublicationDiff, out: Console) -> None:
    out.print()
    changed = [item for item in diff.registers if item.state in DIFFERENT]
    same = sum(item.state is State.SAME for item in diff.registers)
    show_line(out, styled(f"registers: {len(changed) or 'none'} changed, {same} the same", "bold"))
    for why in diff.why:
        show_line(out, styled(f"because of {why.cause}: {', '.join(why.registers)}"), indent=2)
    for item in changed[:_MAX_SHOWN]:
        _show_register(item, out)
    _show_more(len(changed) - _MAX_SHOWN, out)
    _show_others(diff.registers, out)


def _show_register(item: RegisterChange, out: Console) -> None:
    show_line(out, styled(words.register_words(item), "bold red"), indent=2)
    lines = [line for move in item.moves for line in words.move_lines(move, alone=len(item.moves) == 1)]
    for line in lines[:_MAX_EVENTS]:
        show_line(out, styled(line), indent=4)
    _show_more(len(lines) - _MAX_EVENTS, out)


def _show_others(registers: Iterable[RegisterChange], out: Console) -> None:
    """One line for each state, since nothing is to be done about any of them."""
    for state, label in words.STATES.items():
        places = [f"{item.platform} {item.register}" for item in registers if item.state is state]
        if places and state not in DIFFERENT:
            show_line(out, styled(f"{label}: {', '.join(places)}"), indent=2)


def _show_more(count: int, out: Console) -> None:
    if count > 0:
        show_line(out, f"and {count} more: see --json", indent=2)
