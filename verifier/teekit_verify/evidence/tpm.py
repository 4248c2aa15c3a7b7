"""A TPM's quote of its PCRs: what was signed, the signature, and the PCR values, which the quote holds a digest of.

Structures: TPM 2.0 Library Specification 1.59, part 2: TPMS_ATTEST (10.12.8), TPMS_QUOTE_INFO (10.12.1), TPMS_PCR_SELECTION
(10.6.2), TPMT_SIGNATURE (11.3.4); all integers big-endian. Every fact is one function that returns nothing, or raises
NotAuthenticError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from teekit_verify.core.binary import Reader
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, NotAuthenticError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.registers.registers import PCR_COUNT, Register, pcr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric import rsa

MAGIC = b"\xff\x54\x43\x47"
"""TPM_GENERATED_VALUE: what a TPM signs of its own begins with it, and no other data that it signs does."""
_TAG_QUOTE = 0x8018
_RSASSA, _RSAPSS = 0x0014, 0x0016
_WHAT = "TPM quote"
_MAX_SELECTIONS = 16
_MAX_SIGNATURE_BYTES = 1024
_HASHES: dict[Algorithm, type[hashes.HashAlgorithm]] = {
    Algorithm.SHA256: hashes.SHA256,
    Algorithm.SHA384: hashes.SHA384,
    Algorithm.SHA512: hashes.SHA512,
}
_BY_TCG_ID = {algorithm.tcg_id: algorithm for algorithm in _HASHES}


@frozen
class TpmAttest:
    """A quote whose signature was not verified. `signed` is the whole of it; `extra_data` the caller's nonce.

    The PCRs of one bank are quoted, in ascending order; `pcr_digest` is that of their values, one after the other.
    """

    signed: bytes
    extra_data: bytes
    bank: Algorithm
    pcrs: tuple[Register, ...]
    pcr_digest: bytes


@frozen
class TpmSignature:
    """An RSA signature. `algorithm` is also that of the quote's PCR digest (part 1, 34.3)."""

    value: bytes
    algorithm: Algorithm = Algorithm.SHA256
    is_pss: bool = False


def parse_attest(data: bytes) -> TpmAttest:
    """TPMS_ATTEST, with or without its size before it (TPM2B_ATTEST). Raises MalformedInputError, UnsupportedInputError."""
    reader = Reader(memoryview(data), _WHAT)
    if data[2:6] == MAGIC and data[:4] != MAGIC:
        reader = Reader(_sized(reader, "attestation"), _WHAT, base=2)
    signed = bytes(reader.data)
    if bytes(reader.take(4, "magic")) != MAGIC:
        raise MalformedInputError(_WHAT, field="magic", offset=reader.base, problem=f"expected {MAGIC.hex()}")
    tag = _number(reader, 2, "type")
    if tag != _TAG_QUOTE:
        raise UnsupportedInputError(f"{_WHAT}: an attestation of type {tag:#06x}, expected {_TAG_QUOTE:#06x} (a quote)")
    _sized(reader, "qualified signer")
    extra_data = bytes(_sized(reader, "extra data"))
    reader.take(17 + 8, "clock and firmware version")
    bank, pcrs = _selection(reader)
    pcr_digest = bytes(_sized(reader, "PCR digest"))
    if reader.remaining:
        raise reader.fail("end", f"{reader.remaining} bytes follow the quote")
    return TpmAttest(signed, extra_data, bank, pcrs, pcr_digest)


def _number(reader: Reader, size_bytes: int, field: str) -> int:
    return int.from_bytes(reader.take(size_bytes, field), "big")


def _sized(reader: Reader, field: str) -> memoryview:
    return reader.take(_number(reader, 2, f"{field}: size"), field)


def _selection(reader: Reader) -> tuple[Algorithm, tuple[Register, ...]]:
    count = _number(reader, 4, "PCR selections: count")
    if count > _MAX_SELECTIONS:
        raise reader.fail("PCR selections: count", f"expected at most {_MAX_SELECTIONS}, found {count}")
    found: list[tuple[int, tuple[Register, ...]]] = []
    for _ in range(count):
        algorithm = _number(reader, 2, "PCR selection: bank")
        bits = int.from_bytes(reader.take(_number(reader, 1, "PCR selection: size"), "PCR selection"), "little")
        if bits >> PCR_COUNT:
            raise reader.fail("PCR selection", f"selects a PCR above {PCR_COUNT - 1}")
        if bits:
            found.append((algorithm, tuple(pcr(index) for index in range(PCR_COUNT) if bits >> index & 1)))
    if len(found) != 1 or found[0][0] not in _BY_TCG_ID:
        banks = ", ".join(f"{algorithm:#06x}" for algorithm, _ in found) or "none"
        raise UnsupportedInputError(
            f"{_WHAT}: PCRs of the banks {banks} are quoted, expected one bank of SHA-256 or longer",
            hint="Quote the PCRs of one bank, as sha256:4,9,11.",
        )
    return _BY_TCG_ID[found[0][0]], found[0][1]


def parse_signature(data: bytes) -> TpmSignature:
    """TPMT_SIGNATURE with RSA. Raises MalformedInputError, UnsupportedInputError."""
    reader = Reader(memoryview(data), "TPM signature")
    scheme, algorithm = _number(reader, 2, "scheme"), _number(reader, 2, "algorithm")
    if scheme not in (_RSASSA, _RSAPSS) or algorithm not in _BY_TCG_ID:
        raise UnsupportedInputError(
            f"TPM signature: scheme {scheme:#06x} with algorithm {algorithm:#06x}, expected RSASSA or RSAPSS with SHA-2"
        )
    value = bytes(_sized(reader, "signature"))
    if reader.remaining:
        raise reader.fail("end", f"{reader.remaining} bytes follow the signature")
    if len(value) > _MAX_SIGNATURE_BYTES:
        raise reader.fail("signature", f"expected at most {_MAX_SIGNATURE_BYTES} bytes, found {len(value)}")
    return TpmSignature(value, _BY_TCG_ID[algorithm], scheme == _RSAPSS)


def is_signature(data: bytes) -> bool:
    """Whether this is laid out as TPMT_SIGNATURE; which scheme it is, reading it shows."""
    return len(data) == 6 + int.from_bytes(data[4:6], "big") and data[:2] in (b"\0\x14", b"\0\x16", b"\0\x18")


def require_signed(attest: TpmAttest, signature: TpmSignature, key: rsa.RSAPublicKey) -> None:
    """RSASSA-PKCS1-v1_5 or RSASSA-PSS (RFC 8017, 8) over the attestation. Raises NotAuthenticError."""
    algorithm = _HASHES[signature.algorithm]()
    scheme: padding.PSS | padding.PKCS1v15 = padding.PKCS1v15()
    if signature.is_pss:
        scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
    try:
        key.verify(signature.value, attest.signed, scheme, algorithm)
    except InvalidSignature as error:
        raise NotAuthenticError("the vTPM's attestation key did not sign this quote") from error


def pcr_values(attest: TpmAttest, values: Sequence[bytes]) -> Mapping[Register, Digest]:
    """The values of the quoted PCRs, in their order. Raises MalformedInputError if they are not as many, or of another size."""
    size = attest.bank.size_bytes
    if len(values) != len(attest.pcrs) or any(len(value) != size for value in values):
        problem = f"expected {len(attest.pcrs)} of {size} bytes ({attest.bank.value}), found {len(values)}"
        raise MalformedInputError("PCR values", field="count and size", offset=0, problem=problem)
    return {register: Digest(attest.bank, value) for register, value in zip(attest.pcrs, values, strict=True)}


def require_pcr_digest(attest: TpmAttest, algorithm: Algorithm, values: Mapping[Register, Digest]) -> None:
    """These values are the quoted ones; `algorithm` is the signature's."""
    found = Digest.of_parts(algorithm, [values[register].value for register in attest.pcrs])
    if found.value != attest.pcr_digest:
        raise NotAuthenticError(f"the PCR values are not those that the vTPM quoted: their digest is {found.hex}")
