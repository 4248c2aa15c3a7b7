"""What is read from a stranger's configuration before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import wanted_mkosi

if TYPE_CHECKING:
    from pathlib import Path

MKOSI = rebuilds.locked_package(name="mkosi").model_copy(update={"version": "25.3-7"})
ENVIRONMENT = rebuilds.lock_of(MKOSI)


def write(root: Path, **files: str) -> None:
    """Files by name; `__` stands for a slash, `_conf` for `.conf`."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_conf", ".conf")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("version", ["26", "26~devel", "27.1", "25.4", "25.3.1"])
def test_a_version_that_no_environment_has(tmp_path: Path, version: str) -> None:
    write(tmp_path, mkosi_conf=f"[Config]\nMinimumVersion = {version}\n")
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
    assert caught.value.message == (
        f"no environment has mkosi {version}: mkosi.conf of the project says MinimumVersion={version}, the pinned mkosi is 25.3"
    )
    assert caught.value.code == "unsupported_input"


@pytest.mark.parametrize("version", ["25.3", "25", "24.3", "25.3~rc1", "commit:0123abc", ""])
def test_a_version_that_it_has_or_that_mkosi_must_judge(tmp_path: Path, version: str) -> None:
    write(tmp_path, mkosi_conf=f"[Config]\nMinimumVersion={version}\n#MinimumVersion=99\n")
    wanted_mkosi.require(tmp_path, (), ENVIRONMENT)


def test_drop_ins_and_what_is_included_count(tmp_path: Path) -> None:
    write(tmp_path, mkosi_conf="[Output]\n", images__x_conf="[Config]\nMinimumVersion=26\n[Output]\n")
    wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
    with pytest.raises(TeekitError, match=r"^no environment has mkosi 26: images/x\.conf"):
        wanted_mkosi.require(tmp_path, ("--include=images/x.conf",), ENVIRONMENT)
    (tmp_path / "mkosi.conf.d").mkdir()
    (tmp_path / "mkosi.conf.d/10.conf").write_text("[Config]\nMinimumVersion=27\n")
    with pytest.raises(TeekitError, match=r"^no environment has mkosi 27: mkosi\.conf\.d/10\.conf"):
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)


@pytest.mark.parametrize("section", ["[Match]", "[TriggerMatch]"])
def test_a_file_with_a_condition_may_not_apply(tmp_path: Path, section: str) -> None:
    write(tmp_path, mkosi_conf=f"{section}\nDistribution=fedora\n[Config]\nMinimumVersion=26\n")
    wanted_mkosi.require(tmp_path, (), ENVIRONMENT)


def test_nothing_outside_of_the_project_is_read(tmp_path: Path) -> None:
    write(tmp_path, outside_conf="[Config]\nMinimumVersion=99\n", project__mkosi_conf="[Output]\n")
    (tmp_path / "project/linked.conf").symlink_to(tmp_path / "outside.conf")
    for name in ("../outside.conf", str(tmp_path / "outside.conf"), "linked.conf"):
        wanted_mkosi.require(tmp_path / "project", (f"--include={name}",), ENVIRONMENT)


def test_configuration_in_a_folder_is_suggested(tmp_path: Path) -> None:
    write(tmp_path, README="text", app_conf="[Service]\n", images__vm_conf="[Output]\nFormat=uki\n")
    write(tmp_path, base__mkosi_conf="[Distribution]\n")
    (tmp_path / "mkosi.extra").mkdir()
    (tmp_path / "mkosi.extra/x.conf").write_text("[Output]\n")
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
    found = caught.value.message.removeprefix(
        "the project has no mkosi.conf where mkosi looks for it, but configuration in "
    )
    assert sorted(found.split(", ")) == ["base", "images/vm.conf"]
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Choose one with --mkosi-args '--include=")
    for arguments in (("--include=images/vm.conf",), ("--format=uki", "--distribution=debian")):
        wanted_mkosi.require(tmp_path, arguments, ENVIRONMENT)


def test_a_project_without_any_configuration_is_mkosis_to_judge(tmp_path: Path) -> None:
    write(tmp_path, README="text", app_conf="[Service]\n")
    wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
