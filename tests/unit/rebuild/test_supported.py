"""Images that cannot be rebuilt, told by the text of a project before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.rebuild import needs, supported

if TYPE_CHECKING:
    from pathlib import Path


def refusal(root: Path, files: dict[str, str], *arguments: str) -> str | None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    try:
        supported.require_text(root, arguments, needs.configuration(root))
    except UnsupportedInputError as error:
        return error.message
    return None


@pytest.mark.parametrize(
    ("setting", "value"),
    [("Distribution", "ubuntu"), ("Release", "noble"), ("Format", "sysext"), ("Architecture", "arm64")],
)
def test_what_every_file_says_is_believed(tmp_path: Path, setting: str, value: str) -> None:
    found = refusal(tmp_path, {"mkosi.conf": f"[Output]\n {setting} = {value} \n"})
    assert str(found).startswith(f"the project has {setting}={value}, only ")


@pytest.mark.parametrize(
    "files",
    [
        {"mkosi.conf": ""},
        {"mkosi.conf": "[Match]\nFormat=tar\n"},
        {"mkosi.conf": "# Format=tar\n"},
        {"mkosi.conf": "[Output]\nFormat=\n"},
        {"mkosi.conf": "[Output]\nFormat=%x\n"},
        {"mkosi.conf": "[Output]\nFormat=tar\n", "mkosi.conf.d/x.conf": "[Output]\nFormat=uki\n"},
        {"mkosi.conf": "[Output]\nFormat=tar\n", "mkosi.profiles/x.conf": "[Output]\nFormat=disk\n"},
        {"mkosi.conf": "[Output]\nFormat=tar\n", "mkosi.conf.d/x.conf": "[Match]\nRelease=x\n[Output]\nFormat=uki\n"},
        {"mkosi.conf": "[Output]\n", "mkosi.profiles/x.conf": "[Output]\nFormat=tar\n"},
        {"mkosi.conf": "[Output]\nFormat=tar\n", "mkosi.configure": "#!/bin/sh\n"},
    ],
)
def test_what_may_be_otherwise_is_mkosis_to_say(tmp_path: Path, files: dict[str, str]) -> None:
    assert refusal(tmp_path, files) is None


@pytest.mark.parametrize("word", ["--format=uki", "-tuki"])
def test_what_the_user_says_comes_first(tmp_path: Path, word: str) -> None:
    files = {"mkosi.conf": "[Output]\nFormat=tar\n[Distribution]\nRelease=trixie\n"}
    assert refusal(tmp_path, files, word) is None
    assert refusal(tmp_path, files, "--profile=x") == "the project has Format=tar, only uki and disk can be rebuilt"


def test_what_the_commit_does_not_say_is_told(tmp_path: Path) -> None:
    def names(*arguments: str) -> list[str]:
        return [smell.name for smell in supported.warnings(tmp_path, arguments, needs.configuration(tmp_path))]

    (tmp_path / "mkosi.conf").write_text("[Match]\nDistribution=debian\n")
    assert names() == ["no Distribution="]
    assert names("--distribution=debian") == []
    (tmp_path / "mkosi.local.conf").write_text("[Distribution]\nDistribution=debian\n")
    assert names() == ["settings of one machine"]


FEDORA = "[Match]\nDistribution=fedora\n[Distribution]\nDistribution=fedora\n[Content]\nPackages=kernel\n"
BOOTABLE = "[Content]\nBootable=true\n"


def test_a_project_of_others_that_names_no_distribution(tmp_path: Path) -> None:
    """As edgelesssys/reproducible-mkosi has it at f93425a8."""
    files = {"mkosi.conf": BOOTABLE, "mkosi.conf.d/fedora.conf": FEDORA}
    assert refusal(tmp_path, files) == (
        "the project names no distribution, and has settings for fedora, not for debian"
    )
    assert refusal(tmp_path, files, "--distribution=debian") is None
    more = {
        "mkosi.images/x/mkosi.conf.d/u.conf": FEDORA.replace("fedora", "ubuntu")
    }  # as cloud-api-adaptor at ec7195d1
    assert (
        refusal(tmp_path, more)
        == "the project names no distribution, and has settings for fedora and ubuntu, not for debian"
    )


@pytest.mark.parametrize(
    "files",
    [
        {"mkosi.conf": "[Content]\nPackages=systemd\n", "mkosi.conf.d/fedora.conf": FEDORA},
        {"mkosi.conf": "[Distribution]\nDistribution=debian\n", "mkosi.conf.d/fedora.conf": FEDORA},
        {
            "mkosi.conf": BOOTABLE,
            "mkosi.conf.d/fedora.conf": FEDORA,
            "mkosi.conf.d/d.conf": "[Distribution]\nDistribution=debian\n",
        },
        {
            "mkosi.conf": BOOTABLE,
            "mkosi.conf.d/f.conf": FEDORA,
            "mkosi.conf.d/x.conf": "[Match]\nDistribution=|debian\n",
        },
        {"mkosi.conf": BOOTABLE},
    ],
)
def test_a_project_that_may_be_of_debian(tmp_path: Path, files: dict[str, str]) -> None:
    assert refusal(tmp_path, files) is None


def test_variables_that_nobody_set(tmp_path: Path) -> None:
    """As flashbots/flashbots-images has it at acf8f1b9 and 179b93c4; mkosi(1), Environment=."""
    text = "[Content]\nEnvironment=KERNEL_IMAGE KERNEL_VERSION LD_LIBRARY_PATH\n    A=b  OTHER # C\n[Build]\nEnvironment=OTHER=x\n"
    (tmp_path / "mkosi.conf").write_text(text)
    assert supported.unset_variables(tmp_path, ()) == ("KERNEL_IMAGE", "KERNEL_VERSION")
    assert supported.unset_variables(tmp_path, ("--environment=KERNEL_IMAGE=x", "-EKERNEL_VERSION=y")) == ()
    (told,) = [
        one for one in supported.warnings(tmp_path, ("-d=debian",), ()) if one.name == "variables that nobody set"
    ]
    assert told.text == "KERNEL_IMAGE, KERNEL_VERSION"
