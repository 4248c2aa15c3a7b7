"""The attestation report of Azure's paravisor (HCL, OpenHCL), which a guest reads from its vTPM (NV index 0x01400001).

Layout, little-endian: kinvolk/azure-cvm-tooling, az-cvm-vtpm/src/hcl/mod.rs (e4e44074): a header of 32 bytes, a hardware report
(here a TDREPORT of 1024 bytes) in 1184 bytes, 20 bytes that describe the runtime data, and these: JSON with the vTPM's keys. The
hardware report's REPORTDATA is the digest of the runtime data, so that a quote made of it vouches for the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.encoded import decode_text
from teekit_verify.evidence.plain_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric import rsa

SIGNATURE = b"HCLA"
_WHAT = "HCL report"
_VERSION = 2
_HARDWARE_REPORT_BYTES = 1184
_TDX, _SNP = 4, 2
_DESCRIPTION_BYTES = 20
_HASH_TYPES = {1: Algorithm.SHA256, 2: Algorithm.SHA384, 3: Algorithm.SHA512}
_ATTESTATION_KEY = "HCLAkPub"
_REPORT_DATA_BYTES = 64
_KEY_BITS, _MAX_EXPONENT_BITS = range(2048, 8193), 32


@frozen
class HclReport:
    """`runtime_data` is the JSON as it was hashed, `configuration` what it says of the machine, `user_data` what the guest
    had put there (hexadecimal; empty if nothing).
    """

    runtime_data: bytes
    hash_algorithm: Algorithm
    attestation_key: rsa.RSAPublicKey
    configuration: Mapping[str, str]
    user_data: str

    @property
    def report_data(self) -> bytes:
        """What REPORTDATA of the TD must be, 64 bytes."""
        return Digest.of(self.hash_algorithm, self.runtime_data).value.ljust(_REPORT_DATA_BYTES, b"\0")


def parse_hcl_report(data: bytes) -> HclReport:
    """Raises MalformedInputError; UnsupportedInputError for a report of SEV-SNP."""
    reader = Reader(memoryview(data), _WHAT)
    signature, version = bytes(reader.take(4, "signature")), reader.u32("version")
    if signature != SIGNATURE or version != _VERSION:
        problem = f"expected {SIGNATURE!r} and version {_VERSION}, found {signature!r} and {version}"
        raise MalformedInputError(_WHAT, field="signature", offset=0, problem=problem)
    reader.take(24, "header")
    reader.take(_HARDWARE_REPORT_BYTES, "hardware report")
    size, _, kind, hash_type, runtime_bytes = reader.unpack("IIIII", "description of the runtime data")
    if kind == _SNP:
        raise UnsupportedInputError("this is the HCL report of a guest with SEV-SNP, not of a TD")
    if kind != _TDX or hash_type not in _HASH_TYPES or size != _DESCRIPTION_BYTES + runtime_bytes:
        problem = f"report of type {kind}, digest of type {hash_type}, sizes {size} and {runtime_bytes}"
        raise reader.fail("description of the runtime data", problem)
    runtime_data = bytes(reader.take(runtime_bytes, "runtime data"))
    if any(reader.data[reader.position :]):
        raise reader.fail("padding", "what follows the runtime data is not all 0x00")
    return _with_claims(runtime_data, _HASH_TYPES[hash_type])


def _with_claims(runtime_data: bytes, algorithm: Algorithm) -> HclReport:
    claims = parse_json(runtime_data, f"{_WHAT}: runtime data")
    if not isinstance(claims, dict):
        raise _claims_error("keys", "expected an object")
    configuration = claims.get("vm-configuration")
    user_data = claims.get("user-data", "")
    return HclReport(
        runtime_data,
        algorithm,
        _attestation_key(claims.get("keys")),
        {str(name): str(value) for name, value in configuration.items()} if isinstance(configuration, dict) else {},
        user_data if isinstance(user_data, str) else "",
    )


def _claims_error(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError(f"{_WHAT}: runtime data", field=field, offset=0, problem=problem)


def _attestation_key(keys: object) -> rsa.RSAPublicKey:
    """The RSA key HCLAkPub as a JSON Web Key (RFC 7518, 6.3.1)."""
    own = (
        [key for key in keys if isinstance(key, dict) and key.get("kid") == _ATTESTATION_KEY]
        if isinstance(keys, list)
        else []
    )
    if len(own) != 1 or own[0].get("kty") != "RSA":
        raise _claims_error("keys", f"expected one RSA key {_ATTESTATION_KEY}")
    modulus, exponent = (_number(own[0].get(name), name) for name in ("n", "e"))
    if modulus.bit_length() not in _KEY_BITS or exponent.bit_length() > _MAX_EXPONENT_BITS:
        raise _claims_error("keys", f"expected a key of 2048 to 8192 bits, found {modulus.bit_length()}")
    try:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise _claims_error("keys", "is not an RSA key") from error


def _number(value: object, field: str) -> int:
    """Base64url without padding (RFC 7515, 2)."""
    if not isinstance(value, str):
        raise _claims_error(field, "expected text")
    return int.from_bytes(decode_text(value + "=" * (-len(value) % 4), f"{_WHAT}: runtime data", field), "big")
