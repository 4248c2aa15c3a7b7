"""What `reference verify` says: one line for each signature, the answer last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record.json_report import render as render_json
from teekit_verify.reference.signing.dsse import Judgement, Standing
from teekit_verify.report.layout import show_line, show_outcome, styled

if TYPE_CHECKING:
    from teekit_verify.reference.signing.detached import Verification
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/signature-check/v1"


def in_words(judgement: Judgement) -> str:
    key = judgement.key
    if key is None:
        return "no key: none of the trusted keys made this signature"
    match judgement.standing:
        case Standing.GOOD:
            return f"good signature of {key.owner} (key {key.id})"
        case Standing.EXPIRED:
            return f"expired: the key of {key.owner} was to be trusted until {key.expires}"
        case Standing.BAD_SIGNATURE | Standing.NO_KEY:
            return f"bad signature: it names the key of {key.owner}, which did not make it"


def show(file: str, result: Verification, out: Console) -> None:
    for judgement in result.judgements:
        show_line(out, styled(in_words(judgement)))
    if result.problem:
        show_line(out, styled(result.problem))
    answer = "SIGNED: by a trusted key" if result.status is ExitStatus.HOLDS else "NOT SIGNED by a trusted key"
    show_outcome(out, result.status, answer, styled(f": {file}"))


@dataclass(frozen=True, slots=True)
class _Line:
    standing: Standing
    owner: str | None
    key_id: str | None


@dataclass(frozen=True, slots=True)
class _Report:
    file: str
    problem: str
    signatures: tuple[_Line, ...]


def render(file: str, result: Verification) -> bytes:
    """What `reference verify --json` prints."""
    lines = tuple(
        _Line(item.standing, item.key.owner if item.key else None, item.key.id if item.key else None)
        for item in result.judgements
    )
    heading: dict[str, object] = {"schema": SCHEMA, "exit_status": int(result.status)}
    return render_json(heading, _Report(file, result.problem, lines))
