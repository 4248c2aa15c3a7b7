"""A later day in a box: scripts/setup_python.sh with the real pip and an index that has newer versions of everything."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builders.http import serve
from builders.wheels import Wheel, publish

ROOT = Path(__file__).parents[3]
# As pytest-cov asks for coverage[toml], and virt-firmware for what no test needs.
LOCKED = (
    Wheel("plugin", "1.0", ("coverage[toml]>=1", "absent>=1; python_version >= '3.0'")),
    Wheel("coverage", "1.0", extras=("toml",)),
)
NEWER = (
    Wheel("plugin", "2.0", ("coverage[toml]>=2",)),
    Wheel("coverage", "1.1", extras=("toml",)),
    Wheel("coverage", "1.0", extras=("toml",), build="2"),  # another file of the very version
)
NEEDED_BY_NO_TEST = {"crypt-r"}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def set_up(folder: Path, *, resolving: bool = False) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    script = folder / "scripts/setup_python.sh"
    if resolving:
        script.write_text(script.read_text().replace("--no-deps ", ""))
    (folder / "requirements.lock").write_text("".join(wheel.locked for wheel in LOCKED))
    (folder / "requirements-test.lock").write_text("")
    with serve() as server:
        environment = {
            "PATH": f"{Path(sys.executable).resolve().parent}:{os.defpath}",
            "HOME": str(folder),
            "PIP_CONFIG_FILE": os.devnull,  # nothing of this host's own
            "PIP_INDEX_URL": publish(server, *LOCKED, *NEWER),
            "TEEKIT_NO_SETUP": "1",
        }
        return subprocess.run([script], env=environment, capture_output=True, text=True, check=False, timeout=600)


def test_the_locked_versions_are_installed_whatever_is_newer(tmp_path: Path) -> None:
    ended = set_up(tmp_path)
    assert ended.returncode == 0, ended.stderr
    code = "import plugin, coverage; print(plugin.VERSION, coverage.VERSION)"
    assert subprocess.check_output([tmp_path / ".venv/bin/python3", "-c", code], text=True) == "1.0 1.0\n"


def test_it_is_a_later_day(tmp_path: Path) -> None:
    """Whoever resolves what is locked already is told that a newer version, with the extra, is not pinned."""
    ended = set_up(tmp_path, resolving=True)
    assert ended.returncode == 2
    assert "could not install" in ended.stderr


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_all_that_its_packages_need(lock: str, python: str) -> None:
    """Nothing else would be installed. The packages of this very environment say what they need."""
    names = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", (ROOT / lock).read_text(), re.MULTILINE)}
    assert "typer" in names
    seen = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
    }
    lacking = set()
    for name in names:
        try:
            wanted = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # for another Python or system
            continue
        for requirement in map(Requirement, wanted):
            if requirement.marker is None or requirement.marker.evaluate({**seen, "extra": ""}):
                lacking |= {canonicalize_name(requirement.name)} - names
    assert lacking <= NEEDED_BY_NO_TEST
