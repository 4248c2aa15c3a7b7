"""The fields of a TDX quote, and the forms in which quotes are handed around. Structure only: no signature is verified here.

Layout: Intel TDX DCAP Quoting Library API, appendix A.3 (version 4) and A.4 (version 5: a body type and size before the
body), all integers little-endian. The body is a TD report of TDX 1.0, or of TDX 1.5 with two fields more. The names of
fields are those of the Intel TDX module ABI specification (TDREPORT_STRUCT, TEE_TCB_INFO, TDINFO_STRUCT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.carriers import LOGS, Kind, find_evidence, foreign_in
from teekit_verify.evidence.encoded import decode_bytes, decode_text
from teekit_verify.evidence.plain_json import MAX_EVIDENCE_BYTES, is_text, parse_json
from teekit_verify.evidence.td_attributes import attribute_names
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, Register, RegisterKind

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.evidence.carriers import Carried

_WHAT = "quote"
_TEE_TDX = 0x81
_TEE_SGX = 0x0
_BODY_TDX_10, _BODY_TDX_15 = 2, 3
_BODY_BYTES = {_BODY_TDX_10: 584, _BODY_TDX_15: 648}
_VERSION_4, _VERSION_5 = 4, 5
_KEY_TYPES = {2: "ECDSA-P256", 3: "ECDSA-P384"}
_JSON_PATHS = (("quote",), ("tdx", "quote"), ("td_quote",), ("tdx_quote_base64",))
"""Where the quote is in JSON: dstack's and Azure's (acc/tdquote) answers; Intel Trust Authority's client; evidence of Azure
guests by Confidential Containers and by Flashbots (evidence.azure). A quote elsewhere is found too, if it is the only one."""
_JSON_NAMES = frozenset(".".join(path) for path in _JSON_PATHS)


DUMMY_MARK = b"DUMMY-NOT-A-TD-QUOTE"
"""The user data of quotes that this project makes for trying things out (local.dummy_quote)."""


@frozen
class TdReport:
    """What the TDX module reports about itself and the TD. Digests are SHA-384; what may have any content is bytes.

    SVNs have 16 bytes; SEAM attributes, TD attributes and XFAM 8 bytes, in the order of the report; REPORTDATA has 64.
    The last two are None in a report of TDX 1.0.
    """

    tee_tcb_svn: bytes
    mrseam: Digest
    mrsignerseam: Digest
    seam_attributes: bytes
    td_attributes: bytes
    xfam: bytes
    mrtd: Digest
    mrconfigid: bytes
    mrowner: bytes
    mrownerconfig: bytes
    rtmrs: tuple[Digest, ...]
    report_data: bytes
    tee_tcb_svn2: bytes | None
    mrservicetd: Digest | None

    def value(self, register: Register) -> Digest:
        """MRTD or an RTMR. Raises TeekitError for a PCR."""
        if register == MRTD:
            return self.mrtd
        if register.kind is not RegisterKind.RTMR:
            raise TeekitError(f"a TDX quote has no {register}")
        return self.rtmrs[register.index]

    def attribute_names(self) -> tuple[str, ...]:
        """The TD attributes that are set, unknown ones as `bit 7`."""
        return attribute_names(int.from_bytes(self.td_attributes, "little"))


@frozen
class Quote:
    """A quote whose signature was not verified. `signed` are the bytes that the signature is over (header and body).

    `extra_bytes` follow the quote, without zeros at their end, which are padding. They are no part of it and nothing vouches
    for them; google/go-tdx-guest (abi.go, ExtraBytes) and dcap-qvl (quote.rs, Quote::parse) pass over them too.
    """

    version: int
    attestation_key_type: int
    qe_vendor_id: bytes
    user_data: bytes
    report: TdReport
    signed: bytes
    signature_data: bytes
    extra_bytes: bytes = b""

    @property
    def extra_bytes_in_words(self) -> str:
        return f"{len(self.extra_bytes)} bytes follow the quote: they are not part of it, and nothing vouches for them"

    @property
    def attestation_key_name(self) -> str:
        """The specification's name, or the number of a type it does not list."""
        return _KEY_TYPES.get(self.attestation_key_type, f"type {self.attestation_key_type}")


def read_quote(path: Path) -> Quote:
    """The quote in a file of at most 16 MiB, in whatever carries it (`evidence.carriers`). Raises TeekitError."""
    return parse_quote(read_bounded(path, MAX_EVIDENCE_BYTES, "a quote"))


def parse_quote(data: bytes) -> Quote:
    """Likewise. Raises TeekitError; offsets are those in the quote."""
    if len(data) > MAX_EVIDENCE_BYTES:
        raise TeekitError(f"{len(data)} bytes are too few for a quote, which has several thousand")
    found = find_evidence(data, _WHAT)
    quotes = [item for item in found if item.kind is Kind.QUOTE]
    if quotes:
        return parse_quote_bytes(_only(quotes))
    foreign = foreign_in(found)
    if foreign is not None:
        foreign.refuse()
    if any(item.kind in LOGS for item in found):
        raise UnsupportedInputError("this is an event log without a quote", hint="Use `replay`, or give the quote too.")
    return parse_quote_bytes(_unwrap(data) if is_text(data) else data)


def _only(quotes: list[Carried]) -> bytes:
    """One; of several the one in a field where quotes are. Raises MalformedInputError: nobody said which is meant."""
    named = [item for item in quotes if item.place in _JSON_NAMES]
    chosen = quotes if len(quotes) == 1 else named
    if len(chosen) != 1 or not isinstance(chosen[0].content, bytes):
        places = ", ".join(printable(item.place or "text") for item in quotes[:8])
        problem = f"there are {len(quotes)} different quotes in it: {places}"
        raise MalformedInputError(_WHAT, field="JSON", offset=0, problem=problem, hint="Give one of them in a file.")
    return chosen[0].content


def _unwrap(data: bytes) -> bytes:
    """Of what holds no quote, what should have been one: to say what is wrong with it."""
    text = data.decode("utf-8").strip()
    if not text.startswith(("{", '"', "[")):
        return decode_text(text, _WHAT, "text")
    return _in_json(parse_json(data, _WHAT))


def _in_json(document: object) -> bytes:
    if isinstance(document, str):
        return decode_text(document, _WHAT, "JSON")
    for path in _JSON_PATHS:
        value = document
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str | list):
            return decode_bytes(value, _WHAT, ".".join(path))
    places = " or ".join(".".join(path) for path in _JSON_PATHS)
    raise MalformedInputError(_WHAT, field="JSON", offset=0, problem=f"there is no quote in the field {places}")


def parse_quote_bytes(data: bytes) -> Quote:
    """A quote as bytes, with whatever follows it. Raises TeekitError."""
    reader = Reader(memoryview(data), _WHAT)
    version = reader.u16("version")
    if version not in (_VERSION_4, _VERSION_5):
        problem = f"expected 4 or 5, found {version}"
        raise MalformedInputError(_WHAT, field="version", offset=0, problem=problem)
    key_type = reader.u16("attestation key type")
    _require_tdx(reader)
    reader.take(4, "reserved")
    vendor, user_data = bytes(reader.take(16, "QE vendor ID")), bytes(reader.take(20, "user data"))
    body_type = _BODY_TDX_10 if version == _VERSION_4 else _body_type(reader)
    report = _report(reader, body_type)
    signed = data[: reader.position]
    signature_data = bytes(reader.take(reader.u32("signature data size"), "signature data"))
    extra = bytes(reader.data[reader.position :]).rstrip(b"\0")
    return Quote(version, key_type, vendor, user_data, report, signed, signature_data, extra)


def _require_tdx(reader: Reader) -> None:
    offset = reader.position
    tee_type = reader.u32("TEE type")
    if tee_type == _TEE_SGX:
        raise UnsupportedInputError("this is a quote of an SGX enclave, not of a TD")
    if tee_type != _TEE_TDX:
        problem = f"expected {_TEE_TDX:#x} (TDX), found {tee_type:#x}"
        raise MalformedInputError(_WHAT, field="TEE type", offset=offset, problem=problem)


def _body_type(reader: Reader) -> int:
    offset = reader.position
    body_type, size = reader.unpack("HI", "body type and size")
    if body_type not in _BODY_BYTES:
        problem = f"expected 2 (TDX 1.0) or 3 (TDX 1.5), found {body_type}"
        raise MalformedInputError(_WHAT, field="body type", offset=offset, problem=problem)
    if size != _BODY_BYTES[body_type]:
        problem = f"expected {_BODY_BYTES[body_type]} for body type {body_type}, found {size}"
        raise MalformedInputError(_WHAT, field="body size", offset=offset + 2, problem=problem)
    return body_type


def _report(reader: Reader, body_type: int) -> TdReport:
    def take(size_bytes: int, field: str) -> bytes:
        return bytes(reader.take(size_bytes, field))

    def digest(field: str) -> Digest:
        return Digest(Algorithm.SHA384, take(48, field))

    has_15 = body_type == _BODY_TDX_15
    return TdReport(
        tee_tcb_svn=take(16, "TEE_TCB_SVN"),
        mrseam=digest("MRSEAM"),
        mrsignerseam=digest("MRSIGNERSEAM"),
        seam_attributes=take(8, "SEAM attributes"),
        td_attributes=take(8, "TD attributes"),
        xfam=take(8, "XFAM"),
        mrtd=digest("MRTD"),
        mrconfigid=take(48, "MRCONFIGID"),
        mrowner=take(48, "MROWNER"),
        mrownerconfig=take(48, "MROWNERCONFIG"),
        rtmrs=tuple(digest(f"RTMR{index}") for index in range(RTMR_COUNT)),
        report_data=take(64, "REPORTDATA"),
        tee_tcb_svn2=take(16, "TEE_TCB_SVN2") if has_15 else None,
        mrservicetd=digest("MRSERVICETD") if has_15 else None,
    )
