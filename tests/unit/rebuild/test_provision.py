"""What a build is given: fetched packages under their own names, and a shell with the environment as its root."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from builders import rebuilds
from builders.rebuilds import Miniature
from builders.tools import require
from teekit_verify.cli.options.shared import SNAPSHOT_ARCHIVE
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import archive, environment, lock
from teekit_verify.rebuild.provision import Provision
from teekit_verify.report.progress import StderrProgress


@pytest.fixture
def provision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provision:
    monkeypatch.setattr(archive, "host_mirrors", list)
    made = Miniature.make(tmp_path)
    return Provision(made.project, made.cache, StderrProgress(), made.mirror, SNAPSHOT_ARCHIVE)


def fetched(provision: Provision) -> lock.PackageLock:
    locked = lock.load(provision.project.image_lock)
    provision.fetch(locked, locked.packages)
    return locked


@pytest.mark.parametrize("links", [True, False])
def test_packages_lie_under_their_own_names(
    provision: Provision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    locked = fetched(provision)
    if not links:  # the cache is on another file system

        def refuse(*_: object) -> None:
            raise OSError(18, os.strerror(18))

        monkeypatch.setattr(os, "link", refuse)
    folder = tmp_path / "packages"
    for _ in range(2):  # whatever was there before
        folder.mkdir(exist_ok=True)
        (folder / "left-over.deb").touch()
        provision.package_folder(locked.packages, folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            "hello_2.10-3_amd64.deb": rebuilds.PACKAGE
        }
    assert (folder / "hello_2.10-3_amd64.deb").stat().st_nlink == (2 if links else 1)


def test_the_environment_comes_from_the_store_or_is_built(
    provision: Provision, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = rebuilds.environment(tmp_path)
    monkeypatch.setattr(environment, "existing", lambda _: there)
    assert provision.environment() is there
    built = rebuilds.environment(tmp_path / "built")
    monkeypatch.setattr(environment, "existing", lambda _: None)
    monkeypatch.setattr(environment, "build", lambda *_, **__: built)
    assert provision.environment() is built


@pytest.fixture
def with_tree(provision: Provision, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    require("bwrap")
    tree = rebuilds.make_tree(tmp_path_factory.mktemp("environment") / "tree")
    (tree / "etc/resolv.conf").touch()
    monkeypatch.setattr(Provision, "environment", lambda _: rebuilds.environment(tree))
    return tree


def test_a_shell_may_write_its_working_directory_and_nothing_else(
    provision: Provision, with_tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "secret").touch()
    sandbox = provision.shell_sandbox(tmp_path / "here")
    script = f"pwd; touch made; ls {tmp_path}; touch /usr/x 2>/dev/null || echo read-only"
    printed = sandbox.run(["sh", "-c", script], timeout_seconds=20).stdout.decode().split()
    assert printed == [str(tmp_path / "here"), "here", "read-only"]
    assert (tmp_path / "here" / "made").exists()
    assert sandbox.network
    assert sandbox.terminal


def test_a_shell_without_a_resolver_on_the_host(
    provision: Provision, with_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: str(path) != "/etc/resolv.conf")
    assert provision.shell_sandbox(tmp_path).read_only_binds == {}


@pytest.mark.parametrize("place", ["/", "/usr", "/usr/bin", "/etc"])
def test_a_shell_cannot_stand_where_the_environment_is(provision: Provision, with_tree: Path, place: str) -> None:
    with pytest.raises(TeekitError) as caught:
        provision.shell_sandbox(Path(place))
    assert caught.value.message == f"{Path(place).resolve()} would take the environment's place"
    assert caught.value.hint == "Change into another folder."


def test_a_new_lock_may_be_of_the_archive_as_it_was(provision: Provision, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the snapshot archive alone: a mirror has today's packages."""
    asked: list[object] = []

    def download(_: Path, bases: list[tuple[str, str]], *__: object) -> None:
        asked.append(bases)
        raise TeekitError("far enough")

    monkeypatch.setattr(archive.Index, "download", download)
    monkeypatch.setattr(Provision, "environment", lambda _: rebuilds.environment(Path("/none")))
    with pytest.raises(TeekitError, match="far enough"):
        replace(provision, snapshot="20261121T081046Z").new_image_lock()
    assert asked == [
        [
            ("debian", f"{SNAPSHOT_ARCHIVE}/debian/20261121T081046Z"),
            ("debian-security", f"{SNAPSHOT_ARCHIVE}/debian-security/20261121T081046Z"),
        ]
    ]
    with pytest.raises(TeekitError, match="'2026-11-21' is no time of a snapshot"):
        replace(provision, snapshot="2026-11-21").new_image_lock()
