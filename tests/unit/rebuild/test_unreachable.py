"""What a copy of a project's folder cannot give to mkosi."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import unreachable

if TYPE_CHECKING:
    from pathlib import Path


def refusal(root: Path, files: dict[str, str], *arguments: str) -> str | None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    try:
        unreachable.require(root, arguments)
    except TeekitError as error:
        return error.message
    return None


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("mkosi.conf", "[Include]\nInclude=../../modules/build/guest\n", "../../modules/build/guest"),
        ("mkosi.conf", "[Content]\nExtraTrees=a:/a # ../no\n    # more\n    ../elsewhere:/opt\n", "../elsewhere"),
        ("mkosi.conf", "[Build]\nBuildSources=..:src\n", ".."),
        ("mkosi.images/x/mkosi.conf", "[Content]\nInitrds=../../../initrd\n", "../../../initrd"),
    ],
)
def test_files_outside_of_the_folder(tmp_path: Path, name: str, text: str, found: str) -> None:
    """As LakshmiSaiHarika/snpcert has it at 2171c0c5."""
    (tmp_path / "mkosi.conf").write_text("")
    assert refusal(tmp_path, {name: text}) == (
        f"the project takes {found} ({name}), which lies outside of the folder that was named"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mkosi.conf", "[Content]\nExtraTrees=a/../b:/../c\n[Validation]\nX=../y\n# Include=../z\n"),
        ("mkosi.images/x/mkosi.conf", "[Content]\nInitrds=../../initrd,%O/../../../x,/../y\n"),
        ("mkosi.conf.d/x.conf", "[Match]\nDistribution=arch\n[Include]\nInclude=../../x\n"),
    ],
)
def test_files_inside_of_it_and_what_is_no_path_of_it(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "mkosi.conf").write_text("")
    assert refusal(tmp_path, {name: text}) is None


def test_what_the_options_include_is_there(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"images/x.conf": ""}, "--include=images/x.conf,mkosi-vm") is None
    assert refusal(tmp_path, {}, "--include=images/x.conf,images/y.conf") == (
        "there is no images/y.conf in the project, which --mkosi-args includes"
    )


@pytest.mark.parametrize("name", ["mkosi.rootpw", "mkosi.passphrase", "mkosi.key"])
def test_a_secret_that_git_cannot_keep_as_mkosi_wants_it(tmp_path: Path, name: str) -> None:
    """mkosi 25.3 and 27.1: "Permissions of 'mkosi.rootpw' of '0644' are too open."."""
    assert refusal(tmp_path, {"mkosi.conf": "", name: "x"}) == (
        f"the project has a secret in {name}; mkosi reads it only with a mode that keeps others out, which git does not store"
    )


def test_settings_of_apt_in_an_archive(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"mkosi.conf": "", "mkosi.sandbox.tar": "x"}) == (
        "the project has apt's settings in mkosi.sandbox.tar, and archives of them are not looked into"
    )


def test_a_profile_that_is_nowhere(tmp_path: Path) -> None:
    """mkosi 25.3 builds without it, and says nothing."""
    for name in ("mkosi.profiles/a.conf", "mkosi.profiles/b/mkosi.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "mkosi.conf").write_text("")
    (tmp_path / "x.conf").write_text("[Match]\nProfiles=|c\n")
    files = sorted(tmp_path.rglob("*.conf"))
    unreachable.require_profiles(tmp_path, ("--profile=a,b", "--profile=c", "--format=uki"), files)
    with pytest.raises(TeekitError, match="there is no profile d in the project, which --mkosi-args names"):
        unreachable.require_profiles(tmp_path, ("--profile=a,d",), files)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[Build]\nEnvironmentFiles=.env\n", "EnvironmentFiles=.env"),
        ("[Content]\nSkeletonTrees=here,gone:/etc\n", "SkeletonTrees=gone"),
        (
            "[Content]\nPostInstallationScripts=here\n  scripts/gone.sh # not: there\n",
            "PostInstallationScripts=scripts/gone.sh",
        ),
        ("[Output]\nRepartDirectories=gone\n", "RepartDirectories=gone"),
    ],
)
def test_what_mkosi_would_not_find(tmp_path: Path, text: str, named: str) -> None:
    """As IanBurwell/Homelabian has it at a9636ad8: mkosi 25.3 and 27.1 say ".env does not exist"."""
    assert refusal(tmp_path, {"here": "", "mkosi.conf": text}) == (
        f"mkosi.conf of the project has {named}, and the project has no such file"
    )


@pytest.mark.parametrize(
    "files",
    [
        {".env": "A=b\n", "mkosi.conf": "[Build]\nEnvironmentFiles=.env\n"},
        {
            "images/x/.env": "",
            "mkosi.conf": "[Include]\nInclude=images/x/y.conf\n",
            "images/x/y.conf": "[Build]\nEnvironmentFiles=.env\n",
        },
        {"a.env": "", "mkosi.conf": "", "mkosi.conf.d/x.conf": "[Build]\nEnvironmentFiles=a.env\n"},
        {
            "mkosi.conf": "[Content]\nBuildScripts=*.sh,$HOME/x,%O/y,/z,~/w\nExtraTrees=none\nInitrds=none\nBaseTrees=none\n"
        },
    ],
)
def test_what_mkosi_finds_or_does_not_look_for(tmp_path: Path, files: dict[str, str]) -> None:
    assert refusal(tmp_path, files) is None
