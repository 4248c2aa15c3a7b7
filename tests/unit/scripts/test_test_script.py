"""scripts/test.sh and .ci/run, in a small clone whose checks are stand-ins."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from builders.standins import StandIns

ROOT = Path(__file__).parents[3]


@pytest.fixture
def clone(tmp_path: Path) -> tuple[Path, StandIns]:
    root = tmp_path / "clone"
    for name in ("scripts/test.sh", ".ci/run"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "tool").write_text("#!/usr/bin/env bash\n")
    (root / "notes.txt").write_text("#!/bin/false\n")
    subprocess.run(["git", "init", "--quiet", root], check=True)
    stand_ins = StandIns.make(tmp_path / "bin")
    stand_ins.add("shellcheck")
    for name in ("scripts/setup_deps.sh", "scripts/setup_python.sh", ".venv/bin/ruff"):
        stand_ins.add_at(root / name)
    (root / ".git/info/exclude").write_text("/.venv/\n/scripts/setup_*\n/scripts/in_root.sh\n")
    in_root = 'echo "in $TEEKIT_ROOT: $*"; case $2 in true) exit "${MAKE_STATUS-0}";; esac; exit "${IN_ROOT_STATUS-0}"'
    stand_ins.add_at(root / "scripts/in_root.sh", in_root)
    stand_ins.add_at(root / ".venv/bin/python3", 'case $2 in pytest) exit "${PYTEST_STATUS-0}" ;; esac')
    return root, stand_ins


def test_sets_up_and_runs_every_check_before_the_tests(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    result = stand_ins.run(root / "scripts/test.sh")
    assert result.returncode == 0, result.stdout
    calls = stand_ins.calls
    assert calls[:2] == ["setup_deps.sh --tests", "setup_python.sh --tests"]
    assert calls[2:5] == ["ruff check", "ruff format --check", "python3 -m mypy"]
    assert "lint_imports_command" in calls[5]
    assert calls[6].split() == ["shellcheck", ".ci/run", "scripts/test.sh", "tool"]
    assert calls[7].startswith("python3 -m pytest --cov")
    assert len(calls) == 8


def test_a_failing_check_shows_its_output_and_fails(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    stand_ins.add("shellcheck", "echo SC2086; exit 1")
    result = stand_ins.run(root / "scripts/test.sh")
    assert result.returncode == 1
    assert "SC2086\ncheck: shell FAILED" in result.stdout
    assert "failed before the tests: shell" in result.stdout
    assert not any("pytest" in call for call in stand_ins.calls)


def test_fast_leaves_the_slow_tests_out_and_the_rest_goes_to_pytest(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    stand_ins.run(root / "scripts/test.sh", "--fast", "-x")
    assert stand_ins.calls[-1].endswith(" -m not slow -x")


def test_a_failed_set_up_is_no_answer(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    stand_ins.add_at(root / "scripts/setup_deps.sh", "exit 1")
    assert stand_ins.run(root / "scripts/test.sh").returncode == 2


@pytest.mark.parametrize(
    ("status", "in_root", "expected"), [("0", "0", 0), ("1", "0", 1), ("5", "2", 5), ("0", "1", 1), ("0", "2", 2)]
)
def test_ci_is_the_test_command_and_a_bare_debian(
    clone: tuple[Path, StandIns], status: str, in_root: str, expected: int
) -> None:
    root, stand_ins = clone
    result = stand_ins.run("/bin/sh", root / ".ci/run", PYTEST_STATUS=status, IN_ROOT_STATUS=in_root, CI="true")
    assert result.returncode == expected
    # The bare system is made before anything else, and entered beside the tests here.
    assert stand_ins.calls[0] == "in_root.sh trixie true"
    assert stand_ins.calls.count("in_root.sh trixie scripts/test_set_up.sh") == 1
    assert any("pytest" in call and "not slow" not in call for call in stand_ins.calls)
    folder, *said = re.findall(r"in (/\S+): (.*)", result.stdout)
    assert [words for _, words in (folder, *said)] == ["trixie true", "trixie scripts/test_set_up.sh"]
    assert said[0][0] == folder[0]
    assert not Path(folder[0]).exists()


def test_ci_without_a_bare_debian_still_runs_the_tests(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    result = stand_ins.run("/bin/sh", root / ".ci/run", MAKE_STATUS="2", CI="true")
    assert result.returncode == 2
    assert any("pytest" in call for call in stand_ins.calls)
    assert "in_root.sh trixie scripts/test_set_up.sh" not in stand_ins.calls
