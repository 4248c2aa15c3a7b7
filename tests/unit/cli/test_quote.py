"""`quote` through main(argv): exit status, both answers, and requests."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders import azure, docs, guests
from builders import quotes as build
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.model import RegisterValue
from teekit_verify.evidence import intel_root
from teekit_verify.evidence.azure import read_vtpm
from teekit_verify.evidence.quote import read_quote
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = ["--allow-unchecked", "report-data,tcb,revocation"]
AT = ["--at", "2026-02-03T01:00:00Z", *ALLOWED]
COS = str(build.REAL["cos"])
NONCE = str(build.ASSETS / "quotes" / "gcp-cos113-nonce.bin")
COLLATERAL = str(build.ASSETS / "quotes" / "phala-v4-collateral.json")


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[ExitStatus, str, str]:
    status = main(["quote", *argv])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("name", build.REAL)
def test_real_quotes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The registers are those that the parser reads, which has tests of its own."""
    status, out, _ = run(capsys, str(build.REAL[name]), *AT, "--json")
    document: dict[str, Any] = json.loads(out)
    assert status is ExitStatus.HOLDS
    assert (document["schema"], document["exit_status"]) == ("teekit-verify/quote/v1", 0)
    assert document["authentic"]["holds"] is True
    assert document["acceptable"]["holds"] is True
    assert document["fields"]["MRTD"] == read_quote(build.REAL[name]).report.mrtd.hex
    assert document["not_checked"] == [
        "PCK certificate is not revoked",
        "PCK CA is not revoked",
        "REPORTDATA",
        "TCB status",
    ]


def test_the_checklist_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, COS, *AT, "--nonce", NONCE)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert status is ExitStatus.HOLDS
    assert lines[0] == "TDX quote, version 4, ECDSA-P256"
    assert "1 header and body are signed match" in lines
    assert "19 REPORTDATA match is the nonce" in lines
    assert "20 TCB status not checked no collateral was given: the platform may lack security updates" in lines
    assert lines[-5:] == [
        "not checked: PCK certificate is not revoked: no revocation list of its authority was given",
        "not checked: PCK CA is not revoked: no revocation list of its authority was given",
        "not checked: TCB status: no collateral was given: the platform may lack security updates",
        "authentic: YES in everything checked; 2 not checked, see above",
        "acceptable: YES in everything checked; 1 not checked, see above",
    ]


def test_what_is_missing_is_said_and_is_no_yes(capsys: pytest.CaptureFixture[str]) -> None:
    """A script that asks for 0 never takes "could not tell" for "yes" (README)."""
    status, out, _ = run(capsys, COS, "--at", "2026-02-03")
    assert status is ExitStatus.NO_VERDICT
    assert "acceptable: YES" not in out
    assert out.splitlines()[-7:] == [
        "authentic: OPEN: nothing speaks against it; 2 not checked, see above",
        "acceptable: OPEN: nothing speaks against it; 2 not checked, see above",
        "NO VERDICT: nothing speaks against this quote, but not everything was checked",
        "  PCK certificate is not revoked: ask for it with --collateral, or say --allow-unchecked revocation",
        "  PCK CA is not revoked: ask for it with --collateral, or say --allow-unchecked revocation",
        "  REPORTDATA: ask for it with --nonce, --report-data or --public-key, or say --allow-unchecked report-data",
        "  TCB status: ask for it with --collateral, or say --allow-unchecked tcb",
    ]
    status, out, _ = run(capsys, COS, "--at", "2026-02-03", "--json")
    document: dict[str, Any] = json.loads(out)
    assert (document["exit_status"], document["acceptable"]["answer"], document["acceptable"]["holds"]) == (
        2,
        "open",
        False,
    )
    assert document["unsettled"] == document["not_checked"]


def test_what_follows_a_quote_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quote").write_bytes(build.REAL["cos"].read_bytes().rstrip(b"\0") + b"\0evil")
    status, out, _ = run(capsys, str(tmp_path / "quote"), *AT)
    assert status is ExitStatus.HOLDS
    assert "5 bytes follow the quote: they are not part of it, and nothing vouches for them" in out


def test_not_authentic_when_expired(capsys: pytest.CaptureFixture[str]) -> None:
    """The PCK certificate of the COS machine ends in July 2031 (openssl x509 -enddate)."""
    status, out, _ = run(capsys, COS, "--at", "2031-07-03", *ALLOWED)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert out.splitlines()[-3:] == [
        "authentic: NO",
        "  certificates are valid at 2031-07-03 00:00:00 UTC: the PCK certificate expired at 2031-07-02 12:07:37 UTC",
        "acceptable: NO: what is not authentic proves nothing",
    ]


def test_authentic_but_another_nonce(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, str(build.REAL["phala"]), *AT, "--nonce", NONCE)
    assert status is ExitStatus.DOES_NOT_HOLD
    lines = out.splitlines()
    assert "authentic: YES in everything checked; 2 not checked, see above" in lines
    assert lines[-2] == "acceptable: NO"
    assert lines[-1].startswith("  REPORTDATA: it is not the nonce: expected ")


def test_collateral_of_a_real_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, str(build.REAL["phala"]), "--at", "2025-06-25", "--collateral", COLLATERAL, *ALLOWED)
    assert status is ExitStatus.HOLDS
    assert "authentic: YES" in out.splitlines()
    assert any(line.split() == ["20", "TCB", "status", "match", "UpToDate"] for line in out.splitlines())


@pytest.fixture
def made(tmp_path: Path) -> tuple[str, list[str]]:
    """A quote for the throw-away authority's own key, and the options that trust that authority."""
    authority = build.authority()
    public = authority.pck_key.public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    data = hashlib.sha256(spki).digest() + bytes(32)
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "root.pem").write_bytes(build.pem(authority.root))
    body = build.body(td_attributes=1 << 28 | 1, report_data=data)
    (tmp_path / "quote").write_bytes(build.quote(authority, report=body))
    return str(tmp_path), [str(tmp_path / "quote"), *AT, "--trusted-root", str(tmp_path / "root.pem")]


def test_a_debug_td_is_refused_unless_allowed(made: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *made[1])
    assert status is ExitStatus.DOES_NOT_HOLD
    assert out.splitlines()[-1] == (
        "  TD is not a debug TD: this is a debug TD: the host can read and change its memory"
    )
    assert run(capsys, *made[1], "--allow-debug")[0] is ExitStatus.HOLDS


def test_a_root_that_is_not_trusted(made: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *made[1][:3], "--allow-debug")
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "the chain ends in another root" in out


def test_requests_of_report_data(made: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    folder, options = made
    options = [*options, "--allow-debug"]
    spki = hashlib.sha256(
        build.authority().pck_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    assert run(capsys, *options, "--public-key", f"{folder}/key.pem")[0] is ExitStatus.HOLDS
    assert run(capsys, *options, "--report-data", spki.hexdigest())[0] is ExitStatus.HOLDS
    assert run(capsys, *options, "--report-data", "0x" + spki.hexdigest() + "00" * 32)[0] is ExitStatus.HOLDS
    assert run(capsys, *options, "--report-data", spki.hexdigest() + "01")[0] is ExitStatus.DOES_NOT_HOLD


WRONG = [
    (["--report-data", "xy"], "--report-data: expected hexadecimal digits"),
    (["--report-data", ""], "--report-data: expected 1 to 64 bytes, found 0"),
    (["--report-data", "00" * 65], "--report-data: expected 1 to 64 bytes, found 65"),
    (["--report-data", "00", "--nonce", NONCE], "more than one of --report-data, --nonce and --public-key"),
    (["--nonce", COLLATERAL], f"{COLLATERAL}: expected 1 to 64 bytes, found 16072"),
    (["--public-key", NONCE], f"{NONCE}: not a public key in PEM"),
    (["--at", "yesterday"], "not a time: 'yesterday'"),
    (["--trusted-root", NONCE], f"{NONCE}: root certificate at offset 0x0: cannot be read"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_requests_that_cannot_be(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, COS, *options)
    assert status is ExitStatus.NO_VERDICT
    assert err.startswith(f"error: {message}")


def test_two_roots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = build.authority()
    (tmp_path / "roots").write_bytes(build.pem(authority.ca, authority.root))
    status, _, err = run(capsys, COS, "--trusted-root", str(tmp_path / "roots"))
    assert status is ExitStatus.NO_VERDICT
    assert "roots: expected one certificate, found 2" in err


def test_a_file_that_is_no_quote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quote").write_bytes(b"\x04\x00\x02\x00\x81\x00")
    status, out, err = run(capsys, str(tmp_path / "quote"))
    assert (status, out) == (ExitStatus.NO_VERDICT, "")
    assert err.startswith("error: quote: ")


def test_a_certificate_without_its_extension_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = build.authority(pck={"extensions": []})
    (tmp_path / "quote").write_bytes(build.quote(bare))
    status, out, _ = run(capsys, str(tmp_path / "quote"), *AT, "--json")
    assert status is ExitStatus.DOES_NOT_HOLD
    assert json.loads(out)["fields"]["platform"].startswith("not known: SGX extension of the PCK certificate")


@pytest.mark.parametrize(
    ("value", "status", "words"),
    [
        ("02" * 48, ExitStatus.HOLDS, "acceptable: YES"),
        ("03" * 48, ExitStatus.DOES_NOT_HOLD, f"a service TD is bound to this TD: MRSERVICETD is {'02' * 48}"),
        ("02", ExitStatus.NO_VERDICT, "--service-td: "),
    ],
)
def test_a_service_td_that_is_named(
    value: str, status: ExitStatus, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = build.authority()
    (tmp_path / "quote").write_bytes(build.quote(authority, report=build.body(mrservicetd=b"\2" * 48)))
    (tmp_path / "root.pem").write_bytes(build.pem(authority.root))
    options = ["--trusted-root", str(tmp_path / "root.pem"), *AT, "--service-td", "04" * 48, "--service-td", value]
    found, out, err = run(capsys, str(tmp_path / "quote"), *options)
    assert found is status
    assert words in out + err


def _azure_parts(place: Path) -> None:
    """The parts of Flashbots' document in files of their own."""
    document = azure.document("flashbots")
    quote = document["tpm_attestation"]["quote"]
    signature = bytes(quote["signature"])
    certificates = [document["tpm_attestation"]["ak_certificate_pem"]]
    certificates += document["tpm_attestation"]["ak_intermediate_certificates_pem"]
    (place / "quote.bin").write_bytes(base64.urlsafe_b64decode(document["tdx_quote_base64"]))
    (place / "hcl.bin").write_bytes(base64.urlsafe_b64decode(document["hcl_report_base64"]))
    (place / "quote.msg").write_bytes(bytes(quote["message"]))
    (place / "quote.sig").write_bytes(struct.pack(">HHH", 0x14, 0xB, len(signature)) + signature)
    (place / "pcrs.bin").write_bytes(b"".join(map(bytes, quote["pcrs"])))
    (place / "ak.pem").write_text("".join(certificates))


def test_the_commands_of_the_documentation(tmp_path: Path) -> None:
    docs.install_program(tmp_path)
    (tmp_path / "tests").symlink_to(build.ASSETS.parent)
    (tmp_path / "release.json").write_bytes(guests.reference(gcp_c3=guests.published(*guests.cos())))
    pcrs = read_vtpm([azure.REAL["flashbots"]]).pcrs
    asked = {pcr(index): guests.only(RegisterValue((pcrs[pcr(index)],), "", ())) for index in (4, 9, 11)}
    (tmp_path / "azure.json").write_bytes(guests.reference(azure=asked))
    _azure_parts(tmp_path)
    quotes = [docs.run(tmp_path, block)[0] for block in docs.blocks("quotes.md")]
    assert [text.count("authentic: YES") for text in quotes] == [1, 1, 1, 2]
    assert [text.count("MATCH: this guest has the registers that were published") for text in quotes] == [0, 0, 1, 2]


def test_the_documentation_names_the_pinned_root() -> None:
    (root,) = x509.load_pem_x509_certificates(intel_root.PEM)
    assert root.fingerprint(SHA256()).hex() == intel_root.SHA256
    assert intel_root.SHA256 in (docs.DOCS / "quotes.md").read_text()
