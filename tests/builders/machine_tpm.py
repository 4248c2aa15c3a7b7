"""What a machine says by its TPM alone: a quote by a key of these tests, in the structures of TPM 2.0, part 2, without any of our own code."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders import azure, eventlog, guests, live_guest
from builders import documents as sample
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import model
from teekit_verify.documents.create import dump_reference
from teekit_verify.registers.registers import Register, pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTESTING = 1 << 1 | 1 << 16 | 1 << 18
BOOT = {4: b"what was booted", 9: b"the command line", 11: b"the sections"}
EV_IPL = 0xD


def extended(*contents: bytes, bank: str = "sha256") -> bytes:
    held = bytes(hashlib.new(bank).digest_size)
    for content in contents:
        held = hashlib.new(bank, held + hashlib.new(bank, content).digest()).digest()
    return held


BOOTED = {number: extended(content) for number, content in BOOT.items()}


def key(name: str = "the machine's") -> rsa.RSAPrivateKey:
    return _made(name)


@cache
def _made(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public(made: rsa.RSAPublicKey, *, attributes: int = ATTESTING, kind: int = 1, symmetric: int = 0x10) -> bytes:
    """TPM2B_PUBLIC: RSASSA with SHA-256, the exponent 0 for 65537."""
    modulus = made.public_numbers().n.to_bytes(256, "big")
    area = struct.pack(">HHIH", kind, 0xB, attributes, 0)
    area += struct.pack(">HHHHI", symmetric, 0x14, 0xB, 2048, 0) + struct.pack(">H", len(modulus)) + modulus
    return struct.pack(">H", len(area)) + area


def pem(made: rsa.RSAPublicKey) -> bytes:
    return made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def part(
    report_data: bytes, values: Mapping[int, bytes], *, signer: rsa.RSAPrivateKey | None = None, **changed: Any
) -> dict[str, Any]:
    """The answer's `tpm`; `changed` are fields of it, `pcrs_told` values that are told and not quoted."""
    signer = signer or key()
    told = changed.pop("pcrs_told", {"sha256": {str(index): value.hex() for index, value in values.items()}})
    quoted = azure.tpm_quote(signer, values, hashlib.sha256(report_data).digest())
    signature = bytes.fromhex(quoted["signature"])
    return {
        "message": live_guest.b64(bytes.fromhex(quoted["message"])),
        "signature": live_guest.b64(struct.pack(">HHH", 0x14, 0xB, len(signature)) + signature),
        "ak_public": live_guest.b64(public(signer.public_key())),
        "ak_certificate": None,
        "event_log": None,
        "hcl_report": None,
        "pcrs": told,
        **changed,
    }


def boot_log(contents: Mapping[int, bytes] = BOOT) -> bytes:
    records = (eventlog.measured(number, EV_IPL, data, eventlog.SHA256) for number, data in contents.items())
    return eventlog.header(eventlog.SHA256) + b"".join(records)


def reference(values: Mapping[int, bytes] | None = None, *, platform: str = "uefi-vtpm") -> bytes:
    """Published: PCR 4, 9 and 11, and that the image measures what it runs."""

    def is_(value: bytes) -> model.ReferenceRegister:
        digests = (Digest(Algorithm.SHA256, value), sample.sha384("the other bank"))
        return guests.only(model.RegisterValue(digests, "", ()))

    registers: dict[Register, model.ReferenceRegister] = {
        pcr(number): is_(value) for number, value in (BOOTED if values is None else values).items()
    }
    registers[pcr(15)] = guests.ignored("decided by what the machine is given to run")
    if platform != "uefi-vtpm":
        registers |= {rtmr(index): guests.ignored("the paravisor's") for index in range(4)}
    apps = model.Apps("teekit measured v1")
    return dump_reference(replace(sample.reference(), platforms={platform: registers}, apps=apps))
