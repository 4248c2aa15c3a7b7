"""mkosi by hand: the same source, packages and environment as a rebuild, and its files in build/ of the checkout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from builders.rebuilds import Miniature
from teekit_verify.cli.app import main
from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import archive
from teekit_verify.rebuild.images import target_of
from teekit_verify.rebuild.provision import Provision

if TYPE_CHECKING:
    from pathlib import Path

ARGUMENTS = ("--force", "--profile=debian-kernel", "-I", "base.conf")


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    def stay(argv: list[str]) -> None:
        """In place of becoming the command, which would be the end of the tests."""
        print(process.run(argv, timeout_seconds=600).stdout.decode())  # noqa: T201

    monkeypatch.setattr(process, "become", stay)
    monkeypatch.setattr(archive, "host_mirrors", list)
    monkeypatch.setattr(Provision, "environment", lambda _: rebuilds.environment(tree))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Miniature.make(tmp_path)


def build(miniature: Miniature, *arguments: str) -> int:
    places = ("--source", str(miniature.project.root), "--mirror", miniature.mirror)
    return int(main(["env", "mkosi", *places, "--", *arguments]))


def test_the_image_is_in_the_build_folder(miniature: Miniature, capfd: pytest.CaptureFixture[str]) -> None:
    miniature.write("tdx-kettle.conf", b"of another image")
    miniature.build_with(
        'ls . /packages; echo "of a stage" >$output/base.manifest; mkdir $output/base; ln -s base.manifest $output/link'
    )
    assert build(miniature, *ARGUMENTS) == 0
    folder = miniature.project.root / "build"
    assert (folder / "tdx-debian-base.efi").read_bytes() == (miniature.project.mkosi / "image.efi").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["tdx-debian-base.efi", "tdx-debian-base.manifest"]
    shown = capfd.readouterr().out.split()
    assert "hello_2.10-3_amd64.deb" in shown
    assert "build.sh" in shown
    assert "tdx-kettle.conf" not in shown


def test_what_it_makes_does_not_run_with_the_rights_of_its_owner(miniature: Miniature) -> None:
    """Nor does it meanwhile: other users cannot come to where it is made."""
    miniature.build_with("echo x >$output/base.tool; chmod 6777 $output/base.tool")
    assert build(miniature, *ARGUMENTS) == 0
    folder = miniature.project.root / "build"
    assert (folder / "base.tool").stat().st_mode & 0o7777 == 0o755
    (work,) = folder.parents[1].rglob("mkosi/work")
    assert work.parent.stat().st_mode & 0o777 == 0o700


def test_its_root_is_nobody_on_the_host(
    miniature: Miniature, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A checkout may be a stranger's: what its build leaves under the names of artifacts are files of ours, or nothing."""
    (tmp_path / "canary").write_text("as it was")
    miniature.build_with(f"cat /proc/self/uid_map; [ ! -e /build ] || exit 7; ln -s {tmp_path}/canary $output/x.efi")
    assert build(miniature, *ARGUMENTS) == 0
    folder = miniature.project.root / "build"
    assert sorted(path.name for path in folder.iterdir()) == ["tdx-debian-base.efi", "tdx-debian-base.manifest"]
    assert {path.stat().st_uid for path in folder.iterdir()} == {os.geteuid()}
    if os.geteuid() == 0:
        assert "0 1878917120 65536" in " ".join(capfd.readouterr().out.split())


def test_settings_of_the_image_are_passed_on_and_nothing_else(
    miniature: Miniature, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZURE_DISK_GIB", "30")
    monkeypatch.setenv("SECRET", "x")
    miniature.build_with("env")
    assert build(miniature, *ARGUMENTS) == 0
    shown = capfd.readouterr().out
    assert "AZURE_DISK_GIB=30\n" in shown
    assert "SECRET" not in shown


def test_an_app_comes_with_the_source(
    miniature: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    app = tmp_path / "app"
    (app / "node_modules/left").mkdir(parents=True)
    (app / "app.js").write_text("export default {}")
    (app / "node_modules/left/index.js").write_text("module.exports = 1")
    (app / ".git").mkdir()
    (app / ".git/config").write_text("")
    monkeypatch.setenv("KETTLE_SRC", str(app))
    miniature.build_with("cd mkosi.images/tdx-kettle/kettle/app && find . -type f")
    assert build(miniature, *ARGUMENTS) == 0
    found = {line for line in capfd.readouterr().out.split() if line.startswith("./")}
    assert found == {"./app.js", "./node_modules/left/index.js"}
    # Only in the build's own copy.
    assert not (miniature.project.mkosi / "mkosi.images/tdx-kettle/kettle/app").exists()


def test_an_app_that_is_no_folder_is_an_error(
    miniature: Miniature, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KETTLE_SRC", "nowhere")
    assert build(miniature, *ARGUMENTS) == 2
    assert "KETTLE_SRC=nowhere is not a folder" in capfd.readouterr().err


def test_a_failed_build_leaves_no_files(miniature: Miniature, capfd: pytest.CaptureFixture[str]) -> None:
    miniature.build_with("echo the reason >&2; exit 9")
    assert build(miniature, *ARGUMENTS) == 2
    assert "the reason" in capfd.readouterr().err
    assert list((miniature.project.root / "build").iterdir()) == []


def test_a_build_folder_that_cannot_be_made_is_known_before_the_build(
    miniature: Miniature, capfd: pytest.CaptureFixture[str]
) -> None:
    miniature.build_with("echo built")
    folder = miniature.project.root / "build"
    folder.touch()  # root may write everywhere else
    assert build(miniature, *ARGUMENTS) == 2
    shown = capfd.readouterr()
    assert f"error: {folder} cannot be written to: " in shown.err
    assert "built" not in shown.out


def test_two_at_once_are_refused(miniature: Miniature, capfd: pytest.CaptureFixture[str]) -> None:
    assert build(miniature, *ARGUMENTS) == 0  # and holds the folder, as the program it would have become does
    assert build(miniature, *ARGUMENTS) == 2
    assert f"error: another build is using {miniature.cache}/mkosi\nhint: Wait for it.\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("--force", "--profile=gcp", "-I", "tdx-kettle.conf"), "tdx-kettle+gcp"),
        (("--profile", "gcp,debian-kernel", "--include=tdx-kettle.conf", "build"), "tdx-kettle+debian-kernel+gcp"),
        (
            ("--profile=debian-kernel", "--profile=devtools", "-I", "tdx-kettle.conf"),
            "tdx-kettle+debian-kernel+devtools",
        ),
        (("-I", "base.conf"), "base"),
        (("-I", "./base.conf"), "base"),
        (("-Ibase.conf",), "base"),
        (("--version",), None),
        (("-I", "mine.conf"), None),
        (("-I", "../base.conf"), None),
    ],
)
def test_the_image_is_told_from_the_command_line(arguments: tuple[str, ...], key: str | None) -> None:
    target = target_of(arguments)
    assert (target.key if target else None) == key


def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(TeekitError, match="there is no profile 'gcp' of base"):
        target_of(("--profile=gcp", "-I", "base.conf"))
