"""`attest verify` and `attest check-repository` with proofs of a transparency log, which Sigsum's programs made (tests/assets/sigsum)."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from builders import documents, keys
from builders import sigsum as sample_log
from builders import statements as sample
from builders.published_schemas import problems
from teekit_verify import api
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.create import signed_statement
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.report import attest_report
from teekit_verify.report.console import Console

ASSETS = Path(__file__).parents[2] / "assets" / "sigsum"
LOGGED = ("alice", "carol", "dave")
EVIL = documents.build(artifacts=(replace(documents.UKI, sha256=documents.sha256("evil")), documents.MANIFEST))
RELEASE = "base-1"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Statements of three auditors with their proofs, and their keys."""
    keys.pin(tmp_path / "trusted", *LOGGED)
    folder = tmp_path / "statements"
    folder.mkdir()
    for name in LOGGED:
        shutil.copy(ASSETS / f"{name}.intoto.jsonl", folder)
        shutil.copy(ASSETS / f"{name}.intoto.jsonl.sigsum-proof", folder)
    return folder


def _verify(place: Path, *more: object, threshold: int = 3, policy: Path = ASSETS / "policy") -> ExitStatus:
    arguments = ["--threshold", threshold, "--trusted-keys", place.parent / "trusted", "--log-policy", policy, *more]
    return main(["attest", "verify", str(place), *map(str, arguments)])


def _fields(
    capsys: pytest.CaptureFixture[str], place: Path, *more: object, status: int, **options: Any
) -> dict[str, Any]:
    capsys.readouterr()
    assert _verify(place, *more, "--json", **options) == status
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("threshold-v1", fields) == []
    return fields


def _standings(fields: dict[str, Any]) -> list[str]:
    return [item["log"]["standing"] for item in fields["statements"]]


def test_three_auditors_in_a_log(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(place, "--require-logged") == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == [
        *("auditor", "verdict", "tdx-debian.efi", "tdx-debian.manifest", "logged", "counted", "file"),
    ]
    assert "alice.intoto.jsonl: leaf 0 of 1 in the log e747be1c" in out
    assert "w1 2026-11-30T08:58:37Z" in out  # 1796029117, by date(1)
    assert "INDEPENDENTLY REPRODUCED: 3 trusted auditors agree, 3 were asked for, and each is in a log" in out
    fields = _fields(capsys, place, status=0)
    assert (_standings(fields), fields["log_required"]) == (["logged"] * 3, False)
    assert {item["name"] for item in fields["statements"][1]["log"]["witnesses"]} == {"w1", "w2", "w3"}


def test_proofs_in_a_folder_of_their_own_by_the_auditors_name(place: Path, tmp_path: Path) -> None:
    proofs = tmp_path / "proofs"
    proofs.mkdir()
    for name in LOGGED:
        (place / f"{name}.intoto.jsonl.sigsum-proof").rename(proofs / f"{name}.sigsum-proof")
    assert _verify(place, "--require-logged") == ExitStatus.DOES_NOT_HOLD
    assert _verify(place, "--require-logged", "--proofs", proofs) == ExitStatus.HOLDS


def test_what_is_not_logged_counts_only_where_nobody_requires_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "carol.intoto.jsonl.sigsum-proof").unlink()
    assert _verify(place) == ExitStatus.HOLDS
    assert "carol.intoto.jsonl: has no proof beside it" in capsys.readouterr().out
    fields = _fields(capsys, place, "--require-logged", status=1)
    assert _standings(fields) == ["logged", "no_proof", "logged"]
    assert [item["objection"] for item in fields["statements"]] == [None, "not logged", None]
    assert (fields["agreeing"], fields["statements"][1]["cells"]) == (2, ["not logged"] * 2)
    assert _verify(place, "--require-logged", threshold=2) == ExitStatus.HOLDS


def test_a_missing_witness(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strict = tmp_path / "policy"
    strict.write_bytes(sample_log.policy(("w1", "w2", "w3", "w4"), "all"))
    fields = _fields(capsys, place, "--require-logged", policy=strict, status=1, threshold=1)
    assert (_standings(fields), fields["agreeing"]) == (["no_quorum"] * 3, 0)
    assert _verify(place, policy=strict) == ExitStatus.HOLDS
    assert "was not seen by enough of the policy's witnesses (seen by w1 2026-" in capsys.readouterr().out
    strict.write_bytes(sample_log.policy(("w1", "w2", "w3", "w4"), "3"))
    assert _verify(place, "--require-logged", policy=strict) == ExitStatus.HOLDS


def test_a_proof_is_of_one_statement_by_one_auditor(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    carols, daves = (place / f"{name}.intoto.jsonl.sigsum-proof" for name in ("carol", "dave"))
    carols.write_bytes(daves.read_bytes())
    daves.write_bytes(b"version=2\n")
    data = (place / "alice.intoto.jsonl").read_bytes()
    (place / "alice.intoto.jsonl").write_bytes(
        data.replace(b',"payload"', b', "payload"')
    )  # the same to a reader of JSON
    fields = _fields(capsys, place, "--require-logged", status=1, threshold=1)
    assert _standings(fields) == ["leaf_signature", "other_submitter", "unreadable"]
    assert fields["statements"][2]["log"]["detail"] == (f"{daves}: log at offset 0xa: expected a line, found the end")


def test_another_key_of_the_same_owner_may_submit(place: Path, tmp_path: Path) -> None:
    """An auditor with a P-256 key, which no Sigsum log takes, pins an Ed25519 key too: OWNER.log.pem."""
    statement = signed_statement(sample.rebuilt(), "alice", sample.COMMIT, keys.signing_key("erin", "p256"))
    (place / "alice.intoto.jsonl").write_bytes(statement)
    (place / "alice.intoto.jsonl.sigsum-proof").write_bytes(sample_log.proof_of(statement, "alice", ("w1", "w2", "w3")))
    (tmp_path / "trusted/alice.pem").write_bytes(keys.public_pem("erin", "p256"))
    assert _verify(place, "--require-logged") == ExitStatus.DOES_NOT_HOLD
    (tmp_path / "trusted/alice.log.pem").write_bytes(keys.public_pem("alice"))
    assert _verify(place, "--require-logged") == ExitStatus.HOLDS


def test_an_expired_key_submits_nothing(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pinned = tmp_path / "trusted/alice.pem"
    pinned.write_bytes(b"Expires: 2026-12-01\n" + pinned.read_bytes())
    assert _verify(place, "--require-logged", "--on", "2026-12-01") == ExitStatus.HOLDS
    assert _verify(place, "--require-logged", "--on", "2026-12-02") == ExitStatus.DOES_NOT_HOLD
    assert "the key has expired" in capsys.readouterr().out


def test_the_logged_one_of_two_equal_statements_counts(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the order of their names is."""
    shutil.copy(place / "carol.intoto.jsonl", place / "a-copy.intoto.jsonl")
    fields = _fields(capsys, place, "--require-logged", status=0)
    assert [(item["owner"], item["objection"]) for item in fields["statements"]] == [
        *(("carol", "not logged"), ("alice", None), ("carol", None), ("dave", None)),
    ]


def test_an_unlogged_statement_contradicts_a_logged_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "other.intoto.jsonl").write_bytes(sample.statement_of("carol", build=EVIL))
    fields = _fields(capsys, place, "--require-logged", status=1)
    assert fields["contradictions"] == [
        {
            "auditor": "carol",
            "release": RELEASE,
            "files": [str(place / "carol.intoto.jsonl"), str(place / "other.intoto.jsonl")],
        }
    ]
    assert [item["objection"] for item in fields["statements"]] == [None, "contradiction", None, "contradiction"]
    result = api.count_statements([place], 2, place.parent / "trusted", date(2026, 12, 1))
    shown = io.StringIO()
    attest_report.show(result, Console(shown, colours=True))
    assert f"\x1b[1;31mCONTRADICTION: carol signed different statements about {RELEASE}: " in shown.getvalue()
    assert result.status is ExitStatus.HOLDS, "alice and dave still agree"


def test_statements_about_different_releases_are_no_contradiction(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuilt = sample.rebuilt(build=EVIL)
    other = replace(rebuilt, reference=replace(sample.PUBLISHED, release="base-2"))
    (place / "other.intoto.jsonl").write_bytes(
        signed_statement(other, "carol", sample.COMMIT, keys.signing_key("carol"))
    )
    fields = _fields(capsys, place, status=0)
    assert fields["contradictions"] == []
    unnamed = sample.statement_of("carol", Verdict.UNREFERENCED, build=EVIL)
    (place / "other.intoto.jsonl").write_bytes(unnamed)
    fields = _fields(capsys, place, status=1)
    assert [item["release"] for item in fields["contradictions"]] == [RELEASE], "it may be about any release"


def test_wrong_usage(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trusted = ["--threshold", "1", "--trusted-keys", str(tmp_path / "trusted")]
    assert main(["attest", "verify", str(place), *trusted, "--require-logged"]) == ExitStatus.NO_VERDICT
    assert "--require-logged and --proofs need --log-policy FILE" in capsys.readouterr().err
    bad = tmp_path / "policy"
    bad.write_text("quorum W\n")
    assert _verify(place, policy=bad) == ExitStatus.NO_VERDICT
    assert f"{bad}: quorum at offset 0x0: 'W' is not defined above" in capsys.readouterr().err


@pytest.fixture
def repository(tmp_path: Path, place: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    place.rename(folder / RELEASE)
    (tmp_path / "trusted").rename(folder / "keys")
    shutil.copy(ASSETS / "policy", folder)
    return folder


def _check(capsys: pytest.CaptureFixture[str], folder: Path, *more: object, status: int) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["attest", "check-repository", str(folder), *map(str, more), "--json"]) == status
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("statements-check-v1", fields) == []
    return fields


def _faults(fields: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(item["file"], item["fault"], item["log"]) for item in fields["faults"]]


def test_a_repository_with_a_policy(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = _check(capsys, repository, "--require-logged", status=0)
    assert [item["logged"] for item in fields["statements"]] == [True] * 3
    assert fields["proofs_not_checked"] == 0
    (repository / "policy").unlink()
    fields = _check(capsys, repository, status=0)
    assert (fields["proofs_not_checked"], fields["statements"][0]["logged"]) == (3, None)
    assert main(["attest", "check-repository", str(repository), "--require-logged"]) == ExitStatus.NO_VERDICT
    assert "has no policy that says what is logged" in capsys.readouterr().err
    assert _check(capsys, repository, "--log-policy", ASSETS / "policy", status=0)["statements"][0]["logged"]


def test_proofs_that_are_not_in_order(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = repository / RELEASE
    proof = (release / "dave.intoto.jsonl.sigsum-proof").read_bytes()
    (release / "carol.intoto.jsonl.sigsum-proof").write_bytes(proof)
    (release / "dave.sigsum-proof").write_bytes(b"version=1\n")
    (release / "bob.sigsum-proof").write_bytes(proof)
    (release / "alice.intoto.jsonl.sigsum-proof").unlink()
    assert _faults(_check(capsys, repository, status=2)) == [
        (f"{RELEASE}/bob.sigsum-proof", "bad_proof", None),
        (f"{RELEASE}/carol.intoto.jsonl.sigsum-proof", "bad_proof", "other_submitter"),
        (f"{RELEASE}/dave.sigsum-proof", "bad_proof", "unreadable"),
    ]
    faults = _faults(_check(capsys, repository, "--require-logged", status=2))
    assert [item for item in faults if item[1] == "not_logged"] == [
        (f"{RELEASE}/alice.intoto.jsonl", "not_logged", "no_proof"),
        (f"{RELEASE}/carol.intoto.jsonl", "not_logged", "other_submitter"),
    ]
    assert main(["attest", "check-repository", str(repository)]) == ExitStatus.NO_VERDICT
    out = capsys.readouterr().out
    assert "(was submitted by another key than its auditor's)" in out
    assert "version at offset 0x0: expected 2, found '1'" in out


def test_a_policy_is_not_changed_by_who_adds_a_statement(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(repository, tmp_path / "before")
    text = (repository / "policy").read_text()
    (repository / "policy").write_text(text.replace("group G all", "group G any"))
    fields = _check(capsys, repository, "--earlier", tmp_path / "before", status=2)
    assert _faults(fields) == [("policy", "changed", None)]


def test_a_policy_is_not_added_by_who_adds_a_statement(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may name a log of theirs and no witness, and then their statements are called logged."""
    shutil.copytree(repository, tmp_path / "before")
    (tmp_path / "before/policy").unlink()
    assert _faults(_check(capsys, repository, "--earlier", tmp_path / "before", status=2)) == [
        ("policy", "changed", None)
    ]


def test_links_are_no_policy_and_no_proof(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proof = repository / RELEASE / "dave.intoto.jsonl.sigsum-proof"
    for number, file in enumerate((repository / "policy", proof)):
        file.rename(tmp_path / f"elsewhere{number}")
        file.symlink_to(tmp_path / f"elsewhere{number}")
    fields = _check(capsys, repository, status=2)
    assert _faults(fields) == [(f"{RELEASE}/{proof.name}", "link", None), ("policy", "link", None)]
    assert fields["statements"][0]["logged"] is None
