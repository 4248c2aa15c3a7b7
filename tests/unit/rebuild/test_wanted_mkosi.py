"""What is read from a stranger's configuration before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import environments, wanted_mkosi

if TYPE_CHECKING:
    from pathlib import Path

MKOSI = rebuilds.locked_package(name="mkosi").model_copy(update={"version": "25.3-7"})
ENVIRONMENT = {environments.DEFAULT: rebuilds.lock_of(MKOSI)}
NEWER = environments.ENVIRONMENTS[1]
BOTH = {**ENVIRONMENT, NEWER: rebuilds.lock_of(MKOSI.model_copy(update={"version": "27.1-1"}))}


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
        f"no environment has mkosi {version}: mkosi.conf of the project says MinimumVersion={version}, the pinned mkosi is 25.3 (mkosi-25)"
    )
    assert caught.value.code == "unsupported_input"


@pytest.mark.parametrize("asked", [None, environments.DEFAULT, NEWER])
def test_a_commit_of_mkosi_is_no_release(tmp_path: Path, asked: environments.Known | None) -> None:
    """mkosi(1): `commit:` asks for a checkout of mkosi in which that commit is."""
    write(tmp_path, mkosi_conf=f"[Config]\nMinimumVersion=commit:{'d2' * 20}\n")
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), BOTH, asked)
    assert caught.value.message == (
        "no environment has mkosi from its repository: mkosi.conf of the project says "
        f"MinimumVersion=commit:{'d2' * 20}, and the pinned ones are releases"
    )
    assert caught.value.hint == "Rebuild a commit of the project that asks for a release of mkosi."


def test_images_behind_a_link_are_not_the_projects(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/x").mkdir(parents=True)
    (tmp_path / "elsewhere/x/mkosi.conf").write_text("[Config]\nMinimumVersion=99\n")
    write(tmp_path / "project", mkosi_conf="[Output]\n")
    (tmp_path / "project/mkosi.images").symlink_to("../elsewhere")
    assert wanted_mkosi.require(tmp_path / "project", (), BOTH) is environments.DEFAULT


@pytest.mark.parametrize(
    ("version", "name"),
    [(None, "mkosi-25"), ("25.3", "mkosi-25"), ("25.4", "mkosi-27"), ("26~devel", "mkosi-27"), ("27.1", "mkosi-27")],
)
def test_the_oldest_environment_that_has_the_version_is_taken(tmp_path: Path, version: str | None, name: str) -> None:
    write(tmp_path, mkosi_conf=f"[Config]\nMinimumVersion={version or ''}\n")
    assert wanted_mkosi.require(tmp_path, (), BOTH).name == name


def test_an_environment_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, mkosi_conf="[Config]\nMinimumVersion=26\n", old_conf="[Config]\nMinimumVersion=24\n")
    assert wanted_mkosi.require(tmp_path, (), BOTH, NEWER) is NEWER
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), BOTH, environments.DEFAULT)
    assert caught.value.message == (
        "the environment mkosi-25 has not mkosi 26: mkosi.conf of the project says MinimumVersion=26, "
        "the pinned mkosi is 25.3 (mkosi-25)"
    )
    assert caught.value.hint == "Leave out --environment, or name mkosi-27."
    with pytest.raises(TeekitError) as caught:
        environments.named("mkosi-26")
    assert caught.value.message == "there is no environment 'mkosi-26'"


def test_the_highest_version_counts_and_all_environments_are_named(tmp_path: Path) -> None:
    write(tmp_path, mkosi_conf="[Config]\nMinimumVersion=26\n")
    (tmp_path / "mkosi.conf.d").mkdir()
    (tmp_path / "mkosi.conf.d/10.conf").write_text("[Config]\nMinimumVersion=28\n")
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), BOTH)
    assert caught.value.message == (
        "no environment has mkosi 28: mkosi.conf.d/10.conf of the project says MinimumVersion=28, "
        "the pinned mkosi is 25.3 (mkosi-25), 27.1 (mkosi-27)"
    )
    assert caught.value.hint == "Rebuild a commit of the project that mkosi 27.1 can build."


@pytest.mark.parametrize("version", ["25.3", "25", "24.3", "25.3~rc1", ""])
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


def test_a_whole_project_in_a_folder_is_named_as_one(tmp_path: Path) -> None:
    """As confidential-containers/cloud-api-adaptor has it."""
    write(tmp_path, src__adaptor__podvm__mkosi_conf="[Output]\n")
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
    assert caught.value.message.endswith("but configuration in src/adaptor/podvm")
    assert caught.value.hint == "Choose one of them: --source DIR/src/adaptor/podvm."


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    write(tmp_path, README="text", app_conf="[Service]\n")
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
    assert caught.value.message == (
        "the folder is no mkosi project: there is neither mkosi.conf nor mkosi.conf.d in it"
    )
    for word in ("--profile=vm", "--format=uki", "--include=mkosi-vm"):
        wanted_mkosi.require(tmp_path, (word,), ENVIRONMENT)


@pytest.mark.parametrize(
    ("name", "beside", "refused"),
    [
        ("mkosi.default", None, True),
        ("mkosi.default.d/x", None, True),
        ("mkosi.default", "mkosi.conf", False),
        ("mkosi.presets/system/mkosi.conf", "mkosi.conf", True),
    ],
)
def test_configuration_where_mkosi_does_not_look_any_more(
    tmp_path: Path, name: str, beside: str | None, *, refused: bool
) -> None:
    """mkosi.news(7): presets became images in v19. systemd/portable-walkthrough, and edgelesssys/reproducible-mkosi at 044f1100."""
    for place in filter(None, (name, beside)):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("[Output]\n")
    if not refused:
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
        return
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
    folder = name.split("/", maxsplit=1)[0]
    assert caught.value.message == (
        f"the project has its configuration in {folder}, where mkosi does not look any more"
    )


@pytest.mark.parametrize(("value", "name"), [("yes", "mkosi-27"), ("no", "mkosi-27"), ("default", "mkosi-25")])
def test_a_tools_tree_by_its_newer_words(tmp_path: Path, value: str, name: str) -> None:
    """mkosi 25.3 takes `yes` for the path of a tree (config.py: its only other word is `default`)."""
    write(tmp_path, mkosi_conf=f"[Build]\nToolsTree={value}\n")
    assert wanted_mkosi.require(tmp_path, (), BOTH).name == name


def test_why_it_was_taken(tmp_path: Path) -> None:
    (tmp_path / "mkosi.conf").write_text("[Config]\nMinimumVersion=26\n")
    found = wanted_mkosi.chosen(tmp_path, (), NEWER, None)
    assert (found.name, found.because.value, found.wanted) == (
        "mkosi-27",
        "wanted",
        environments.Wanted("26", "mkosi.conf", "MinimumVersion=26"),
    )
    assert wanted_mkosi.chosen(tmp_path, (), NEWER, NEWER).because.value == "asked"
    (tmp_path / "mkosi.conf").write_text("")
    assert wanted_mkosi.chosen(tmp_path, (), environments.DEFAULT, None).because.value == "default"


def test_the_hint_names_an_image_rather_than_a_part_of_one(tmp_path: Path) -> None:
    """As flashbots/flashbots-images has it at 3bd8bbe0."""
    write(
        tmp_path, base__base_conf="[Distribution]\nDistribution=debian\n", vm_conf="[Config]\nInclude=base/base.conf\n"
    )
    with pytest.raises(TeekitError) as caught:
        wanted_mkosi.require(tmp_path, (), ENVIRONMENT)
    assert caught.value.message.endswith("but configuration in vm.conf")
    assert caught.value.hint == "Choose one with --mkosi-args '--include=vm.conf'."


@pytest.mark.parametrize(("version", "names"), [(None, ["mkosi-25"]), ("25.3", ["mkosi-25"]), ("26", [])])
def test_others_that_have_the_mkosi(tmp_path: Path, version: str | None, names: list[str]) -> None:
    (tmp_path / "mkosi.conf").write_text("" if version is None else f"[Config]\nMinimumVersion={version}\n")
    assert [known.name for known in wanted_mkosi.others(tmp_path, (), BOTH, NEWER)] == names
