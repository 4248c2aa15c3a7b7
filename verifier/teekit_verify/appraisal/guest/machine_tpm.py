"""What a machine's TPM says where no paravisor stands behind it: alone, or beside the quote of a TD.

Rules. A TPM of its own proves that a key signed these PCRs, over this question. Whose key that is, it cannot say: somebody has to
vouch for it. That memory is safe from the host it cannot say at all: only the quote of a TD does, and where that is missing nothing passes
unless somebody asks for one by name. Beside a TD's quote nothing depends on it, as it is the host's; but where it is shown it has to hold, and to have
been given the same to run.
Non-rules: what the PCRs should be is asked where the registers are compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.facts import (
    Because,
    Check,
    Fact,
    FactCheck,
    Refused,
    RegisterCheck,
    RegisterSource,
    Requested,
    Why,
)
from teekit_verify.appraisal.guest.given import forged, leads_to
from teekit_verify.appraisal.guest.policy import REPORT_DATA_BYTES, ReportDataRequest
from teekit_verify.appraisal.guest.quote import QuoteAppraisal, check_fact, check_requested, not_checked
from teekit_verify.core.errors import NotAuthenticError, UnsupportedInputError
from teekit_verify.core.outcome import Outcome
from teekit_verify.evidence import tpm
from teekit_verify.evidence.ak_certificate import require_google
from teekit_verify.evidence.google_tpm_root import roots_in
from teekit_verify.registers.measured import TD_REGISTER, TPM_REGISTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

    from teekit_verify.appraisal.guest.quote import QuotePolicy
    from teekit_verify.evidence.machine_tpm import TpmEvidence
    from teekit_verify.evidence.runtime_log import RuntimeLog


def appraise_alone(
    evidence: TpmEvidence, qualifying_data: bytes, policy: QuotePolicy, certified: Sequence[Check] = ()
) -> QuoteAppraisal:
    """Of a machine without a TDX quote; `certified` are checks of the key's certificate, where there is one to be asked for."""
    return QuoteAppraisal(
        (
            not_checked(Fact.TDX_QUOTE, Why.NO_TDX_QUOTE),
            *_signed(evidence),
            *certified,
            *named_key(evidence.key, policy),
        ),
        (_nonce(evidence, qualifying_data), *_no_tcb(policy)),
        policy.allow_unchecked,
    )


def _no_tcb(policy: QuotePolicy) -> tuple[Check, ...]:
    """Collateral asks for a TCB status, which only a TD's quote has: no verdict, whatever may stay unchecked (ADR 9)."""
    if policy.collateral is None:
        return ()
    error = UnsupportedInputError("the machine has no TDX quote, so collateral says nothing about it")
    return (Check(FactCheck(Fact.TCB_STATUS), Outcome.ERROR, reason=Refused(error.code, error.message)),)


def is_vouched_for(appraisal: QuoteAppraisal) -> bool:
    """Whether the caller, or Google, vouches for the key that signed the PCRs."""
    voices = {FactCheck(Fact.TPM_KEY), FactCheck(Fact.VTPM_GOOGLE_CERTIFICATE)}
    return any(check.subject in voices and check.outcome is Outcome.MATCH for check in appraisal.authentic)


def lacks_hardware(appraisal: QuoteAppraisal) -> bool:
    """Whether no quote of a TD is behind it."""
    return any(check.subject == FactCheck(Fact.TDX_QUOTE) for check in appraisal.authentic)


def named_key(key: rsa.RSAPublicKey, policy: QuotePolicy) -> tuple[Check, ...]:
    """None where nobody named any."""
    return (check_fact(Fact.TPM_KEY, lambda: _require_named(key, policy)),) if policy.vtpm_keys else ()


def _require_named(key: rsa.RSAPublicKey, policy: QuotePolicy) -> None:
    if all(key.public_numbers() != named.public_numbers() for named in policy.vtpm_keys):
        raise NotAuthenticError("the TPM's key is not one of those you named")


def google_certified(key: rsa.RSAPublicKey, certificates: Sequence[x509.Certificate], policy: QuotePolicy) -> Check:
    """Whether Google says that this key is in the vTPM of one of its machines, and of which. Certificates: of the key, and of those above it.

    Google vouches for machines that are not confidential in the same way: whose key it is is all that this shows.
    """
    roots = (*roots_in(certificates), *policy.azure_roots)
    return check_fact(Fact.VTPM_GOOGLE_CERTIFICATE, lambda: require_google(key, certificates, roots, policy.at).path)


def unshown_certificate(issuers: Sequence[bytes]) -> tuple[Check, ...]:
    """Of a machine that has no certificate of its TPM's key. None where nobody gave the certificates above it."""
    return (not_checked(Fact.VTPM_GOOGLE_CERTIFICATE, Why.NO_CERTIFICATE),) if issuers else ()


def unshown_key(policy: QuotePolicy) -> tuple[Check, ...]:
    """Of a machine without a TPM: whether it is the one whose key was named, nothing shows. None where nobody named any."""
    if not policy.vtpm_keys:
        return ()
    error = UnsupportedInputError("the machine shows no TPM, so it may not be the one whose key you named")
    return (Check(FactCheck(Fact.TPM_KEY), Outcome.NOT_CHECKED, reason=Refused(error.code, error.message)),)


def _signed(evidence: TpmEvidence) -> tuple[Check, ...]:
    attest, signature = evidence.attest, evidence.signature
    return (
        check_fact(Fact.VTPM_SIGNATURE, lambda: tpm.require_signed(attest, signature, evidence.key)),
        check_fact(Fact.VTPM_VALUES, lambda: tpm.require_pcr_digest(attest, signature.algorithm, evidence.pcrs)),
    )


def _nonce(evidence: TpmEvidence, qualifying_data: bytes) -> Check:
    request = ReportDataRequest((qualifying_data.ljust(REPORT_DATA_BYTES, b"\0"),), Requested.QUESTION)
    return check_requested(Fact.VTPM_NONCE, request, evidence.attest.extra_data.ljust(REPORT_DATA_BYTES, b"\0"))


def appraise_beside(
    evidence: TpmEvidence,
    qualifying_data: bytes,
    policy: QuotePolicy,
    runtime: RuntimeLog,
    certified: Sequence[Check] = (),
) -> Checklist:
    """Of a TPM beside a TD's quote: its own quote, and that PCR 15 follows from what the TD's log says, and from its own."""
    checks = (*_signed(evidence), *certified, *named_key(evidence.key, policy), _nonce(evidence, qualifying_data))
    return Checklist(checks) + _agrees(evidence, runtime)


def _agrees(evidence: TpmEvidence, runtime: RuntimeLog) -> Checklist:
    """Contents that lead to one value are the same: so both registers were given the same, or one of these differs."""
    told = runtime.telling(TD_REGISTER)
    if told is None:
        return Checklist(())
    quoted = evidence.pcrs.get(TPM_REGISTER)
    if quoted is None:
        subject = RegisterCheck("", TPM_REGISTER, source=RegisterSource.EVENT_LOG)
        return Checklist((), (Check(subject, Outcome.NOT_CHECKED, reason=Because(Why.APPS_NOT_QUOTED)),))
    own = runtime.of(TPM_REGISTER)
    lead = leads_to(TPM_REGISTER, quoted, told)
    if own and lead.outcome is Outcome.MATCH:
        lead = leads_to(TPM_REGISTER, quoted, own)
    if lead.outcome is not Outcome.MATCH:
        lead = replace(lead, reason=Because(Why.TPM_RUNS_OTHERWISE))
    return Checklist((*forged(own), lead))
