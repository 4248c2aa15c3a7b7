"""scripts/test_local.sh with stand-ins for the launcher and for the bundler of the demo app."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builders.standins import StandIns

CHECKOUT = Path(__file__).parents[3]
NO_IMAGE = "error: there is no build/tdx-debian.efi\nhint: build it with: make build\n"


@pytest.fixture
def stand_ins(tmp_path: Path) -> StandIns:
    scripts = tmp_path / "check out/scripts"
    scripts.mkdir(parents=True)
    shutil.copy(CHECKOUT / "scripts/test_local.sh", scripts)
    made = StandIns.make(tmp_path / "bin")
    made.add_at(scripts / "teekit-verify")
    made.add_at(scripts / "bundle_kettle.sh")
    return made


@pytest.fixture
def root(stand_ins: StandIns) -> Path:
    return stand_ins.folder.parent / "check out"


def _make(file: Path) -> None:
    file.parent.mkdir()
    file.touch()


@pytest.mark.parametrize("options", [[], ["--timeout", "60"]])
def test_without_an_image_it_says_what_to_do(root: Path, stand_ins: StandIns, options: list[str]) -> None:
    finished = stand_ins.run(root / "scripts/test_local.sh", *options)
    assert (finished.returncode, finished.stdout, finished.stderr) == (2, "", NO_IMAGE)
    assert stand_ins.calls == []


def test_the_image_and_the_bundled_manifest(root: Path, stand_ins: StandIns) -> None:
    """From any folder; the demo app is bundled unless it is there."""
    _make(root / "build/tdx-debian.efi")
    run = f"teekit-verify local {root}/build/tdx-debian.efi --manifest {root}/kettle-artifacts/manifest.json"
    assert stand_ins.run(root / "scripts/test_local.sh").returncode == 0
    assert stand_ins.calls == ["bundle_kettle.sh ", run]
    _make(root / "kettle-artifacts/manifest.json")
    assert stand_ins.run(root / "scripts/test_local.sh").returncode == 0
    assert stand_ins.calls[2:] == [run]


def test_options_are_passed_on(root: Path, stand_ins: StandIns) -> None:
    _make(root / "build/tdx-debian.efi")
    assert stand_ins.run(root / "scripts/test_local.sh", "--app", "my app.js").returncode == 0
    assert stand_ins.calls == [f"teekit-verify local {root}/build/tdx-debian.efi --app my app.js"]


def test_another_image(root: Path, stand_ins: StandIns) -> None:
    assert stand_ins.run(root / "scripts/test_local.sh", "disk.raw", "--json").returncode == 0
    assert stand_ins.calls == ["teekit-verify local disk.raw --json"]


def test_an_app_that_cannot_be_bundled(root: Path, stand_ins: StandIns) -> None:
    _make(root / "build/tdx-debian.efi")
    stand_ins.add_at(root / "scripts/bundle_kettle.sh", "exit 1")
    assert stand_ins.run(root / "scripts/test_local.sh").returncode == 2
    assert stand_ins.calls == ["bundle_kettle.sh "]


def test_the_status_is_the_commands(root: Path, stand_ins: StandIns) -> None:
    stand_ins.add_at(root / "scripts/teekit-verify", "exit 2")
    assert stand_ins.run(root / "scripts/test_local.sh", "disk.raw").returncode == 2
