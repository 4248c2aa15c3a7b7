"""A machine's TPM as its answer presents it: a quote of PCRs, and the public part of the key that is said to have made it.

TPM 2.0 Library Specification 1.59, part 2: TPM2B_PUBLIC (12.2.5), TPMT_PUBLIC (12.2.4), TPMS_RSA_PARMS (12.2.3.5), TPMA_OBJECT (8.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence import tpm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teekit_verify.core.digest import Digest
    from teekit_verify.evidence.tpm import TpmAttest, TpmSignature
    from teekit_verify.registers.registers import Register

_WHAT = "TPM public key"
_RSA, _NULL = 0x0001, 0x0010
_ATTESTING = 1 << 1 | 1 << 16 | 1 << 18
"""fixedTPM, restricted, sign: a key that lacks one of these signs what it is given, or may be elsewhere as well."""
_DEFAULT_EXPONENT, _MAX_EXPONENT_BITS = 65537, 32
_KEY_BITS = range(2048, 8193)


@frozen
class TpmEvidence:
    """Nothing of it was verified. `pcrs` are the values of the quoted PCRs."""

    key: rsa.RSAPublicKey
    attest: TpmAttest
    signature: TpmSignature
    pcrs: Mapping[Register, Digest]


def tpm_of_parts(
    public: bytes, message: bytes, signature: bytes, banks: Mapping[str, Mapping[int, bytes]]
) -> TpmEvidence:
    """TPM2B_PUBLIC, TPMS_ATTEST, TPMT_SIGNATURE, PCR values by bank. Raises MalformedInputError, UnsupportedInputError."""
    attest = tpm.parse_attest(message)
    values = quoted_values(attest, banks)
    return TpmEvidence(parse_public(public), attest, tpm.parse_signature(signature), values)


def quoted_values(attest: TpmAttest, banks: Mapping[str, Mapping[int, bytes]]) -> Mapping[Register, Digest]:
    """Of the quoted PCRs, from all that was told. Raises MalformedInputError where one is missing."""
    values = banks.get(attest.bank.value, {})
    return tpm.pcr_values(attest, [values[register.index] for register in attest.pcrs if register.index in values])


def parse_public(data: bytes) -> rsa.RSAPublicKey:
    """TPM2B_PUBLIC of an attestation key. Raises MalformedInputError; UnsupportedInputError for a key of another kind."""
    outer = Reader(memoryview(data), _WHAT)
    reader = Reader(_sized(outer, "public area"), _WHAT, base=2)
    if outer.remaining:
        raise outer.fail("end", f"{outer.remaining} bytes follow it")
    kind, _, attributes = (_number(reader, size, name) for size, name in ((2, "type"), (2, "name"), (4, "attributes")))
    if kind != _RSA or attributes & _ATTESTING != _ATTESTING:
        raise UnsupportedInputError(
            f"{_WHAT}: type {kind:#06x} with attributes {attributes:#010x}, expected an RSA key that is fixed to its TPM and signs its "
            "quotes only",
            hint="Quote with an attestation key (tpm2_createak -G rsa).",
        )
    _sized(reader, "policy")
    bits, exponent = _parameters(reader)
    modulus = int.from_bytes(_sized(reader, "modulus"), "big")
    if reader.remaining:
        raise reader.fail("end", f"{reader.remaining} bytes follow the modulus")
    if modulus.bit_length() != bits or bits not in _KEY_BITS:
        raise reader.fail("modulus", f"expected {bits} bits, found {modulus.bit_length()}")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise reader.fail("modulus", f"is not a key: {error}") from error


def _parameters(reader: Reader) -> tuple[int, int]:
    """Bits and exponent. An attestation key encrypts nothing, and may sign by a scheme that it names, or any."""
    if _number(reader, 2, "symmetric algorithm") != _NULL:
        raise reader.fail("symmetric algorithm", "a key that signs has none")
    if _number(reader, 2, "scheme") != _NULL:
        reader.take(2, "digest of the scheme")
    bits, exponent = _number(reader, 2, "bits"), _number(reader, 4, "exponent") or _DEFAULT_EXPONENT
    if not exponent & 1 or exponent.bit_length() > _MAX_EXPONENT_BITS or exponent == 1:
        raise reader.fail("exponent", f"{exponent} is not a public exponent")
    return bits, exponent


def _number(reader: Reader, size_bytes: int, field: str) -> int:
    return int.from_bytes(reader.take(size_bytes, field), "big")


def _sized(reader: Reader, field: str) -> memoryview:
    return reader.take(_number(reader, 2, f"{field}: size"), field)
