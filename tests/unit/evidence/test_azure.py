"""The parts of an Azure guest's evidence, in files of their own and in one document."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from builders import azure as build
from builders import quotes
from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.evidence import azure, tpm
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from pathlib import Path

REPORT = build.hcl_report(build.claims(build.tpm_key()))
PARTS = {
    "report": REPORT,
    "quote": (build.TPM / "rsassa.msg").read_bytes(),
    "signature": (build.TPM / "rsassa.sig").read_bytes(),
    "pcrs": (build.TPM / "rsassa.pcrs").read_bytes(),
}


def read(folder: Path, parts: dict[str, bytes]) -> azure.VtpmEvidence:
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    return azure.read_vtpm([folder / name for name in parts])


@pytest.mark.parametrize("form", ["rsassa.pcrs", "rsapss.pcrs"])
def test_files_of_tpm2_tools(form: str, tmp_path: Path) -> None:
    """The PCR values are those that the TPM said, whichever form tpm2_quote wrote them in."""
    evidence = read(tmp_path, {**PARTS, "pcrs": (build.TPM / form).read_bytes()})
    told = re.findall(r"(\d+) *: 0x([0-9A-F]{64})", (build.TPM / "pcrs.yaml").read_text())
    assert {register.name: value.hex for register, value in evidence.pcrs.items()} == {
        f"PCR{number}": value.lower() for number, value in told
    }
    tpm.require_pcr_digest(evidence.attest, evidence.signature.algorithm, evidence.pcrs)
    assert evidence.certificates == ()


def test_the_same_evidence_in_two_forms() -> None:
    old, new = (azure.read_vtpm([build.REAL[name]]) for name in ("coco-v0", "coco-v1"))
    assert old.attest == new.attest
    assert (old.signature, old.pcrs, old.report.runtime_data) == (new.signature, new.pcrs, new.report.runtime_data)
    assert new.pcrs[pcr(9)].hex == build.document()["tpm_quote"]["pcrs"][9]
    assert new.attest.extra_data == b"challenge"


def test_evidence_is_told_from_other_files() -> None:
    assert all(azure.is_azure_evidence(path) for path in build.REAL.values())
    assert not azure.is_azure_evidence(quotes.REAL["v5"])
    assert not azure.is_azure_evidence(quotes.ASSETS / "quotes" / "gcp-v4.json")


@pytest.mark.parametrize("form", ["pem", "der"])
def test_certificates_in_a_file_of_their_own(form: str, tmp_path: Path) -> None:
    leaf, *_ = azure.read_vtpm([build.REAL["flashbots"]]).certificates
    data = leaf.public_bytes(Encoding.PEM if form == "pem" else Encoding.DER)
    found = read(tmp_path, {**PARTS, "certificate": data + (b"" if form == "pem" else bytes(100))})
    assert found.certificates == (leaf,)


MISSING = [
    ("report", "the vTPM's evidence lacks the HCL report"),
    ("quote", "the vTPM's evidence lacks the TPM quote"),
    ("signature", "the vTPM's evidence lacks the signature of the TPM quote"),
    ("pcrs", "the vTPM's evidence lacks the PCR values"),
]


@pytest.mark.parametrize(("name", "message"), MISSING)
def test_a_part_that_is_not_there(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match=message) as error:
        read(tmp_path, {key: value for key, value in PARTS.items() if key != name})
    assert error.value.hint == "Give each part with --vtpm-evidence, or all of them in one JSON document."


def test_a_part_that_is_there_twice(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="again: the HCL report for the second time"):
        read(tmp_path, {**PARTS, "again": REPORT})


def test_text_that_is_no_part(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match=r"pcrs\.yaml: is not evidence of a vTPM"):
        read(tmp_path, {**PARTS, "pcrs.yaml": (build.TPM / "pcrs.yaml").read_bytes()})


def _pem(count: int) -> str:
    (leaf, *_) = azure.read_vtpm([build.REAL["flashbots"]]).certificates
    return leaf.public_bytes(Encoding.PEM).decode() * count


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"hcl_report": None}, "hcl_report at offset 0x0: is neither text nor a list of numbers from 0 to 255"),
    ({"hcl_report": [1, 256]}, "hcl_report at offset 0x0: is neither text"),
    ({"hcl_report": [True]}, "hcl_report at offset 0x0: is neither text"),
    ({"hcl_report": "?"}, "hcl_report at offset 0x0: is neither hexadecimal nor base64"),
    ({"tpm_quote": None}, "tpm_quote at offset 0x0: expected an object"),
    ({"tpm_quote_pcrs": None}, "pcrs at offset 0x0: expected a list"),
    ({"tpm_quote_pcrs": ["00" * 32] * 23}, "expected 24 of 32 bytes"),
    ({"tpm_quote_message": ""}, "magic at offset 0x0: needs 4 bytes"),
    ({"tpm_attestation": []}, "tpm_attestation at offset 0x0: expected an object"),
    (
        {"tpm_attestation": {"ak_certificate_pem": "-----BEGIN CERTIFICATE-----"}},
        "certificate at offset 0x0: cannot be read",
    ),
    (
        {"tpm_attestation": {"ak_certificate_pem": _pem(17)}},
        "certificates at offset 0x0: expected at most 16, found 17",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_malformed_documents(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        azure.parse_vtpm(json.dumps(build.document(**changes)).encode())


def test_something_behind_a_certificate(tmp_path: Path) -> None:
    der = base64.b64decode("".join(_pem(1).splitlines()[1:-1]))
    with pytest.raises(MalformedInputError, match=r"certificate at offset .*: something follows it"):
        read(tmp_path, {**PARTS, "certificate": der + b"x"})


def test_certificates_in_several_files_and_with_the_zeros_of_the_nv_index(tmp_path: Path) -> None:
    """As `tpm2_nvread 0x01C101D0` gives them, and as tools write these bytes into PEM."""
    leaf, issuer, *_ = azure.read_vtpm([build.REAL["flashbots"]]).certificates
    padded = leaf.public_bytes(Encoding.DER) + bytes(500)
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(padded) + b"-----END CERTIFICATE-----\n"
    both = issuer.public_bytes(Encoding.PEM) + leaf.public_bytes(Encoding.PEM)
    for first, second in ((pem, both), (both, padded), (issuer.public_bytes(Encoding.DER), pem)):
        found = read(tmp_path, {**PARTS, "first": first, "second": second}).certificates
        assert set(found) == {leaf, issuer}
        assert len(found) == 2
    with pytest.raises(MalformedInputError, match=r"certificate at offset 0x[0-9a-f]+: something follows it"):
        read(tmp_path, {**PARTS, "bad": padded[:-1] + b"x"})


@pytest.mark.parametrize("as_text", [False, True])
def test_a_document_inside_another(as_text: bool) -> None:  # noqa: FBT001 - a table
    """The KBS's attestation request: `primary_evidence`, as an object or as text."""
    inner = json.loads(build.REAL["coco-v1"].read_text())
    outer = {"tee": "az-tdx-vtpm", "tee-evidence": {"primary_evidence": json.dumps(inner) if as_text else inner}}
    data = json.dumps(outer).encode()
    assert azure.has_azure_evidence(data)
    assert azure.parse_vtpm(data) == azure.parse_vtpm(build.REAL["coco-v1"].read_bytes())
