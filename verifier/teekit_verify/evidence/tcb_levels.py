"""Intel's algorithm for the TCB status of a TDX platform, of its TDX module and of its quoting enclave.

"Intel SGX and Intel TDX Provisioning Certification Service", version 4, "Get TDX TCB Info V4" ("Determining TCB status") and
"Get Quoting Enclave Identity V4"; how the three are merged: Intel's SGX-TDX-DCAP-QuoteVerificationLibrary,
convergeTcbStatus().
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import NotAuthenticError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.evidence.authenticity import EnclaveReport
    from teekit_verify.evidence.quote import TdReport
    from teekit_verify.evidence.sgx_extension import Platform
    from teekit_verify.evidence.tcb_info import QeIdentity, Signer, SvnLevel, TcbInfo, Verdict

UP_TO_DATE, OUT_OF_DATE, REVOKED = "UpToDate", "OutOfDate", "Revoked"
OUT_OF_DATE_CONFIGURATION = "OutOfDateConfigurationNeeded"
_STATUSES = {
    *(UP_TO_DATE, OUT_OF_DATE, REVOKED, OUT_OF_DATE_CONFIGURATION),
    *("SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"),
}
_NEED_CONFIGURATION = {"ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", OUT_OF_DATE_CONFIGURATION}


def platform_level(info: TcbInfo, platform: Platform, tee_tcb_svn: bytes) -> Verdict:
    """The first level whose numbers the platform has all reached. Raises NotAuthenticError if there is none.

    "from index 0 to 15 if TEE TCB SVN at index 1 is set to 0, or from index 2 to 15 otherwise": the first two numbers are the
    module's, which has an identity of its own then.
    """
    first = 2 if tee_tcb_svn[1] else 0
    for level in info.levels:
        if (
            _reached(platform.components, level.sgx)
            and platform.pce_svn >= level.pce_svn
            and _reached(tee_tcb_svn[first:], level.tdx[first:])
        ):
            return level.verdict
    raise NotAuthenticError("no TCB level of the TCB info fits this platform: Intel does not support it")


def module_level(info: TcbInfo, report: TdReport, tee_tcb_svn: bytes) -> Verdict | None:
    """What the TDX module's own identity says; None for modules of version 0, which the platform's levels cover.

    Raises NotAuthenticError for a module that Intel did not sign, or does not list.
    """
    isv_svn, version = tee_tcb_svn[0], tee_tcb_svn[1]
    if version == 0:
        _require_signer(report, info.module, "the TCB info's tdxModule")
        return None
    name = f"TDX_{version:02X}"
    for identity in info.modules:
        if identity.name == name:
            _require_signer(report, identity.signer, name)
            return _svn_level(identity.levels, isv_svn, f"the TDX module {name}")
    raise NotAuthenticError(f"the TCB info has no identity {name}, which this TDX module says it is")


def quoting_enclave_level(identity: QeIdentity, report: EnclaveReport) -> Verdict:
    """What the QE identity says of the enclave that made the quote. Raises NotAuthenticError if it is another one."""
    for name, found, expected in (
        ("MISCSELECT", _masked(report.signed[16:20], identity.miscselect_mask), identity.miscselect),
        ("attributes", _masked(report.attributes, identity.attributes_mask), identity.attributes),
        ("MRSIGNER", report.mrsigner, identity.mrsigner),
        ("ISVPRODID", report.product.to_bytes(2, "big"), identity.product.to_bytes(2, "big")),
    ):
        if found != expected:
            raise NotAuthenticError(
                f"the quoting enclave is not the QE identity's: expected {name} {expected.hex()}, found {found.hex()}"
            )
    return _svn_level(identity.levels, report.svn, "the quoting enclave")


def merged(platform: str, *others: str) -> str:
    """The status of platform, module and quoting enclave together; an unknown word is passed on as it is."""
    for other in others:
        if REVOKED in {platform, other}:
            platform = REVOKED
        elif other == OUT_OF_DATE:
            platform = OUT_OF_DATE_CONFIGURATION if platform in _NEED_CONFIGURATION else OUT_OF_DATE
        elif other != UP_TO_DATE and platform == UP_TO_DATE:
            platform = other
    return platform


def known_status(status: str) -> str:
    """Raises NotAuthenticError for a word that Intel does not define for TCB levels."""
    if status not in _STATUSES:
        raise NotAuthenticError(f"the collateral has the unknown TCB status {status}")
    return status


def _svn_level(levels: Iterable[SvnLevel], isv_svn: int, words: str) -> Verdict:
    for level in levels:
        if isv_svn >= level.isv_svn:
            return level.verdict
    raise NotAuthenticError(f"no TCB level fits {words} with ISVSVN {isv_svn}: Intel does not support it")


def _require_signer(report: TdReport, signer: Signer, words: str) -> None:
    attributes = _masked(report.seam_attributes, signer.attributes_mask)
    if report.mrsignerseam.value != signer.mrsigner or attributes != signer.attributes:
        raise NotAuthenticError(
            f"the TDX module is not what {words} says: MRSIGNERSEAM {report.mrsignerseam.hex}, "
            f"SEAM attributes {report.seam_attributes.hex()}"
        )


def _masked(data: bytes, mask: bytes) -> bytes:
    return bytes(a & b for a, b in zip(data, mask, strict=True))


def _reached(found: Iterable[int], wanted: Iterable[int]) -> bool:
    return all(have >= want for have, want in zip(found, wanted, strict=True))
