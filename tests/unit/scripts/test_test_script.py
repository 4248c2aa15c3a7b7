"""scripts/test.sh and .ci/run, in a small clone whose checks are stand-ins."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from builders.standins import StandIns

ROOT = Path(__file__).parents[3]


# As POSIX has it with -P; "$3" is the folder.
DF = """\
case $3 in /*) disk=/mnt ;; *) disk=/other ;; esac
echo "Filesystem 1024-blocks Used Available Capacity Mounted on"
echo "/dev/vda 1 1 FREE 1% $disk"
"""


@pytest.fixture
def clone(tmp_path: Path) -> tuple[Path, StandIns]:
    root = tmp_path / "clone"
    for name in ("scripts/test.sh", "scripts/scratch.sh", ".ci/run"):
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
    stand_ins.add_at(
        root / ".venv/bin/python3",
        'case "$*" in *tests/unit) exit "${PYTEST_STATUS-0}" ;; *--ignore=*) exit "${IMAGES_STATUS-0}" ;; esac\n'
        'case "$*" in *tests/integration/guest) exit "${GUEST_STATUS-0}" ;; esac',
    )
    stand_ins.add("df", DF.replace("FREE", "${FREE_KIB-99999999}"))
    (tmp_path / "scratch").mkdir()
    return root, stand_ins


def run_ci(clone: tuple[Path, StandIns], **environment: str) -> subprocess.CompletedProcess[str]:
    root, stand_ins = clone
    scratch = str(root.parent / "scratch")
    return stand_ins.run("/bin/sh", root / ".ci/run", CI="true", TEEKIT_SCRATCH=scratch, **environment)


def test_sets_up_and_runs_every_check_before_the_tests(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    result = stand_ins.run(root / "scripts/test.sh")
    assert result.returncode == 0, result.stdout
    calls = stand_ins.calls
    assert calls[:2] == ["setup_deps.sh --tests", "setup_python.sh --tests"]
    assert calls[2:5] == ["ruff check", "ruff format --check", "python3 -m mypy"]
    assert "lint_imports_command" in calls[5]
    assert calls[6].split() == ["shellcheck", ".ci/run", "scripts/scratch.sh", "scripts/test.sh", "tool"]
    # Side by side, so in any order: the units, which must cover the code; images with kettles; and the other images.
    assert sorted(calls[7:]) == [
        "python3 -m pytest --cov --cov-fail-under=95 --durations=10 tests/unit",
        "python3 -m pytest --no-cov --durations=10 tests/integration --ignore=tests/integration/guest",
        "python3 -m pytest --no-cov --durations=10 tests/integration/guest",
    ]


@pytest.mark.parametrize(
    ("units", "guests", "images", "expected"),
    [
        ("1", "0", "0", 1),
        ("0", "1", "0", 1),
        ("0", "0", "1", 1),
        ("5", "1", "1", 5),
        ("0", "2", "1", 2),
        ("0", "0", "2", 2),
    ],
)
def test_each_part_fails_all(clone: tuple[Path, StandIns], units: str, guests: str, images: str, expected: int) -> None:
    root, stand_ins = clone
    statuses = {"PYTEST_STATUS": units, "GUEST_STATUS": guests, "IMAGES_STATUS": images}
    assert stand_ins.run(root / "scripts/test.sh", **statuses).returncode == expected


def test_the_folder_that_one_part_leaves_out_is_there() -> None:
    """Under another name its tests would be run twice, or never."""
    assert list((ROOT / "tests/integration/guest").glob("test_*.py"))


def test_what_the_images_say_is_shown_at_the_end(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    says = 'case "$*" in *--ignore*) echo images ;; *tests/unit) echo units ;; *tests/integration/guest) echo guests ;; esac'
    stand_ins.add_at(root / ".venv/bin/python3", says)
    shown = stand_ins.run(root / "scripts/test.sh").stdout.splitlines()
    assert shown[-4:] == ["units", "test: waiting for the tests that build and boot images", "guests", "images"]
    assert list(root.parent.glob("tmp.*")) == []


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
    _, stand_ins = clone
    result = run_ci(clone, PYTEST_STATUS=status, IN_ROOT_STATUS=in_root)
    assert result.returncode == expected
    # The bare system is made before anything else, and entered beside the tests here.
    assert next(call for call in stand_ins.calls if not call.startswith("df")) == "in_root.sh trixie true"
    assert stand_ins.calls.count("in_root.sh trixie scripts/test_set_up.sh") == 1
    assert any("pytest" in call and "not slow" not in call for call in stand_ins.calls)
    folder, *said = re.findall(r"in (/\S+): (.*)", result.stdout)
    assert [words for _, words in (folder, *said)] == ["trixie true", "trixie scripts/test_set_up.sh"]
    assert said[0][0] == folder[0]
    assert not Path(folder[0]).exists()


def test_ci_without_a_bare_debian_still_runs_the_tests(clone: tuple[Path, StandIns]) -> None:
    _, stand_ins = clone
    assert run_ci(clone, MAKE_STATUS="2").returncode == 2
    assert any("pytest" in call for call in stand_ins.calls)
    assert "in_root.sh trixie scripts/test_set_up.sh" not in stand_ins.calls


def test_ci_says_at_once_where_the_disk_is_too_small(clone: tuple[Path, StandIns]) -> None:
    _, stand_ins = clone
    result = run_ci(clone, FREE_KIB=str(9 << 20))
    assert result.returncode == 2
    needed = re.fullmatch(
        r"error: \.ci/run needs (\d+) GiB free on the disk of /mnt, which has 9\.0\n"
        r"hint: free some space there, and run this again\n",
        result.stderr,
    )
    assert needed is not None, result.stderr
    assert int(needed[1]) > 9  # the sum for all that is there; the checkout's own, on another, would have sufficed
    assert [call for call in stand_ins.calls if not call.startswith("df")] == []


def test_ci_leaves_nothing_and_removes_what_killed_runs_left(clone: tuple[Path, StandIns]) -> None:
    root, _ = clone
    scratch = root.parent / "scratch"
    for name in ("teekit.left", "teekit-root.left", "teekit.held", "others"):
        (scratch / name / "deep").mkdir(parents=True)
    (scratch / "teekit.link").symlink_to(scratch / "others")
    with subprocess.Popen(
        ["flock", scratch / "teekit.held", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"x\n")
        holder.stdin.flush()
        holder.stdout.readline()  # so it holds the lock
        result = run_ci(clone)
        holder.stdin.close()
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in scratch.iterdir()) == ["others", "teekit.held", "teekit.link"]
    assert (scratch / "teekit.held/deep").is_dir()
    assert (scratch / "others/deep").is_dir()


def test_a_ci_run_that_is_ended_ends_what_it_started(clone: tuple[Path, StandIns]) -> None:
    root, stand_ins = clone
    # The tests begin to wait for ever, and end the run.
    forever = 'case "$*" in *pytest*) kill -TERM "$CI_RUN"; exec tail -f /dev/null ;; esac'
    stand_ins.add_at(root / ".venv/bin/python3", forever)
    scratch = root.parent / "scratch"
    run = 'CI_RUN=$$ exec /bin/sh "$0"'
    result = stand_ins.run("/bin/sh", "-c", run, root / ".ci/run", TEEKIT_SCRATCH=str(scratch))
    assert result.returncode == 130, result.stderr
    assert list(scratch.iterdir()) == []
