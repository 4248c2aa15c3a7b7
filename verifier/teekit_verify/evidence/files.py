"""Evidence in files, whatever its form: event logs as bytes or JSON, CCEL tables, quotes as bytes, text or JSON, HCL reports."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.files import read_beginning, read_bounded
from teekit_verify.evidence import hcl
from teekit_verify.evidence.azure import has_azure_evidence, parse_vtpm
from teekit_verify.evidence.ccel import CcelTable, parse_ccel, parse_table
from teekit_verify.evidence.dstack import parse_dstack_log
from teekit_verify.evidence.eventlog import (
    MAX_LOG_BYTES,
    SIGNATURE,
    SIGNATURE_OFFSET,
    EventLog,
    LogKind,
    parse_event_log,
)
from teekit_verify.evidence.plain_json import is_text, parse_json
from teekit_verify.evidence.quote import Quote, parse_quote

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.evidence.hcl import HclReport

_SNIFFED_BYTES = 4096
_JSON_NAMES = (b'"quote"', b'"td_quote"', b'"tdx_quote_base64"', b'"tpm_quote"', b'"event_log"', b'"imr"')
_LOG_TYPES = (b"[", b"{")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one file holds: a quote, an event log, a CCEL table, an HCL report. Answers of dstack hold a quote and its log, evidence
    of Azure's guests a quote and an HCL report.
    """

    name: str
    size_bytes: int
    sha256: Digest
    quote: Quote | None = None
    log: EventLog | None = None
    table: CcelTable | None = None
    hcl: HclReport | None = None


def read_log(path: Path, *, table: Path | None = None, kind: LogKind | None = None) -> EventLog:
    """An event log as bytes (with or without the ACPI table of a CCEL), or dstack's JSON. Raises TeekitError."""
    data = read_bounded(path, MAX_LOG_BYTES, "an event log")
    if table is not None:
        return parse_ccel(read_bounded(table, MAX_LOG_BYTES, "an ACPI table"), data)
    if not data.lstrip().startswith(_LOG_TYPES) or not is_text(data):
        return parse_event_log(data, kind)
    if kind is LogKind.TPM:
        raise UnsupportedInputError(f"{path} is a log in dstack's JSON: it has RTMRs and no PCRs")
    return parse_dstack_log(data)


def is_evidence(path: Path) -> bool:
    """Whether the first bytes look like a quote, an event log or a CCEL table; whether it is one, reading it shows."""
    head = read_beginning(path, _SNIFFED_BYTES)
    if head[:4] in (b"CCEL", hcl.SIGNATURE) or head[SIGNATURE_OFFSET:].startswith(SIGNATURE) or _is_quote(head):
        return True
    text = head.strip()
    return text.lstrip(b'"').startswith((b"0400", b"0500", b"0x0", b"BAAC", b"BQAC")) or (
        text.startswith((*_LOG_TYPES, b'"')) and any(name in head for name in _JSON_NAMES)
    )


def _is_quote(head: bytes) -> bool:
    """Version 4 or 5 and a TEE type of quotes, TDX or SGX."""
    layout = struct.Struct("<HHI")
    if len(head) < layout.size:
        return False
    version, _, tee_type = layout.unpack_from(head)
    return version in {4, 5} and tee_type in {0, 0x81}


def read_evidence(path: Path) -> Evidence:
    """Whatever evidence the file holds. Raises TeekitError for what is none, and for what is malformed."""
    data = read_bounded(path, MAX_LOG_BYTES, "evidence")
    quote, log, table, report = None, None, None, None
    if data[:4] == b"CCEL":
        table = parse_table(data)
    elif data[:4] == hcl.SIGNATURE:
        report = hcl.parse_hcl_report(data)
    elif data[SIGNATURE_OFFSET:].startswith(SIGNATURE):
        log = parse_event_log(data)
    elif is_text(data) and data.lstrip().startswith(_LOG_TYPES):
        document = parse_json(data, "evidence")
        has_log = isinstance(document, list) or (isinstance(document, dict) and "event_log" in document)
        log = parse_dstack_log(data) if has_log else None
        report = parse_vtpm(data).report if has_azure_evidence(data) else None
        quote = parse_quote(data) if not has_log or (isinstance(document, dict) and "quote" in document) else None
    else:
        quote = parse_quote(data)
    return Evidence(path.name, len(data), Digest.of(Algorithm.SHA256, data), quote, log, table, report)
