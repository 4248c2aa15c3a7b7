"""What `attest verify` says: the matrix of auditors and artifacts, the answer last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.threshold import Objection
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record.json_report import render as render_json
from teekit_verify.reference.signing.log import LogStanding
from teekit_verify.report.layout import STATUS_STYLES, show_line, show_table, styled
from teekit_verify.wording import logs

if TYPE_CHECKING:
    from teekit_verify.appraisal.statements.contradiction import OwnContradiction
    from teekit_verify.appraisal.statements.threshold import Row, Tally
    from teekit_verify.core.digest import Digest
    from teekit_verify.report.console import Console, Text

SCHEMA = "teekit-verify/threshold/v1"
_RED = {Objection.CONTRADICTION, Objection.MISMATCH, Objection.BAD_SIGNATURE}
"""What somebody should look into; the others are merely not counted."""


def answer(tally: Tally) -> str:
    """One sentence. Only several auditors, all of them asked for, are called independent."""
    if tally.status is not ExitStatus.HOLDS:
        return f"NOT ENOUGH: {tally.problem}"
    compared = any(row.counted and row.release for row in tally.rows)
    unpublished = "" if compared else "; none of them compared it with what was published"
    logged = ", and each is in a log" if tally.log_required else ""
    if tally.threshold == 1:
        agreeing = f"REPRODUCED: by {tally.agreeing} trusted auditor(s); one was asked for, which shows no independence"
    else:
        agreeing = (
            f"INDEPENDENTLY REPRODUCED: {tally.agreeing} trusted auditors agree, {tally.threshold} were asked for"
        )
    return agreeing + logged + unpublished


def show(tally: Tally, out: Console) -> None:
    names = [name for name, _ in tally.columns]
    logged = ("logged",) if any(row.log for row in tally.rows) or tally.log_required else ()
    rows = [
        (
            styled(row.owner or "?"),
            styled(row.verdict or "-"),
            *(styled(cell, _style(row)) for cell in row.cells),
            *(_logged(row) for _ in logged),
            styled("yes" if row.counted else "no"),
            styled(row.file),
        )
        for row in tally.rows
    ]
    show_table(out, ("auditor", "verdict", *names, *logged, "counted", "file"), rows)
    for row in tally.rows:
        if row.detail:
            show_line(out, styled(f"{row.file}: {row.detail}", "bold red" if row.objection in _RED else ""), indent=2)
        if row.log is not None:
            show_line(out, styled(f"{row.file}: {logs.found_in_log(row.log)}"), indent=2)
    for item in tally.contradictions:
        show_line(out, styled(in_words(item), "bold red"))
    out.print()
    for name, digest in tally.columns:
        show_line(out, styled(name), f" sha256 {digest.hex}")
    if tally.inputs_sha256 is not None:
        show_line(out, "source commit ", styled(tally.commit or "not stated"))
        show_line(out, f"inputs sha256 {tally.inputs_sha256.hex}")
    show_line(out, styled(answer(tally), STATUS_STYLES[tally.status]))


def in_words(item: OwnContradiction) -> str:
    about = f" about {item.release}" if item.release else ""
    return f"CONTRADICTION: {item.auditor} signed different statements{about}: {', '.join(item.files)}"


def _style(row: Row) -> str:
    if row.objection in _RED:
        return "bold red"
    return "green" if row.counted else "yellow"


def _logged(row: Row) -> Text:
    if row.log is None:
        return styled("-")
    bad = row.log.standing not in logs.CELLS
    style = "green" if row.log.standing is LogStanding.LOGGED else "bold red" if bad else "yellow"
    return styled(logs.CELLS.get(row.log.standing, logs.BAD_PROOF), style)


@dataclass(frozen=True, slots=True)
class _Artifact:
    name: str
    sha256: Digest


@dataclass(frozen=True, slots=True)
class _Report:
    threshold: int
    agreeing: int
    problem: str
    artifacts: tuple[_Artifact, ...]
    commit: str | None
    inputs_sha256: Digest | None
    statements: tuple[Row, ...]
    contradictions: tuple[OwnContradiction, ...]
    log_required: bool


def render(tally: Tally) -> bytes:
    """What `attest verify --json` prints; `cells` are in the order of `artifacts`."""
    report = _Report(
        tally.threshold,
        tally.agreeing,
        tally.problem,
        tuple(_Artifact(name, digest) for name, digest in tally.columns),
        tally.commit,
        tally.inputs_sha256,
        tally.rows,
        tally.contradictions,
        tally.log_required,
    )
    return render_json({"schema": SCHEMA, "exit_status": int(tally.status)}, report)
