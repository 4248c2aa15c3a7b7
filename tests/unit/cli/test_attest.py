"""`attest create` and `attest verify` through main(argv): from report directories to a matrix."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from builders import documents, keys, reports
from builders import statements as sample
from builders.published_schemas import problems
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create
from teekit_verify.record.document import RebuildReport
from teekit_verify.reference.signing import detached


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return sample.write_report(tmp_path / "report", reports.REBUILDS["reproduced"])


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return keys.pin(tmp_path / "trusted", "alice", "bob", "carol")


def _create(report: Path, folder: Path, name: str, *more: str) -> ExitStatus:
    key = keys.write_private(folder, name)
    return main(["attest", "create", str(report), "--key", str(key), "--name", name, "--output", str(folder), *more])


def _verify(folder: Path, trusted: Path, *more: str, threshold: int = 2) -> ExitStatus:
    files = [str(path) for path in sorted(folder.glob("*.intoto.jsonl"))]
    return main(["attest", "verify", *files, "--threshold", str(threshold), "--trusted-keys", str(trusted), *more])


def test_two_of_three(tmp_path: Path, report: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = sample.write_report(tmp_path / "other", sample.MISMATCH)
    assert [_create(report, tmp_path, name) for name in ("alice", "bob")] == [ExitStatus.HOLDS] * 2
    assert _create(other, tmp_path, "carol") == ExitStatus.HOLDS
    assert f"carol.intoto.jsonl: MISMATCH, signed by key {keys.signing_key('carol').id}" in capsys.readouterr().err
    assert _verify(tmp_path, trusted) == ExitStatus.HOLDS
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["auditor", "verdict", "tdx-debian.efi", "tdx-debian.manifest", "counted", "file"]
    assert [line.split()[:5] for line in lines[1:4]] == [
        ["alice", "REPRODUCED", "match", "match", "yes"],
        ["bob", "REPRODUCED", "match", "match", "yes"],
        ["carol", "MISMATCH", "mismatch", "mismatch", "no"],
    ]
    assert "the auditor's build is not what was published: artifact tdx-debian.efi" in lines[4]
    assert f"tdx-debian.efi sha256 {documents.UKI.sha256.hex}" in lines
    assert f"source commit {'a' * 40}" in lines
    assert lines[-1] == "INDEPENDENTLY REPRODUCED: 2 trusted auditors agree, 2 were asked for"


def test_the_same_report_and_key_give_the_same_file(tmp_path: Path, report: Path) -> None:
    assert _create(report, tmp_path, "alice") == ExitStatus.HOLDS
    first = (tmp_path / "alice.intoto.jsonl").read_bytes()
    assert _create(report, tmp_path, "alice") == ExitStatus.HOLDS
    assert (tmp_path / "alice.intoto.jsonl").read_bytes() == first


def test_below_the_threshold(tmp_path: Path, report: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _create(report, tmp_path, "alice") == ExitStatus.HOLDS
    assert _create(report, tmp_path, "mallory") == ExitStatus.HOLDS
    assert _verify(tmp_path, trusted, "--json") == ExitStatus.DOES_NOT_HOLD
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (fields["exit_status"], fields["threshold"], fields["agreeing"]) == (1, 2, 1)
    assert problems("threshold-v1", fields) == []
    assert [item["name"] for item in fields["artifacts"]] == ["tdx-debian.efi", "tdx-debian.manifest"]
    assert [item["cells"] for item in fields["statements"]] == [["match", "match"], ["no key", "no key"]]
    assert [item["release"] for item in fields["statements"]] == ["base-1", ""]
    assert _verify(tmp_path, trusted) == ExitStatus.DOES_NOT_HOLD
    out = capsys.readouterr().out
    assert "NOT ENOUGH: 1 agreeing statements by trusted auditors, 2 were asked for" in out
    assert "mallory.intoto.jsonl: no trusted key made this signature" in out


def test_one_auditor_is_never_called_independent(
    tmp_path: Path, report: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _create(report, tmp_path, "alice") == ExitStatus.HOLDS
    assert _verify(tmp_path, trusted, threshold=1) == ExitStatus.HOLDS
    (answer,) = capsys.readouterr().out.splitlines()[-1:]
    assert answer == "REPRODUCED: by 1 trusted auditor(s); one was asked for, which shows no independence"


def test_only_strangers_do_not_hold(
    tmp_path: Path, report: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _create(report, tmp_path, "mallory") == ExitStatus.HOLDS
    assert _verify(tmp_path, trusted, threshold=1) == ExitStatus.DOES_NOT_HOLD
    assert "NOT ENOUGH: 0 agreeing statements" in capsys.readouterr().out


def test_the_artifact_asked_for(
    tmp_path: Path, report: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [_create(report, tmp_path, name) for name in ("alice", "bob")] == [ExitStatus.HOLDS] * 2
    image, other = tmp_path / "image.efi", tmp_path / "other.efi"
    image.write_bytes(b"uki")
    other.write_bytes(b"other")
    assert _verify(tmp_path, trusted, "--artifact", str(image)) == ExitStatus.HOLDS
    assert _verify(tmp_path, trusted, "--artifact", str(other)) == ExitStatus.DOES_NOT_HOLD
    assert "not about the artifact that was asked for" in capsys.readouterr().out


def test_expiry_is_judged_on_the_day_asked_for(tmp_path: Path, report: Path, trusted: Path) -> None:
    assert [_create(report, tmp_path, name) for name in ("alice", "bob")] == [ExitStatus.HOLDS] * 2
    (trusted / "bob.pem").write_bytes(b"Expires: 2026-12-31\n" + keys.public_pem("bob"))
    assert _verify(tmp_path, trusted, "--at", "2026-12-31") == ExitStatus.HOLDS
    assert _verify(tmp_path, trusted, "--at", "2027-01-01") == ExitStatus.DOES_NOT_HOLD


def test_the_commit_can_be_named_where_no_reference_names_it(
    tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = sample.write_report(tmp_path / "report", reports.REBUILDS["unreferenced"])
    assert _create(report, tmp_path, "alice") == ExitStatus.HOLDS
    assert _create(report, tmp_path, "bob", "--commit", "b" * 40) == ExitStatus.HOLDS
    assert _verify(tmp_path, trusted) == ExitStatus.DOES_NOT_HOLD
    assert _create(report, tmp_path, "alice", "--commit", "b" * 40) == ExitStatus.HOLDS
    capsys.readouterr()
    assert _verify(tmp_path, trusted) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert f"source commit {'b' * 40}" in out
    assert out.splitlines()[-1] == (
        "INDEPENDENTLY REPRODUCED: 2 trusted auditors agree, 2 were asked for; "
        "none of them compared it with what was published"
    )


@pytest.mark.parametrize("commit", ["main", "b" * 39, "B" * 40])
def test_a_commit_is_a_whole_one(tmp_path: Path, commit: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = sample.write_report(tmp_path / "report", reports.REBUILDS["unreferenced"])
    assert _create(report, tmp_path, "alice", "--commit", commit) == ExitStatus.NO_VERDICT
    assert "predicate.commit" in capsys.readouterr().err
    assert not (tmp_path / "alice.intoto.jsonl").exists()


def test_a_commit_against_the_references_is_refused(
    tmp_path: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _create(report, tmp_path, "alice", "--commit", "b" * 40) == ExitStatus.NO_VERDICT
    assert f"--commit {'b' * 40} is not the reference's {'a' * 40}" in capsys.readouterr().err


UNFIT: list[tuple[str, RebuildReport, str]] = [
    ("failed", reports.REBUILDS["failed"], "a rebuild with the verdict FAILED cannot be attested"),
    (
        "nondeterministic",
        reports.REBUILDS["nondeterministic"],
        "a rebuild with the verdict NONDETERMINISTIC cannot be attested",
    ),
]


@pytest.mark.parametrize(("name", "made", "message"), UNFIT, ids=[name for name, _, _ in UNFIT])
def test_reports_without_a_result_cannot_be_attested(
    tmp_path: Path, name: str, made: RebuildReport, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = sample.write_report(tmp_path / "report", made)
    assert _create(report, tmp_path, "alice") == ExitStatus.NO_VERDICT
    assert message in capsys.readouterr().err
    assert not (tmp_path / "alice.intoto.jsonl").exists()


def _edit(report: Path, name: str, **changes: object) -> None:
    path = report / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


EDITS: dict[str, tuple[dict[str, object], str]] = {
    "upgraded": ({"verdict": "REPRODUCED", "reasons": []}, "the verdict REPRODUCED does not follow from its checks"),
    "downgraded": ({"verdict": "UNREFERENCED"}, "the verdict UNREFERENCED does not follow from its checks"),
    "no checks": (
        {"verdict": "REPRODUCED", "reasons": [], "checklist": {"checks": []}},
        "the verdict REPRODUCED does not follow from its checks",
    ),
    "no reference": ({"reference": None}, "the verdict MISMATCH does not follow from its checks"),
    "no inputs": ({"inputs": None}, "inputs.json is not what the report is about"),
    "no measurements": ({"measurements": None}, "measurements.json is not what the report is about"),
    "another repository": (
        {"repositories": [{"address": "https://packages.example.org"}]},
        "packages are from https://packages.example.org, and a statement cannot say whose key that relies on",
    ),
    "not a report": ({"schema": "x"}, "schema: expected 'teekit-verify/report/v2', found 'x'"),
    "odd verdict": ({"verdict": "GREAT"}, "verdict: "),
    "no artifacts": ({"artifacts": []}, "is not the report of a rebuild with artifacts"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_report_is_not_signed_for(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, message = EDITS[name]
    report = sample.write_report(tmp_path / "report", sample.MISMATCH)
    _edit(report, "report.json", **changes)
    assert _create(report, tmp_path, "alice") == ExitStatus.NO_VERDICT
    assert message in capsys.readouterr().err
    assert not (tmp_path / "alice.intoto.jsonl").exists()


def test_files_that_are_not_the_reports_are_not_signed_for(
    tmp_path: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (report / "artifacts/tdx-debian.efi").write_bytes(b"evil")
    assert _create(report, tmp_path, "alice") == ExitStatus.NO_VERDICT
    assert "tdx-debian.efi is not the file the report is about" in capsys.readouterr().err
    (report / "artifacts/tdx-debian.efi").write_bytes(b"uki")
    inputs = json.loads((report / "inputs.json").read_text())
    inputs["inputs"]["image"] = "other"
    (report / "inputs.json").write_text(json.dumps(inputs))
    assert _create(report, tmp_path, "alice") == ExitStatus.NO_VERDICT
    assert "inputs.json is not what the report is about" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00", sample.statement_of("alice")[:-20]])
def test_an_unreadable_statement_gives_no_verdict(
    tmp_path: Path, trusted: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("alice", "bob"):
        (tmp_path / f"{name}.intoto.jsonl").write_bytes(sample.statement_of(name))
    (tmp_path / "carol.intoto.jsonl").write_bytes(content)
    assert _verify(tmp_path, trusted) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr()
    assert f"error: {tmp_path}/carol.intoto.jsonl" in captured.err
    assert "internal error" not in captured.err
    assert captured.out == ""


def test_a_huge_statement_is_refused_at_once(tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "alice.intoto.jsonl").open("wb") as stream:
        stream.truncate(2 << 30)
    assert _verify(tmp_path, trusted) == ExitStatus.NO_VERDICT
    assert "has more than 8 MiB" in capsys.readouterr().err


def test_a_signed_reference_is_no_statement(tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = create.dump_reference(documents.reference())
    (tmp_path / "alice.intoto.jsonl").write_bytes(detached.sign_reference(data, keys.signing_key("alice"), "base.json"))
    assert _verify(tmp_path, trusted, threshold=1) == ExitStatus.NO_VERDICT
    assert (
        "is not a statement: its payload type is 'application/vnd.teekit-verify.reference+json'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--threshold", "0", "--trusted-keys", "trusted"),
            "Invalid value for '--threshold': expected a whole number from 1, found '0'",
        ),
        (("--trusted-keys", "trusted"), "Missing option '--threshold'"),
        (("--threshold", "1"), "Missing option '--trusted-keys'"),
        (("--threshold", "1", "--trusted-keys", "none"), "none: cannot be read"),
    ],
)
def test_wrong_usage_gives_no_verdict(
    tmp_path: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alice.intoto.jsonl"
    path.write_bytes(sample.statement_of("alice"))
    assert main(["attest", "verify", str(path), *arguments]) == ExitStatus.NO_VERDICT
    assert message in capsys.readouterr().err


def test_no_statements_give_no_verdict(trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--threshold", "1", "--trusted-keys", str(trusted)]
    assert main(["attest", "verify", *arguments]) == ExitStatus.NO_VERDICT
    assert "Missing argument 'FILE'" in capsys.readouterr().err


def test_a_name_that_is_no_file_name_is_refused(
    tmp_path: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keys.write_private(tmp_path, "alice")
    argv = ["attest", "create", str(report), "--key", str(key), "--name", "../alice", "--output", str(tmp_path / "out")]
    assert main(argv) == ExitStatus.NO_VERDICT
    assert "predicate.auditor" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_foreign_text_is_escaped(tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = documents.build(artifacts=(replace(documents.UKI, name="evil\x1b[2J.efi"),))
    (tmp_path / "alice.intoto.jsonl").write_bytes(sample.statement_of("alice", build=build))
    assert _verify(tmp_path, trusted, threshold=1) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "evil\\x1b[2J.efi" in out


def test_folders_and_bundles_are_counted(tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bundles of a verdict alone, on one line and on several, as other programs write them."""
    folder = tmp_path / "statements"
    folder.mkdir()
    (folder / "alice.intoto.jsonl").write_bytes(sample.statement_of("alice"))
    (folder / "bob.sigstore.json").write_bytes(sample.bundle_of("bob"))
    (folder / "bob.provenance.sigstore.json").write_bytes(sample.bundle_of("bob", line=0))
    (folder / "README.md").write_text("no statement")
    count = ["attest", "verify", str(folder), "--trusted-keys", str(trusted)]
    assert main([*count, "--threshold", "2"]) == ExitStatus.HOLDS
    assert "INDEPENDENTLY REPRODUCED: 2" in capsys.readouterr().out
    (folder / "alice.sigstore.json").write_text(json.dumps(json.loads(sample.bundle_of("alice")), indent=2))
    assert main([*count, "--threshold", "3"]) == ExitStatus.DOES_NOT_HOLD
    assert "this auditor is counted already" in capsys.readouterr().out
    (folder / "bob.sigstore.json").write_bytes(sample.bundle_of("bob").replace(b'"sig":"', b'"sig":"AAAA'))
    assert main([*count, "--threshold", "2"]) == ExitStatus.DOES_NOT_HOLD


def test_a_folder_without_statements_gives_no_verdict(
    tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attest", "verify", str(tmp_path), "--threshold", "1", "--trusted-keys", str(trusted)]) == 2
    assert "has no statements (NAME.intoto.jsonl or NAME.sigstore.json)" in capsys.readouterr().err


def test_a_provenance_alone_is_no_vote(tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "alice.provenance.sigstore.json"
    path.write_bytes(sample.bundle_of("alice", line=0))
    assert main(["attest", "verify", str(path), "--threshold", "1", "--trusted-keys", str(trusted)]) == 2
    assert "expected the verdict of one rebuild, found 0" in capsys.readouterr().err


def test_an_encrypted_key_signs_with_its_passphrase(
    tmp_path: Path, report: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, secret = tmp_path / "alice.key", tmp_path / "passphrase"
    encrypted = BestAvailableEncryption(b"pass word")
    key.write_bytes(keys.private_key("alice").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encrypted))
    key.chmod(0o600)
    secret.write_bytes(b"pass word\n")
    argv = ["attest", "create", str(report), "--key", str(key), "--name", "alice", "--output", str(tmp_path)]
    assert main(argv) == ExitStatus.NO_VERDICT, "nobody is at a terminal"
    assert "the private key is encrypted" in capsys.readouterr().err
    assert main([*argv, "--passphrase-file", str(secret)]) == ExitStatus.HOLDS
    assert _verify(tmp_path, trusted, threshold=1) == ExitStatus.HOLDS


def test_what_an_auditor_says_of_itself_is_signed_and_not_counted(tmp_path: Path, report: Path, trusted: Path) -> None:
    assert _create(report, tmp_path, "alice", "--operator", "A & B", "--country", "NO") == ExitStatus.HOLDS
    envelope = json.loads((tmp_path / "alice.intoto.jsonl").read_bytes().splitlines()[-1])
    said = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    assert said["independence"] == {"operator": "A & B", "country": "NO", "provider": None}
    assert _create(report, tmp_path, "bob") == ExitStatus.HOLDS
    envelope = json.loads((tmp_path / "bob.intoto.jsonl").read_bytes().splitlines()[-1])
    assert "independence" not in json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    assert _verify(tmp_path, trusted) == ExitStatus.HOLDS


@pytest.mark.parametrize("country", ["no", "NOR", "Norway", ""])
def test_a_country_is_a_code(tmp_path: Path, report: Path, country: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _create(report, tmp_path, "alice", "--country", country) == ExitStatus.NO_VERDICT
    assert "independence.country" in capsys.readouterr().err
    assert not (tmp_path / "alice.intoto.jsonl").exists()
