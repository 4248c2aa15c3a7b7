"""Anybody's mkosi project: what is asked of it, and the copy that is built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders import rebuilds
from builders.progress import Recorder
from builders.repositories import Repository
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.rebuild import backports, stranger
from teekit_verify.rebuild.origin import Origin
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.stranger import StrangersProject, StrangersTarget
from teekit_verify.rebuild.suites import Suite

# What mkosi 25.3 says of a project with Format=uki, ImageId=, ManifestFormat=json; the settings that are looked at.
SUMMARY = {
    "Architecture": "x86-64",
    "Distribution": "debian",
    "Format": "uki",
    "ManifestFormat": ["json"],
    "Output": "stranger",
    "Release": "trixie",
}


@dataclass(frozen=True, slots=True)
class StandInProvision(Provision):
    tree: Path = Path("/none")

    def environment(self) -> rebuilds.StandInEnvironment:
        return rebuilds.environment(self.tree)


def target(folder: Path, tree: Path, arguments: str, **changes: Any) -> StrangersTarget:
    project = StrangersProject(folder / "project", Project(folder))
    project.root.mkdir(parents=True, exist_ok=True)
    (project.root / "summary.json").write_text(json.dumps({"Images": [{}, SUMMARY | changes]}))
    provision = StandInProvision(project, folder / "cache", Recorder(), None, "file:///none", tree=tree)
    return stranger.find_target(provision, arguments)


def test_what_mkosi_says_it_makes_is_what_is_looked_for(tmp_path: Path, tree: Path) -> None:
    found = target(tmp_path, tree, "--profile=azure '--environment=A=b c'")
    assert (found.key, found.image, found.profiles) == ("stranger", "stranger", ())
    assert found.artifacts == ("stranger.efi", "stranger.manifest")
    assert found.mkosi("/there", "build") == [
        *("mkosi", "--directory", "/there", "--profile=azure", "--environment=A=b c"),
        *("--with-network=no", "--incremental=no", "--tools-tree=", "--history=no", "build"),
    ]
    assert found.uses("anything")


def test_no_manifest_is_looked_for_where_none_is_made(tmp_path: Path, tree: Path) -> None:
    assert target(tmp_path, tree, "", ManifestFormat=[]).artifacts == ("stranger.efi",)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("Format", "tar"), ("Distribution", "ubuntu"), ("Release", "noble"), ("Architecture", "arm64\x1b")],
)
def test_what_cannot_be_rebuilt_is_refused(tmp_path: Path, tree: Path, setting: str, value: str) -> None:
    with pytest.raises(UnsupportedInputError) as caught:
        target(tmp_path, tree, "", **{setting: value})
    shown = value.replace("\x1b", r"\x1b")
    assert caught.value.message.startswith(f"the project has {setting}={shown}, only {SUMMARY[setting]}")
    assert caught.value.message.endswith(" can be rebuilt")
    assert caught.value.hint is not None
    assert f"--mkosi-args --{setting.lower()}={SUMMARY[setting]}" in caught.value.hint


@pytest.mark.parametrize(
    ("compression", "ending", "measured"),
    [(None, ".raw", "stranger.raw"), ("none", ".raw", "stranger.raw"), ("zstd", ".raw.zst", None)],
)
def test_a_disk_is_compared_with_its_uki_beside_it(
    tmp_path: Path, tree: Path, compression: str | None, ending: str, measured: str | None
) -> None:
    """mkosi(1): Format=disk makes NAME.raw, CompressOutput= adds an ending, SplitArtifacts=uki writes NAME.efi."""
    found = target(tmp_path, tree, "", Format="disk", Bootloader="systemd-boot", CompressOutput=compression)
    assert found.artifacts == ("stranger.efi", f"stranger{ending}", "stranger.manifest")
    assert found.disk_artifact == measured
    assert "--split-artifacts=uki" in found.mkosi("/there", "build")
    assert target(tmp_path / "uki", tree, "").disk_artifact is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"Bootloader": "grub"}, "the project makes a disk with Bootloader=grub, and only one that boots a UKI can be"),
        (
            {"Bootable": "disabled"},
            "the project makes a disk with Bootable=disabled, and only one that boots a UKI can",
        ),
        ({"CompressOutput": "bz\x1b"}, r"the project has CompressOutput=bz\\x1b, which cannot be compared"),
    ],
)
def test_a_disk_without_a_uki(tmp_path: Path, tree: Path, changes: dict[str, str], problem: str) -> None:
    with pytest.raises(TeekitError, match=problem):
        target(tmp_path, tree, "", Format="disk", **changes)


@pytest.mark.parametrize(
    ("changes", "named", "off"),
    [
        ({"SecureBoot": True, "SecureBootKey": None}, "SecureBoot=yes", "--secure-boot=no"),
        ({"SignExpectedPcr": "enabled"}, "SignExpectedPcr=enabled", "--sign-expected-pcr=no"),
        ({"Verity": "signed"}, "Verity=signed", "--verity=hash"),
        (
            {"Format": "disk", "Verity": "auto", "RepartDirectories": ["/source/mkosi.repart"]},
            "Verity=signature in mkosi.repart/20-sig.conf",
            "--verity=hash",
        ),
    ],
)
def test_a_signature_whose_key_is_not_there(
    tmp_path: Path, tree: Path, changes: dict[str, Any], named: str, off: str
) -> None:
    """The settings as mkosi 27.1 prints them of a project without mkosi.key."""
    definitions = tmp_path / "project/mkosi.repart"
    definitions.mkdir(parents=True)
    (definitions / "20-sig.conf").write_text("[Partition]\nType=usr-verity-sig\nVerity=signature\n")
    with pytest.raises(UnsupportedInputError) as caught:
        target(tmp_path, tree, "", **changes)
    assert caught.value.message == (
        f"the project has {named}, and the key is not in it: only its owner can make these bytes"
    )
    assert str(caught.value.hint).endswith(f"{off}.")
    unsigned = {"SecureBoot": False, "SignExpectedPcr": "auto", "Verity": "hash"}
    assert target(tmp_path, tree, "", **changes | unsigned).key == "stranger"
    present = {f"{name}Key": "/source/mkosi.key" for name in ("SecureBoot", "SignExpectedPcr", "Verity")}
    assert target(tmp_path, tree, "", **changes | present).key == "stranger"


def test_releases_and_components_are_those_of_its_configuration(tmp_path: Path, tree: Path) -> None:
    found = target(tmp_path, tree, "", Release="bookworm", Repositories=["non-free-firmware", "main"])
    assert found.suite == Suite("bookworm", ("main", "non-free-firmware"))
    with pytest.raises(TeekitError, match="has Repositories=universe, which Debian's archive does not have"):
        target(tmp_path / "other", tree, "", Repositories=["universe"])


def test_a_time_that_mkosi_knows_of(tmp_path: Path, tree: Path) -> None:
    pinned = target(tmp_path, tree, "", Snapshot="20260430T025253Z", Mirror="https://snapshot.debian.org").pins
    assert {pin.time for pin in pinned} == {"20260430T025253Z"}
    with pytest.raises(TeekitError, match="which names no time"):
        target(tmp_path / "other", tree, "", Snapshot="yesterday")


def test_what_comes_from_backports_is_asked_for_there_and_nowhere_else(tmp_path: Path, tree: Path) -> None:
    plain = target(tmp_path, tree, "")
    root = tmp_path / "project"
    (root / "mkosi.conf").write_text("[Content]\nPackages=hello/trixie-backports\n         bash\n")
    found = stranger.with_backports(plain, root)
    assert (root / "mkosi.conf").read_text() == "[Content]\nPackages=hello\n         bash\n"
    assert [found.request(name) for name in ("bash", "hello")] == ["bash", "hello/trixie-backports"]
    assert backports.pinned(root) == ("hello",)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a/b", "-x", "a\n"])
def test_a_name_that_is_no_file_name(tmp_path: Path, tree: Path, name: str) -> None:
    with pytest.raises(TeekitError, match="the image is called '"):
        target(tmp_path, tree, "", Output=name)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("shell", "--mkosi-args cannot have 'shell'"),
        ("--output-directory=/etc", "--mkosi-args cannot have '--output-directory=/etc'"),
        ("--profile x", "--mkosi-args cannot have 'x'"),
        ("-C /", "--mkosi-args cannot have '-C'"),
        ("'", "--mkosi-args cannot be split into words: No closing quotation"),
    ],
)
def test_arguments_that_are_ours_to_give(tmp_path: Path, tree: Path, arguments: str, problem: str) -> None:
    with pytest.raises(TeekitError) as caught:
        target(tmp_path, tree, arguments)
    assert caught.value.message.startswith(problem)


def test_the_environment_is_ours_and_the_source_theirs(tmp_path: Path) -> None:
    program, project = Project(tmp_path / "ours"), StrangersProject(tmp_path / "theirs", Project(tmp_path / "ours"))
    assert project.mkosi == project.root == tmp_path / "theirs"
    assert project.image_lock.parent == project.root
    assert (project.environment_lock, project.environment_packages) == (
        program.environment_lock,
        program.environment_packages,
    )


def names(place: Path) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir())


def test_of_a_repository_the_commit_is_copied(tmp_path: Path) -> None:
    source = Repository.make(tmp_path / "source")
    source.write("mkosi.conf", b"[Output]\n")
    commit = source.commit()
    source.write("mkosi.output/image.efi")  # not in the commit, so not built
    source.write("mkosi.local.conf")
    copy = tmp_path / "copy"
    assert stranger.copy_project(source.folder, copy, allow_dirty=False) == Origin(None, commit)
    assert names(copy) == ["mkosi.conf"]
    source.write("mkosi.conf", b"[Build]\n")
    with pytest.raises(TeekitError) as caught:
        stranger.copy_project(source.folder, copy, allow_dirty=False)
    assert caught.value.message == "the source has changes that are in no commit: changed mkosi.conf"
    origin = stranger.copy_project(source.folder, copy, allow_dirty=True)
    assert (origin.commit, origin.changes[0]) == (commit, "changed mkosi.conf")
    assert names(copy) == ["mkosi.conf", "mkosi.local.conf"]
    assert (copy / "mkosi.conf").read_text() == "[Build]\n"


def test_without_a_repository_all_but_mkosis_leftovers_are_copied(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("mkosi.conf", "mkosi.cache/x", "sub/mkosi.conf", "mkosi.output/x"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    assert stranger.copy_project(source, tmp_path / "copy", allow_dirty=False) == Origin(None, None)
    assert names(tmp_path / "copy") == ["mkosi.conf", "sub/mkosi.conf"]


def test_the_copy_has_no_package_source_but_the_lock(tmp_path: Path) -> None:
    place = tmp_path / "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"
    for before in (None, "Types: deb\nTrusted: yes\n"):
        if before is not None:
            place.write_text(before)
        stranger.prepare(tmp_path)
        assert place.read_text().startswith("# No source:")
        assert place.read_text()[-1] == "\n"


def test_a_sandbox_that_is_another_folder_of_the_project_becomes_one_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mkosi.skeleton/etc").mkdir(parents=True)
    (tmp_path / "mkosi.skeleton/etc/x").touch()
    (tmp_path / "mkosi.sandbox").symlink_to("mkosi.skeleton/")
    stranger.prepare(tmp_path)
    assert names(tmp_path / "mkosi.skeleton") == ["etc/x"]
    assert names(tmp_path / "mkosi.sandbox") == ["etc/apt/sources.list.d/mkosi.sources", "etc/x"]


@pytest.mark.parametrize("link", ["mkosi.sandbox", "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"])
def test_nothing_is_written_through_a_link_of_the_project(tmp_path: Path, link: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    root = tmp_path / "project"
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(victim)
    with pytest.raises(TeekitError, match="of the project is behind a link"):
        stranger.prepare(root)
    assert list(victim.iterdir()) == []
