"""How current a platform's TCB is, judged by Intel's collateral: by the library dcap-qvl, which verifies the quote as a whole anew.

It checks the signatures of TCB info and QE identity, their dates, the revocation lists, Intel's quoting enclave, the TDX
module, and finds the TCB level (Intel's algorithm: documentation of the Provisioning Certification Service, "Get TDX TCB Info").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from teekit_verify.core.errors import NotAuthenticError, ToolMissingError, printable
from teekit_verify.evidence.certificates import find_list
from teekit_verify.evidence.sgx_extension import read_platform

if TYPE_CHECKING:
    from datetime import datetime

    import dcap_qvl
    from cryptography import x509

    from teekit_verify.evidence.certificates import PckChain
    from teekit_verify.evidence.collateral import Collateral
    from teekit_verify.evidence.quote import Quote

UP_TO_DATE = "UpToDate"
_MAX_ADVISORIES = 200


@dataclass(frozen=True, slots=True)
class TcbStatus:
    """Intel's word (`UpToDate`, `OutOfDate`, ...) for platform and quoting enclave together, and the advisories that apply."""

    status: str
    advisories: tuple[str, ...]


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
    quote: Quote, chain: PckChain, collateral: Collateral, root: x509.Certificate, at: datetime
) -> TcbStatus:
    """With complete collateral. Raises NotAuthenticError for what dcap-qvl refuses, ToolMissingError if it is not installed."""
    try:
        import dcap_qvl  # noqa: PLC0415 - optional, and nothing else needs it
    except ImportError as error:
        raise ToolMissingError(
            "the Python package dcap-qvl, which evaluates TCB infos, is not installed",
            hint="Install teekit-verify[tcb], or leave out --collateral.",
        ) from error
    size = len(quote.signature_data).to_bytes(4, "little")
    raw, seconds = quote.signed + size + quote.signature_data, max(0, int(at.timestamp()))
    try:
        report = dcap_qvl.verify_with_root_ca(
            raw, _as_dcap_qvl(chain, collateral, dcap_qvl.QuoteCollateralV3), root.public_bytes(Encoding.DER), seconds
        )
    except ValueError as error:
        words = " ".join(str(error).split()).removeprefix("Verification failed: ")
        raise NotAuthenticError(f"refused by dcap-qvl: {printable(words)[:200]}") from error
    except BaseException as error:
        if (
            type(error).__name__ != "PanicException"
        ):  # how a defect of a library in Rust shows; no subclass of Exception
            raise
        raise NotAuthenticError("dcap-qvl could not cope with this quote or this collateral") from error
    advisories = tuple(printable(str(item))[:40] for item in report.advisory_ids[:_MAX_ADVISORIES])
    return TcbStatus(printable(report.status), advisories)


def _as_dcap_qvl(
    chain: PckChain, collateral: Collateral, make: type[dcap_qvl.QuoteCollateralV3]
) -> dcap_qvl.QuoteCollateralV3:
    tcb_info = collateral.tcb_infos[read_platform(chain.leaf).fmspc]
    root_list, pck_list = (find_list(issuer, collateral.revocations) for issuer in (chain.root, chain.intermediate))
    identity = collateral.qe_identity
    assert root_list is not None and pck_list is not None and identity is not None  # noqa: S101, PT018 - it is complete
    issuers = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in (chain.intermediate, chain.root))
    return make(
        pck_crl_issuer_chain=issuers.decode("ascii"),
        root_ca_crl=root_list.public_bytes(Encoding.DER),
        pck_crl=pck_list.public_bytes(Encoding.DER),
        tcb_info_issuer_chain=collateral.tcb_signing_chain,
        tcb_info=tcb_info.text,
        tcb_info_signature=tcb_info.signature,
        qe_identity_issuer_chain=collateral.tcb_signing_chain,
        qe_identity=identity.text,
        qe_identity_signature=identity.signature,
    )
