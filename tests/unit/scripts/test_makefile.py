"""The Makefile's targets, as make would run them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builders.tools import require

CHECKOUT = Path(__file__).parents[3]
WRAPPED = "scripts/env_wrapper.sh mkosi --force"


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [require("make"), "--no-print-directory", "--directory", str(CHECKOUT), "--dry-run", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ((), f"{WRAPPED} --profile=debian-kernel -I tdx-kettle.conf"),
        (("PROFILE=gcp",), f"{WRAPPED} --profile=gcp --profile=debian-kernel -I tdx-kettle.conf"),
        (("PROFILE=gcp", "KERNEL=source"), f"{WRAPPED} --profile=gcp -I tdx-kettle.conf"),
    ],
)
def test_build_is_one_call_of_mkosi(arguments: tuple[str, ...], command: str) -> None:
    assert make("build", *arguments).stdout.split() == command.split()


@pytest.mark.parametrize("kernel", ["debain", ""])
def test_a_kernel_that_there_is_not_is_an_error_and_not_half_an_hour_of_compiling(kernel: str) -> None:
    result = make("build", f"KERNEL={kernel}")
    assert (result.returncode, result.stdout) == (2, "")
    assert f"KERNEL is {kernel}, expected debian or source." in result.stderr


def test_clean_leaves_the_source_and_the_whole_virtual_environment(tmp_path: Path) -> None:
    for name in ("Makefile", ".gitignore"):
        shutil.copy(CHECKOUT / name, tmp_path)
    kept = {"Makefile", ".gitignore", "new.conf", ".venv/lib/__pycache__/a.pyc"}
    for name in kept | {"build/a.efi", "kettle-artifacts/app.js", "report/report.json", "verifier/__pycache__/a.pyc"}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for _ in range(2):
        subprocess.run([require("make"), "--directory", tmp_path, "clean"], check=True, capture_output=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in left if not name.startswith(".git/")} == kept
