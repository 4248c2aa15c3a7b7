"""What `audit` says: one line for each release, as soon as its answer is there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.appraisal.statements.own import AuditOutcome, status_of
from teekit_verify.appraisal.statements.statement import Independence  # noqa: TC001
from teekit_verify.record.auditing import Basis, Filing
from teekit_verify.record.json_report import plain
from teekit_verify.reference.signing.log import LogFinding  # noqa: TC001
from teekit_verify.report.console import Text
from teekit_verify.report.layout import styled
from teekit_verify.wording import logs
from teekit_verify.wording.statements import independence_words

if TYPE_CHECKING:
    from teekit_verify.record.auditing import Audited
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/audited/v1"

_STYLES = {
    AuditOutcome.REPRODUCED: "bold green",
    AuditOutcome.MISMATCH: "bold red",
    AuditOutcome.UNDECIDED: "bold yellow",
    AuditOutcome.WITHDRAWN: "",
}
_FILED = {
    Filing.WRITTEN: "signed",
    Filing.KEPT: "signed before",
    Filing.OTHER: "NOT signed: another statement of yours is in the repository, and is not replaced",
}


def show(audited: Audited, out: Console) -> None:
    """An answer is an outcome, which is shown with --quiet as well."""
    word = styled(_word(audited), _STYLES[audited.outcome])
    out.outcome(Text.assemble(styled(f"{audited.release}: "), word, styled(_rest(audited))))


def _word(audited: Audited) -> str:
    return audited.outcome.value.upper()


def _rest(audited: Audited) -> str:
    """The first line of an error; the report has the others."""
    if audited.outcome is AuditOutcome.WITHDRAWN:
        return f": {audited.withdrawn}; it is audited if --release names it"
    said = []
    if audited.error is not None:
        said.append(audited.error.summary)
    elif audited.outcome is AuditOutcome.UNDECIDED and audited.verdict is not None:
        said.append(audited.verdict.value)
    said += audited.reasons[:1]
    if audited.filing is not None:
        said.append(f"{_FILED[audited.filing]}, {audited.statement}")
    if words := independence_words(audited.independence):
        said.append(f"it says of you: {words}")
    if audited.log is not None:
        said.append(logs.found_in_log(audited.log))
    if audited.basis is Basis.REPORT:
        said.append("from the report of an earlier run")
    if audited.report is not None and audited.outcome is not AuditOutcome.REPRODUCED:
        said.append(f"report: {audited.report}")
    return "".join(f"; {text}" if position else f", {text}" for position, text in enumerate(said))


@dataclass(frozen=True, slots=True)
class Error:
    """As any command prints it: docs/errors.md."""

    code: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """`basis`: what the answer rests on, null where there is none. `filing`: what became of the statement, null where none was made.

    `log`: what was found about the statement in a log, null where nobody asked. `independence`: what the statement says of its auditor.
    """

    release: str
    outcome: AuditOutcome
    verdict: Verdict | None
    basis: Basis | None
    filing: Filing | None
    statement: str | None
    report: str | None
    reasons: tuple[str, ...]
    withdrawn: str | None
    error: Error | None
    log: LogFinding | None
    independence: Independence | None


def render(audited: Audited) -> str:
    """One line of what `audit --json` prints."""
    error = audited.error
    report = Report(
        audited.release,
        audited.outcome,
        audited.verdict,
        audited.basis,
        audited.filing,
        None if audited.statement is None else str(audited.statement),
        None if audited.report is None else str(audited.report),
        audited.reasons,
        audited.withdrawn,
        None if error is None else Error(error.code, error.message, error.hint),
        audited.log,
        audited.independence,
    )
    fields = plain(report)
    assert isinstance(fields, dict)  # noqa: S101 - it is a dataclass
    heading = {"schema": SCHEMA, "exit_status": int(status_of([audited.outcome]))}
    return json.dumps({**heading, **fields}, ensure_ascii=False)
