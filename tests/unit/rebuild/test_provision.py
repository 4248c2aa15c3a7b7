"""What a build is given: fetched packages under their own names, and the environment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from builders import rebuilds
from builders.rebuilds import Miniature
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
    with pytest.raises(TeekitError, match="'2026-11-21' is not a time of a snapshot"):
        replace(provision, snapshot="2026-11-21").new_image_lock()
