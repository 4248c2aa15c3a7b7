"""Whether the PCRs that a guest of Azure presented are those of its TD, and who says so.

The TD's quote vouches for the paravisor's report (REPORTDATA), that report names the vTPM's key, and the key signed the PCRs.
Who runs a TD of their own can name any key in such a report: the key must be certified by Microsoft, or the reference must know
the paravisor by its MRTD (appraisal.guest.registers).

Rules. Each link of that chain is a check of its own; one that fails speaks against the guest, one that is missing leaves it open.
Non-rules: what the PCRs should be is not asked here, and what is asked of REPORTDATA is asked of the vTPM's quote, whose nonce it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import Check, Fact, FactCheck, Requested, Why
from teekit_verify.appraisal.guest.machine_tpm import named_key
from teekit_verify.appraisal.guest.policy import REPORT_DATA_BYTES, ReportDataRequest
from teekit_verify.appraisal.guest.quote import QuoteAppraisal, appraise_quote, check_fact, check_requested, not_checked
from teekit_verify.core.outcome import Outcome
from teekit_verify.evidence import azure_root, tpm
from teekit_verify.evidence.ak_certificate import require_certified
from teekit_verify.evidence.certificates import load_certificates, reading

if TYPE_CHECKING:
    from teekit_verify.appraisal.guest.quote import QuotePolicy
    from teekit_verify.evidence.authenticity import QuoteSignature
    from teekit_verify.evidence.azure import VtpmEvidence
    from teekit_verify.evidence.quote import Quote


def appraise_azure(quote: Quote, signature: QuoteSignature, vtpm: VtpmEvidence, policy: QuotePolicy) -> QuoteAppraisal:
    """The TD quote, with what makes the PCRs its guest's. What is asked of REPORTDATA is asked of the vTPM's quote instead."""
    report = ReportDataRequest((vtpm.report.report_data,), Requested.HCL_REPORT)
    td = appraise_quote(quote, signature, replace(policy, report_data=report))
    algorithm, attest = vtpm.signature.algorithm, vtpm.attest
    return QuoteAppraisal(
        (
            *td.authentic,
            check_fact(
                Fact.VTPM_SIGNATURE,
                lambda: tpm.require_signed(attest, vtpm.signature, vtpm.report.attestation_key),
            ),
            check_fact(Fact.VTPM_VALUES, lambda: tpm.require_pcr_digest(attest, algorithm, vtpm.pcrs)),
            certified(vtpm, policy),
            *named_key(vtpm.report.attestation_key, policy),
        ),
        (*td.acceptable, _nonce(vtpm, policy.report_data)),
        td.allowed,
    )


def is_certified(appraisal: QuoteAppraisal) -> bool:
    """Whether Microsoft vouches for the key that signed the PCRs."""
    certified = FactCheck(Fact.VTPM_CERTIFICATE)
    return any(check.subject == certified and check.outcome is Outcome.MATCH for check in appraisal.authentic)


def certified(vtpm: VtpmEvidence, policy: QuotePolicy) -> Check:
    """Whether Microsoft vouches for the vTPM's key, as far as there are certificates."""
    if not vtpm.certificates:
        return not_checked(Fact.VTPM_CERTIFICATE, Why.NO_CERTIFICATE)
    with reading("root certificate", "Azure Virtual TPM Root"):
        roots = (*load_certificates(azure_root.PEM), *policy.azure_roots)
        given = (*vtpm.certificates, *load_certificates(azure_root.ISSUERS))
    key = vtpm.report.attestation_key
    return check_fact(Fact.VTPM_CERTIFICATE, lambda: require_certified(key, given, roots, policy.at))


def _nonce(vtpm: VtpmEvidence, request: ReportDataRequest | None) -> Check:
    if request is None:
        return not_checked(Fact.VTPM_NONCE, Why.NONCE_NOT_ASKED)
    return check_requested(Fact.VTPM_NONCE, request, vtpm.attest.extra_data.ljust(REPORT_DATA_BYTES, b"\0"))
