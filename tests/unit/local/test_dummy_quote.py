"""Dummy quotes: our parser, dcap-qvl and OpenSSL find every field and signature where it belongs, and nobody believes them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dcap_qvl
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from builders.tools import require
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.authenticity import parse_signature
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.local.dummy_quote import MARK, DummySigner
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
AT = ["--at", "2026-11-23T07:00:00Z"]
REPORT_DATA = bytes(range(64))
RTMR1, RTMR2 = b"\x11" * 48, b"\x22" * 48
SIGNER = DummySigner.create(NOW)
QUOTE = SIGNER.quote(REPORT_DATA, {rtmr(1): Digest(Algorithm.SHA384, RTMR1), rtmr(2): Digest(Algorithm.SHA384, RTMR2)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dummy.bin"
    path.write_bytes(QUOTE)
    return path


def test_every_field_as_our_parser_reads_it() -> None:
    quote = parse_quote(QUOTE)
    report = quote.report
    assert (quote.version, quote.attestation_key_name, quote.extra_bytes) == (4, "ECDSA-P256", b"")
    assert quote.user_data == b"DUMMY-NOT-A-TD-QUOTE"
    assert report.mrconfigid == b"DUMMY-NOT-A-TD-QUOTE" + bytes(28)
    assert [value.value for value in report.rtmrs] == [bytes(48), RTMR1, RTMR2, bytes(48)]
    assert report.report_data == REPORT_DATA
    assert report.mrtd.value == report.mrseam.value == report.mrsignerseam.value == bytes(48)
    assert report.mrowner == report.mrownerconfig == bytes(48)
    assert report.attribute_names() == ("SEPT_VE_DISABLE",)
    assert report.xfam == bytes.fromhex("e700000000000000")


def test_every_field_as_dcap_qvl_reads_it() -> None:
    quote = dcap_qvl.parse_quote(QUOTE)
    report = quote.report
    assert quote.is_tdx()
    assert report.mr_config_id == MARK + bytes(28)
    assert [report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3] == [bytes(48), RTMR1, RTMR2, bytes(48)]
    assert report.report_data == REPORT_DATA
    assert (report.mr_td, report.mr_owner, report.mr_owner_config) == (bytes(48),) * 3
    assert report.td_attributes == bytes.fromhex("0000001000000000")
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in SIGNER.chain)
    assert bytes(quote.cert_chain_pem_bytes()) == chain


def test_the_signatures_are_right() -> None:
    """With the cryptography library alone: quote by attestation key, QE report by PCK key, the key by the QE report."""
    quote = parse_quote(QUOTE)
    signature = parse_signature(quote)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + signature.attestation_key)
    _verify(key, signature.signature, QUOTE[:632])  # header and body
    pck_key = SIGNER.chain[0].public_key()
    assert isinstance(pck_key, ec.EllipticCurvePublicKey)
    _verify(pck_key, signature.qe_report_signature, signature.qe_report.signed)
    bound = hashlib.sha256(signature.attestation_key + signature.qe_auth_data).digest()
    assert signature.qe_report.report_data == bound + bytes(32)


def _verify(key: ec.EllipticCurvePublicKey, raw: bytes, data: bytes) -> None:
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))


def test_openssl_follows_the_certificates_to_their_root(tmp_path: Path) -> None:
    for name, certificate in zip(("pck", "ca", "root"), SIGNER.chain, strict=True):
        (tmp_path / name).write_bytes(certificate.public_bytes(Encoding.PEM))
        assert "DUMMY" in certificate.subject.rfc4514_string()
        assert certificate.not_valid_after_utc == NOW + timedelta(days=1)
    at = ["-attime", str(int(NOW.timestamp()) + 3600)]
    argv = [require("openssl"), "verify", *at, "-CAfile", "root", "-untrusted", "ca", "pck"]
    found = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "pck: OK\n"), found.stderr


def test_it_is_not_authentic(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quote", str(file), *AT]) is ExitStatus.DOES_NOT_HOLD
    out = " ".join(capsys.readouterr().out.split())
    assert "authentic: NO" in out
    assert 'the PCK certificate is named "DUMMY PCK certificate, not Intel\'s"' in out
    assert "acceptable: NO: what is not authentic proves nothing" in out


def test_not_even_with_the_root_that_it_brings_along(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(SIGNER.chain[2].public_bytes(Encoding.PEM))
    argv = ["quote", str(file), *AT, "--trusted-root", str(root), "--report-data", REPORT_DATA.hex(), "--json"]
    assert main(argv) is ExitStatus.DOES_NOT_HOLD
    document = json.loads(capsys.readouterr().out)
    outcomes = {check["name"]: check["outcome"] for check in document["authentic"]["checks"]}
    refused = {name for name, outcome in outcomes.items() if outcome == "mismatch"}
    assert refused == {"quoting enclave is Intel's", "certificates name their issuers", "certificates allow this use"}
    assert document["acceptable"]["holds"] is False


def test_each_run_has_keys_of_its_own() -> None:
    again = DummySigner.create(NOW)
    keys = {_public(certificate) for signer in (SIGNER, again) for certificate in signer.chain}
    assert len(keys) == 6


def _public(certificate: x509.Certificate) -> int:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_numbers().x


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_has_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"report data has 64 bytes, not {size}"):
        SIGNER.quote(bytes(size), {})
