"""mkosi.images/base/mask-units on a tree with a few units."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "mkosi/mkosi.images/base/mask-units"
UNITS = "usr/lib/systemd/system"
# More than fits into a pipe: where one program wrote the list and another left early, this was the case that failed.
MANY = [f"allowed-{number}-{'x' * 230}.service" for number in range(300)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """`root` is the image's tree, `source` the folder of the stages."""
    units = tmp_path / "root" / UNITS
    (units / "basic.target.wants").mkdir(parents=True)
    for name in ("basic.target", "debug-shell.service", "kmod.service", *MANY):
        (units / name).touch()
    for alias, target in (
        ("default.target", "basic.target"),
        ("sh.service", "debug-shell.service"),
        ("old.service", "/dev/null"),
    ):
        (units / alias).symlink_to(target)
    own = tmp_path / "source/mkosi.images/one/mkosi.extra" / UNITS
    own.mkdir(parents=True)
    for name in ("own.service", "tmp.mount.d"):
        (own / name).touch()
    (units / "own.service").touch()
    lists = {"one": "# what may run\n\nbasic.target   # with a remark\n", "two": "kmod.service\n" + "\n".join(MANY)}
    for stage, text in lists.items():
        (tmp_path / f"source/mkosi.images/{stage}").mkdir(exist_ok=True)
        (tmp_path / f"source/mkosi.images/{stage}/units.allow").write_text(text)
    return tmp_path


def run(tree: Path, *stages: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SRCDIR": str(tree / "source"), "BUILDROOT": str(tree / "root")}
    return subprocess.run([SCRIPT, *stages], env=environment, capture_output=True, text=True, check=False, timeout=600)


def masked(tree: Path) -> set[str]:
    folder = tree / "root/etc/systemd/system"
    return {path.name for path in folder.iterdir() if path.readlink() == Path("/dev/null")}


def test_what_no_list_names_is_masked_and_an_alias_goes_with_its_unit(tree: Path) -> None:
    assert run(tree, "one", "two").returncode == 0
    assert masked(tree) == {"debug-shell.service", "sh.service", "old.service"}


def test_another_stage_has_its_own_list(tree: Path) -> None:
    assert run(tree, "one").returncode == 0
    assert masked(tree) == {"debug-shell.service", "sh.service", "old.service", "kmod.service", *MANY}


def test_a_name_that_no_package_has_ends_the_build(tree: Path) -> None:
    path = tree / "source/mkosi.images/two/units.allow"
    path.write_text(path.read_text() + "\nrenamed.service\n")
    result = run(tree, "one", "two")
    assert result.returncode == 1
    assert result.stderr == f"{path}: there is no unit renamed.service in any package\n"


@pytest.mark.parametrize("stages", [(), ("one", "missing")])
def test_without_a_list_nothing_is_decided(tree: Path, stages: tuple[str, ...]) -> None:
    assert run(tree, *stages).returncode == 1
    assert not (tree / "root/etc").exists()
