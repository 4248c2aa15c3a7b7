"""docs/examples/refresh.yml: a workflow as GitHub reads it, whose commands exist, and whose scripts do what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from builders.commands import commands, options_of
from builders.tools import require

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / "docs/examples/refresh.yml").read_text(encoding="utf-8"))
JOB = WORKFLOW["jobs"]["refresh"]
STEPS: dict[str, str] = {step["name"]: step["run"] for step in JOB["steps"] if "run" in step}


def test_it_may_open_a_pull_request_and_has_no_key() -> None:
    assert WORKFLOW["permissions"] == {"contents": "write", "pull-requests": "write"}
    assert "secrets." not in str(WORKFLOW)
    assert not re.search(r"\b(sign|attest|reference)\b", "".join(STEPS.values()))
    assert set(WORKFLOW[True]) == {"schedule", "workflow_dispatch"}  # YAML 1.1 reads `on` as true


def test_its_commands_exist() -> None:
    known, seen = commands(), set()
    for line in re.findall(r"scripts/teekit-verify ([a-z][^\n|;]*)", "".join(STEPS.values())):
        words = tuple(re.findall(r"^[a-z]+(?: [a-z]+)?", line)[0].split())
        words = words if words in known else words[:1]
        assert set(re.findall(r"--[a-z-]+", line)) <= options_of(known[words])
        seen.add(" ".join(words))
    assert seen == {"env lock", "lock", "lock check", "rebuild", "lock diff"}


class Checkout:
    """A folder with a stand-in for the program, which ends as it is told to: `diff` and `verdict`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("scripts", "report", "old"):
            (root / name).mkdir()

    def run(self, step: str, *, diff: int = 0, verdict: str = "UNREFERENCED", rebuild: int = 1) -> int:
        (self.root / "report/report.json").write_text(f'{{\n  "verdict": "{verdict}",\n  "x": 1\n}}\n')
        program = self.root / "scripts/teekit-verify"
        program.write_text(
            f'#!/bin/sh\necho "$@"\ncase "$1 $2" in "lock diff") exit {diff};; "rebuild ") exit {rebuild};; esac\n'
        )
        program.chmod(0o755)
        environment = {"PATH": "/usr/bin:/bin", "GITHUB_ENV": str(self.root / "env"), "VERDICT": verdict}
        argv = [require("bash"), "-e", "-o", "pipefail", "-c", STEPS[step]]  # as GitHub's runner does
        return subprocess.run(argv, cwd=self.root, env=environment, check=False).returncode

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("verdict", "rebuild", "status"),
    [
        ("REPRODUCED", 0, 0),
        ("UNREFERENCED", 1, 0),
        ("INPUT_DRIFT", 1, 0),
        ("NONDETERMINISTIC", 1, 1),
        ("MISMATCH", 1, 1),
        ("", 2, 1),
    ],
)
def test_a_build_that_is_not_deterministic_ends_it(checkout: Checkout, verdict: str, rebuild: int, status: int) -> None:
    assert checkout.run("Rebuild", verdict=verdict, rebuild=rebuild) == status


@pytest.mark.parametrize(
    ("diff", "status", "labels"), [(0, 0, "rolls-measurements"), (1, 0, "rolls-measurements,red-flags")]
)
def test_red_flags_become_a_label(checkout: Checkout, diff: int, status: int, labels: str) -> None:
    assert checkout.run("Say what changed", diff=diff) == status
    assert f"LABELS={labels}\n" in checkout.read("env")
    text = checkout.read("text.md")
    assert "Rebuilt twice from these locks: UNREFERENCED\n" in text
    reports = " --reports old/report report"
    for lock, effect in (("nix/build-env.lock.json", ""), ("mkosi/packages.lock.json", reports)):
        assert f"\n## {lock}\n\nlock diff old/{Path(lock).name} {lock}{effect} --markdown\n" in text


def test_no_text_is_made_of_a_failure(checkout: Checkout) -> None:
    assert checkout.run("Say what changed", diff=2) == 2
    assert not (checkout.root / "env").exists()
