"""What a live machine answers when it is asked who it is (docs/app-identity.md): read strictly, and nothing of it believed.

Each field is somebody's word. REPORTDATA is computed from what the verifier knows, never from the answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.plain_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/.well-known/teekit/attestation"
NONCE_BYTES = 32
_WHAT = "answer of the machine"
_VERSION = 1
_DIGEST_BYTES, _REPORT_DATA_BYTES = 32, 64
_DOMAIN = b"teekit guest report data v1\0"
_MOST_PART_BYTES, _MOST_MANIFEST_BYTES = 16 << 20, 64 << 10
_MOST_LISTED, _MOST_NAME = 100, 253
_BANK_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64}


@frozen
class TdxPart:
    quote: bytes
    ccel: bytes | None


@frozen
class TpmPart:
    """`pcrs`: bank -> number -> value."""

    message: bytes
    signature: bytes
    ak_public: bytes
    ak_certificate: bytes | None
    event_log: bytes | None
    hcl_report: bytes | None
    pcrs: Mapping[str, Mapping[int, bytes]]


@frozen
class GuestAnswer:
    """`tls_key_sha256` is None over plain HTTP. `runtime_log` has its own format."""

    nonce: bytes
    tls_key_sha256: bytes | None
    report_data: bytes
    tdx: TdxPart | None
    tpm: TpmPart | None
    runtime_log: bytes
    manifests: tuple[bytes, ...]
    hostnames: tuple[str, ...]


def report_data_of(nonce: bytes, tls_key_sha256: bytes | None) -> bytes:
    """What REPORTDATA must be: 64 bytes. The key's digest is zeros over plain HTTP."""
    return hashlib.sha512(_DOMAIN + nonce + (tls_key_sha256 or bytes(_DIGEST_BYTES))).digest()


def qualifying_data_of(report_data: bytes) -> bytes:
    """What a TPM's quote has instead."""
    return hashlib.sha256(report_data).digest()


def parse_guest_answer(data: bytes) -> GuestAnswer:
    """Raises MalformedInputError that names the field; unknown fields are none of this version."""
    fields = _Fields(parse_json(data, _WHAT), "answer")
    version = fields.take("version")
    if type(version) is not int or version != _VERSION:
        raise _error("version", f"expected {_VERSION}")
    answer = GuestAnswer(
        fields.hexadecimal("nonce", NONCE_BYTES),
        None if fields.is_null("tls_key_sha256") else fields.hexadecimal("tls_key_sha256", _DIGEST_BYTES),
        fields.hexadecimal("report_data", _REPORT_DATA_BYTES),
        None if fields.is_null("tdx") else _tdx(_Fields(fields.take("tdx"), "tdx")),
        None if fields.is_null("tpm") else _tpm(_Fields(fields.take("tpm"), "tpm")),
        fields.text("runtime_log").encode("utf-8", "replace"),
        tuple(_base64(item, "manifests", _MOST_MANIFEST_BYTES) for item in fields.listed("manifests")),
        tuple(_name(item) for item in fields.listed("hostnames")),
    )
    fields.require_end()
    return answer


def _tdx(fields: _Fields) -> TdxPart:
    part = TdxPart(fields.base64("quote"), None if fields.is_null("ccel") else fields.base64("ccel"))
    fields.require_end()
    return part


def _tpm(fields: _Fields) -> TpmPart:
    part = TpmPart(
        fields.base64("message"),
        fields.base64("signature"),
        fields.base64("ak_public"),
        None if fields.is_null("ak_certificate") else fields.base64("ak_certificate"),
        None if fields.is_null("event_log") else fields.base64("event_log"),
        None if fields.is_null("hcl_report") else fields.base64("hcl_report"),
        {bank: _values(bank, values) for bank, values in _mapping(fields.take("pcrs"), "tpm.pcrs").items()},
    )
    fields.require_end()
    return part


def _values(bank: str, values: object) -> dict[int, bytes]:
    where = "tpm.pcrs"
    found: dict[int, bytes] = {}
    for name, text in _mapping(values, where).items():
        if bank not in _BANK_BYTES or not (name.isascii() and name.isdecimal() and str(int(name[:3])) == name):
            raise _error(where, "expected banks, and numbers of PCRs")
        found[int(name)] = _hexadecimal(text, where, _BANK_BYTES[bank])
    return found


def _name(item: object) -> str:
    if not isinstance(item, str) or not item.isascii() or not item.isprintable() or len(item) > _MOST_NAME:
        raise _error("hostnames", f"expected names of at most {_MOST_NAME} characters in ASCII")
    return item


class _Fields:
    """The fields of an object, each taken once."""

    def __init__(self, value: object, where: str) -> None:
        self._left, self._where = dict(_mapping(value, where)), where

    def take(self, name: str) -> object:
        if name not in self._left:
            raise _error(f"{self._where}.{name}", "is missing")
        return self._left.pop(name)

    def is_null(self, name: str) -> bool:
        """Takes it, if so."""
        if self._left.get(name, "") is not None:
            return False
        del self._left[name]
        return True

    def hexadecimal(self, name: str, size_bytes: int) -> bytes:
        return _hexadecimal(self.take(name), f"{self._where}.{name}", size_bytes)

    def base64(self, name: str) -> bytes:
        return _base64(self.take(name), f"{self._where}.{name}", _MOST_PART_BYTES)

    def text(self, name: str) -> str:
        value = self.take(name)
        if not isinstance(value, str):
            raise _error(f"{self._where}.{name}", "expected text")
        return value

    def listed(self, name: str) -> list[object]:
        value = self.take(name)
        if not isinstance(value, list) or len(value) > _MOST_LISTED:
            raise _error(f"{self._where}.{name}", f"expected a list of at most {_MOST_LISTED}")
        return value

    def require_end(self) -> None:
        if self._left:
            raise _error(f"{self._where}.{min(self._left)[:40]}", "is not a field of this version")


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _error(where, "expected an object")
    return value


def _hexadecimal(value: object, where: str, size_bytes: int) -> bytes:
    """In lower case, so that bytes have one spelling."""
    if isinstance(value, str) and len(value) == 2 * size_bytes and not set(value) - set("0123456789abcdef"):
        return bytes.fromhex(value)
    raise _error(where, f"expected {2 * size_bytes} hexadecimal digits in lower case")


def _base64(value: object, where: str, most_bytes: int) -> bytes:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None or len(data) > most_bytes:
        raise _error(where, f"expected at most {most_bytes} bytes in base64")
    return data


def _error(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=0, problem=problem)
