"""Evidence from files: whatever a file is, `carriers` says what is in it, and it is parsed here, once for every command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError, printable
from teekit_verify.core.files import open_input, read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence import hcl
from teekit_verify.evidence.aael import parse_aael
from teekit_verify.evidence.carriers import LOGS, Carried, Kind, find_evidence, foreign_in, is_quote
from teekit_verify.evidence.ccel import CcelTable, parse_ccel, parse_table
from teekit_verify.evidence.cel import parse_cel_json, parse_cel_tlv
from teekit_verify.evidence.dstack import dstack_log
from teekit_verify.evidence.eventlog import MAX_LOG_BYTES, EventLog, LogKind, is_event_log, parse_event_log
from teekit_verify.evidence.foreign import foreign_evidence
from teekit_verify.evidence.ima import in_register, is_ima_list, parse_ima_list
from teekit_verify.evidence.plain_json import is_text
from teekit_verify.evidence.quote import Quote, parse_quote
from teekit_verify.evidence.runtime_log import is_runtime_log, parse_records
from teekit_verify.registers.registers import RegisterKind, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.core.files import OpenedInput
    from teekit_verify.evidence.hcl import HclReport

_SNIFFED_BYTES = 4096
_RESULTS = (b'"teekit-verify/',)
_CC_NAMES = frozenset({"cc_eventlog", "cc_event_log", "ccel", "ccel_data"})
"""Fields that hold the log of a CCEL, and not that of a TPM."""
_IMA_REGISTER = rtmr(2)


@frozen
class Evidence:
    """What one file holds: a quote, an event log, a CCEL table, an HCL report. Answers of dstack hold a quote and its log, evidence
    of Azure's guests a quote and an HCL report. `more_logs` are other registers' logs in the same file.
    """

    name: str
    size_bytes: int
    sha256: Digest
    quote: Quote | None = None
    log: EventLog | None = None
    table: CcelTable | None = None
    hcl: HclReport | None = None
    more_logs: tuple[EventLog, ...] = ()

    @property
    def logs(self) -> tuple[EventLog, ...]:
        return (() if self.log is None else (self.log,)) + self.more_logs


def read_log(
    path: Path, *, table: Path | None = None, kind: LogKind | None = None, ima: Path | None = None
) -> EventLog:
    """The event log in a file, whatever carries it. Raises TeekitError if there is none, or more than one.

    `table` is the ACPI table of a CCEL; `ima` the list of files that the same guest's IMA measured after the boot.
    """
    data = read_bounded(path, MAX_LOG_BYTES, "an event log")
    if table is not None:
        log = parse_ccel(read_bounded(table, MAX_LOG_BYTES, "an ACPI table"), _log_bytes(data))
    else:
        log = parse_log(data, kind, str(path))
    return log if ima is None else with_ima(log, parse_ima_list(read_bounded(ima, MAX_LOG_BYTES, "an IMA list")))


def more_logs(data: bytes, log: EventLog | None) -> tuple[EventLog, ...]:
    """Those of a runtime log that are not `log`: it may have events of RTMR3 and of PCR 15."""
    lists = [item.content for item in find_evidence(data, "event log") if item.kind is Kind.CEL_JSON]
    found = [one for item in lists if is_runtime_log(item) for one in _given(item, len(data))]
    return tuple(one for one in found if log is None or one.kind is not log.kind)


def _given(content: object, size_bytes: int) -> tuple[EventLog, ...]:
    return parse_records(content if isinstance(content, list) else [content], size_bytes).logs


def log_beside_quote(path: Path) -> EventLog | None:
    """The log in the same file as a quote, as dstack and Confidential Containers give them; None without one that has RTMRs.

    Raises TeekitError for a log that is malformed, and for several.
    """
    data = read_bounded(path, MAX_LOG_BYTES, "a guest's evidence")
    if not any(item.kind in LOGS for item in find_evidence(data)):
        return None
    log = parse_log(data, None, str(path))
    has_rtmrs = any(event.register.kind is RegisterKind.RTMR for event in log.events)
    return log if log.kind is LogKind.CCEL and has_rtmrs else None


def parse_log(data: bytes, kind: LogKind | None = None, name: str = "input") -> EventLog:
    """Likewise of bytes."""
    found = find_evidence(data, "event log")
    logs = [item for item in found if item.kind in LOGS]
    if not logs:
        _refuse_without_log(data, found)
        return parse_event_log(data, kind)
    agents = [item for item in logs if item.kind is Kind.AAEL and len(logs) == 2]  # noqa: PLR2004 - CCEL and this
    log = _parse_carried(_only([item for item in logs if item not in agents]), kind, len(data))
    log = _with_agents(log, agents)
    if kind is not None and log.kind is not kind:
        raise UnsupportedInputError(f"{name} is a {log.kind.value} log: it has no registers of a {kind.value} log")
    return log


def _with_agents(log: EventLog, agents: Sequence[Carried]) -> EventLog:
    """A CCEL and the log that an older Attestation Agent kept beside it."""
    for item in agents:
        if log.kind is LogKind.CCEL and isinstance(item.content, bytes):
            log = replace(log, events=log.events + parse_aael(item.content).events, has_runtime_events=True)
    return log


def with_ima(log: EventLog, ima: EventLog) -> EventLog:
    """The boot's log and what IMA measured then: PCR 10 of a TPM; in a TD RTMR2, in SHA-384. Raises TeekitError for banks."""
    if log.kind is LogKind.TPM:
        banks = tuple(bank for bank in log.algorithms if bank in ima.algorithms)
        if not banks or ima.kind is not LogKind.TPM:
            raise UnsupportedInputError("the event log and the IMA list have no bank in common")
        return replace(log, algorithms=banks, events=log.events + ima.events)
    return replace(log, events=log.events + in_register(ima, _IMA_REGISTER))


def _log_bytes(data: bytes) -> bytes:
    """The log area of a CCEL, alone or in what carries it."""
    logs = [item for item in find_evidence(data) if item.kind is Kind.LOG]
    content = _only(logs).content if logs else data
    return content if isinstance(content, bytes) else data


def _refuse_without_log(data: bytes, found: Sequence[Carried]) -> None:
    foreign = foreign_in(tuple(found))
    if foreign is not None:
        foreign.refuse()
    if any(item.kind is Kind.QUOTE for item in found):
        raise UnsupportedInputError("there is a quote in it, and no event log", hint="Give the guest's event log too.")
    if is_text(data) and not is_event_log(data):
        raise MalformedInputError("event log", field="text", offset=0, problem="there is no event log in it")


def _only(logs: Sequence[Carried]) -> Carried:
    if len(logs) != 1:
        places = ", ".join(printable(item.place or "text") for item in logs[:8])
        problem = f"there are {len(logs)} different event logs in it: {places}"
        raise MalformedInputError(
            "event log", field="JSON", offset=0, problem=problem, hint="Give one of them in a file."
        )
    return logs[0]


def _parse_carried(item: Carried, kind: LogKind | None, size_bytes: int) -> EventLog:
    content = item.content
    if item.kind is Kind.DSTACK_LOG:
        return dstack_log(content, size_bytes)
    if item.kind is Kind.CEL_JSON and is_runtime_log(content):
        logs = _given(content, size_bytes)
        return next((log for log in logs if log.kind is kind), logs[0])
    if item.kind is Kind.CEL_JSON:
        return parse_cel_json(content, size_bytes)
    if not isinstance(content, bytes):
        raise TeekitError("an event log that is not bytes")
    if item.kind is Kind.CEL_TLV:
        return parse_cel_tlv(content)
    if item.kind is Kind.AAEL:
        return parse_aael(content)
    if item.kind is Kind.IMA:
        return parse_ima_list(content)
    is_cc = item.place.rpartition(".")[2] in _CC_NAMES
    return parse_event_log(content, kind or (LogKind.CCEL if is_cc else None))


def is_evidence(path: Path) -> bool:
    """Whether a file is evidence of any kind that is known, also such as cannot be used. Raises TeekitError."""
    with open_input(path) as file:
        return holds_evidence(file)


def holds_evidence(file: OpenedInput) -> bool:
    """The same of an opened file."""
    head = file.head[:_SNIFFED_BYTES]
    if is_quote(head) or is_event_log(head) or is_ima_list(head) or head[:4] in {b"CCEL", hcl.SIGNATURE}:
        return True
    if file.size_bytes > MAX_LOG_BYTES or any(schema in head for schema in _RESULTS):
        return False
    try:
        data = file.beginning(MAX_LOG_BYTES)
        return foreign_evidence(data) is not None or bool(find_evidence(data))
    except MalformedInputError:
        return False


def read_evidence(path: Path) -> Evidence:
    """Whatever evidence the file holds. Raises TeekitError for what is none, and for what is malformed."""
    return parse_evidence(read_bounded(path, MAX_LOG_BYTES, "evidence"), path.name)


def evidence_in(file: OpenedInput) -> Evidence:
    """The same of an opened file."""
    return parse_evidence(file.whole(MAX_LOG_BYTES, "evidence"), file.name)


def parse_evidence(data: bytes, name: str) -> Evidence:
    """Likewise of bytes."""
    found = find_evidence(data)
    kinds = {item.kind for item in found}
    tables, reports = ([item.content for item in found if item.kind is kind] for kind in (Kind.TABLE, Kind.HCL))
    has_none = not kinds - {Kind.FOREIGN}
    log = parse_log(data, None, name) if kinds & LOGS else None
    return Evidence(
        name,
        len(data),
        Digest.of(Algorithm.SHA256, data),
        quote=parse_quote(data) if Kind.QUOTE in kinds or has_none else None,
        log=log,
        more_logs=more_logs(data, log) if Kind.CEL_JSON in kinds else (),
        table=parse_table(tables[0]) if tables and isinstance(tables[0], bytes) else None,
        hcl=hcl.parse_hcl_report(reports[0]) if reports and isinstance(reports[0], bytes) else None,
    )
