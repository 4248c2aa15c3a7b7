"""From a machine's answer to its evidence: which quote has to answer the question, and which registers it speaks for.

| the answer has | what answers | registers |
|---|---|---|
| a TDX quote | its REPORTDATA | of the TD; a TPM beside it has to say the same |
| a TDX quote and an HCL report (Azure) | the TPM's quote; the TDX quote vouches for the report, and that names the TPM's key | of the TPM |
| a TPM's quote alone | that | of the TPM, for whose key somebody has to vouch |

Rules. The table is in order: the first row that fits decides what has to answer the question. A part that is there and wrong is never passed over.
Non-rules: which cloud the answer says it is from; what is in it decides.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.facts import Requested
from teekit_verify.appraisal.guest.machine_tpm import (
    appraise_alone,
    appraise_beside,
    google_certified,
    is_vouched_for,
    unshown_certificate,
    unshown_key,
)
from teekit_verify.appraisal.guest.policy import REPORT_DATA_BYTES, ReportDataRequest
from teekit_verify.appraisal.guest.presented import of_azure, of_quote, of_tpm
from teekit_verify.appraisal.guest.quote import appraise_quote
from teekit_verify.appraisal.guest.vtpm import appraise_azure, certified, is_certified
from teekit_verify.appraisal.guest_states import logged_secure_boot, reported_secure_boot
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.azure import certificates_of, vtpm_of_parts
from teekit_verify.evidence.eventlog import LogKind, parse_event_log
from teekit_verify.evidence.guest_answer import qualifying_data_of
from teekit_verify.evidence.machine_tpm import TpmEvidence, tpm_of_parts
from teekit_verify.evidence.runtime_log import parse_runtime_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.appraisal.guest.presented import Presented
    from teekit_verify.appraisal.guest.quote import QuoteAppraisal, QuotePolicy
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.evidence.authenticity import QuoteSignature
    from teekit_verify.evidence.azure import VtpmEvidence
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.evidence.guest_answer import GuestAnswer, TpmPart
    from teekit_verify.evidence.quote import Quote


@frozen
class TdQuote:
    quote: Quote
    signature: QuoteSignature


@frozen
class AnswerEvidence:
    """`secure_boot` is what evidence says of it. `beside` is about a TPM that nothing else depends on."""

    about: QuoteAppraisal
    presented: Presented
    secure_boot: SecureBoot | None
    beside: Checklist = field(default_factory=lambda: Checklist(()))


def read_evidence(
    answer: GuestAnswer, report_data: bytes, td: TdQuote | None, policy: QuotePolicy, issuers: Sequence[bytes]
) -> AnswerEvidence | None:
    """None without any quote. `report_data` is what the question asks for, `td` the answer's quote. Raises TeekitError for malformed parts."""
    tpm, runtime = answer.tpm, parse_runtime_log(answer.runtime_log)
    if tpm is not None and tpm.hcl_report is not None:
        vtpm = _vtpm(tpm, tpm.hcl_report, issuers)
        found = _above_paravisor(vtpm, _log(tpm), report_data, td, policy)
    elif td is not None:
        found = _of_td(answer, report_data, td, policy, issuers)
    elif tpm is not None:
        found = _of_tpm(tpm, report_data, policy, issuers)
    else:
        return None
    return replace(found, presented=replace(found.presented, runtime=runtime))


def _of_td(
    answer: GuestAnswer, report_data: bytes, td: TdQuote, policy: QuotePolicy, issuers: Sequence[bytes]
) -> AnswerEvidence:
    ccel, tpm = None if answer.tdx is None else answer.tdx.ccel, answer.tpm
    log = None if ccel is None else parse_event_log(ccel, LogKind.CCEL)
    about = appraise_quote(td.quote, td.signature, replace(policy, report_data=_requested(report_data)))
    found = AnswerEvidence(about, of_quote(td.quote, log), logged_secure_boot(log))
    if tpm is None:
        return replace(found, beside=Checklist((*unshown_certificate(issuers), *unshown_key(policy))))
    evidence = tpm_of_parts(tpm.ak_public, tpm.message, tpm.signature, tpm.pcrs)
    runtime = parse_runtime_log(answer.runtime_log)
    certified = _certified(tpm, evidence, policy, issuers)
    beside = appraise_beside(evidence, qualifying_data_of(report_data), policy, runtime, certified)
    return replace(found, beside=beside)


def _requested(data: bytes) -> ReportDataRequest:
    return ReportDataRequest((data.ljust(REPORT_DATA_BYTES, b"\0"),), Requested.QUESTION)


def _of_tpm(tpm: TpmPart, report_data: bytes, policy: QuotePolicy, issuers: Sequence[bytes]) -> AnswerEvidence:
    evidence, log = tpm_of_parts(tpm.ak_public, tpm.message, tpm.signature, tpm.pcrs), _log(tpm)
    certified = _certified(tpm, evidence, policy, issuers)
    about = appraise_alone(evidence, qualifying_data_of(report_data), policy, certified)
    presented = of_tpm(evidence.pcrs, log, vouched_for=is_vouched_for(about), paravisor=False)
    return AnswerEvidence(about, presented, logged_secure_boot(log))


def _certified(tpm: TpmPart, evidence: TpmEvidence, policy: QuotePolicy, issuers: Sequence[bytes]) -> tuple[Check, ...]:
    """None where nobody asks for it, by giving the certificates above that of the key."""
    if not issuers:
        return ()
    if tpm.ak_certificate is None:
        return unshown_certificate(issuers)
    given = dict.fromkeys(item for data in (tpm.ak_certificate, *issuers) for item in certificates_of(data))
    return (google_certified(evidence.key, tuple(given), policy),)


def _log(tpm: TpmPart) -> EventLog | None:
    return None if tpm.event_log is None else parse_event_log(tpm.event_log, LogKind.TPM)


def _vtpm(tpm: TpmPart, report: bytes, issuers: Sequence[bytes]) -> VtpmEvidence:
    """Without the certificates above it, that of the key says nothing."""
    certificates = (tpm.ak_certificate, *issuers) if issuers and tpm.ak_certificate is not None else ()
    return vtpm_of_parts(report, tpm.message, tpm.signature, tpm.pcrs, certificates)


def _above_paravisor(
    vtpm: VtpmEvidence, log: EventLog | None, report_data: bytes, td: TdQuote | None, policy: QuotePolicy
) -> AnswerEvidence:
    """Without the TD's quote, the report is nobody's word: the key's certificate may still be Microsoft's."""
    asked = qualifying_data_of(report_data)
    said = reported_secure_boot(vtpm.report.configuration)
    if td is None:
        evidence = TpmEvidence(vtpm.report.attestation_key, vtpm.attest, vtpm.signature, vtpm.pcrs)
        about = appraise_alone(evidence, asked, policy, (certified(vtpm, policy),))
        vouched_for = is_certified(about) or is_vouched_for(about)
        return AnswerEvidence(about, of_tpm(vtpm.pcrs, log, vouched_for=vouched_for, paravisor=True), said)
    about = appraise_azure(td.quote, td.signature, vtpm, replace(policy, report_data=_requested(asked)))
    vouched_for = is_certified(about) or is_vouched_for(about)
    return AnswerEvidence(about, of_azure(td.quote, vtpm.pcrs, log, vouched_for=vouched_for), said)
