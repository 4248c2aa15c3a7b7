"""Two questions about a quote, answered apart: is it authentic (Intel's hardware made it), and is it acceptable (as asked for)?

Rules. What speaks against a quote decides, whatever else is not known: exit status 1. What could not be checked, or was not
asked for, does not pass: exit status 2, unless the caller names it as something that may stay unchecked (docs/adr/0009). Collateral
that was given must yield a TCB status: to give it is to ask. Non-rules: registers are not looked at here, and nothing is
fetched.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256

from teekit_verify.appraisal.facts import AsRequested, Because, Check, Fact, FactCheck, Refused, Why
from teekit_verify.core.errors import NotAuthenticError, TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence import authenticity, certificates, td_attributes
from teekit_verify.evidence.tcb import UP_TO_DATE, evaluate_tcb

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

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


class Unchecked(Enum):
    """What may stay unchecked, if somebody says so by this name."""

    REPORT_DATA = "report-data"
    TCB = "tcb"
    REVOCATION = "revocation"
    APP = "app"
    CHANNEL = "channel"
    TDX = "tdx"


_UNCHECKED = {
    Fact.REPORT_DATA: Unchecked.REPORT_DATA,
    Fact.VTPM_NONCE: Unchecked.REPORT_DATA,
    Fact.TDX_QUOTE: Unchecked.TDX,
    Fact.TCB_STATUS: Unchecked.TCB,
    Fact.PCK_REVOCATION: Unchecked.REVOCATION,
    Fact.CA_REVOCATION: Unchecked.REVOCATION,
}
_ELSEWHERE = {Fact.VTPM_CERTIFICATE}
"""Who vouches for a vTPM can be settled by the reference instead: `appraisal.guest.registers` asks."""


@frozen
class QuotePolicy:
    """What is asked of a quote, and at which time its certificates must hold. `allow_unchecked`: see `Unchecked`."""

    at: datetime
    trusted_root: x509.Certificate
    report_data: ReportDataRequest | None = None
    allow_debug: bool = False
    allow_service_td: bool = False
    allow_sept_ve: bool = False
    collateral: Collateral | None = None
    allow_unchecked: frozenset[Unchecked] = frozenset()
    service_tds: tuple[bytes, ...] = ()
    """Values of MRSERVICETD that are accepted, 48 bytes each."""
    azure_roots: tuple[x509.Certificate, ...] = ()
    """Roots of a vTPM's key that are trusted besides Microsoft's of 2023, and Google's."""
    vtpm_keys: tuple[rsa.RSAPublicKey, ...] = ()
    """Keys of TPMs that somebody vouches for: with any, the machine's has to be one of them."""


class Answer(Enum):
    """To one of the two questions. OPEN: nothing speaks against it, but not everything was checked that had to be."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


@frozen
class QuoteAppraisal:
    """Both checklists. What is NOT_CHECKED speaks neither for nor against the quote, and must be shown; only what is
    `allowed` may stay so.
    """

    authentic: tuple[Check, ...]
    acceptable: tuple[Check, ...]
    allowed: frozenset[Unchecked] = frozenset()

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
    def refused(self) -> bool:
        """Whether something speaks against the quote."""
        outcomes = {check.outcome for check in self.authentic + self.acceptable}
        return not self.is_authentic or Outcome.MISMATCH in outcomes

    @property
    def unsettled(self) -> tuple[Check, ...]:
        """What had to be checked and was not, or could not be."""
        return tuple(check for check in self.authentic + self.acceptable if self._is_unsettled(check))

    def _is_unsettled(self, check: Check) -> bool:
        if check.outcome is Outcome.ERROR:
            return True
        fact = check.subject.fact if isinstance(check.subject, FactCheck) else None
        return check.outcome is Outcome.NOT_CHECKED and fact not in _ELSEWHERE and unchecked(check) not in self.allowed

    def answer(self, checks: tuple[Check, ...]) -> Answer:
        """`checks` are those of one question."""
        if not self.is_authentic or any(check.outcome is Outcome.MISMATCH for check in checks):
            return Answer.NO
        settled = _holds(checks) and not any(self._is_unsettled(check) for check in checks)
        return Answer.YES if settled else Answer.OPEN

    @property
    def status(self) -> ExitStatus:
        """HOLDS if the quote is authentic and acceptable, and everything was checked that had to be."""
        if self.refused:
            return ExitStatus.DOES_NOT_HOLD
        settled = self.is_acceptable and not self.unsettled
        return ExitStatus.HOLDS if settled else ExitStatus.NO_VERDICT


def unchecked(check: Check) -> Unchecked | None:
    """The name under which a fact may stay unchecked. None for what has to be, such as collateral's answer where it was given."""
    return _UNCHECKED.get(check.subject.fact) if isinstance(check.subject, FactCheck) else None


def _holds(checks: tuple[Check, ...]) -> bool:
    """Nothing against it, and at least one fact for it."""
    outcomes = {check.outcome for check in checks}
    return Outcome.MATCH in outcomes and outcomes <= {Outcome.MATCH, Outcome.NOT_CHECKED, Outcome.IGNORED}


def appraise_quote(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> QuoteAppraisal:
    """Every fact about the quote as a check; `signature` is that of the quote, already parsed. Raises nothing of its own."""
    return QuoteAppraisal(
        _authentic(quote, signature, policy), _acceptable(quote, signature, policy), policy.allow_unchecked
    )


def check_fact(fact: Fact, require: Callable[[], str | None], *, expected: str = "") -> Check:
    """`require` returns what was found, if that is worth saying, and raises if the fact does not hold."""
    try:
        return Check(FactCheck(fact), Outcome.MATCH, expected, require() or "")
    except (NotAuthenticError, _UnacceptableError) as error:
        return Check(FactCheck(fact), Outcome.MISMATCH, expected, reason=Refused(error.code, error.message))


def not_checked(fact: Fact, why: Why) -> Check:
    """A fact that nobody asked for, or that nothing was given for."""
    return Check(FactCheck(fact), Outcome.NOT_CHECKED, reason=Because(why))


def _authentic(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> tuple[Check, ...]:
    chain, at = signature.chain, policy.at
    root = policy.trusted_root
    return (
        check_fact(Fact.QUOTE_SIGNATURE, lambda: authenticity.require_quote_signature(quote, signature)),
        check_fact(Fact.ATTESTATION_KEY, lambda: authenticity.require_key_binding(signature)),
        check_fact(Fact.QE_REPORT_SIGNATURE, lambda: authenticity.require_qe_report_signature(signature)),
        check_fact(Fact.QUOTING_ENCLAVE, lambda: authenticity.require_intel_quoting_enclave(quote, signature)),
        check_fact(Fact.CHAIN_ORDER, lambda: certificates.require_order(chain)),
        check_fact(Fact.CHAIN_NAMES, lambda: certificates.require_names(chain)),
        check_fact(Fact.CHAIN_SIGNATURES, lambda: certificates.require_signatures(chain)),
        check_fact(Fact.CHAIN_ROOT, lambda: certificates.require_root(chain, root), expected=_short_fingerprint(root)),
        check_fact(Fact.CHAIN_CONSTRAINTS, lambda: certificates.require_constraints(chain)),
        check_fact(
            Fact.CHAIN_VALIDITY,
            lambda: certificates.require_validity(chain, at),
            expected=f"{at:%Y-%m-%d %H:%M:%S} UTC",
        ),
        _revocation(Fact.PCK_REVOCATION, chain.leaf, chain.intermediate, policy),
        _revocation(Fact.CA_REVOCATION, chain.intermediate, chain.root, policy),
    )


def _short_fingerprint(certificate: x509.Certificate) -> str:
    return f"{certificates.common_name(certificate)} sha256:{certificate.fingerprint(SHA256()).hex()[:16]}..."


def _revocation(fact: Fact, certificate: x509.Certificate, issuer: x509.Certificate, policy: QuotePolicy) -> Check:
    lists = policy.collateral.revocations if policy.collateral is not None else ()
    revocations = certificates.find_list(issuer, lists)
    if revocations is None:
        return not_checked(fact, Why.NO_REVOCATION_LIST)
    return check_fact(fact, lambda: certificates.require_unrevoked(certificate, issuer, revocations, policy.at))


def _acceptable(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> tuple[Check, ...]:
    return (
        _debug(quote, allowed=policy.allow_debug),
        check_fact(Fact.TD_ATTRIBUTES, lambda: _attributes(quote)),
        _sept_ve(quote, allowed=policy.allow_sept_ve),
        check_fact(Fact.XFAM, lambda: _xfam(quote)),
        check_fact(Fact.TDX_MODULE, lambda: _module(quote)),
        _service_td(quote, policy),
        _report_data(quote, policy),
        _tcb(quote, signature, policy),
    )


def _debug(quote: Quote, *, allowed: bool) -> Check:
    is_set = int.from_bytes(quote.report.td_attributes, "little") & _DEBUG_BITS
    return _unless_allowed(Fact.NO_DEBUG, Why.DEBUG if is_set else None, allowed=allowed)


def _unless_allowed(fact: Fact, against: Why | None, *, allowed: bool, found: str = "") -> Check:
    """What speaks `against` the TD decides, unless somebody asked by name to pass over it: then it stays in the list, ignored."""
    if against is None:
        return Check(FactCheck(fact), Outcome.MATCH)
    outcome = Outcome.IGNORED if allowed else Outcome.MISMATCH
    return Check(FactCheck(fact), outcome, found=found, reason=Because(against))


def _sept_ve(quote: Quote, *, allowed: bool) -> Check:
    """A newer TDX module lets the guest turn these exceptions off itself (Linux, arch/x86/coco/tdx/tdx.c, disable_sept_ve), but
    no quote shows that it did.
    """
    is_set = int.from_bytes(quote.report.td_attributes, "little") & _SEPT_VE_DISABLE
    return _unless_allowed(Fact.NO_SEPT_VE, None if is_set else Why.SEPT_VE, allowed=allowed)


def _attributes(quote: Quote) -> str:
    bits = int.from_bytes(quote.report.td_attributes, "little")
    if bits & ~_KNOWN_ATTRIBUTES:
        raise _UnacceptableError(f"reserved bits {bits & ~_KNOWN_ATTRIBUTES:#x} are set")
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
        raise _UnacceptableError(f"MRSIGNERSEAM is {report.mrsignerseam.hex}: the module was not signed by Intel")
    if any(report.seam_attributes):
        raise _UnacceptableError(f"the SEAM attributes are {report.seam_attributes.hex()}, expected zero")
    return f"MRSEAM {report.mrseam.hex}"


def _service_td(quote: Quote, policy: QuotePolicy) -> Check:
    service, allowed = quote.report.mrservicetd, policy.allow_service_td
    if service is None or not any(service.value):
        return _unless_allowed(Fact.SERVICE_TD, None, allowed=allowed)
    if service.value in policy.service_tds:
        reason = Because(Why.SERVICE_TD_NAMED)
        return Check(FactCheck(Fact.SERVICE_TD), Outcome.MATCH, service.hex, service.hex, reason)
    return _unless_allowed(Fact.SERVICE_TD, Why.SERVICE_TD, allowed=allowed, found=service.hex)


def _report_data(quote: Quote, policy: QuotePolicy) -> Check:
    if policy.report_data is None:
        return not_checked(Fact.REPORT_DATA, Why.REPORT_DATA_NOT_ASKED)
    return check_requested(Fact.REPORT_DATA, policy.report_data, quote.report.report_data)


def check_requested(fact: Fact, request: ReportDataRequest, found: bytes) -> Check:
    """Whether 64 bytes are one of those that were asked for."""
    outcome = Outcome.MATCH if found in request.values else Outcome.MISMATCH
    expected = " or ".join(value.hex() for value in request.values)
    return Check(FactCheck(fact), outcome, expected, found.hex(), AsRequested(request.requested))


def _tcb(quote: Quote, signature: QuoteSignature, policy: QuotePolicy) -> Check:
    """How current the platform is. It is a question of its own: what the TD is allowed to do has no say in it."""
    collateral = policy.collateral
    if collateral is None:
        return not_checked(Fact.TCB_STATUS, Why.NO_COLLATERAL)
    try:
        return check_fact(Fact.TCB_STATUS, lambda: _require_up_to_date(quote, signature, policy, collateral))
    except TeekitError as error:
        return Check(FactCheck(Fact.TCB_STATUS), Outcome.ERROR, reason=Refused(error.code, error.message))


def _require_up_to_date(quote: Quote, signature: QuoteSignature, policy: QuotePolicy, collateral: Collateral) -> str:
    found = evaluate_tcb(quote, signature, collateral, policy.trusted_root, policy.at)
    words = found.status + (f" ({', '.join(found.advisories)})" if found.advisories else "")
    if found.status != UP_TO_DATE:
        raise _UnacceptableError(f"{words}, expected {UP_TO_DATE}")
    return words
