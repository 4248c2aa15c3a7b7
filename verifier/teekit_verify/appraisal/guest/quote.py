"""Two questions about a quote, answered apart: is it authentic (Intel's hardware made it), and is it acceptable (as asked for)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256

from teekit_verify.core.errors import NotAuthenticError, TeekitError
from teekit_verify.core.outcome import Check, ExitStatus, Outcome
from teekit_verify.evidence import authenticity, certificates, td_attributes
from teekit_verify.evidence.tcb import UP_TO_DATE, evaluate_tcb, missing_collateral

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cryptography import x509

    from teekit_verify.appraisal.guest.policy import ReportDataRequest
    from teekit_verify.evidence.authenticity import QuoteSignature
    from teekit_verify.evidence.collateral import Collateral
    from teekit_verify.evidence.quote import Quote

_DEBUG_BITS = td_attributes.DEBUG_BITS
_SEPT_VE_DISABLE = 1 << td_attributes.SEPT_VE_DISABLE
_KNOWN_ATTRIBUTES = td_attributes.KNOWN_ATTRIBUTES
_MIGRATABLE = 1 << td_attributes.MIGRATABLE
_XFAM_FIXED_1, _XFAM_ALLOWED = td_attributes.XFAM_FIXED_1, td_attributes.KNOWN_XFAM


class _UnacceptableError(TeekitError):
    """The quote may be authentic, but says something that nobody should rely on."""


@dataclass(frozen=True, slots=True)
class QuotePolicy:
    """What is asked of a quote, and at which time its certificates must hold."""

    at: datetime
    trusted_root: x509.Certificate
    report_data: ReportDataRequest | None = None
    allow_debug: bool = False
    collateral: Collateral | None = None
    service_tds: tuple[bytes, ...] = ()
    """Values of MRSERVICETD that are accepted, 48 bytes each."""


@dataclass(frozen=True, slots=True)
class QuoteAppraisal:
    """Both checklists. What is NOT_CHECKED speaks neither for nor against the quote, and must be shown."""

    authentic: tuple[Check, ...]
    acceptable: tuple[Check, ...]

    @property
    def is_authentic(self) -> bool:
        """Whether nothing speaks against where the quote comes from, and something for it."""
        return _holds(self.authentic)

    @property
    def is_acceptable(self) -> bool:
        """An answer to what was asked only: a quote that is not authentic has nothing to say."""
        return self.is_authentic and _holds(self.acceptable)

    @property
    def not_checked(self) -> tuple[Check, ...]:
        """The checks that decide nothing, in order."""
        return tuple(check for check in self.authentic + self.acceptable if check.outcome is Outcome.NOT_CHECKED)

    @property
    def status(self) -> ExitStatus:
        """HOLDS if the quote is authentic and acceptable."""
        return ExitStatus.HOLDS if self.is_acceptable else ExitStatus.DOES_NOT_HOLD


def _holds(checks: tuple[Check, ...]) -> bool:
    """Nothing against it, and at least one fact for it."""
    outcomes = {check.outcome for check in checks}
    return Outcome.MATCH in outcomes and outcomes <= {Outcome.MATCH, Outcome.NOT_CHECKED}


def appraise_quote(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> QuoteAppraisal:
    """Every fact about the quote as a check; `signature` is that of the quote, already parsed. Raises nothing of its own."""
    return QuoteAppraisal(_authentic(quote, signature, policy), _acceptable(quote, signature, policy))


def check_fact(name: str, fact: Callable[[], str | None]) -> Check:
    """A fact returns what was found, if that is worth saying, and raises if it does not hold."""
    try:
        return Check(name, Outcome.MATCH, found=fact() or "")
    except (NotAuthenticError, _UnacceptableError) as error:
        return Check(name, Outcome.MISMATCH, detail=error.message)


def _authentic(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> tuple[Check, ...]:
    chain, at = signature.chain, policy.at
    root = f"certificates end in the trusted root, {_short_fingerprint(policy.trusted_root)}"
    return (
        check_fact("header and body are signed", lambda: authenticity.require_quote_signature(quote, signature)),
        check_fact("attestation key is the quoting enclave's", lambda: authenticity.require_key_binding(signature)),
        check_fact("QE report is signed by the platform", lambda: authenticity.require_qe_report_signature(signature)),
        check_fact("quoting enclave is Intel's", lambda: authenticity.require_intel_quoting_enclave(quote, signature)),
        check_fact("certificates are in order", lambda: certificates.require_order(chain)),
        check_fact("certificates name their issuers", lambda: certificates.require_names(chain)),
        check_fact("certificates are signed", lambda: certificates.require_signatures(chain)),
        check_fact(root, lambda: certificates.require_root(chain, policy.trusted_root)),
        check_fact("certificates may be used so", lambda: certificates.require_constraints(chain)),
        check_fact(
            f"certificates are valid at {at:%Y-%m-%d %H:%M:%S} UTC", lambda: certificates.require_validity(chain, at)
        ),
        _revocation("PCK certificate is not revoked", chain.leaf, chain.intermediate, policy),
        _revocation("PCK CA is not revoked", chain.intermediate, chain.root, policy),
    )


def _short_fingerprint(certificate: x509.Certificate) -> str:
    return f"{certificates.common_name(certificate)} sha256:{certificate.fingerprint(SHA256()).hex()[:16]}..."


def _revocation(name: str, certificate: x509.Certificate, issuer: x509.Certificate, policy: QuotePolicy) -> Check:
    lists = policy.collateral.revocations if policy.collateral is not None else ()
    revocations = certificates.find_list(issuer, lists)
    if revocations is None:
        return Check(name, Outcome.NOT_CHECKED, detail="no revocation list of its authority was given")
    return check_fact(name, lambda: certificates.require_unrevoked(certificate, issuer, revocations, policy.at))


def _acceptable(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> tuple[Check, ...]:
    return (
        _debug(quote, allowed=policy.allow_debug),
        check_fact("TD attributes", lambda: _attributes(quote)),
        check_fact("XFAM", lambda: _xfam(quote)),
        check_fact("TDX module is Intel's", lambda: _module(quote)),
        check_fact("no service TD", lambda: _service_td(quote, policy)),
        _report_data(quote, policy),
        _tcb(quote, signature, policy),
    )


def _debug(quote: Quote, *, allowed: bool) -> Check:
    name = "TD is not a debug TD"
    set_bits = int.from_bytes(quote.report.td_attributes, "little") & _DEBUG_BITS
    if not set_bits:
        return Check(name, Outcome.MATCH)
    detail = "this is a debug TD: the host can read and change its memory"
    return Check(
        name, Outcome.NOT_CHECKED if allowed else Outcome.MISMATCH, detail=detail + (" (allowed)" if allowed else "")
    )


def _attributes(quote: Quote) -> str:
    bits = int.from_bytes(quote.report.td_attributes, "little")
    if bits & ~_KNOWN_ATTRIBUTES:
        raise _UnacceptableError(f"reserved bits {bits & ~_KNOWN_ATTRIBUTES:#x} are set")
    if not bits & _SEPT_VE_DISABLE:
        # A newer TDX module lets the guest turn these exceptions off itself (Linux, arch/x86/coco/tdx/tdx.c,
        # disable_sept_ve), but no quote shows that it did: refused, as dcap-qvl does.
        raise _UnacceptableError("SEPT_VE_DISABLE is not set: the host can raise #VE when the TD uses its own memory")
    if bits & _MIGRATABLE:
        raise _UnacceptableError("MIGRATABLE is set: a migration TD could move this TD to another platform")
    return ", ".join(quote.report.attribute_names())


def _xfam(quote: Quote) -> str:
    bits = int.from_bytes(quote.report.xfam, "little")
    if bits & _XFAM_FIXED_1 != _XFAM_FIXED_1:
        raise _UnacceptableError(f"{bits:#x} lacks bits that every TD has ({_XFAM_FIXED_1:#x})")
    if bits & ~_XFAM_ALLOWED:
        raise _UnacceptableError(f"reserved bits {bits & ~_XFAM_ALLOWED:#x} are set")
    return f"{bits:#x}"


def _module(quote: Quote) -> str:
    """Intel's modules have MRSIGNERSEAM and SEAM attributes of zero (Intel TDX module ABI specification, TEE_TCB_INFO)."""
    report = quote.report
    if any(report.mrsignerseam.value):
        raise _UnacceptableError(f"MRSIGNERSEAM is {report.mrsignerseam.hex}: the module was signed by somebody else")
    if any(report.seam_attributes):
        raise _UnacceptableError(f"the SEAM attributes are {report.seam_attributes.hex()}, expected zero")
    return f"MRSEAM {report.mrseam.hex}"


def _service_td(quote: Quote, policy: QuotePolicy) -> str | None:
    service = quote.report.mrservicetd
    if service is None or not any(service.value):
        return None
    if service.value not in policy.service_tds:
        raise _UnacceptableError(f"a service TD is bound to this TD: MRSERVICETD is {service.hex}")
    return f"MRSERVICETD {service.hex}, which is accepted"


def _report_data(quote: Quote, policy: QuotePolicy) -> Check:
    name, request = "REPORTDATA", policy.report_data
    found = quote.report.report_data
    if request is None:
        return Check(name, Outcome.NOT_CHECKED, detail="not asked for: this may be an old quote, or another guest's")
    expected = " or ".join(value.hex() for value in request.values)
    if found not in request.values:
        words = f"it is not {request.words}: expected {expected}, found {found.hex()}"
        return Check(name, Outcome.MISMATCH, expected, found.hex(), words)
    return Check(name, Outcome.MATCH, found.hex(), f"is {request.words}")


def _tcb(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> Check:
    name = "TCB status"
    if policy.collateral is None:
        return Check(
            name, Outcome.NOT_CHECKED, detail="no collateral was given: the platform may lack security updates"
        )
    try:
        missing = missing_collateral(signature.chain, policy.collateral)
    except TeekitError as error:
        return Check(name, Outcome.ERROR, detail=error.message)
    if missing:
        return Check(name, Outcome.NOT_CHECKED, detail=f"the collateral lacks {', '.join(missing)}")
    if int.from_bytes(quote.report.td_attributes, "little") & _DEBUG_BITS:
        return Check(name, Outcome.NOT_CHECKED, detail="dcap-qvl evaluates no debug TDs")
    return check_fact(name, lambda: _require_up_to_date(quote, signature, policy, policy.collateral))


def _require_up_to_date(
    quote: Quote, signature: QuoteSignature, policy: QuotePolicy, collateral: Collateral | None
) -> str:
    assert collateral is not None  # noqa: S101 - for the type checker
    found = evaluate_tcb(quote, signature.chain, collateral, policy.trusted_root, policy.at)
    words = found.status + (f" ({', '.join(found.advisories)})" if found.advisories else "")
    if found.status != UP_TO_DATE:
        raise _UnacceptableError(f"{words}, expected {UP_TO_DATE}")
    return words
