"""What `guest` says of a live machine: one table that fits 80 columns, what is behind each row that is no match, the verdict last."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import Outcome
from teekit_verify.record.json_report import open_registers, plain
from teekit_verify.report.guest_steps import TITLES, answered
from teekit_verify.report.layout import STYLES, shortened, show_line, show_outcome, show_table, styled
from teekit_verify.report.quote_report import render_quote_appraisal
from teekit_verify.wording.checks import detail_of, name_of, open_words, reason_lines
from teekit_verify.wording.guests import runs_lines, verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.appraisal.guest.appraise import AppraisedGuest
    from teekit_verify.appraisal.guest.live import LiveGuest
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.record.comparison import ReferenceUsed
    from teekit_verify.report.console import Console
    from teekit_verify.report.guest_steps import Answered

SCHEMA = "teekit-verify/guest/v1"
_COLUMNS = 80
_SPARED = {Outcome.MATCH}


def show_guest(live: LiveGuest, used: ReferenceUsed, guest: AppraisedGuest, out: Console) -> None:
    """No line is longer than a screen is wide, but for names and digests that cannot be broken."""
    appraisal, steps = guest.appraisal, answered(guest.appraisal)
    show_line(out, styled(live.url, "bold"), " against ", styled(used.release, "bold"))
    if appraisal.platform is not None:
        show_line(out, "platform ", styled(appraisal.platform))
    out.print()
    rows = [
        (
            styled(number),
            styled(TITLES[step.step]),
            styled(step.outcome.value, STYLES[step.outcome]),
            styled(step.short),
        )
        for number, step in enumerate(steps, start=1)
    ]
    show_table(out, ("", "is it so that", "outcome", "shown by"), rows)
    out.print()
    for number, step in enumerate(steps, start=1):
        _show_behind(number, step, out)
    for line in connection_lines(live):
        _show_wrapped(line, out)
    status = appraisal.conclusion.status
    words = verdict_words(appraisal, is_bound=live.tls_key_sha256 is not None)
    for line in textwrap.wrap(words + open_words(appraisal.checklist, status), _COLUMNS):
        show_outcome(out, status, line)
    if appraisal.runs is not None:
        for line in runs_lines(appraisal.runs):
            _show_wrapped(line, out)


def _show_behind(number: int, step: Answered, out: Console) -> None:
    for check in step.checks:
        if check.outcome not in _SPARED:
            _show_wrapped(f"{number}: {behind(check)}", out, STYLES[check.outcome])
    for check in step.passed_over:
        _show_wrapped(f"{number}: {behind(check)} (does not decide)", out, STYLES[Outcome.IGNORED])


def behind(check: Check) -> str:
    """`REPORTDATA: mismatch: it is not ...` with the beginnings of digests."""
    detail = detail_of(check)
    return f"{name_of(check)}: {check.outcome.value}" + (f": {shortened(detail)}" if detail else "")


def _show_wrapped(text: str, out: Console, style: str = "") -> None:
    lines = textwrap.wrap(text, _COLUMNS, initial_indent="  ", subsequent_indent="     ", break_long_words=False)
    for line in lines:
        show_line(out, styled(line, style))


def connection_lines(live: LiveGuest) -> Iterator[str]:
    """For information: which key the connection ends in, and what authorities say of it."""
    if live.tls_key_sha256 is None:
        yield "connection: plain HTTP"
        return
    yield f"connection: TLS key sha256 {live.tls_key_sha256.hex()[:16]}..."
    vouched = "an authority that this machine trusts vouches for its name"
    yield f"certificate: {live.not_vouched_for or vouched} (for information)"


def render_guest(live: LiveGuest, used: ReferenceUsed, guest: AppraisedGuest) -> dict[str, object]:
    """What `guest --json` prints."""
    appraisal = guest.appraisal
    key = live.tls_key_sha256
    return {
        "schema": SCHEMA,
        "exit_status": int(appraisal.conclusion.status),
        "url": live.url,
        "nonce": live.nonce.hex(),
        "tls_key_sha256": None if key is None else key.hex(),
        "certificate_problem": None if key is None else live.not_vouched_for,
        "open_registers": open_registers(appraisal.checklist),
        "reference": plain(used),
        "platform": appraisal.platform,
        "steps": [
            {
                "step": step.step.value,
                "outcome": step.outcome.value,
                "checks": plain(step.checks),
                "passed_over": plain(step.passed_over),
            }
            for step in answered(appraisal)
        ],
        "runs": None if appraisal.runs is None else render_runs(appraisal.runs),
        "quote": _render_quote(guest),
        "reasons": list(reason_lines(appraisal.conclusion.reasons)),
    }


def _render_quote(guest: AppraisedGuest) -> dict[str, object] | None:
    if guest.quote is None or guest.signature is None:
        return None
    return render_quote_appraisal(guest.quote, guest.signature, guest.appraisal.quote)


def render_runs(given: GivenApps) -> dict[str, object]:
    """What a guest was shown to run, and nothing else."""
    return {
        "apps": [{"app": manifest.app, "sha256": manifest.sha256.hex} for manifest in given.manifests],
        "hostnames": None if given.hostnames is None else list(given.hostnames),
    }
