"""Launch endorsements: Google's own, and ones signed by keys of the tests. Expected: Google's file, and openssl."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from builders import tools
from teekit_verify.core.errors import MalformedInputError, NotAuthenticError, TeekitError
from teekit_verify.reference.formats import load_published
from teekit_verify.reference.google_signature import TrustedRoot, load_certificate
from teekit_verify.reference.protobuf import parse_message
from teekit_verify.registers.registers import MRTD

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parents[2] / "assets" / "formats"
ENDORSEMENT = (FOLDER / "gce-endorsement.binarypb").read_bytes()
GOOGLE = TrustedRoot(load_certificate(FOLDER / "GCE-cc-tcb-root_1.pem"), datetime(2026, 10, 1, tzinfo=UTC))
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MRTD_VALUE, FIRMWARE = b"\x11" * 48, b"\x22" * 48


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def root_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def chunk(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    issuer: ec.EllipticCurvePrivateKey,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    name: str = "signer",
) -> x509.Certificate:
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=NOW - timedelta(days=10),
        not_valid_after=NOW + timedelta(days=10),
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer, SHA256())


def _usage(*, signature: bool = True) -> tuple[x509.ExtensionType, bool]:
    others = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=signature, **others), True


def _golden(certificate: x509.Certificate, *more: bytes, tdx: bytes | None = None) -> bytes:
    measurement = integer(1, 16) + integer(2, 1) + chunk(3, MRTD_VALUE)
    return b"".join(
        [
            chunk(1, integer(1, int(NOW.timestamp()))),
            integer(2, 42),
            chunk(4, certificate.public_bytes(Encoding.DER)),
            chunk(5, FIRMWARE),
            chunk(8, integer(1, 3) + chunk(2, measurement) if tdx is None else tdx),
            *more,
        ]
    )


def _signed(golden: bytes, key: rsa.RSAPrivateKey, salt_bytes: int = 32) -> bytes:
    scheme = padding.PSS(padding.MGF1(SHA256()), salt_bytes)
    return chunk(1, golden) + chunk(2, key.sign(golden, scheme, SHA256()))


def _root(root_key: ec.EllipticCurvePrivateKey, at: datetime = NOW) -> TrustedRoot:
    return TrustedRoot(_certificate(root_key, root_key, name="root"), at)


def _load(tmp_path: Path, data: bytes, root: TrustedRoot | None) -> object:
    path = tmp_path / "endorsement.binarypb"
    path.write_bytes(data)
    return load_published(path, root)


def test_googles_endorsement_says_which_mrtd_its_firmware_has() -> None:
    """MRTD is the name of the object that Google publishes, and what a quote of 2026-10-01 has (see the README)."""
    (values,) = load_published(FOLDER / "gce-endorsement.binarypb", GOOGLE).values
    (register,) = values.platforms["gcp"].values()
    assert [str(value.register.value(bank)) for value in register.acceptable for bank in value.register.banks] == [
        "sha384:c1ee9c16e3afc506cfe042c5b846a368528f3b37618eafb27469bc114cf914e9222c91618470e7f2b28ac360968270a5"
    ]
    assert list(values.platforms["gcp"]) == [MRTD]
    assert dict(values.not_compared)["endorsed on"] == "2026-05-21"


def _openssl(folder: Path, *arguments: str) -> bytes:
    run = subprocess.run([tools.require("openssl"), *arguments], cwd=folder, check=True, capture_output=True)
    return run.stdout


def test_openssl_says_the_same_of_googles_signature(tmp_path: Path) -> None:
    """The commands of google/gce-tcb-verifier, gcetcbendorsement/verify.go."""
    outer = parse_message(memoryview(ENDORSEMENT), "endorsement", chunks=(1, 2))
    golden = parse_message(outer.chunk(1), "golden", integers=(2,), chunks=(1, 4, 5, 6, 7, 8))
    for name, data in (("payload", outer.chunk(1)), ("signature", outer.chunk(2)), ("cert.der", golden.chunk(4))):
        (tmp_path / name).write_bytes(data)
    root, moment = str(FOLDER / "GCE-cc-tcb-root_1.pem"), str(int(GOOGLE.at.timestamp()))
    _openssl(tmp_path, "x509", "-inform", "DER", "-in", "cert.der", "-out", "cert.pem")
    assert _openssl(tmp_path, "verify", "-attime", moment, "-CAfile", root, "cert.pem") == b"cert.pem: OK\n"
    (tmp_path / "key.pem").write_bytes(_openssl(tmp_path, "x509", "-in", "cert.pem", "-pubkey", "-noout"))
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256"]
    verify = ["-verify", "key.pem", "-signature", "signature", "payload"]
    assert _openssl(tmp_path, "dgst", "-sha256", *options, *verify) == b"Verified OK\n"


def test_nothing_is_trusted_by_default(tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticError, match="is signed by Google, but no certificate was given") as caught:
        _load(tmp_path, ENDORSEMENT, None)
    assert caught.value.hint == "Give the file of Google's root certificate with --google-root."


def test_another_root_is_not_googles(tmp_path: Path, root_key: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(NotAuthenticError, match="the signing certificate was not issued by the given root"):
        _load(tmp_path, ENDORSEMENT, _root(root_key))


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (
            datetime(2026, 5, 5, tzinfo=UTC),
            "the signing certificate is valid from 2026-05-05 to 2031-05-05, not at 2026-05-05",
        ),
        (
            datetime(2031, 5, 6, tzinfo=UTC),
            "the signing certificate is valid from 2026-05-05 to 2031-05-05, not at 2031-05-06",
        ),
    ],
)
def test_certificates_must_be_good_at_the_time(tmp_path: Path, at: datetime, message: str) -> None:
    with pytest.raises(NotAuthenticError, match=message):
        _load(tmp_path, ENDORSEMENT, replace(GOOGLE, at=at))


def test_no_changed_byte_is_accepted(tmp_path: Path) -> None:
    """One bit of each tenth byte or so; `ca_bundle` and all else is under the signature."""
    choice = random.Random(1)  # noqa: S311 - the same bytes in every run
    for position in sorted(choice.sample(range(len(ENDORSEMENT)), 500)):
        changed = bytearray(ENDORSEMENT)
        changed[position] ^= 1 << choice.randrange(8)
        with pytest.raises(TeekitError):
            _load(tmp_path, bytes(changed), GOOGLE)


def test_every_way_to_start_the_firmware_is_acceptable(
    tmp_path: Path, key: rsa.RSAPrivateKey, root_key: ec.EllipticCurvePrivateKey
) -> None:
    certificate = _certificate(key, root_key, [_usage()])
    tdx = b"".join(chunk(2, integer(1, memory) + chunk(3, bytes([memory]) * 48)) for memory in (16, 32))
    path = tmp_path / "two.binarypb"
    path.write_bytes(_signed(_golden(certificate, tdx=tdx), key))
    (values,) = load_published(path, _root(root_key)).values
    acceptable = values.platforms["gcp"][MRTD].acceptable
    assert [value.label for value in acceptable] == ["measurement 1, 16 GiB", "measurement 2, 32 GiB"]
    path.write_bytes(_signed(_golden(certificate), key))
    (values,) = load_published(path, _root(root_key)).values
    assert [value.label for value in values.platforms["gcp"][MRTD].acceptable] == [
        "measurement 1, 16 GiB, early accept"
    ]
    assert (values.name, dict(values.not_compared)["endorsed SVN"]) == ("firmware 42", "3")


def test_the_salt_has_32_bytes(tmp_path: Path, key: rsa.RSAPrivateKey, root_key: ec.EllipticCurvePrivateKey) -> None:
    golden = _golden(_certificate(key, root_key, [_usage()]))
    with pytest.raises(NotAuthenticError, match="the signature is not valid"):
        _load(tmp_path, _signed(golden, key, salt_bytes=20), _root(root_key))


@pytest.mark.parametrize(
    ("extensions", "message"),
    [
        ([], "does not say what its key is for"),
        ([_usage(signature=False)], "is not for digital signatures"),
        (
            [_usage(), (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)],
            r"has unknown critical extensions: 1\.2\.3\.4",
        ),
    ],
)
def test_a_certificate_must_be_for_signing(
    tmp_path: Path,
    key: rsa.RSAPrivateKey,
    root_key: ec.EllipticCurvePrivateKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
    message: str,
) -> None:
    golden = _golden(_certificate(key, root_key, extensions))
    with pytest.raises(NotAuthenticError, match=message):
        _load(tmp_path, _signed(golden, key), _root(root_key))


def test_a_key_that_is_not_rsa_is_refused(
    tmp_path: Path, key: rsa.RSAPrivateKey, root_key: ec.EllipticCurvePrivateKey
) -> None:
    golden = _golden(_certificate(root_key, root_key, [_usage()]))
    with pytest.raises(NotAuthenticError, match="has no RSA key of at least 2048 bits"):
        _load(tmp_path, _signed(golden, key), _root(root_key))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((b"", b""), r"endorses no TDX firmware \(it has no field 'tdx'\)"),
        ((integer(1, 1), b""), "VMTdx: has no measurements"),
        ((chunk(2, chunk(3, b"short")), b""), r"VMTdx\.Measurement: mrtd: a SHA-384 digest has 48 bytes, found 5"),
        ((chunk(2, chunk(9, b"")), b""), r"VMTdx\.Measurement: field 9 at offset 0x1: is not known"),
        ((None, chunk(9, b"")), "VMGoldenMeasurement: field 9 at offset 0x[0-9a-f]+: is not known"),
        ((None, integer(5, 1)), r"VMGoldenMeasurement: field 5 at offset 0x[0-9a-f]+: is not known \(wire type 0\)"),
        ((None, chunk(1, integer(1, 1 << 60))), "Timestamp: is not a time"),
        ((None, chunk(5, b"")), "VMGoldenMeasurement: digest: a SHA-384 digest has 48 bytes, found 0"),
    ],
)
def test_what_nobody_has_looked_at_is_refused_although_it_is_signed(
    tmp_path: Path,
    key: rsa.RSAPrivateKey,
    root_key: ec.EllipticCurvePrivateKey,
    changes: tuple[bytes | None, bytes],
    message: str,
) -> None:
    tdx, more = changes
    golden = _golden(_certificate(key, root_key, [_usage()]), more, tdx=tdx)
    with pytest.raises(TeekitError, match=message):
        _load(tmp_path, _signed(golden, key), _root(root_key))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "key at offset 0x1: needs 1 bytes, 0 are left"),
        (b"\x08" + b"\xff" * 10, "field 1 at offset 0xb: is an integer of more than 10 bytes"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "field 1 at offset 0xb: is an integer of more than 64 bits"),
        (b"\x12\x05abc", "field 2 at offset 0x2: needs 5 bytes, 3 are left"),
        (b"\x12\xff\xff\xff\xff\x0f", "field 2 at offset 0x6: needs 4294967295 bytes, 0 are left"),
        (b"\x0d1234", r"field 1 at offset 0x1: is not known \(wire type 5\)"),
        (b"\x00\x00", "field 0 at offset 0x1: is not known"),
        (b"\x08\x01" * 10_001, "has more than 10000 fields"),
    ],
)
def test_messages_that_do_not_end_where_they_should(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        parse_message(memoryview(data), "message", integers=(1,), chunks=(2,))


def test_the_worked_examples_of_the_encoding() -> None:
    """protobuf.dev, Encoding: 150 in field 1, "testing" in field 2; of a field that stands twice the last one counts."""
    found = parse_message(memoryview(bytes.fromhex("089601120774657374696e67")), "m", integers=(1,), chunks=(2,))
    assert (found.integer(1), bytes(found.chunk(2))) == (150, b"testing")
    twice = parse_message(memoryview(b"\x08\x01\x08\x02"), "m", integers=(1,))
    assert (twice.integer(1), twice.integers[1], twice.integer(7), bytes(twice.chunk(7))) == (2, [1, 2], 0, b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a certificate"),
        (b"-----BEGIN CERTIFICATE-----\n", "is not a certificate"),
        ((FOLDER / "GCE-cc-tcb-root_1.pem").read_bytes() * 2, "expected one certificate, found 2"),
    ],
)
def test_a_root_that_is_no_certificate(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "root.crt"
    path.write_bytes(content)
    with pytest.raises(TeekitError, match=message):
        load_certificate(path)
    with pytest.raises(TeekitError, match=r"none\.crt: cannot be read"):
        load_certificate(tmp_path / "none.crt")


def test_a_root_may_be_der(tmp_path: Path) -> None:
    path = tmp_path / "root.crt"
    path.write_bytes(GOOGLE.certificate.public_bytes(Encoding.DER))
    assert load_certificate(path) == GOOGLE.certificate
