"""Evidence that is none for us: told by its first bytes, so that a command can say what it is and what to give instead.

Layouts: TDREPORT_STRUCT (Intel TDX module ABI specification), ATTESTATION_REPORT (AMD SEV-SNP firmware ABI, table 23), quotes of SGX (Intel
SGX DCAP quoting library, version 3; versions 4 and 5 with TEE type 0).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import UnsupportedInputError

if TYPE_CHECKING:
    from typing import NoReturn

_TDREPORT_BYTES, _SNP_BYTES = 1024, 1184
_TDX_TYPE, _MAX_TDREPORT_VERSION = 0x81, 1
_SNP_VERSIONS, _SNP_ALGORITHM_OFFSET, _ECDSA_P384 = range(2, 8), 52, 1
_INTEL = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")


class ForeignEvidence(Enum):
    """What it is, and what to do about it."""

    TDREPORT = (
        "this is a TDREPORT: only the machine that made it can check it",
        "Give the quote that the machine's quoting enclave makes of it (configfs-tsm: outblob; Azure: /acc/tdquote).",
    )
    SNP_REPORT = (
        "this is an attestation report of AMD SEV-SNP, not of a TD",
        "Use a verifier of SEV-SNP, such as snpguest; this program verifies Intel TDX.",
    )
    SGX_QUOTE = (
        "this is a quote of an SGX enclave, not of a TD",
        "Use a verifier of SGX, such as dcap-qvl; this program verifies Intel TDX.",
    )

    def refuse(self) -> NoReturn:
        """Raise UnsupportedInputError."""
        words, hint = self.value
        raise UnsupportedInputError(words, hint=hint)


def foreign_evidence(data: bytes) -> ForeignEvidence | None:
    """None for what is not known to be another kind of evidence."""
    if _is_tdreport(data):
        return ForeignEvidence.TDREPORT
    if len(data) >= _SNP_BYTES and len(data.rstrip(b"\0")) <= _SNP_BYTES and _is_snp(data):
        return ForeignEvidence.SNP_REPORT
    is_sgx = data[:2] in {b"\3\0", b"\4\0", b"\5\0"} and data[4:8] == bytes(4)
    return ForeignEvidence.SGX_QUOTE if is_sgx and data[12:28] == _INTEL else None


def _is_tdreport(data: bytes) -> bool:
    """REPORTTYPE (type 0x81, subtype 0, version, 0) and 12 reserved bytes."""
    if len(data) < _TDREPORT_BYTES or len(data.rstrip(b"\0")) > _TDREPORT_BYTES:
        return False
    return data[:2] == bytes((_TDX_TYPE, 0)) and data[2] <= _MAX_TDREPORT_VERSION and data[3:16] == bytes(13)


def _is_snp(data: bytes) -> bool:
    version, algorithm = (int.from_bytes(data[start : start + 4], "little") for start in (0, _SNP_ALGORITHM_OFFSET))
    return version in _SNP_VERSIONS and algorithm == _ECDSA_P384
