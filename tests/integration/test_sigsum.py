"""A Sigsum log and witnesses of Debian's on loopback: what its own submitter wrote, judged by us and by its own verifier."""

from __future__ import annotations

import json
import os
import random
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from builders import audits, keys, rebuilds, sigsum
from builders import statements as sample
from builders.network import own_network
from fuzz.mutations import mutate
from teekit_verify import api
from teekit_verify.appraisal.statements.logged import ProofFile, find_logged
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record import audit_log
from teekit_verify.reference.signing.log import LogStanding
from teekit_verify.reference.signing.log_policy import parse_policy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
AUDITORS = ("alice", "bob", "carol")
WITNESSES = ("w1", "w2", "w3")
_MUTATIONS = 300


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sigsum.fetch_programs(tmp_path_factory.mktemp("sigsum"))


@pytest.fixture(scope="module")
def logged(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three auditors' statements, each with its proof; the log is gone when they are verified."""
    folder, log = tmp_path_factory.mktemp("statements"), tmp_path_factory.mktemp("log")
    with ExitStack() as stack:
        stack.enter_context(own_network())
        running = stack.enter_context(sigsum.running_log(programs, log, WITNESSES))
        for name in AUDITORS:
            file = folder / f"{name}.intoto.jsonl"
            file.write_bytes(sample.statement_of(name))
            running.submit(file, name, folder / f"{file.name}.sigsum-proof")
    return folder


@pytest.mark.parametrize(
    ("witnesses", "quorum", "enough"),
    [
        (WITNESSES, "all", True),
        (WITNESSES[:1], "any", True),
        ((*WITNESSES, "w4"), "3", True),
        ((*WITNESSES, "w4"), "all", False),
        (("w4", "w5"), "any", False),
    ],
)
def test_a_quorum_that_is_met_or_not(
    programs: Path, logged: Path, tmp_path: Path, witnesses: tuple[str, ...], quorum: str, *, enough: bool
) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(sigsum.policy(witnesses, quorum))
    trusted = keys.pin(tmp_path / "trusted", *AUDITORS)
    log = api.LogCheck(policy, required=True)
    status = api.count_statements([logged], len(AUDITORS), trusted, date(2026, 12, 1), log=log).status
    assert (status is ExitStatus.HOLDS) is enough
    for name in AUDITORS:
        file = logged / f"{name}.intoto.jsonl"
        submitter = sigsum.write_key(tmp_path, name).with_suffix(".ssh.pub")
        assert sigsum.accepted(programs, file, logged / f"{file.name}.sigsum-proof", submitter, policy) is enough


def test_changed_proofs_are_judged_as_sigsum_verify_does(programs: Path, logged: Path, tmp_path: Path) -> None:
    """But where a proof has more than 256 cosignatures or 64 KiB, which is more than we take."""
    (tmp_path / "policy").write_bytes(sigsum.policy(WITNESSES, "2"))
    policy = parse_policy((tmp_path / "policy").read_bytes(), "policy")
    statement = logged / "carol.intoto.jsonl"
    submitter = sigsum.write_key(tmp_path, "carol").with_suffix(".ssh.pub")
    seeds = [path.read_bytes() for path in sorted(logged.glob("*.sigsum-proof"))]
    real = (logged / "carol.intoto.jsonl.sigsum-proof").read_bytes()
    lines = real.splitlines(keepends=True)
    left_out = [b"".join(lines[:number] + lines[number + 1 :]) for number in range(len(lines))]
    chance, changed = random.Random(7), tmp_path / "changed"  # noqa: S311 - test data
    verdicts = set()
    for data in [real, *left_out, *(mutate(chance, seeds) for _ in range(_MUTATIONS))]:
        changed.write_bytes(data)
        found = find_logged(
            statement.read_bytes(), [ProofFile("it", data)], [sigsum.public_bytes("carol")], policy
        ).standing
        theirs = sigsum.accepted(programs, statement, changed, submitter, tmp_path / "policy")
        assert (found is LogStanding.LOGGED) is theirs, data
        verdicts.add(theirs)
    assert verdicts == {True, False}, "one cosignature of three may be missing"


def _line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    return dict(line)


def test_an_audit_submits_what_it_signs(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """First to a log one of whose witnesses is missing, which is no proof; then to one whose witnesses all are there."""
    miniature = rebuilds.isolated(tmp_path / "miniature", rebuilds.make_tree(tmp_path / "tree"), monkeypatch)
    audits.publish(miniature, "r1")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    statements, policy = tmp_path / "statements", tmp_path / "policy"
    statements.mkdir()
    policy.write_bytes(sigsum.policy((*WITNESSES, "w4"), "all"))
    key, submitter = keys.write_private(tmp_path, "alice"), sigsum.write_key(tmp_path, "alice")
    options = [*audits.options(miniature, "alice", statements, key), "--log-policy", str(policy), "--json"]
    submit = miniature.argv(*options, "--submit-key", str(submitter), command="audit")
    monkeypatch.setattr(audit_log, "_WAIT_SECONDS", 10)  # for the witness that never comes
    (tmp_path / "log").mkdir()
    with own_network(), sigsum.running_log(programs, tmp_path / "log", WITNESSES):
        capsys.readouterr()
        assert main(submit) == 2
        line = _line(capsys)
        assert (line["outcome"], line["filing"], line["log"]["standing"]) == ("undecided", "written", "no_proof")
        assert line["error"]["code"] == "tool_failed"
        policy.write_bytes(sigsum.policy(WITNESSES, "all"))
        assert main(submit) == 0
        line = _line(capsys)
        assert (line["outcome"], line["filing"], line["log"]["standing"]) == ("reproduced", "kept", "logged")
    statement = statements / "r1/alice.intoto.jsonl"
    proof = statement.with_name(f"{statement.name}.sigsum-proof")
    assert sigsum.accepted(programs, statement, proof, submitter.with_suffix(".ssh.pub"), policy)
    assert main(miniature.argv(*options, "--require-logged", command="audit")) == 0, "the log is gone"
