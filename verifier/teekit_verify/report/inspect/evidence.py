"""Quotes, event logs and HCL reports, for people and as JSON. Nothing here says that evidence is acceptable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.evidence.td_attributes import xfam_names
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, rtmr
from teekit_verify.report import boot_report
from teekit_verify.report.layout import show_line, show_table, styled

if TYPE_CHECKING:
    from teekit_verify.evidence.files import Evidence
    from teekit_verify.evidence.hcl import HclReport
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.report.console import Console

EVIDENCE_SCHEMA = "teekit-verify/evidence/v1"
NOT_VERIFIED = "not verified"
"""What is said of a quote's signature by everything that only reads the quote."""


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
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

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
        from teekit_verify.record.json_report import plain

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
