"""A unit that wants to be enabled and that no preset names: the build says so (mkosi/uki.postinst)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

MKOSI = Path(__file__).parents[3] / "mkosi"
UNIT = "[Unit]\nDescription=x\n\n[Service]\nExecStart=/usr/bin/myapp\n\n[Install]\nWantedBy=minimal.target\n"
PRESETS = "usr/lib/systemd/system-preset"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What an image of ours has: presets, units of Debian's packages, and a link to one."""
    for folder in ("etc/systemd/system", "usr/lib/systemd/system", PRESETS, "var/lib/dpkg/info"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/info/nginx.list").write_text("/.\n/usr/lib/systemd/system/nginx.service\n")
    (tmp_path / "usr/lib/systemd/system/nginx.service").write_text(UNIT)
    (tmp_path / "etc/systemd/system/masked.service").symlink_to("/dev/null")
    (tmp_path / f"{PRESETS}/80-teekit-none.preset").write_text("disable *\n")
    return tmp_path


def postinst(root: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BUILDROOT": str(root)}
    return subprocess.run([MKOSI / "uki.postinst"], env=environment, capture_output=True, text=True, check=False)


def test_debians_units_are_decided_on_elsewhere(root: Path) -> None:
    done = postinst(root)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("folder", ["etc/systemd/system", "usr/lib/systemd/system"])
def test_a_unit_that_would_never_start_fails_the_build_with_a_sentence(root: Path, folder: str) -> None:
    """The seed's example, word for word."""
    (root / folder / "myservice.service").write_text(UNIT)
    done = postinst(root)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the unit myservice.service has an [Install] section, and no preset names it, so it would never start\n"
        'hint: put "enable myservice.service" into a file 50-*.preset of usr/lib/systemd/system-preset/ beside it\n'
    )
    (root / PRESETS / "50-mine.preset").write_text("enable mXservice.service\nenable myservice.service.d\n")
    assert postinst(root).returncode == 1
    (root / PRESETS / "50-mine.preset").write_text("# mine\nenable myservice.service\n")
    assert postinst(root).returncode == 0


def test_what_is_switched_off_by_name_is_decided_on_too(root: Path) -> None:
    (root / "usr/lib/systemd/system/some@.service").write_text(UNIT)
    (root / PRESETS / "50-mine.preset").write_text("disable some@.service\n")
    assert postinst(root).returncode == 0


def test_our_own_units_are_all_named(root: Path) -> None:
    for extra in MKOSI.rglob("mkosi.extra"):
        subprocess.run(["cp", "-a", f"{extra}/.", root], check=True)
    done = postinst(root)
    assert (done.returncode, done.stderr) == (0, "")
