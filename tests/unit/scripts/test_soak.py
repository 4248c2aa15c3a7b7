"""scripts/soak.sh with a stand-in for the build."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts/soak.sh"
BUILD = """#!/bin/sh
set -eu
cd "$(dirname "$0")/.."
echo "$@" >>calls
number=$(wc -l <calls)
{fails}
for name in tdx-debian.efi tdx-debian.tar.gz tdx-debian.manifest; do echo "$name" >"build/$name"; done
{differs}
"""


def soak(
    tmp_path: Path, *arguments: str, fails: str = "", differs: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (tmp_path / "build").mkdir()
    shutil.copy(SCRIPT, scripts)
    (scripts / "env_wrapper.sh").write_text(BUILD.format(fails=fails, differs=differs))
    (scripts / "env_wrapper.sh").chmod(0o755)
    environment = {**os.environ, "SOAK_WORKERS": "1", **variables}
    argv = [str(scripts / "soak.sh"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=600)


def test_builds_that_are_the_same(tmp_path: Path) -> None:
    result = soak(tmp_path, "3")
    assert result.returncode == 0, result.stderr
    assert "soak: 3 builds under load, all artifacts the same\n" in result.stdout
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == ["mkosi --force --profile=gcp --profile=debian-kernel -I tdx-kettle.conf build"] * 3
    assert sorted(path.name for path in (tmp_path / "build/soak").iterdir()) == [
        "1",
        "build-1.log",
        "build-2.log",
        "build-3.log",
    ]


def test_a_build_that_differs_is_kept(tmp_path: Path) -> None:
    result = soak(tmp_path, "3", differs='[ "$number" -lt 2 ] || echo x >>build/tdx-debian.tar.gz')
    assert result.returncode == 1
    assert "soak: build 2 differs from build 1: tdx-debian.tar.gz\n" in result.stdout
    for number, text in (("1", "tdx-debian.tar.gz\n"), ("2", "tdx-debian.tar.gz\nx\n")):
        assert (tmp_path / "build/soak" / number / "tdx-debian.tar.gz").read_text() == text


def test_a_build_that_fails_is_no_answer(tmp_path: Path) -> None:
    result = soak(tmp_path, "2", fails='[ "$number" -lt 2 ] || exit 3')
    assert result.returncode == 2
    assert "error: build 2 failed" in result.stderr


@pytest.mark.parametrize("argument", ["", "0", "1", "-3", "many"])
def test_it_takes_two_builds_to_compare(tmp_path: Path, argument: str) -> None:
    result = soak(tmp_path, argument)
    assert result.returncode == 2
    assert "expected 2 or more" in result.stderr
    assert not (tmp_path / "calls").exists()


def test_in_the_end_nothing_keeps_the_machine_busy(tmp_path: Path) -> None:
    """Its folder for the load is gone, and so are the processes: they hold its output, so `run` would not have returned."""
    assert soak(tmp_path, "2", SOAK_DIR=str(tmp_path / "elsewhere")).returncode == 0
    assert not (tmp_path / "elsewhere/load").exists()
