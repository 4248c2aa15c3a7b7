"""`attest show`, `attest export` and `inspect` of statements, through main(argv)."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from builders import documents, keys
from builders import statements as sample
from builders.published_schemas import problems
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.create import signed_statement
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    path = tmp_path / "alice.intoto.jsonl"
    path.write_bytes(sample.statement_of("alice"))
    return path


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return keys.pin(tmp_path / "trusted", "alice", "bob")


def _json(capsys: pytest.CaptureFixture[str], *argv: object, status: int = 0) -> dict[str, Any]:
    assert main([*map(str, argv), "--json"]) == status
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("statement-v1", fields) == []
    assert fields["exit_status"] == status
    return fields


@pytest.mark.parametrize("command", [("attest", "show"), ("inspect",)])
def test_a_statement_is_shown_without_a_word_about_who_made_it(
    statement: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    fields = _json(capsys, *command, statement)
    assert (fields["signature"], fields["owner"]) == ("not checked", "")
    assert (fields["auditor"], fields["verdict"], fields["commit"]) == ("alice", "REPRODUCED", "a" * 40)
    assert fields["reference"]["release"] == "base-1"
    assert {"name": "tdx-debian.efi", "sha256": documents.UKI.sha256.hex} in fields["artifacts"]
    assert main([*command, str(statement)]) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "signature not checked: anybody may have written this" in out
    assert "REPRODUCED states alice" in out


def test_bundles_are_shown_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps(json.loads(sample.bundle_of("bob")), indent=4))
    for command in (("attest", "show"), ("inspect",)):
        assert _json(capsys, *command, path)["auditor"] == "bob"


def test_with_keys_it_says_whose_signature_it_is(
    statement: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show = ("attest", "show", statement, "--trusted-keys", trusted)
    fields = _json(capsys, *show)
    assert (fields["signature"], fields["owner"]) == ("good", "alice")
    statement.write_bytes(sample.statement_of("alice", key="mallory"))
    fields = _json(capsys, *show, status=1)
    assert (fields["signature"], fields["owner"]) == ("no key", "")
    assert main([*map(str, show), "--quiet"]) == ExitStatus.DOES_NOT_HOLD
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("signed by none of the trusted keys: anybody may have written this")


def test_lines_of_two_auditors_are_not_one_signature(
    statement: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (
        sample.statement_of(name).splitlines(keepends=True)[line] for line, name in enumerate(("alice", "bob"))
    )
    statement.write_bytes(first + second)
    fields = _json(capsys, "attest", "show", statement, "--trusted-keys", trusted, status=1)
    assert (fields["signature"], fields["owner"]) == ("bad signature", "")


def test_an_expired_key_does_not_vouch(statement: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trusted / "alice.pem").write_bytes(b"Expires: 2026-12-31\n" + keys.public_pem("alice"))
    show = ("attest", "show", statement, "--trusted-keys", trusted, "--on")
    assert _json(capsys, *show, "2026-12-31")["signature"] == "good"
    assert _json(capsys, *show, "2027-01-01", status=1)["signature"] == "expired"


@pytest.mark.parametrize("content", [b"{}", b"", sample.statement_of("alice").splitlines()[0]])
def test_what_is_no_statement_gives_no_verdict(statement: Path, content: bytes) -> None:
    statement.write_bytes(content)
    assert main(["attest", "show", str(statement)]) == ExitStatus.NO_VERDICT


def test_another_command_says_what_it_was_given(statement: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(statement)]) == ExitStatus.NO_VERDICT
    error = capsys.readouterr().err
    assert "is the statement of an auditor" in error
    assert "`attest show alice.intoto.jsonl`" in error


def test_exported_bundles_count_as_the_statement_does(
    tmp_path: Path, statement: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundles"
    assert main(["attest", "export", str(statement), "--sigstore-bundle", str(out)]) == ExitStatus.HOLDS
    assert sorted(path.name for path in out.iterdir()) == ["alice.provenance.sigstore.json", "alice.sigstore.json"]
    verdict = json.loads((out / "alice.sigstore.json").read_text())
    assert verdict["dsseEnvelope"] == json.loads(statement.read_text().splitlines()[1]), "not a byte of it is changed"
    count = ["attest", "verify", str(out), "--threshold", "1", "--trusted-keys", str(trusted)]
    assert main(count) == ExitStatus.HOLDS
    again = ["attest", "export", str(out / "alice.sigstore.json"), "--sigstore-bundle", str(tmp_path / "again")]
    assert main(again) == ExitStatus.HOLDS
    assert (tmp_path / "again/alice.sigstore.json").read_bytes() == (out / "alice.sigstore.json").read_bytes()


def _link(statement: Path, key: Path) -> ExitStatus:
    folder = str(statement.parent / "links")
    return main(["attest", "export", str(statement), "--rebuilderd-link", folder, "--key", str(key)])


def test_a_link_has_the_artifacts(tmp_path: Path, statement: Path) -> None:
    assert _link(statement, keys.write_private(tmp_path, "alice")) == ExitStatus.HOLDS
    signed = json.loads((tmp_path / "links/alice.in-toto.link").read_text())["signed"]
    assert signed["products"]["tdx-debian.efi"] == {"sha256": documents.UKI.sha256.hex}


def test_no_link_is_made_of_a_mismatch(tmp_path: Path, statement: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who counts links would count it as agreement."""
    statement.write_bytes(sample.statement_of("alice", Verdict.MISMATCH))
    assert _link(statement, keys.write_private(tmp_path, "alice")) == ExitStatus.NO_VERDICT
    assert "states a MISMATCH, which a link cannot express" in capsys.readouterr().err
    assert not (tmp_path / "links").exists()


def test_nobody_makes_a_link_of_somebody_elses_statement(
    tmp_path: Path, statement: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _link(statement, keys.write_private(tmp_path, "bob")) == ExitStatus.NO_VERDICT
    assert "is not signed by this key" in capsys.readouterr().err


def _summary(statement: Path, key: Path) -> ExitStatus:
    folder = str(statement.parent / "summaries")
    return main(["attest", "export", str(statement), "--verification-summary", folder, "--key", str(key)])


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_a_verification_summary(tmp_path: Path, kind: str) -> None:
    """slsa.dev/spec/v1.0/verification_summary: the required fields, and a level that is none of SLSA's. By securesystemslib."""
    statement = tmp_path / "alice.intoto.jsonl"
    data = signed_statement(sample.rebuilt(), "alice", sample.COMMIT, keys.signing_key("alice", kind))
    statement.write_bytes(data)
    assert _summary(statement, keys.write_private(tmp_path, "alice", kind)) == ExitStatus.HOLDS
    envelope = json.loads((tmp_path / "summaries/alice.vsa.json").read_text())
    public = SSlibKey.from_crypto(load_pem_public_key(keys.public_pem("alice", kind)))
    envelope["signatures"][0]["keyid"] = public.keyid
    assert Envelope.from_dict(envelope).verify([public], 1)
    fields = json.loads(base64.b64decode(envelope["payload"]))
    assert (fields["_type"], fields["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/verification_summary/v1",
    )
    assert {"name": "tdx-debian.efi", "digest": {"sha256": documents.UKI.sha256.hex}} in fields["subject"]
    said = fields["predicate"]
    assert said.keys() >= {"verifier", "resourceUri", "policy", "verificationResult", "verifiedLevels"}
    assert (said["verificationResult"], said["verifiedLevels"]) == ("PASSED", ["TEEKIT_VERIFY_REPRODUCED"])
    assert said["policy"]["digest"] == {"sha256": documents.sha256("reference").hex}
    assert said["inputAttestations"][0]["digest"] == {"sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize("verdict", [Verdict.MISMATCH, Verdict.UNREFERENCED])
def test_a_summary_is_made_of_what_was_reproduced_only(
    tmp_path: Path, statement: Path, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    statement.write_bytes(sample.statement_of("alice", verdict))
    assert _summary(statement, keys.write_private(tmp_path, "alice")) == ExitStatus.NO_VERDICT
    assert f"states {verdict.value}" in capsys.readouterr().err
    assert not (tmp_path / "summaries").exists()


def test_a_summary_has_no_vote(
    tmp_path: Path, statement: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _summary(statement, keys.write_private(tmp_path, "bob")) == ExitStatus.NO_VERDICT
    assert "is not signed by this key" in capsys.readouterr().err
    assert _summary(statement, keys.write_private(tmp_path, "alice")) == ExitStatus.HOLDS
    summary = str(tmp_path / "summaries/alice.vsa.json")
    assert main(["attest", "verify", summary, "--threshold", "1", "--trusted-keys", str(trusted)]) == 2
    assert "is not the verdict of a rebuild" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "name --sigstore-bundle DIR, --rebuilderd-link DIR or --verification-summary DIR"),
        (("--rebuilderd-link", "links"), "--key goes with --rebuilderd-link and --verification-summary"),
        (("--sigstore-bundle", "out", "--key", "none"), "--key goes with --rebuilderd-link"),
    ],
)
def test_options_that_say_too_little(
    statement: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attest", "export", str(statement), *options]) == ExitStatus.NO_VERDICT
    assert message in capsys.readouterr().err
