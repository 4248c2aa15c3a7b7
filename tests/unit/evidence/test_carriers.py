"""What evidence comes in. The quote and the logs are real; what they are wrapped in is made by the libraries that others use, or byte by byte."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from builders import eventlog as build
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.evidence.carriers import Kind, find_evidence
from teekit_verify.evidence.event_text import TextStatus, text_statuses
from teekit_verify.evidence.eventlog import LogKind
from teekit_verify.evidence.files import is_evidence, parse_evidence, parse_log, read_log
from teekit_verify.evidence.msgpack import parse_msgpack
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable

QUOTES = Path(__file__).parents[2] / "assets" / "quotes"
QUOTE = (QUOTES / "phala-v4.bin").read_bytes()
OTHER = (QUOTES / "go-tdx-guest-spr-e4.bin").read_bytes()
CCEL = (build.ASSETS / "gcp-cos113-ccel-data.bin").read_bytes()
SHORT = CCEL[:18101]
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _certificate(oid: str, value: bytes) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + dt.timedelta(days=1))
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
    return builder.add_extension(extension, critical=False).sign(key, SHA256())


def _octets(data: bytes) -> bytes:
    return b"\x04\x82" + struct.pack(">H", len(data)) + data


def _chunk(number: int, data: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    size, packed = len(data), b""
    while size > 0x7F:
        packed += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + packed + bytes([size]) + data


WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "base64url without padding": lambda data: _url(data).encode(),
    "hexadecimal": lambda data: data.hex().upper().encode(),
    "answer of Azure's metadata service": lambda data: _json({"quote": _url(data)}),
    "array of numbers": lambda data: _json(list(data)),
    "nested arrays": lambda data: _json({"a": [{"b": {"c": list(data)}}]}),
    "document in a document": lambda data: _json({"evidence": json.dumps({"quote": _b64(data)})}),
    "KBS": lambda data: _json({"tee-evidence": {"primary_evidence": {"quote": _b64(data)}, "additional_evidence": ""}}),
    "Tinfoil": lambda data: _json(
        {"format": "https://tinfoil.sh/predicate/tdx-guest/v2", "body": _b64(gzip.compress(data))}
    ),
    "Trust Authority's lines": lambda data: f"Quote: {_b64(data)}\nruntime_data: {_b64(b'x' * 60)}\n".encode(),
    "YAML": lambda data: (
        b"tdx_quote: |-\n  " + b"\n  ".join(_b64(data).encode()[i : i + 76] for i in range(0, 8000, 76))
    ),
    "RA-TLS": lambda data: _certificate("1.3.6.1.4.1.62397.1.1", data).public_bytes(Encoding.PEM),
    "RA-TLS in DER": lambda data: _certificate("1.3.6.1.4.1.62397.1.1", _octets(data)).public_bytes(Encoding.DER),
    "gzip": gzip.compress,
    "MessagePack": lambda data: b"\x82\xa7version\x01\xa5quote\xc5" + struct.pack(">H", len(data)) + data,
    "CBOR": lambda data: b"\xd9\xea\x60\x82\x59" + struct.pack(">H", len(data)) + data,
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_quote_is_found_in_it(name: str, tmp_path: Path) -> None:
    wrapped = WRAPPED[name](QUOTE)
    assert parse_quote(wrapped) == parse_quote(QUOTE)
    path = tmp_path / "evidence"
    path.write_bytes(wrapped)
    assert is_evidence(path)
    found = parse_evidence(wrapped, "x").quote
    assert found == parse_quote(QUOTE)


LOGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": lambda data: _b64(data).encode(),
    "hexadecimal": lambda data: data.hex().encode(),
    "CoCo": lambda data: _json({"cc_eventlog": _b64(data), "quote": _b64(QUOTE)}),
    "Trust Authority": lambda data: _json({"tdx": {"quote": _b64(QUOTE), "event_log": _b64(data)}}),
    "numbers": lambda data: _json({"log": list(data)}),
    "CCEL behind which the Attestation Agent has put its end": lambda data: _b64(
        data + b"\xff" * 9 + bytes(12)
    ).encode(),
    "go-tpm-tools": lambda data: _chunk(1, b"key") + _chunk(3, data),
}


@pytest.mark.parametrize("name", LOGS)
def test_a_log_is_found_in_it(name: str) -> None:
    wrapped = LOGS[name](SHORT)
    assert replay(parse_log(wrapped).events, Algorithm.SHA384) == replay(parse_log(CCEL).events, Algorithm.SHA384)
    log = parse_evidence(wrapped, "x").log
    assert log is not None
    assert log.kind is LogKind.CCEL


def test_an_attestation_of_dstack_in_scale_has_quote_and_log() -> None:
    data = (build.ASSETS / "dstack-attestation.bin").read_bytes()
    found = parse_evidence(data, "x")
    assert found.quote is not None
    assert found.log is not None
    values = replay(found.log.events, Algorithm.SHA384)
    for index in range(3):
        assert values[rtmr(index)] == found.quote.report.rtmrs[index]


def test_an_attestation_of_dstack_in_messagepack() -> None:
    """As rmp_serde writes AttestationV1: Vec<u8> as an array, digests as bytes."""
    name, payload = b"app-id", b"\x12\x34"
    event = b"\x85\xa3imr\x03\xaaevent_type\xce\x08\0\0\1\xa6digest\xc4\0\xa5event\xa6" + name
    event += b"\xadevent_payload\xc4\2" + payload
    numbers = b"".join(b"\xcc" + bytes([value]) for value in QUOTE)
    evidence = b"\x82\xa5quote\xdc" + struct.pack(">H", len(QUOTE)) + numbers + b"\xa9event_log\x91" + event
    data = b"\x82\xa7version\1\xa8platform\x82\xa4kind\xa3tdx\xa4data" + evidence
    found = parse_evidence(data, "x")
    assert found.quote == parse_quote(QUOTE)
    assert found.log is not None
    assert not found.log.has_boot_events
    assert text_statuses(found.log.events) == (TextStatus.VERIFIED,)


def test_of_several_quotes_the_one_in_the_usual_field_is_meant_or_none() -> None:
    assert parse_quote(_json({"quote": _b64(QUOTE), "previous": _b64(OTHER)})) == parse_quote(QUOTE)
    assert parse_quote(_json({"a": _b64(QUOTE), "b": QUOTE.hex()})) == parse_quote(QUOTE)
    with pytest.raises(MalformedInputError, match="there are 2 different quotes in it: a, b"):
        parse_quote(_json({"a": _b64(QUOTE), "b": _b64(OTHER)}))
    with pytest.raises(MalformedInputError, match="there are 2 different event logs in it: a, b"):
        parse_log(_json({"a": _b64(SHORT), "b": _b64((build.ASSETS / "ovmf-swtpm-uki.bin").read_bytes())}))


SNP = struct.pack("<I", 2).ljust(52, b"\0") + struct.pack("<I", 1).ljust(1132, b"\0")
SGX = b"\3\0\2\0" + bytes(8) + bytes.fromhex("939a7233f79c4ca9940a0db3957f0607") + bytes(500)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x81\0\1\0" + bytes(1020), "this is a TDREPORT: only the machine that made it can check it"),
        (SNP, "this is an attestation report of AMD SEV-SNP"),
        (SGX, "this is a quote of an SGX enclave"),
    ],
)
@pytest.mark.parametrize("wrap", [bytes, lambda data: _json({"report": _b64(data)})])
def test_other_evidence_is_named(data: bytes, message: str, wrap: Callable[[bytes], bytes]) -> None:
    for read in (parse_quote, parse_log):
        with pytest.raises(UnsupportedInputError, match=message) as caught:
            read(wrap(data))
        assert caught.value.hint


CONTENT = {"string": "enter-initrd", "eventType": "phase"}


def test_logs_of_what_happens_later() -> None:
    """systemd's tpm2-measure.log (JSON text sequences) and pcrlock's CEL; digests by hashlib."""
    digest = hashlib.sha256(b"enter-initrd").hexdigest()
    record = {"pcr": 11, "digests": [{"hashAlg": "sha256", "digest": digest}], "content": CONTENT}
    data = b"".join(b"\x1e" + _json({**record, "content_type": "systemd"}) + b"\n" for _ in range(2))
    log = parse_log(data)
    assert [event.register for event in log.events] == [pcr(11)] * 2
    assert text_statuses(log.events) == (TextStatus.VERIFIED,) * 2
    forged = parse_log(data.replace(b"enter-initrd", b"leave-initrd", 1))
    assert text_statuses(forged.events) == (TextStatus.FORGED, TextStatus.VERIFIED)
    of_a_key = parse_log(data.replace(b'"phase"', b'"volume-key"').replace(b"enter-initrd", b"cryptsetup:x"))
    assert text_statuses(of_a_key.events) == (TextStatus.NOT_COVERED,) * 2, "an HMAC with the key"
    assert parse_log(_json([record])).events[0].digests[0].hex == digest


def test_cos_events_in_tlv() -> None:
    def tlv(kind: int, value: bytes) -> bytes:
        return bytes([kind]) + struct.pack(">I", len(value)) + value

    content = tlv(80, tlv(1, b"sha256:12"))
    record = tlv(0, bytes(8)) + tlv(108, b"\4") + tlv(3, tlv(0xC, hashlib.sha384(content).digest())) + content
    (event,) = parse_log(record).events
    assert (event.register, text_statuses((event,))) == (rtmr(3), (TextStatus.VERIFIED,))
    changed = record.replace(b"sha256:12", b"sha256:13")
    assert text_statuses(parse_log(changed).events) == (TextStatus.FORGED,)


def test_an_ima_list_is_replayed_in_every_bank_and_checked() -> None:
    log = read_log(build.ASSETS / "ima-ng.txt")
    assert log.algorithms == (Algorithm.SHA1, Algorithm.SHA256, Algorithm.SHA384)
    assert set(text_statuses(log.events)) == {TextStatus.VERIFIED}
    forged = (build.ASSETS / "ima-ng.txt").read_bytes().replace(b"/bin/sh", b"/bin/no", 1)
    assert TextStatus.FORGED in text_statuses(parse_log(forged).events)
    in_td = read_log(build.ASSETS / "ima-cc.txt")
    assert (in_td.kind, in_td.events[0].register) == (LogKind.CCEL, rtmr(2))


def test_an_ima_list_extends_rtmr2_of_a_ccel(tmp_path: Path) -> None:
    path = tmp_path / "ccel"
    path.write_bytes(SHORT)
    log = read_log(path, ima=build.ASSETS / "ima-cc.txt")
    listed = (build.ASSETS / "ima-cc.txt").read_text().split()[1]
    assert (log.events[-1].register, log.events[-1].digests[0].hex) == (rtmr(2), listed)


def test_an_older_attestation_agents_log_extends_rtmr3() -> None:
    """Trustee, kbs/docs/confidential-containers-eventlog.md; digests by hashlib."""
    text = f"INIT sha384/{'00' * 48}\ngithub.com/x bind a\ngithub.com/x bind b\n"
    value = bytes(48)
    for line in (b"github.com/x bind a", b"github.com/x bind b"):
        value = hashlib.sha384(value + hashlib.sha384(line).digest()).digest()
    assert replay(parse_log(text.encode()).events, Algorithm.SHA384)[rtmr(3)].value == value
    log = parse_log(_json({"cc_eventlog": _b64(SHORT), "aa_eventlog": text}))
    assert replay(log.events, Algorithm.SHA384)[rtmr(3)].value == value
    assert len(log.events) == 45
    with pytest.raises(UnsupportedInputError, match="begins behind other events"):
        parse_log(text.replace("00", "01").encode())


def test_messagepack_is_bounded() -> None:
    with pytest.raises(MalformedInputError, match="needs"):
        parse_msgpack(b"\xdd\xff\xff\xff\xff", "x")
    with pytest.raises(MalformedInputError, match="nested too deeply"):
        parse_msgpack(b"\x91" * 100 + b"\1", "x")
    with pytest.raises(MalformedInputError, match="occurs twice"):
        parse_msgpack(b"\x82\xa1a\1\xa1a\2", "x")
    with pytest.raises(MalformedInputError, match="2 bytes follow"):
        parse_msgpack(b"\1\2\3", "x")


def test_nesting_has_an_end() -> None:
    data = QUOTE
    for _ in range(5):
        data = _b64(data).encode()
    assert [item.kind for item in find_evidence(data)] == [Kind.QUOTE]
    for _ in range(40):
        data = gzip.compress(data)
    assert find_evidence(data) == ()


def test_there_is_an_end_to_what_is_found() -> None:
    logs = [_b64(SHORT[:300] + bytes([number])) for number in range(70)]
    with pytest.raises(MalformedInputError, match="more than 64 pieces of evidence in one file"):
        find_evidence(_json(logs))
    texts = [_b64(number.to_bytes(96, "big")) for number in range(6_000)]
    with pytest.raises(MalformedInputError, match="more than 10000 texts in which evidence could be") as caught:
        find_evidence(_json({"\x1b[31m": texts}))
    assert "\x1b" not in caught.value.message


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    for read in (parse_quote, parse_log):
        try:
            read(data)
        except TeekitError:
            continue
