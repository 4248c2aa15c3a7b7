"""Evidence of an Azure guest: real, and with a TD quote of a throw-away authority and a software TPM's quote."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSETS = Path(__file__).parents[1] / "assets"
REAL = {name: ASSETS / "azure" / f"{name}.json" for name in ("coco-v1", "coco-v0", "flashbots")}
TPM = ASSETS / "tpm"


def tpm_key(name: str = "rsassa") -> rsa.RSAPublicKey:
    key = load_pem_public_key((TPM / f"{name}.pem").read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def jwk(key: rsa.RSAPublicKey, **changes: object) -> dict[str, Any]:
    numbers = key.public_numbers()
    return {
        "kid": "HCLAkPub",
        "key_ops": ["sign"],
        "kty": "RSA",
        "e": _number(numbers.e),
        "n": _number(numbers.n),
        **changes,
    }


def _number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes(-(-value.bit_length() // 8), "big")).rstrip(b"=").decode()


def claims(key: rsa.RSAPublicKey, **changes: object) -> bytes:
    """The runtime data; a value of None leaves a field out."""
    fields = {
        "keys": [{**jwk(key), "kid": "HCLEkPub"}, jwk(key)],
        "vm-configuration": {"secure-boot": False, "tpm-enabled": True},
        "user-data": "00" * 64,
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def hcl_report(
    runtime_data: bytes,
    *,
    signature: bytes = b"HCLA",
    kind: int = 4,
    hash_type: int = 1,
    size: int | None = None,
    after: bytes = bytes(64),
) -> bytes:
    header = signature + struct.pack("<IIIII", 2, 1236 + len(runtime_data), 2, 0, 0) + bytes(8)
    length = len(runtime_data) if size is None else size
    described = struct.pack("<IIIII", 20 + length, 1, kind, hash_type, length)
    return header + bytes(1184) + described + runtime_data + after


def report_data(runtime_data: bytes) -> bytes:
    return hashlib.sha256(runtime_data).digest() + bytes(32)


def document(name: str = "coco-v1", **changes: object) -> dict[str, Any]:
    """Real evidence in JSON, with other fields; `tpm_quote_message` changes a field of `tpm_quote`."""
    fields: dict[str, Any] = json.loads(REAL[name].read_bytes())
    for field, value in changes.items():
        place = fields["tpm_quote"] if field.startswith("tpm_quote_") else fields
        place[field.removeprefix("tpm_quote_")] = value
    return fields


def tpm_quote(key: rsa.RSAPrivateKey, values: Mapping[int, bytes], nonce: bytes = b"nonce") -> dict[str, Any]:
    """PCRs by number, quoted as Azure's evidence has it in JSON (`tpm_quote`)."""
    ordered = [values[index] for index in sorted(values)]
    selection = sum(1 << index for index in values).to_bytes(3, "little")
    message = bytes.fromhex("ff5443478018") + _sized(b"") + _sized(nonce) + bytes(17 + 8)
    message += struct.pack(">IHB", 1, 0xB, 3) + selection + _sized(hashlib.sha256(b"".join(ordered)).digest())
    signature = key.sign(message, padding.PKCS1v15(), SHA256())
    return {"message": message.hex(), "signature": signature.hex(), "pcrs": [value.hex() for value in ordered]}


def _sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data
