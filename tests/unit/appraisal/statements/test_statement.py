"""Statements: in-toto's and SLSA's fields, OpenSSL over the bytes, and files that are no statement of one auditor."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents, keys
from builders import statements as sample
from builders.tools import require
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements import statement
from teekit_verify.appraisal.statements.create import require_attestable
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents.inputs import inputs_digest
from teekit_verify.reference.signing import dsse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _payloads(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in data.splitlines()]


PROVENANCE, VERDICT = _payloads(sample.statement_of("alice"))


def test_both_are_in_toto_statements_about_the_artifacts(tmp_path: Path) -> None:
    """Field names as in in-toto/attestation, spec/v1/statement.md; digests by sha256sum."""
    expected = []
    for name, content in (("tdx-debian.efi", "uki"), ("tdx-debian.manifest", "manifest")):
        (tmp_path / "file").write_text(content)
        printed = subprocess.run([require("sha256sum"), str(tmp_path / "file")], capture_output=True, check=True).stdout
        expected.append({"name": name, "digest": {"sha256": printed.split()[0].decode()}})
    for payload in (PROVENANCE, VERDICT):
        assert list(payload) == ["_type", "subject", "predicateType", "predicate"]
        assert payload["_type"] == "https://in-toto.io/Statement/v1"
        assert payload["subject"] == expected


def test_the_provenance_is_slsas() -> None:
    """Required fields of slsa.dev/spec/v1.0/provenance: buildType, externalParameters, builder.id."""
    assert PROVENANCE["predicateType"] == "https://slsa.dev/provenance/v1"
    predicate = PROVENANCE["predicate"]
    assert set(predicate) == {"buildDefinition", "runDetails"}
    definition = predicate["buildDefinition"]
    assert definition["buildType"] == "tag:teekit-verify,2026:mkosi-build/v1"
    assert definition["externalParameters"] == {"image": "base", "profiles": ["debian-kernel"]}
    assert predicate["runDetails"]["builder"]["id"] == "tag:teekit-verify,2026:local-builder/v1"
    dependencies = {item["name"]: item["digest"] for item in definition["resolvedDependencies"]}
    assert dependencies["source"] == {"gitCommit": "a" * 40}
    assert dependencies["environment (NAR)"] == {"sha256": "00" * 32}, "narHash is Base64 of it"
    assert dependencies["systemd 257.9-1 amd64"] == {"sha256": documents.package("systemd", "257.9-1").sha256.hex}
    assert "mkosi/base/mkosi.conf" in dependencies


def test_the_verdict_says_what_was_found_and_that_it_is_not_independent() -> None:
    assert VERDICT["predicateType"] == "tag:teekit-verify,2026:rebuild-verdict/v1"
    predicate = VERDICT["predicate"]
    assert (predicate["auditor"], predicate["verdict"], predicate["commit"]) == ("alice", "REPRODUCED", "a" * 40)
    assert "Alone, this statement shows no independence" in predicate["scope"]
    assert predicate["inputs_sha256"] == inputs_digest(documents.inputs()).hex
    assert predicate["reference"] == {
        "release": "base-1",
        "commit": "a" * 40,
        "sha256": documents.sha256("reference").hex,
    }
    assert predicate["registers"]["uefi-vtpm"]["PCR4"]["sha256"] == documents.PCR4_SHA256
    assert predicate["registers"]["tdx"]["RTMR1"] is None
    assert list(predicate["registers"]["uefi-vtpm"]) == ["PCR4", "PCR11"]


def test_a_missing_commit_and_reference_are_said() -> None:
    provenance, verdict = _payloads(sample.statement_of("alice", Verdict.UNREFERENCED, commit=None))
    assert verdict["predicate"]["commit"] is None
    assert verdict["predicate"]["reference"] is None
    names = [item["name"] for item in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert "source" not in names


def test_the_same_rebuild_and_key_give_the_same_bytes() -> None:
    assert sample.statement_of("alice") == sample.statement_of("alice")
    assert sample.statement_of("alice").count(b"\n") == 2


def test_openssl_verifies_a_statement(tmp_path: Path) -> None:
    """The bytes to sign are put together here by hand, as DSSE's protocol.md has them."""
    (tmp_path / "public.pem").write_bytes(keys.public_pem("alice"))
    for line in sample.statement_of("alice").splitlines():
        envelope = json.loads(line)
        payload = base64.b64decode(envelope["payload"])
        heading = f"DSSEv1 28 application/vnd.in-toto+json {len(payload)} "
        (tmp_path / "signed").write_bytes(heading.encode() + payload)
        (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
        argv = [require("openssl"), "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "signed"]
        done = subprocess.run([*argv, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INPUT_DRIFT, Verdict.NONDETERMINISTIC])
def test_what_has_no_result_cannot_be_attested(verdict: Verdict) -> None:
    with pytest.raises(TeekitError, match=f"the verdict {verdict.value} cannot be attested"):
        sample.statement_of("alice", verdict)
    with pytest.raises(TeekitError, match=f"^report: a rebuild with the verdict {verdict.value} cannot be attested$"):
        require_attestable(verdict, "report")


@pytest.mark.parametrize("name", ["", "alice bob", "../alice", "alice\n", "a" * 65])
def test_auditors_have_plain_names(name: str) -> None:
    with pytest.raises(TeekitError, match=r"predicate\.auditor"):
        sample.statement_of(name, key="alice")


def _envelope(payload: object, key: str = "alice", payload_type: str = statement.PAYLOAD_TYPE) -> bytes:
    return dsse.sign(payload_type, json.dumps(payload).encode(), keys.signing_key(key)).dump()


def _co_signed() -> bytes:
    envelope = json.loads(sample.statement_of("alice").splitlines()[1])
    envelope["signatures"].append(json.loads(_envelope({}, "bob"))["signatures"][0])
    return json.dumps(envelope).encode()


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "^file: is empty"),
    "truncated": (sample.statement_of("alice")[:-10], "^file, line 2: is not JSON"),
    "half": (sample.statement_of("alice")[:900], "^file, line 1: is not JSON"),
    "three lines": (sample.statement_of("alice") * 2, "more than 2 lines"),
    "a reference's signature": (
        _envelope({}, payload_type="application/vnd.teekit-verify.reference+json"),
        "is not a statement: its payload type is 'application/vnd.teekit-verify.reference",
    ),
    "two signers": (_co_signed(), "^file, line 1: has 2 signatures: a statement is one auditor's"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_statement_are_refused(name: str) -> None:
    data, message = FILES[name]
    with pytest.raises(TeekitError, match=message):
        statement.read_file(data, "file")


def _verdict(data: bytes) -> statement.Statement:
    return statement.verdict_of(statement.read_file(data, "file"), "file")


def test_the_verdict_alone_is_enough_and_the_order_does_not_matter() -> None:
    provenance, verdict = sample.statement_of("alice").splitlines(keepends=True)
    assert _verdict(verdict) == _verdict(verdict + provenance) == _verdict(provenance + verdict)


def _with(path: str, value: object) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(json.dumps(VERDICT))
    *parents, last = path.split(".")
    place = payload
    for parent in parents:
        place = place[parent]
    place[last] = value
    return payload


STRANGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no object": (lambda: _envelope([]), "is not an in-toto statement v1"),
    "old statement": (
        lambda: _envelope(_with("_type", "https://in-toto.io/Statement/v0.1")),
        "not an in-toto statement",
    ),
    "other predicate": (
        lambda: _envelope(_with("predicateType", "https://in-toto.io/attestation/vulns")),
        "not the verdict of a rebuild: its predicate type is 'https://in-toto.io/attestation/vulns'",
    ),
    "other version": (
        lambda: _envelope(_with("predicateType", "tag:teekit-verify,2026:rebuild-verdict/v2")),
        "its predicate type is 'tag:teekit-verify,2026:rebuild-verdict/v2'",
    ),
    "two verdicts": (lambda: _envelope(VERDICT) * 2, "expected the verdict of one rebuild, found 2"),
    "no verdict": (lambda: _envelope(PROVENANCE), "expected the verdict of one rebuild, found 0"),
    "other provenance": (
        lambda: _envelope(VERDICT) + _envelope(PROVENANCE | {"subject": PROVENANCE["subject"][:1]}),
        "its provenance is about other artifacts than its verdict",
    ),
    "unknown field": (lambda: _envelope(_with("predicate.trust", "me")), "predicate.trust: unknown field"),
    "no subject": (
        lambda: _envelope(_with("subject", [])),
        "subject: expected a length of at least 1, found a list of 0",
    ),
    "subject twice": (lambda: _envelope(_with("subject", VERDICT["subject"][:1] * 2)), "is listed twice"),
    "upper case": (
        lambda: _envelope(_with("subject", [{"name": "a", "digest": {"sha256": "A" * 64}}])),
        r"subject\[0\]\.digest\.sha256: must be 64 lower case hexadecimal digits",
    ),
    "md5": (lambda: _envelope(_with("subject", [{"name": "a", "digest": {"md5": "00"}}])), "md5: unknown field"),
    "failed": (lambda: _envelope(_with("predicate.verdict", "FAILED")), "the verdict FAILED cannot be attested"),
    "invented": (lambda: _envelope(_with("predicate.verdict", "PERFECT")), r"predicate\.verdict"),
    "reproduced what": (
        lambda: _envelope(_with("predicate.reference", None)),
        "the verdict REPRODUCED does not fit this 'reference'",
    ),
    "referenced": (
        lambda: _envelope(_with("predicate.verdict", "UNREFERENCED")),
        "the verdict UNREFERENCED does not fit this 'reference'",
    ),
    "no reasons": (lambda: _envelope(_with("predicate.verdict", "MISMATCH")), "the verdict MISMATCH needs reasons"),
    "claims independence": (lambda: _envelope(_with("predicate.scope", "Independent!")), "'scope' must say"),
    "not json": (
        lambda: dsse.sign(statement.PAYLOAD_TYPE, b"\x00", keys.signing_key("alice")).dump(),
        "is not JSON",
    ),
    "deep": (
        lambda: dsse.sign(statement.PAYLOAD_TYPE, b"[" * 100_000, keys.signing_key("alice")).dump(),
        "is not JSON: nested too deeply",
    ),
    "wide": (
        lambda: dsse.sign(statement.PAYLOAD_TYPE, b"[" + b"1," * 250_000 + b"1]", keys.signing_key("alice")).dump(),
        "has more than 200000 values",
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_signed_payloads_that_are_no_verdict_are_refused(name: str) -> None:
    """All of them well signed: a trusted key does not make a statement out of something else."""
    make, message = STRANGE[name]
    with pytest.raises(TeekitError, match=message):
        _verdict(make())
