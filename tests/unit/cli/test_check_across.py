"""`attest check-repository --other`: what somebody tells one repository and not another."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import documents, keys
from builders import statements as sample
from builders.published_schemas import problems
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.cli.app import main

RELEASE = "base-1"  # that of the sample statements
EVIL = documents.build(artifacts=(replace(documents.UKI, sha256=documents.sha256("evil")), documents.MANIFEST))
OWN, RESULTS = "own_statements", "different_results"


def repository(folder: Path, **statements: bytes) -> Path:
    keys.pin(_made(folder) / "keys", *statements)
    for auditor, data in statements.items():
        (_made(folder / RELEASE) / f"{auditor}.intoto.jsonl").write_bytes(data)
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return repository(tmp_path / "here", alice=sample.statement_of("alice"), bob=sample.statement_of("bob"))


def conflicts(
    capsys: pytest.CaptureFixture[str], here: Path, *others: Path, status: int
) -> list[tuple[str, list[str], str]]:
    capsys.readouterr()
    argv = ["attest", "check-repository", str(here), *(word for other in others for word in ("--other", str(other)))]
    assert main([*argv, "--json"]) == status
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("statements-check-v1", fields) == []
    assert fields["others"] == [str(other) for other in others]
    return [(item["conflict"], item["auditors"], Path(item["elsewhere"]).name) for item in fields["contradictions"]]


def test_a_copy_and_a_part_of_it_say_the_same(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(here, tmp_path / "copy")
    part = repository(tmp_path / "part", alice=sample.statement_of("alice"))
    assert conflicts(capsys, here, tmp_path / "copy", part, status=0) == []


def test_another_result_elsewhere_by_the_same_key(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    liar = repository(tmp_path / "liar", alice=sample.statement_of("alice", build=EVIL))
    expected = [(OWN, ["alice"], "liar"), (RESULTS, ["alice", "bob"], "liar")]
    assert conflicts(capsys, here, liar, status=1) == expected
    assert main(["attest", "check-repository", str(here), "--other", str(liar)]) == 1
    words = " ".join(capsys.readouterr().out.split())
    assert f"{RELEASE}: alice made statements that contradict each other (in {liar})" in words


def test_the_same_bytes_with_another_verdict_contradict(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mismatch that is told elsewhere only is one that was kept from those who read here."""
    liar = repository(tmp_path / "liar", bob=sample.statement_of("bob", Verdict.MISMATCH))
    assert conflicts(capsys, here, liar, status=1) == [(OWN, ["bob"], "liar"), ("mismatch", ["bob"], "liar")]


def test_the_key_says_who_it_is_and_not_the_name(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under another name the same key is the same auditor; the same name with another key is somebody else."""
    renamed = repository(tmp_path / "renamed", mallory=sample.statement_of("mallory", build=EVIL, key="alice"))
    (renamed / "keys/mallory.pem").write_bytes(keys.public_pem("alice"))
    found = conflicts(capsys, here, renamed, status=1)
    assert found == [(OWN, ["alice"], "renamed"), (RESULTS, ["alice", "bob", "mallory"], "renamed")]
    other = repository(tmp_path / "other", alice=sample.statement_of("alice", key="mallory"))
    (other / "keys/alice.pem").write_bytes(keys.public_pem("mallory"))
    assert conflicts(capsys, here, other, status=1) == [("other_key", ["alice"], "other")]


def test_a_statement_elsewhere_that_is_not_in_order_says_nothing_and_is_told(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody could have put it there, in alice's name."""
    forged = repository(tmp_path / "forged", alice=sample.statement_of("alice", build=EVIL, key="mallory"))
    assert conflicts(capsys, here, forged, status=2) == []
    assert main(["attest", "check-repository", str(here), "--other", str(forged)]) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert f"{forged}: {RELEASE}/alice.intoto.jsonl: is not signed by a key in keys/" in out


def test_what_was_compared_here_and_not_there_is_the_same_result(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """UNREFERENCED is what the same build is called where nobody published values yet."""
    early = repository(tmp_path / "early", alice=sample.statement_of("alice", Verdict.UNREFERENCED))
    assert conflicts(capsys, here, early, status=0) == []


def test_a_mismatch_about_what_nobody_here_speaks_of_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever keeps all statements about a release away keeps the mismatch away too. That others agree there is no news."""
    there = repository(tmp_path / "there", bob=sample.statement_of("bob"))
    monkeypatch.setattr(sample, "PUBLISHED", replace(sample.PUBLISHED, release="base-2"))
    here = tmp_path / "here"
    keys.pin(_made(here) / "keys", "alice")
    (_made(here / "base-2") / "alice.intoto.jsonl").write_bytes(sample.statement_of("alice"))
    assert conflicts(capsys, here, there, status=0) == []
    monkeypatch.undo()
    repository(there, bob=sample.statement_of("bob", Verdict.MISMATCH))
    assert conflicts(capsys, here, there, status=1) == [("mismatch", ["bob"], "there")]
