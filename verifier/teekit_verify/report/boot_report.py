"""Real boots and event logs, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.record.json_report import render
from teekit_verify.registers.events import event_type_name
from teekit_verify.registers.replay import replay
from teekit_verify.report.layout import STATUS_STYLES, STYLES, shortened, show_line, show_lines, show_table, styled
from teekit_verify.wording.boot import bank_check_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from teekit_verify.boot.proof import BankCheck, BootProof
    from teekit_verify.core.digest import Digest
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.registers.registers import Register

BOOT_SCHEMA = "teekit-verify/boot/v1"
REPLAY_SCHEMA = "teekit-verify/replay/v1"

_STATUS_WORDS = {
    ExitStatus.HOLDS: "EQUAL: every predicted event is the one the firmware measured, and the TPM holds these values",
    ExitStatus.DOES_NOT_HOLD: "DIFFERENT: the real boot measured something else than was predicted",
}


def show_proof(proof: BootProof, out: Console) -> None:
    """Every event and every register with both banks, and the conclusion with the first differences."""
    rows = [
        (styled(f"{row.register} {row.position}"), styled(row.description), styled(row.cause), *map(_cell, row.checks))
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
    show_line(out, styled(_STATUS_WORDS[proof.status], STATUS_STYLES[proof.status]))
    show_lines(proof.divergences, out)


def render_proof(proof: BootProof) -> bytes:
    """What `boot --json` prints."""
    return render({"schema": BOOT_SCHEMA, "exit_status": int(proof.status)}, proof)


def show_event_log(log: EventLog, out: Console, *, events: bool) -> None:
    """The registers of a log in each of its banks, digests to be copied whole; with `events`, all events."""
    show_line(
        out, f"{log.kind.value} log, {len(log.events)} events, {log.size_bytes} bytes; other registers are not extended"
    )
    if events:
        rows = [
            (
                styled(event.register),
                styled(event_type_name(event.event_type)),
                styled(event.description),
                *(styled(shortened(digest.hex)) for digest in event.digests),
            )
            for event in log.events
        ]
        out.print()
        show_table(out, ("register", "type", "what is measured", *(bank.value for bank in log.algorithms)), rows)
    out.print()
    values = [(styled(register), styled(value.algorithm.value), styled(value.hex)) for register, value in _values(log)]
    show_table(out, ("register", "bank", "value"), values)


def render_event_log(log: EventLog, *, events: bool) -> dict[str, object]:
    """What `replay --json` prints: `registers` as name -> bank -> value, and with `events` the list of them."""
    registers: dict[str, dict[str, str]] = {}
    for register, value in _values(log):
        registers.setdefault(register.name, {})[value.algorithm.value] = value.hex
    document: dict[str, object] = {"schema": REPLAY_SCHEMA, "kind": log.kind.value, "registers": registers}
    if events:
        document["events"] = [
            {
                "register": event.register.name,
                "type": event_type_name(event.event_type),
                "description": event.description,
                "digests": {digest.algorithm.value: digest.hex for digest in event.digests},
                "data": event.data.hex(),
            }
            for event in log.events
        ]
    return document


def _values(log: EventLog) -> list[tuple[Register, Digest]]:
    values = [pair for bank in log.algorithms for pair in replay(log.events, bank).items()]
    return sorted(values, key=lambda pair: (pair[0].kind.value, pair[0].index))


def _cell(check: BankCheck) -> Text:
    """One digest of an event: the found one when they are equal, both when they are not."""
    if check.outcome is Outcome.MATCH:
        return styled(f"= {shortened(check.found)}", STYLES[Outcome.MATCH])
    words = bank_check_words(check) or f"{shortened(check.expected)} predicted, found {shortened(check.found)}"
    return styled(words, STYLES[check.outcome])


def _outcome(check: BankCheck) -> Text:
    return styled(f"{check.outcome.value} {bank_check_words(check)}".rstrip(), STYLES[check.outcome])
