"""What `attest verify` says: the matrix of auditors and artifacts, the answer last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from teekit_verify.appraisal.statements.contradiction import OwnContradiction  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.appraisal.statements.threshold import Objection
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record.json_report import render as render_json
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.reference.signing.log import LogFinding, LogStanding
from teekit_verify.report.layout import show_line, show_outcome, show_table, styled
from teekit_verify.report.schema_values import Count, Sha256  # noqa: TC001
from teekit_verify.wording import logs
from teekit_verify.wording.statements import contradiction_words, row_words, shortfall_words

if TYPE_CHECKING:
    from teekit_verify.appraisal.statements.threshold import Row, Tally
    from teekit_verify.report.console import Console, Text

SCHEMA = "teekit-verify/threshold/v1"
_RED = {Objection.CONTRADICTION, Objection.MISMATCH, Standing.BAD_SIGNATURE}
"""What somebody should look into; the others are merely not counted."""


def answer(tally: Tally) -> str:
    """One sentence. Only several auditors, all of them asked for, are called independent."""
    if tally.status is not ExitStatus.HOLDS:
        return f"NOT ENOUGH: {shortfall_words(tally)}"
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
    logged = ("logged",) if tally.log_required or any(row.log for row in tally.rows) else ()
    rows = [
        (
            styled(row.owner or "?"),
            styled(row.verdict.value if row.verdict else "-"),
            *(styled(cell.value, _style(row)) for cell in row.cells),
            *(_logged(row) for _ in logged),
            styled("yes" if row.counted else "no"),
            styled(row.file),
        )
        for row in tally.rows
    ]
    show_table(out, ("auditor", "verdict", *names, *logged, "counted", "file"), rows)
    for row in tally.rows:
        if detail := row_words(row):
            show_line(out, styled(f"{row.file}: {detail}", "bold red" if row.not_counted in _RED else ""), indent=2)
        if row.log is not None:
            show_line(out, styled(f"{row.file}: {logs.found_in_log(row.log)}"), indent=2)
    for item in tally.contradictions:
        show_line(out, styled(contradiction_words(item), "bold red"))
    out.print()
    for name, digest in tally.columns:
        show_line(out, styled(name), f" sha256 {digest.hex}")
    if tally.inputs_sha256 is not None:
        show_line(out, "source commit ", styled(tally.commit or "not stated"))
        show_line(out, f"inputs sha256 {tally.inputs_sha256.hex}")
    show_outcome(out, tally.status, answer(tally))


def _style(row: Row) -> str:
    if row.not_counted in _RED:
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
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class _Statement:
    """`objection` is why it would not count whatever the others say."""

    file: str
    owner: str
    verdict: str
    release: str
    counted: bool
    cells: tuple[str, ...]
    detail: str
    objection: Standing | Objection | None
    log: LogFinding | None


def _statement(row: Row) -> _Statement:
    verdict = row.verdict.value if row.verdict else ""
    cells = tuple(cell.value for cell in row.cells)
    objection = row.not_counted if isinstance(row.not_counted, Standing | Objection) else None
    words = row_words(row)
    return _Statement(row.file, row.owner, verdict, row.release, row.counted, cells, words, objection, row.log)


@dataclass(frozen=True, slots=True)
class Report:
    """What `attest verify --json` prints, after its heading; `cells` are in the order of `artifacts`."""

    threshold: Annotated[int, Field(ge=1)]
    agreeing: Count
    problem: str
    artifacts: tuple[_Artifact, ...]
    commit: str | None
    inputs_sha256: Sha256 | None
    statements: tuple[_Statement, ...]
    contradictions: tuple[OwnContradiction, ...]
    log_required: bool


def render(tally: Tally) -> bytes:
    """What `attest verify --json` prints."""
    report = Report(
        tally.threshold,
        tally.agreeing,
        shortfall_words(tally),
        tuple(_Artifact(name, digest.hex) for name, digest in tally.columns),
        tally.commit,
        None if tally.inputs_sha256 is None else tally.inputs_sha256.hex,
        tuple(map(_statement, tally.rows)),
        tally.contradictions,
        tally.log_required,
    )
    return render_json({"schema": SCHEMA, "exit_status": int(tally.status)}, report)
