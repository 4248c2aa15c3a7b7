"""Real boots and event logs, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.log_texts import forged_texts
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.event_text import TextStatus, count_statuses, text_statuses
from teekit_verify.registers.events import event_type_name
from teekit_verify.registers.replay import replay
from teekit_verify.report.layout import STYLES, fitting, show_line, show_lines, show_outcome, show_table, styled
from teekit_verify.wording.boot import bank_check_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.boot.proof import BankCheck, BootProof
    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.evidence.eventlog import EventLog, LeftOutBank
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register
    from teekit_verify.report.console import Console, Text

BOOT_SCHEMA = "teekit-verify/boot/v1"
REPLAY_SCHEMA = "teekit-verify/replay/v1"

_TEXT_STYLES = {
    TextStatus.VERIFIED: STYLES[Outcome.MATCH],
    TextStatus.CONTENT_VERIFIED: STYLES[Outcome.MATCH],
    TextStatus.NOT_COVERED: STYLES[Outcome.NOT_CHECKED],
    TextStatus.FORGED: STYLES[Outcome.MISMATCH],
}
_STATUS_WORDS = {
    ExitStatus.HOLDS: "EQUAL: every predicted event is the one the firmware measured, and the TPM holds these values",
    ExitStatus.DOES_NOT_HOLD: "DIFFERENT: the real boot measured something else than was predicted",
}


def show_proof(proof: BootProof, out: Console) -> None:
    """Every event and every register with both banks, and the conclusion with the first differences."""
    rows = [
        (
            styled(f"{row.register} {row.position}"),
            styled(row.description),
            styled(row.cause),
            *(_cell(check, out) for check in row.checks),
        )
        for row in proof.events
    ]
    banks = [check.bank.value for check in proof.registers[0].checks]
    show_table(out, ("event", "what is measured", "comes from", *banks), rows)
    out.print()
    values = [
        (styled(register.register), styled(check.bank.value), styled(check.found), _outcome(check))
        for register in proof.registers
        for check in register.checks
    ]
    show_table(out, ("register", "bank", "value asked from the TPM", "as predicted"), values)
    out.print()
    show_line(out, f"booted with {proof.accelerator} in {proof.seconds:.0f} s")
    show_outcome(out, proof.status, _STATUS_WORDS[proof.status])
    show_lines(proof.divergences, out)


def render_proof(proof: BootProof) -> bytes:
    """What `boot --json` prints."""
    from teekit_verify.record.json_report import render

    return render({"schema": BOOT_SCHEMA, "exit_status": int(proof.status)}, proof)


def show_event_log(log: EventLog, out: Console, *, events: bool) -> None:
    """The registers of a log in each of its banks, digests to be copied whole; with `events`, all events.

    Forged events are shown always, and beside every other text whether a digest covers it.
    """
    show_line(
        out, f"{log.kind.value} log, {len(log.events)} events, {log.size_bytes} bytes; other registers are not extended"
    )
    show_lines(map(_left_out_words, log.left_out), out)
    statuses = text_statuses(log.events)
    if events:
        _show_events(log, statuses, out)
    out.print()
    values = [(styled(register), styled(value.algorithm.value), styled(value.hex)) for register, value in _values(log)]
    show_table(out, ("register", "bank", "value"), values)
    if not (forged := forged_texts(log)):
        return
    from teekit_verify.wording.checks import check_line

    for check in forged:
        show_line(out, styled(check_line(check), STYLES[Outcome.MISMATCH]))


def _show_events(log: EventLog, statuses: Sequence[TextStatus], out: Console) -> None:
    rows = [
        (
            styled(event.register),
            styled(event_type_name(event.event_type)),
            styled(event.description),
            styled(status.value, _TEXT_STYLES[status]),
            *(styled(fitting(_shown_digest(event, bank), out)) for bank in log.algorithms),
        )
        for event, status in zip(log.events, statuses, strict=True)
    ]
    out.print()
    show_table(
        out, ("register", "type", "what the log says", "its text is", *(bank.value for bank in log.algorithms)), rows
    )


def _shown_digest(event: Event, bank: Algorithm) -> str:
    """Nothing where the event has none, as EV_NO_ACTION may."""
    return next((digest.hex for digest in event.digests if digest.algorithm is bank), "")


def _left_out_words(bank: LeftOutBank) -> str:
    place = "" if bank.offset is None else f" (the record at offset {bank.offset:#x})"
    return f"bank {bank.name} is not replayed: {bank.reason.value}{place}"


def render_event_log(log: EventLog, *, events: bool) -> dict[str, object]:
    """What `replay --json` prints: `registers` as name -> bank -> value, and with `events` the list of them.

    `texts` counts the events by what their digests say of their texts; `forged` are the numbers of those that contradict.
    """
    registers: dict[str, dict[str, str]] = {}
    for register, value in _values(log):
        registers.setdefault(register.name, {})[value.algorithm.value] = value.hex
    statuses = text_statuses(log.events)
    document: dict[str, object] = {
        "schema": REPLAY_SCHEMA,
        "kind": log.kind.value,
        "registers": registers,
        "left_out": [
            {"bank": bank.name, "reason": bank.reason.name.lower(), "offset": bank.offset} for bank in log.left_out
        ],
        "texts": {_code(status): count for status, count in count_statuses(statuses).items()},
        "forged": [number for number, status in enumerate(statuses, start=1) if status is TextStatus.FORGED],
    }
    if events:
        document["events"] = [
            {
                "register": event.register.name,
                "type": event_type_name(event.event_type),
                "description": event.description,
                "text": _code(status),
                "digests": {digest.algorithm.value: digest.hex for digest in event.digests},
                "data": event.data.hex(),
            }
            for event, status in zip(log.events, statuses, strict=True)
        ]
    return document


def _code(status: TextStatus) -> str:
    return status.name.lower()


def _values(log: EventLog) -> list[tuple[Register, Digest]]:
    values = [pair for bank in log.algorithms for pair in replay(log.events, bank).items()]
    return sorted(values, key=lambda pair: (pair[0].kind.value, pair[0].index))


def _cell(check: BankCheck, out: Console) -> Text:
    """One digest of an event: the found one when they are equal, both when they are not."""
    if check.outcome is Outcome.MATCH:
        return styled(f"= {fitting(check.found, out)}", STYLES[Outcome.MATCH])
    words = bank_check_words(check) or f"{check.expected} predicted, found {check.found}"
    return styled(fitting(words, out), STYLES[check.outcome])


def _outcome(check: BankCheck) -> Text:
    return styled(f"{check.outcome.value} {bank_check_words(check)}".rstrip(), STYLES[check.outcome])
