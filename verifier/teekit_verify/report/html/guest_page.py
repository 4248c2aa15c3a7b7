"""The page of `guest --html`: one file that needs nothing else, to be kept or mailed. No scripts; all text is foreign and is escaped."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.report.guest_report import behind, connection_lines
from teekit_verify.report.guest_steps import TITLES, answered
from teekit_verify.report.html.page import running_head, templates
from teekit_verify.wording.checks import reason_lines
from teekit_verify.wording.guests import runs_lines, verdict_words

if TYPE_CHECKING:
    from datetime import datetime

    from teekit_verify.appraisal.guest.appraise import AppraisedGuest
    from teekit_verify.appraisal.guest.live import LiveGuest
    from teekit_verify.record.comparison import ReferenceUsed

_ACCENTS = {ExitStatus.HOLDS: "good", ExitStatus.DOES_NOT_HOLD: "bad", ExitStatus.NO_VERDICT: "open"}
_STATES = {Outcome.MATCH: "good", Outcome.MISMATCH: "bad", Outcome.ERROR: "bad"}


def render_guest_page(live: LiveGuest, used: ReferenceUsed, guest: AppraisedGuest, at: datetime) -> bytes:
    """`at` is the time at which it was asked."""
    appraisal = guest.appraisal
    word, _, headline = verdict_words(appraisal, is_bound=live.tls_key_sha256 is not None).partition(": ")
    registers = {str(name): value.values[0].hex for name, value in appraisal.registers.items() if value.values}
    steps = [
        (
            TITLES[step.step],
            step.outcome.value,
            _STATES.get(step.outcome, "open"),
            step.short,
            step.checks,
            step.passed_over,
        )
        for step in answered(appraisal)
    ]
    page = templates().get_template("guest.html.j2")
    return page.render(
        live=live,
        used=used,
        running_head=running_head((live.url.partition("://")[2], used.release)),
        at=f"{at:%Y-%m-%d %H:%M:%S} UTC",
        word=word,
        headline=headline[:1].upper() + headline[1:],
        accent=_ACCENTS[appraisal.conclusion.status],
        reasons=reason_lines(appraisal.conclusion.reasons),
        runs=() if appraisal.runs is None else runs_lines(appraisal.runs),
        steps=steps,
        behind=behind,
        connection=[line.split(": ", 1) for line in connection_lines(live)],
        file=PurePath(used.path).name,
        registers=registers,
        platform=appraisal.platform,
        report_data=live.report_data.hex(),
    ).encode()
