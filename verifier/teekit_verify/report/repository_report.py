"""What `attest check-repository` says: what is not in order, what contradicts, the answer last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.repository import Conflict, Fault
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record.json_report import render as render_json
from teekit_verify.report.layout import show_line, show_outcome, show_table, styled
from teekit_verify.wording import logs

if TYPE_CHECKING:
    from teekit_verify.appraisal.statements.repository import CheckedRepository, Contradiction, FaultyFile
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/statements-check/v1"

FAULTS = {
    Fault.UNKNOWN_FILE: "has no place here: statements are RELEASE/AUDITOR.intoto.jsonl or .sigstore.json, keys are keys/AUDITOR.pem",
    Fault.LINK: "is a link",
    Fault.UNREADABLE: "is not a statement",
    Fault.NO_KEY: "its auditor has no key in keys/",
    Fault.NOT_SIGNED: "is not signed by a key in keys/",
    Fault.WRONG_SIGNER: "is signed by another auditor",
    Fault.WRONG_AUDITOR: "names another auditor than its file name",
    Fault.WRONG_RELEASE: "is about another release than its folder",
    Fault.CHANGED: "was changed",
    Fault.REMOVED: "was removed",
    Fault.KEY_ADDED: "is another key of an auditor who has one already: ask them, by another way, whether it is theirs",
    Fault.BAD_PROOF: "is not a valid proof of a statement beside it",
    Fault.NOT_LOGGED: "is in no log",
}


def in_words(item: Contradiction) -> str:
    return _within(item) + (f" (in {item.elsewhere})" if item.elsewhere else "")


def _within(item: Contradiction) -> str:
    who = ", ".join(item.auditors)
    match item.conflict:
        case Conflict.MISMATCH:
            return f"{item.release}: {who} built something else than was published"
        case Conflict.DIFFERENT_RESULTS:
            return f"{item.release}: {who} do not state the same artifacts, commit and inputs"
        case Conflict.OWN_STATEMENTS:
            return f"{item.release}: {who} made statements that contradict each other"
        case Conflict.OTHER_KEY:
            return f"{item.release}: who is called {who} signs with another key"


def _answer(checked: CheckedRepository) -> str:
    match checked.status:
        case ExitStatus.HOLDS:
            return "IN ORDER, and nobody contradicts"
        case ExitStatus.DOES_NOT_HOLD:
            return "IN ORDER, but auditors CONTRADICT each other or what was published"
        case ExitStatus.NO_VERDICT:
            return "NOT IN ORDER" if checked.faults else "NO STATEMENTS"


def show(checked: CheckedRepository, out: Console) -> None:
    rows = [
        (
            styled(item.release),
            styled(item.auditor),
            styled(item.verdict.value),
            *([] if item.logged is None else [styled("yes" if item.logged else "no")]),
            styled(item.file),
        )
        for item in checked.statements
    ]
    if rows:
        logged = () if checked.statements[0].logged is None else ("logged",)
        show_table(out, ("release", "auditor", "verdict", *logged, "file"), rows)
    for item in checked.faults:
        place = f"{item.elsewhere}: " if item.elsewhere else ""
        show_line(out, styled(f"{place}{item.file}: {FAULTS[item.fault]}{_detail(item)}", "bold red"))
    for conflict in checked.contradictions:
        show_line(out, styled(in_words(conflict), "bold red"))
    if checked.proofs_not_checked:
        show_line(out, styled(f"{checked.proofs_not_checked} proofs of a log: not checked without a policy", "yellow"))
    if not checked.against_earlier:
        show_line(out, styled("not checked without --earlier: whether something was changed or removed", "yellow"))
    show_outcome(out, checked.status, _answer(checked), styled(f": {checked.folder}"))


def _detail(item: FaultyFile) -> str:
    said = [logs.WHY[item.log]] if item.log else []
    said += [item.detail] if item.detail else []
    return f" ({': '.join(said)})" if said else ""


def render(checked: CheckedRepository) -> bytes:
    """What `attest check-repository --json` prints."""
    return render_json({"schema": SCHEMA, "exit_status": int(checked.status)}, checked)
