"""Audits killed at any moment, and several at once in the same folders: no half statement, and no finished report made again.

TEEKIT_SEED chooses other moments.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from builders import audits, rebuilds
from builders.rebuilds import Miniature
from teekit_verify.cli.app import main

SEED = os.environ.get("TEEKIT_SEED", "teekit")
RELEASES = ("r1", "r2", "r3")
# Writes its artifacts in pieces, with pauses, so that a kill finds some of them.
SLOWLY = 'for place in 1 2 3 4; do head -c 1000 image.efi >"$output/tdx-debian-base.efi"; sleep 0.03; done\n'


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    made = rebuilds.isolated(tmp_path, tree, monkeypatch)
    audits.publish(made, *RELEASES, build=SLOWLY + audits.MAKES)
    (tmp_path / "statements").mkdir()
    return made


@pytest.fixture
def argv(miniature: Miniature, tree: Path) -> list[str]:
    key = audits.make_key(miniature.folder / "keys", "alice")
    options = audits.options(miniature, "alice", miniature.folder / "statements", key)
    return miniature.script(tree, *options, "--json", command="audit")


def statements(miniature: Miniature) -> dict[str, bytes]:
    """By release. Each that is there is whole, and signed by its auditor."""
    found = {path.parent.name: path for path in (miniature.folder / "statements").glob("r*/alice.intoto.jsonl")}
    trusted = str(miniature.folder / "statements" / "keys")
    for path in found.values():
        assert main(["attest", "show", str(path), "--trusted-keys", trusted]) == 0
    return {release: path.read_bytes() for release, path in found.items()}


def finished(miniature: Miniature) -> dict[str, bytes]:
    """The reports that are there. They hold how long each step took, so that one made again has other bytes."""
    return {
        path.parents[1].name: path.read_bytes() for path in miniature.folder.glob("audit-alice/r*/report/report.json")
    }


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment(
    miniature: Miniature, argv: list[str], kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the moments are to be repeatable
    begin = time.monotonic()
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
    whole_seconds = time.monotonic() - begin
    expected = statements(miniature)
    assert sorted(expected) == list(RELEASES)
    _start_again(miniature)
    was_killed, parts, runs = 0, [0.5, *(chance.uniform(0.1, 1.1) for _ in range(kills - 1))], 0
    # One at least is killed. On a busy machine the first may have taken long, and all others be through before.
    while parts or not was_killed:
        runs += 1
        part = parts.pop(0) if parts else 2.0**-runs
        reports = finished(miniature)
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
            try:
                assert started.wait(part * whole_seconds) == 0
            except subprocess.TimeoutExpired:
                started.send_signal(signal.SIGKILL)
                was_killed += 1
        signed = statements(miniature)
        assert signed.items() <= expected.items(), "the same inputs and key give the same bytes"
        after = finished(miniature)
        assert reports.items() <= after.items(), "what was finished was built again"
        assert signed.keys() <= after.keys()
        if len(signed) == len(RELEASES):
            _start_again(miniature)
    completed = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert statements(miniature) == expected
    rebuilds.no_processes_of(miniature.folder / "audit-alice")
    assert str(miniature.folder) not in Path("/proc/self/mounts").read_text()
    capsys.readouterr()
    assert main(["attest", "check-repository", str(miniature.folder / "statements")]) == 0


def _start_again(miniature: Miniature) -> None:
    for release in RELEASES:
        (miniature.folder / "statements" / release / "alice.intoto.jsonl").unlink()
        shutil.rmtree(miniature.folder / "audit-alice" / release / "report")


def test_two_at_once_share_the_work(miniature: Miniature, argv: list[str]) -> None:
    """Each release is built once, and both know the answer for all of them."""
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    lines = [json.loads(line) for out, _ in told for line in out.splitlines()]
    assert sorted(line["release"] for line in lines) == sorted(RELEASES * 2)
    assert sorted(line["release"] for line in lines if line["basis"] == "build") == list(RELEASES)
    assert sorted(statements(miniature)) == list(RELEASES)


def test_the_work_of_a_killed_worker_is_done_by_another(miniature: Miniature, argv: list[str]) -> None:
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as killed:
        rebuilds.wait_for(miniature.folder / "audit-alice/r1/workspace/A", killed)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as other:
            rebuilds.wait_for(miniature.folder / "audit-alice/r2/workspace", other)
            killed.send_signal(signal.SIGKILL)
            out, err = other.communicate()
    assert other.returncode == 0, err
    assert sorted(json.loads(line)["release"] for line in out.splitlines()) == list(RELEASES)
    assert sorted(statements(miniature)) == list(RELEASES)
