"""A Sigsum log and witnesses of Debian's on loopback: what its own submitter wrote, judged by us and by its own verifier."""

from __future__ import annotations

import random
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING

import pytest

from builders import keys, sigsum
from builders import statements as sample
from builders.network import own_network
from fuzz.mutations import mutate
from teekit_verify import api
from teekit_verify.appraisal.statements.logged import ProofFile, find_logged
from teekit_verify.core.outcome import ExitStatus
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
