"""The units as systemd itself reads them, and how much it thinks they can do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from builders.tools import require

MKOSI = Path(__file__).parents[3] / "mkosi/mkosi.images"
UNITS = MKOSI / "tdx-kettle/mkosi.extra/usr/lib/systemd/system"
PER_KETTLE = MKOSI / "tdx-kettle/kettle/per-kettle"
NAMES = sorted(path.name.replace("@.", "@0.") for path in UNITS.glob("*.*") if path.is_file())
SERVICES = [name for name in NAMES if name.endswith(".service")]
# Of 10. 2.0 and less are services that can do little beyond what they are for.
MOST_EXPOSURE = 2.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine with our units, those of the host they are ordered by, and a stand-in for every program."""
    root = tmp_path_factory.mktemp("root")
    units = root / "usr/lib/systemd/system"
    shutil.copytree(UNITS, units)
    subprocess.run([PER_KETTLE, root], check=True)
    shutil.copytree(MKOSI / "base/mkosi.extra/usr/lib/systemd/system", units, dirs_exist_ok=True)
    for name in ("basic.target", "shutdown.target", "sysinit.target", "timers.target", "sys-kernel-config.mount"):
        shutil.copy(Path("/usr/lib/systemd/system", name), units)
    for path in UNITS.glob("*.service"):
        for program in re.findall(r"^Exec\w+=(/\S+)", path.read_text(), re.MULTILINE):
            place = root / program.removeprefix("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("#!/bin/sh\n")
            place.chmod(0o755)
    return root


def analyze(root: Path, verb: str, *arguments: str) -> str:
    argv = [require("systemd-analyze"), verb, f"--root={root}", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_finds_nothing_wrong(root: Path) -> None:
    for unit in root.glob("usr/lib/systemd/system/*.service"):  # of the image's systemd, 257, which is not the host's
        unit.write_text(unit.read_text().replace("BindLogSockets=no\n", ""))
    assert analyze(root, "verify", "--man=no", "--recursive-errors=no", *NAMES, "var-lib-kettle-0.mount") == ""


def test_systemd_would_find_what_is_wrong(root: Path) -> None:
    (root / "usr/lib/systemd/system/wrong.service").write_text("[Service]\nExecStart=/usr/bin/python3\nNoSuch=yes\n")
    with pytest.raises(AssertionError, match=r"Unknown key.* 'NoSuch'"):
        analyze(root, "verify", "--man=no", "--recursive-errors=no", "wrong.service")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(root: Path, name: str) -> None:
    said = analyze(root, "security", "--offline=yes", "--no-pager", f"--threshold={MOST_EXPOSURE * 10:.0f}", name)
    assert re.search(r"Overall exposure level for \S+: [01]\.\d (OK|SAFE)", said)
