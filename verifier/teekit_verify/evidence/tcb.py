"""How current a platform's TCB is, by Intel's collateral: our own evaluation, and dcap-qvl's as a second opinion.

Ours: signatures of TCB info and QE identity up to the trusted root, revocation lists, dates, FMSPC and PCE-ID, then Intel's
algorithm (tcb_levels). dcap-qvl verifies the quote as a whole anew; where it is installed and says something else, there is
no status. It has no opinion on TDs that its own policy refuses, which is not a question of the TCB.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from teekit_verify.core.errors import NotAuthenticError, TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence import tcb_levels
from teekit_verify.evidence.certificates import find_list
from teekit_verify.evidence.sgx_extension import read_platform
from teekit_verify.evidence.tcb_info import parse_qe_identity, parse_tcb_info
from teekit_verify.evidence.tcb_levels import UP_TO_DATE
from teekit_verify.evidence.tcb_signing import require_current, require_signed, signing_certificate

if TYPE_CHECKING:
    from datetime import datetime
    from types import ModuleType

    import dcap_qvl
    from cryptography import x509

    from teekit_verify.evidence.authenticity import QuoteSignature
    from teekit_verify.evidence.certificates import PckChain
    from teekit_verify.evidence.collateral import Collateral
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.evidence.tcb_info import QeIdentity, TcbInfo, Verdict

__all__ = ["UP_TO_DATE", "NoTcbStatusError", "TcbStatus", "evaluate_tcb", "missing_collateral"]

_DEBUG_BITS, _SEPT_VE_DISABLE = 0xFF, 1 << 28
_RELAUNCH = {
    "TDRelaunchAdvised": tcb_levels.OUT_OF_DATE,
    "TDRelaunchAdvisedConfigurationNeeded": tcb_levels.OUT_OF_DATE_CONFIGURATION,
}
"""dcap-qvl's words for TDs that were started under an outdated module, and what is so evaluated."""


class NoTcbStatusError(TeekitError):
    """The collateral says nothing about this platform: it lacks something, or is another platform's."""


@frozen
class TcbStatus:
    """Intel's word (`UpToDate`, `OutOfDate`, ...) for platform, TDX module and quoting enclave together, and the advisories
    of all three.

    `module` is None where the platform's levels cover the module (version 0). `relaunched`: what the TD would be worth after
    a restart under the module that is loaded now (TEE_TCB_SVN2), None where the quote does not say. `second_opinion` is
    dcap-qvl's word, None if it is not installed or has none on this TD. The evaluation numbers are Intel's, of TCB info and
    QE identity.
    """

    status: str
    advisories: tuple[str, ...]
    platform: Verdict
    module: Verdict | None
    quoting_enclave: Verdict
    evaluations: tuple[int, int]
    relaunched: str | None = None
    second_opinion: str | None = None


def missing_collateral(chain: PckChain, collateral: Collateral) -> tuple[str, ...]:
    """What a TCB status cannot be had without, in words. Raises MalformedInputError for a bad SGX extension."""
    fmspc = read_platform(chain.leaf).fmspc
    lists = collateral.revocations
    have = {
        f"the TCB info of FMSPC {fmspc.hex()}": fmspc in collateral.tcb_infos,
        "the TCB signing certificate": collateral.tcb_signing_chain != "",
        "the QE identity": collateral.qe_identity is not None,
        "the revocation list of the PCK CA": find_list(chain.intermediate, lists) is not None,
        "the revocation list of the root": find_list(chain.root, lists) is not None,
    }
    return tuple(words for words, found in have.items() if not found)


def evaluate_tcb(
    quote: Quote, signature: QuoteSignature, collateral: Collateral, root: x509.Certificate, at: datetime
) -> TcbStatus:
    """Of an authentic quote.

    Raises NoTcbStatusError for collateral that is not complete or another platform's; NotAuthenticError for collateral that is
    not Intel's or not of this time, for a platform that no level fits, and where dcap-qvl disagrees; MalformedInputError.
    """
    missing = missing_collateral(signature.chain, collateral)
    if missing:
        raise NoTcbStatusError(f"no TCB status: the collateral lacks {', '.join(missing)}")
    info, identity = _trusted(signature.chain, collateral, root, at)
    ours = _evaluated(quote, signature, info, identity)
    return _with_second_opinion(ours, _Asked(quote, signature.chain, collateral, root, at))


def _trusted(
    chain: PckChain, collateral: Collateral, root: x509.Certificate, at: datetime
) -> tuple[TcbInfo, QeIdentity]:
    platform = read_platform(chain.leaf)
    signed_info, signed_identity = collateral.tcb_infos[platform.fmspc], collateral.qe_identity
    assert signed_identity is not None  # noqa: S101 - it is complete
    signer = signing_certificate(collateral.tcb_signing_chain, root, collateral.revocations, at)
    require_signed(signed_info, signer, "TCB info")
    require_signed(signed_identity, signer, "QE identity")
    info, identity = parse_tcb_info(signed_info.text), parse_qe_identity(signed_identity.text)
    require_current(info.period, at, "TCB info")
    require_current(identity.period, at, "QE identity")
    for name, found, expected in (
        ("FMSPC", info.fmspc, platform.fmspc),
        ("PCE-ID", info.pce_id, platform.pce_id),
    ):
        if found != expected:
            raise NoTcbStatusError(
                f"no TCB status: the TCB info is of {name} {found.hex()}, the platform has {expected.hex()}"
            )
    return info, identity


def _evaluated(quote: Quote, signature: QuoteSignature, info: TcbInfo, identity: QeIdentity) -> TcbStatus:
    platform = read_platform(signature.chain.leaf)
    report, enclave = quote.report, tcb_levels.quoting_enclave_level(identity, signature.qe_report)

    def judged(tee_tcb_svn: bytes) -> tuple[str, Verdict, Verdict | None]:
        levels = tcb_levels.platform_level(info, platform, tee_tcb_svn)
        module = tcb_levels.module_level(info, report, tee_tcb_svn)
        parts = [part for part in (levels, module, enclave) if part is not None]
        words = [tcb_levels.known_status(part.status) for part in parts]
        return tcb_levels.merged(*words), levels, module

    status, level, module = judged(report.tee_tcb_svn)
    relaunched = None if report.tee_tcb_svn2 is None else judged(report.tee_tcb_svn2)[0]
    if status == UP_TO_DATE and relaunched not in {None, UP_TO_DATE}:
        raise NotAuthenticError(
            f"the TDX module that is loaded now is {relaunched}, and was {status} when the TD started"
        )
    advisories = [name for part in (level, module, enclave) if part is not None for name in part.advisories]
    return TcbStatus(
        status,
        tuple(dict.fromkeys(advisories)),
        level,
        module,
        enclave,
        (info.period.evaluation, identity.period.evaluation),
        relaunched,
    )


@frozen
class _Asked:
    """What dcap-qvl is asked about."""

    quote: Quote
    chain: PckChain
    collateral: Collateral
    root: x509.Certificate
    at: datetime


def _with_second_opinion(ours: TcbStatus, asked: _Asked) -> TcbStatus:
    if _beyond_its_policy(asked.quote):
        return ours
    try:
        import dcap_qvl
    except ImportError:
        return ours
    theirs = _of_dcap_qvl(asked, dcap_qvl)
    if _RELAUNCH.get(theirs, theirs) != ours.status:
        raise NotAuthenticError(f"no TCB status: it is {ours.status} here, and dcap-qvl says {theirs}")
    return replace(ours, second_opinion=theirs)


def _beyond_its_policy(quote: Quote) -> bool:
    """TDs that dcap-qvl refuses before it says anything of the TCB (0.7: debug, #VE on, service TD)."""
    attributes, service = int.from_bytes(quote.report.td_attributes, "little"), quote.report.mrservicetd
    is_served = service is not None and any(service.value)
    return bool(attributes & _DEBUG_BITS) or not attributes & _SEPT_VE_DISABLE or is_served


def _of_dcap_qvl(asked: _Asked, library: ModuleType) -> str:
    quote, seconds = asked.quote, max(0, int(asked.at.timestamp()))
    raw = quote.signed + len(quote.signature_data).to_bytes(4, "little") + quote.signature_data
    collateral = _as_dcap_qvl(asked.chain, asked.collateral, library.QuoteCollateralV3)
    try:
        report = library.verify_with_root_ca(raw, collateral, asked.root.public_bytes(Encoding.DER), seconds)
    except ValueError as error:
        words = " ".join(str(error).split()).removeprefix("Verification failed: ")
        return f"it cannot be verified: {printable(words)[:200]}"
    except BaseException as error:
        if (
            type(error).__name__ != "PanicException"
        ):  # how a defect of a library in Rust shows; no subclass of Exception
            raise
        return "nothing: it failed on this quote or this collateral"
    return printable(str(report.status))[:80]


def _as_dcap_qvl(
    chain: PckChain, collateral: Collateral, make: type[dcap_qvl.QuoteCollateralV3]
) -> dcap_qvl.QuoteCollateralV3:
    tcb_info = collateral.tcb_infos[read_platform(chain.leaf).fmspc]
    root_list, pck_list = (find_list(issuer, collateral.revocations) for issuer in (chain.root, chain.intermediate))
    identity = collateral.qe_identity
    assert root_list is not None and pck_list is not None and identity is not None  # noqa: S101, PT018 - it is complete
    issuers = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in (chain.intermediate, chain.root))
    signing = collateral.tcb_signing_chain
    return make(
        pck_crl_issuer_chain=issuers.decode("ascii"),
        root_ca_crl=root_list.public_bytes(Encoding.DER),
        pck_crl=pck_list.public_bytes(Encoding.DER),
        tcb_info_issuer_chain=signing,
        tcb_info=tcb_info.text,
        tcb_info_signature=tcb_info.signature,
        qe_identity_issuer_chain=signing,
        qe_identity=identity.text,
        qe_identity_signature=identity.signature,
    )
