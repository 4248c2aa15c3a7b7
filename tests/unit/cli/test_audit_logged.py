"""`audit` with a transparency log: proofs that are there, that are missing, and a stand-in for Sigsum's submitter."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from builders import audits, keys, rebuilds, sigsum
from builders.published_schemas import problems
from builders.rebuilds import Miniature
from teekit_verify.cli.app import main

SUBMITTER = """#!/bin/sh
echo "$@" >>{folder}/calls
[ -e {folder}/proof ] || exit 1
while [ "$1" != -o ]; do shift; done
cat {folder}/proof >"$2"
"""


class Logged:
    """Alice's audit of a release, with a policy of two witnesses, and a submitter that gives out the file `proof`."""

    def __init__(self, miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
        self.miniature, self.capsys = miniature, capsys
        self.key = keys.write_private(miniature.folder, "alice")
        self.statements = miniature.folder / "statements"
        self.statements.mkdir()
        self.statement = self.statements / "r1/alice.intoto.jsonl"
        self.proof = self.statement.with_name("alice.intoto.jsonl.sigsum-proof")
        self.policy = miniature.folder / "policy"
        self.witnessed_by("w1", "w2")

    def witnessed_by(self, *names: str) -> None:
        self.policy.write_bytes(sigsum.policy(names, "all"))

    def run(self, *arguments: object, status: int) -> dict[str, Any]:
        options = audits.options(self.miniature, "alice", self.statements, self.key)
        self.capsys.readouterr()
        words = [*options, *map(str, arguments), "--log-policy", str(self.policy), "--json"]
        assert main(self.miniature.argv(*words, command="audit")) == status
        (line,) = map(json.loads, self.capsys.readouterr().out.splitlines())
        assert problems("audited-v1", line) == []
        return dict(line)

    def good_proof(self) -> bytes:
        return sigsum.proof_of(self.statement.read_bytes(), "alice", ("w1", "w2"))


@pytest.fixture
def logged(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Logged:
    miniature = rebuilds.isolated(tmp_path, tree, monkeypatch)
    audits.publish(miniature, "r1")
    return Logged(miniature, capsys)


def _found(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["outcome"], line["filing"], line["log"]["standing"]


def test_a_proof_that_is_waited_for(logged: Logged) -> None:
    """The statement is there at once; whether it may be told reproduced without a proof, --require-logged says."""
    assert _found(logged.run("--require-logged", status=2)) == ("undecided", "written", "no_proof")
    assert _found(logged.run(status=0)) == ("reproduced", "kept", "no_proof")
    logged.proof.write_bytes(logged.good_proof())
    line = logged.run("--require-logged", status=0)
    assert _found(line) == ("reproduced", "kept", "logged")
    assert {item["name"] for item in line["log"]["witnesses"]} == {"w1", "w2"}
    logged.witnessed_by("w1", "w2", "w3")
    assert _found(logged.run("--require-logged", status=2)) == ("undecided", "kept", "no_quorum")


def test_a_mismatch_stays_one_whether_it_is_logged_or_not(logged: Logged) -> None:
    audits.falsify(logged.miniature, "r1")
    assert _found(logged.run("--require-logged", status=1)) == ("mismatch", "written", "no_proof")


def test_statements_are_submitted_once_and_a_proof_is_kept_if_it_is_good(
    logged: Logged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "sigsum-submit"
    program.write_text(SUBMITTER.format(folder=programs))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    submit = ("--submit-key", logged.key)
    line = logged.run(*submit, status=2)
    assert _found(line) == ("undecided", "written", "no_proof")
    assert line["error"]["code"] == "tool_failed"
    other = sigsum.proof_of(b"another file", "alice", ("w1", "w2"))
    (programs / "proof").write_bytes(other)
    assert _found(logged.run(*submit, status=2)) == ("undecided", "kept", "leaf_signature")
    assert not logged.proof.exists(), "what is no proof of this statement is not put beside it"
    (programs / "proof").write_bytes(logged.good_proof())
    assert _found(logged.run(*submit, status=0)) == ("reproduced", "kept", "logged")
    assert logged.proof.read_bytes() == logged.good_proof()
    calls = (programs / "calls").read_text().splitlines()
    assert len(calls) == 3
    assert f"-k {logged.key} -p {logged.policy} -o " in calls[-1]
    assert calls[-1].endswith(f" {logged.statement}")
    assert _found(logged.run(*submit, status=0)) == ("reproduced", "kept", "logged")
    logged.proof.write_bytes(other)
    assert _found(logged.run(*submit, status=2)) == ("undecided", "kept", "leaf_signature")
    assert logged.proof.read_bytes() == other, "a proof that is there is not replaced"
    assert len((programs / "calls").read_text().splitlines()) == 3


def test_without_sigsums_program(logged: Logged) -> None:
    line = logged.run("--submit-key", logged.key, status=2)
    assert line["error"]["message"] == "the program 'sigsum-submit' is not installed"
    assert logged.statement.exists()


@pytest.mark.parametrize("option", [("--require-logged",), ("--submit-key", "{key}")])
def test_a_log_needs_a_policy(logged: Logged, option: tuple[str, ...]) -> None:
    options = audits.options(logged.miniature, "alice", logged.statements, logged.key)
    given = [word.format(key=logged.key) for word in option]
    logged.capsys.readouterr()
    assert main(logged.miniature.argv(*options, *given, command="audit")) == 2
    assert "--require-logged and --submit-key need --log-policy FILE" in logged.capsys.readouterr().err
    assert list(logged.statements.iterdir()) == []
