"""What `attest verify` says: the matrix of auditors and artifacts, the answer last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record.json_report import render as render_json
from teekit_verify.report.layout import show_line, show_outcome, show_table, styled

if TYPE_CHECKING:
    from teekit_verify.appraisal.statements.threshold import Row, Tally
    from teekit_verify.core.digest import Digest
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/threshold/v1"


def answer(tally: Tally) -> str:
    """One sentence. Only several auditors, all of them asked for, are called independent."""
    if tally.status is not ExitStatus.HOLDS:
        return f"NOT ENOUGH: {tally.problem}"
    compared = any(row.counted and row.release for row in tally.rows)
    unpublished = "" if compared else "; none of them compared it with what was published"
    if tally.threshold == 1:
        agreeing = f"REPRODUCED: by {tally.agreeing} trusted auditor(s); one was asked for, which shows no independence"
    else:
        agreeing = (
            f"INDEPENDENTLY REPRODUCED: {tally.agreeing} trusted auditors agree, {tally.threshold} were asked for"
        )
    return agreeing + unpublished


def show(tally: Tally, out: Console) -> None:
    names = [name for name, _ in tally.columns]
    rows = [
        (
            styled(row.owner or "?"),
            styled(row.verdict or "-"),
            *(styled(cell, "green" if row.counted else "yellow") for cell in row.cells),
            styled("yes" if row.counted else "no"),
            styled(row.file),
        )
        for row in tally.rows
    ]
    show_table(out, ("auditor", "verdict", *names, "counted", "file"), rows)
    for row in tally.rows:
        if row.detail:
            show_line(out, styled(f"{row.file}: {row.detail}"), indent=2)
    out.print()
    for name, digest in tally.columns:
        show_line(out, styled(name), f" sha256 {digest.hex}")
    if tally.inputs_sha256 is not None:
        show_line(out, "source commit ", styled(tally.commit or "not stated"))
        show_line(out, f"inputs sha256 {tally.inputs_sha256.hex}")
    show_outcome(out, tally.status, answer(tally))


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
    )
    return render_json({"schema": SCHEMA, "exit_status": int(tally.status)}, report)
