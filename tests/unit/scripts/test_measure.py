"""`make measure`: what was built last, and where its measurements go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts/measure.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With a stand-in for teekit-verify that says what it was asked."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "build").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / "scripts/teekit-verify").write_text('#!/bin/sh\n[ ! -e "${0%/*}/fails" ] || exit 2\necho "$@"\n')
    (tmp_path / "scripts/teekit-verify").chmod(0o755)
    return tmp_path


def built(checkout: Path, *names: str) -> None:
    """One after the other, the last one last, in whole seconds and in parts of one."""
    for number, name in enumerate(names):
        path = checkout / "build" / name
        path.touch()
        os.utime(path, ns=(0, 1_800_000_000_000_000_000 + number * 10_000_000))


def measure(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(checkout / "scripts/measure.sh"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("names", "last"),
    [
        (("tdx-debian.efi",), "tdx-debian.efi"),
        (("tdx-debian.efi", "tdx-debian.tar.gz"), "tdx-debian.tar.gz"),
        (("tdx-debian.efi", "tdx-debian.tar.gz", "tdx-debian-azure.efi", "tdx-debian-azure.vhd"), "tdx-debian-azure.vhd"),
        # A UKI without a disk after one with a disk of the same name.
        (("tdx-debian.tar.gz", "tdx-debian.efi"), "tdx-debian.efi"),
        (("tdx-debian-azure.vhd", "tdx-debian-devtools.efi", "tdx-debian-devtools.manifest"), "tdx-debian-devtools.efi"),
    ],
)  # fmt: skip
def test_what_was_built_last(checkout: Path, names: tuple[str, ...], last: str) -> None:
    built(checkout, *names)
    done = measure(checkout)
    assert (done.returncode, done.stdout) == (0, f"measure {checkout}/build/{last}\n")
    assert (checkout / "build/measurements.json").read_text() == f"measure {checkout}/build/{last} --json\n"


def test_the_disk_where_both_are_of_one_moment(checkout: Path) -> None:
    for name in ("tdx-debian.efi", "tdx-debian.tar.gz"):
        (checkout / "build" / name).touch()
        os.utime(checkout / "build" / name, ns=(0, 0))
    assert measure(checkout).stdout == f"measure {checkout}/build/tdx-debian.tar.gz\n"


def test_another_file(checkout: Path) -> None:
    assert measure(checkout, "other.efi").stdout == "measure other.efi\n"


def test_nothing_to_measure(checkout: Path) -> None:
    done = measure(checkout)
    assert (done.returncode, done.stderr) == (
        2,
        "error: there is no image in build/\nhint: build one with: make build\n",
    )


def test_a_failure_leaves_the_last_measurements(checkout: Path) -> None:
    built(checkout, "tdx-debian.efi")
    (checkout / "build/measurements.json").write_text("before")
    (checkout / "scripts/fails").touch()
    assert measure(checkout).returncode == 2
    assert [path.name for path in sorted((checkout / "build").iterdir())] == ["measurements.json", "tdx-debian.efi"]
    assert (checkout / "build/measurements.json").read_text() == "before"
