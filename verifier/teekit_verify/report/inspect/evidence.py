"""Quotes, event logs and their comparison, for people and as JSON. Nothing here says that evidence is acceptable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teekit_verify.appraisal.facts import RegisterCheck
from teekit_verify.appraisal.log_texts import forged_texts
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.td_attributes import xfam_names
from teekit_verify.record.json_report import plain
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, rtmr
from teekit_verify.report import boot_report
from teekit_verify.report.layout import STATUS_STYLES, STYLES, show_line, show_lines, show_table, styled
from teekit_verify.wording.checks import detail_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.appraisal.guest.eventlog import LogComparison
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.evidence.files import Evidence
    from teekit_verify.evidence.hcl import HclReport
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.report.console import Console

EVIDENCE_SCHEMA = "teekit-verify/evidence/v1"
NOT_VERIFIED = "not verified"
"""What is said of a quote's signature by everything that only reads the quote."""

_QUOTE_WORDS = {
    ExitStatus.HOLDS: "EQUAL: the event log replays to the quote's RTMRs (the quote's signature is not verified)",
    ExitStatus.DOES_NOT_HOLD: "DIFFERENT: this is not the event log of the quote's RTMRs",
    ExitStatus.NO_VERDICT: "NOT ALL COMPARED: the event log replays to the quote's RTMRs, but one of them is not in it",
}
_FORGED_WORDS = "FORGED: the log was changed after it was measured: believe none of its texts"
_LOG_WORDS = {
    ExitStatus.HOLDS: "EQUAL: both event logs have the same events",
    ExitStatus.DOES_NOT_HOLD: "DIFFERENT: the event logs part",
}


def exit_status(*comparisons: LogComparison | None, logs: Iterable[EventLog] = ()) -> ExitStatus:
    """What does not hold anywhere does not hold, nor does a log with a forged text; without a comparison it was read, and that is all."""
    found = {comparison.status for comparison in comparisons if comparison}
    if any(forged_texts(log) for log in logs):
        found.add(ExitStatus.DOES_NOT_HOLD)
    return next(
        (status for status in (ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT) if status in found), ExitStatus.HOLDS
    )


def show_comparisons(
    quoted: LogComparison | None, expected: LogComparison | None, out: Console, *, logs: Sequence[EventLog] = ()
) -> None:
    forged = any(forged_texts(log) for log in logs)
    for comparison, heading, words in ((quoted, "quote", _QUOTE_WORDS), (expected, "expected", _LOG_WORDS)):
        if comparison is not None:
            _show_comparison(comparison, heading, words if not forged else _forged(words), out)
    if forged:
        show_line(out, styled(_FORGED_WORDS, STATUS_STYLES[ExitStatus.DOES_NOT_HOLD]))


def _forged(words: dict[ExitStatus, str]) -> dict[ExitStatus, str]:
    """Digests that are equal are no good news about a log with other texts than they were made of."""
    return {**words, ExitStatus.HOLDS: "the digests lead to these values"}


def _show_comparison(comparison: LogComparison, heading: str, words: dict[ExitStatus, str], out: Console) -> None:
    rows = [
        (
            styled(_register(check)),
            styled(check.expected),
            styled(f"{check.outcome.value} {detail_of(check)}".rstrip(), STYLES[check.outcome]),
        )
        for check in comparison.checks
    ]
    out.print()
    show_table(
        out, ("register", f"value in the {heading}" if heading == "quote" else "expected value", "replayed"), rows
    )
    out.print()
    show_line(out, styled(words[comparison.status], STATUS_STYLES[comparison.status]))
    show_lines(comparison.differences, out)


def _register(check: Check) -> str:
    subject = check.subject
    assert isinstance(subject, RegisterCheck)  # noqa: S101 - logs have registers
    return str(subject.register) if subject.bank is None else f"{subject.register} {subject.bank.value}"


def render_comparisons(
    quoted: LogComparison | None, expected: LogComparison | None, *, logs: Sequence[EventLog] = ()
) -> dict[str, object]:
    """What `replay --json` adds: `quote` and `against`, each with its checks and differences, and the exit status."""
    document: dict[str, object] = {}
    if quoted is not None:
        document["quote"] = {"signature": NOT_VERIFIED, **_fields(quoted)}
    if expected is not None:
        document["against"] = _fields(expected)
    return {**document, "exit_status": int(exit_status(quoted, expected, logs=logs))}


def _fields(comparison: LogComparison) -> dict[str, object]:
    return {"checks": plain(comparison.checks), "differences": list(comparison.differences)}


def show_evidence(evidence: Evidence, out: Console, *, events: bool = False) -> None:
    """What `inspect` prints for a quote, an event log or a CCEL table."""
    show_line(out, styled(evidence.name, "bold"), f", {evidence.size_bytes} bytes")
    show_line(out, f"sha256 {evidence.sha256.hex}")
    if evidence.table is not None:
        table = evidence.table
        show_line(
            out, f"CCEL table: log area of {table.log_area_bytes} bytes at guest address {table.log_area_address:#x}"
        )
    if evidence.quote is not None:
        out.print()
        _show_quote(evidence.quote, out)
    if evidence.hcl is not None:
        out.print()
        show_line(out, "HCL report of an Azure guest's paravisor: ", NOT_VERIFIED)
        show_table(
            out, ("field", "value"), [(styled(name), styled(value)) for name, value in _hcl_fields(evidence.hcl)]
        )
    for log in evidence.logs:
        out.print()
        boot_report.show_event_log(log, out, events=events)


def _show_quote(quote: Quote, out: Console) -> None:
    show_line(out, f"TDX quote, version {quote.version}, {quote.attestation_key_name}; signature: ", NOT_VERIFIED)
    show_table(
        out, ("field", "value"), [(styled(name), styled(str(value))) for name, value in _quote_fields(quote).items()]
    )


def _quote_fields(quote: Quote) -> dict[str, str]:
    """Every field of the report under the specification's name, in hexadecimal."""
    report = quote.report
    rtmrs = {register.name: report.value(register).hex for register in map(rtmr, range(RTMR_COUNT))}
    fields = {
        MRTD.name: report.mrtd.hex,
        **rtmrs,
        "REPORTDATA": report.report_data.hex(),
        "MRSEAM": report.mrseam.hex,
        "MRSIGNERSEAM": report.mrsignerseam.hex,
        "SEAM attributes": report.seam_attributes.hex(),
        "TD attributes": f"{report.td_attributes.hex()} ({', '.join(report.attribute_names()) or 'none'})",
        "XFAM": f"{report.xfam.hex()} ({', '.join(xfam_names(int.from_bytes(report.xfam, 'little')))})",
        "MRCONFIGID": report.mrconfigid.hex(),
        "MROWNER": report.mrowner.hex(),
        "MROWNERCONFIG": report.mrownerconfig.hex(),
        "TEE_TCB_SVN": report.tee_tcb_svn.hex(),
        "QE vendor ID": quote.qe_vendor_id.hex(),
        "user data": quote.user_data.hex(),
    }
    if report.tee_tcb_svn2 is not None and report.mrservicetd is not None:
        fields |= {"TEE_TCB_SVN2": report.tee_tcb_svn2.hex(), "MRSERVICETD": report.mrservicetd.hex}
    if quote.extra_bytes:
        fields["extra bytes"] = quote.extra_bytes_in_words
    return fields


def _hcl_fields(report: HclReport) -> list[tuple[str, str]]:
    """What it says REPORTDATA must be, the vTPM's key, and what it says of the machine."""
    key = report.attestation_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [
        ("runtime data", f"{len(report.runtime_data)} bytes"),
        ("REPORTDATA", report.report_data.hex()),
        ("vTPM's key", f"RSA, {report.attestation_key.key_size} bits, SHA-256 {Digest.of(Algorithm.SHA256, key).hex}"),
        ("user data", report.user_data or "none"),
        *report.configuration.items(),
    ]


def render_evidence(evidence: Evidence, *, events: bool = False) -> bytes:
    """What `inspect --json` prints for evidence."""
    document: dict[str, object] = {
        "schema": EVIDENCE_SCHEMA,
        "name": evidence.name,
        "size_bytes": evidence.size_bytes,
        "sha256": evidence.sha256.hex,
    }
    if evidence.table is not None:
        document["ccel_table"] = plain(evidence.table)
    if evidence.quote is not None:
        quote = evidence.quote
        document["quote"] = {
            "version": quote.version,
            "attestation_key": quote.attestation_key_name,
            "signature": NOT_VERIFIED,
            "fields": _quote_fields(quote),
        }
    if evidence.hcl is not None:
        document["hcl_report"] = {"signature": NOT_VERIFIED, "fields": dict(_hcl_fields(evidence.hcl))}
    if evidence.log is not None:
        document["event_log"] = boot_report.render_event_log(evidence.log, events=events)
    if evidence.more_logs:
        document["more_event_logs"] = [boot_report.render_event_log(log, events=events) for log in evidence.more_logs]
    return json.dumps(document, indent=2).encode() + b"\n"
