"""Quotes of a TPM's PCRs, by the attestation key that the platform has, or one of its own.

| platform | key | what vouches for it |
|---|---|---|
| Azure | persistent, at AZURE_KEY | the HCL report, for which the TD's quote vouches; a certificate as well |
| Google Cloud | made from the template that the cloud left in NV | a certificate of the cloud's |
| any other | made anew at each boot, in the endorsement hierarchy | nothing |

Commands: TPM 2.0 Library Specification 1.59, part 3. Places: azure-cvm-tooling (az-cvm-vtpm), go-tpm-tools (client/handles.go).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import tpm
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

AZURE_KEY, AZURE_CERTIFICATE, AZURE_REPORT = 0x81000003, 0x01C101D0, 0x01400001
GOOGLE_TEMPLATE, GOOGLE_CERTIFICATE = 0x01C10001, 0x01C10000
MOST_NV_BYTES = 16 * 1024
NV_PIECE_BYTES = 512

_CREATE_PRIMARY, _NV_READ, _QUOTE, _NV_READ_PUBLIC, _READ_PUBLIC = 0x131, 0x14E, 0x158, 0x169, 0x173
_OWNER, _ENDORSEMENT = 0x40000001, 0x4000000B
_RSA, _SHA256, _NULL, _RSASSA, _RSAPSS = 0x0001, 0x000B, 0x0010, 0x0014, 0x0016
_OWNER_READS, _AUTHORISED_READ = 1 << 17, 1 << 18  # part 2, 13.4
# fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign (part 2, 8.3)
_ATTRIBUTES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18
# Part 2, 12.2.4: RSA of 2048 bits that signs what the TPM itself says, and nothing else.
_TEMPLATE = struct.pack(">HHIHHHHHIH", _RSA, _SHA256, _ATTRIBUTES, 0, _NULL, _RSASSA, _SHA256, 2048, 0, 0)
# No key that signs what it is given, or can leave its TPM, is an attestation key.
_REQUIRED = 1 << 1 | 1 << 16 | 1 << 18


@dataclass(frozen=True, slots=True)
class Key:
    """`public` is a TPM2B_PUBLIC, `certificate` DER, `report` the HCL report of Azure."""

    handle: int
    public: bytes
    certificate: bytes | None = None
    report: bytes | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """TPMS_ATTEST, TPMT_SIGNATURE, and the values of all PCRs of the bank."""

    message: bytes
    signature: bytes
    bank: str
    pcrs: Mapping[int, bytes]


class Attester:
    """A TPM with the key it quotes with. The key is there as long as the device is open."""

    def __init__(self, device: tpm.Tpm) -> None:
        self._tpm = device
        self.key = _azure(device) or _google(device) or _own(device)

    def quote(self, data: bytes) -> Quote:
        """All PCRs over `data`. Raises Refused."""
        pcrs = list(range(tpm.PCRS))
        bank = next((name for name in ("sha256", "sha384") if name in self._tpm.banks(0)), None)
        if bank is None:
            raise Refused("the TPM has neither a SHA-256 nor a SHA-384 bank")
        parameters = struct.pack(">H", len(data)) + data + struct.pack(">H", _NULL) + tpm.selection(pcrs, bank)
        _, fields = self._tpm.ask_with_empty_password(_QUOTE, [self.key.handle], parameters)
        message, head = fields.sized(), fields.take(4)
        signature = fields.sized()
        fields.end()
        if struct.unpack(">HH", head)[0] not in (_RSASSA, _RSAPSS):
            raise Refused("the TPM's key does not sign with RSA")
        return Quote(message, head + struct.pack(">H", len(signature)) + signature, bank, self._tpm.values(pcrs, bank))


def _azure(device: tpm.Tpm) -> Key | None:
    report = nv(device, AZURE_REPORT)
    if report is None:
        return None
    try:
        fields = device.ask(_READ_PUBLIC, struct.pack(">I", AZURE_KEY))
    except tpm.TpmRefused:
        return None
    return Key(AZURE_KEY, _attesting(fields.sized()), nv(device, AZURE_CERTIFICATE), report)


def _google(device: tpm.Tpm) -> Key | None:
    template = nv(device, GOOGLE_TEMPLATE)
    return None if template is None else _made(device, template, nv(device, GOOGLE_CERTIFICATE))


def _own(device: tpm.Tpm) -> Key:
    return _made(device, _TEMPLATE, None)


def _made(device: tpm.Tpm, template: bytes, certificate: bytes | None) -> Key:
    """TPM2_CreatePrimary (24.1): the same key each time, as long as the TPM's seed is the same."""
    sensitive = struct.pack(">HHH", 4, 0, 0)
    parameters = sensitive + struct.pack(">H", len(template)) + template + struct.pack(">HI", 0, 0)
    handle, fields = device.ask_with_empty_password(_CREATE_PRIMARY, [_ENDORSEMENT], parameters, returns_handle=True)
    return Key(handle, _attesting(fields.sized()), certificate)


def _attesting(public: bytes) -> bytes:
    """A TPM2B_PUBLIC again, if the key is one that quotes."""
    fields = tpm.Fields(public)
    kind, _, attributes = fields.number(2), fields.number(2), fields.number(4)
    if kind != _RSA or attributes & _REQUIRED != _REQUIRED:
        raise Refused("the TPM's key is no RSA key for attestation")
    return struct.pack(">H", len(public)) + public


def nv(device: tpm.Tpm, index: int) -> bytes | None:
    """What is at this place of the TPM's memory, if there is anything that may be read. TPM2_NV_ReadPublic, TPM2_NV_Read (31.6, 31.13)."""
    try:
        public = tpm.Fields(device.ask(_NV_READ_PUBLIC, struct.pack(">I", index)).sized())
        public.take(4 + 2)
        attributes = public.number(4)
        public.sized()
        size = public.number(2)
        if size > MOST_NV_BYTES or not attributes & (_OWNER_READS | _AUTHORISED_READ):
            return None
        authority = index if attributes & _AUTHORISED_READ else _OWNER
        return b"".join(
            _nv_piece(device, authority, index, offset, min(NV_PIECE_BYTES, size - offset))
            for offset in range(0, size, NV_PIECE_BYTES)
        )
    except tpm.TpmRefused:
        return None


def _nv_piece(device: tpm.Tpm, authority: int, index: int, offset: int, count: int) -> bytes:
    _, fields = device.ask_with_empty_password(_NV_READ, [authority, index], struct.pack(">HH", count, offset))
    piece = fields.sized()
    fields.end()
    if len(piece) != count:
        raise Refused(f"the TPM gives {len(piece)} bytes of its memory, asked for {count}")
    return piece
