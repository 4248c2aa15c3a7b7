"""scripts/check_perms.sh in a small clone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "check_perms.sh"


def check(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "scripts/check_perms.sh", *arguments], capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    folder = tmp_path / "mkosi" / "extra"
    folder.mkdir(parents=True)
    for place in (folder, folder.parent):
        place.chmod(0o755)
    for name, mode in (("with space.conf", 0o644), ("run.sh", 0o755)):
        (folder / name).write_text("x\n")
        (folder / name).chmod(mode)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "mkosi"], check=True)
    return tmp_path


def test_right_modes_pass_silently(clone: Path) -> None:
    result = check(clone)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("path", "wrong", "right"),
    [
        ("mkosi/extra/with space.conf", 0o664, 0o644),
        ("mkosi/extra/run.sh", 0o644, 0o755),
        ("mkosi/extra", 0o775, 0o755),
    ],
)
def test_wrong_modes_are_named_and_fixed(clone: Path, path: str, wrong: int, right: int) -> None:
    (clone / path).chmod(wrong)
    result = check(clone)
    assert result.returncode == 1
    assert result.stdout == f"{path} is {wrong:o}, expected {right:o}\n"
    assert check(clone, "--fix").returncode == 0
    assert (clone / path).stat().st_mode & 0o777 == right
    assert check(clone).returncode == 0


def test_files_that_git_does_not_know_yet_are_checked_too(clone: Path) -> None:
    for name, mode in (("new.conf", 0o666), ("new.sh", 0o775)):
        (clone / "mkosi" / name).touch()
        (clone / "mkosi" / name).chmod(mode)
    (clone / "mkosi/link").symlink_to("nowhere")
    assert check(clone).stdout == "mkosi/new.conf is 666, expected 644\nmkosi/new.sh is 775, expected 755\n"
    assert check(clone, "--fix").returncode == 0
    assert check(clone).returncode == 0


def test_what_git_says_is_shown(clone: Path) -> None:
    """That a folder is somebody else's, for example."""
    (clone / ".git/config").write_text("[broken")
    result = check(clone)
    assert result.returncode == 2
    assert "fatal: bad config line" in result.stderr
    assert result.stderr.endswith("error: git tracks no files in mkosi/\nhint: run this in a clone\n")


def test_outside_a_clone_there_is_no_answer(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    result = check(clone)
    assert result.returncode == 2
    assert "error: git tracks no files in mkosi/" in result.stderr
