"""Who vouches for an environment's lock, and where a reference is from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import debian_archive, rebuilds
from builders.progress import Recorder
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.rebuild import apt_root, archive, evidence, inputs_places, vouching
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.vouching import EnvironmentFrom, ReferenceFrom, UnknownEnvironmentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builders.debian_archive import DebianArchive
    from teekit_verify.rebuild.lock import PackageLock

OURS = rebuilds.lock_of(rebuilds.locked_package(b"ours"))
THEIRS = rebuilds.lock_of(rebuilds.locked_package(b"theirs"))


@pytest.fixture
def own(tmp_path: Path) -> Project:
    project = Project(tmp_path / "own")
    OURS.write(project.environment_lock)
    project.mkosi.mkdir()
    project.references.mkdir()
    return project


def never(_: PackageLock) -> bool:
    raise AssertionError


def test_the_programs_own_lock_needs_nobody_else(own: Project) -> None:
    assert vouching.environment_from(OURS, own, never) is EnvironmentFrom.PROGRAM


def test_a_lock_that_the_programs_references_name(own: Project) -> None:
    (own.references / "broken.json").write_text("{")
    (own.references / "other.json").write_text("[]")
    place = own.references / "releases/r/base.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"inputs": {"environment": {"lock_sha256": THEIRS.digest().hex}}}))
    assert vouching.environment_from(THEIRS, own, never) is EnvironmentFrom.PUBLISHED


@pytest.mark.parametrize("own_is_known", [True, False])
def test_any_other_lock_is_debians_or_nobodys(own: Project, own_is_known: bool) -> None:  # noqa: FBT001
    known = own if own_is_known else None
    assert vouching.environment_from(THEIRS, known, lambda _: True) is EnvironmentFrom.DEBIAN
    assert vouching.environment_from(THEIRS, known, lambda _: False) is EnvironmentFrom.UNKNOWN


def test_what_nobody_vouches_for_is_refused_unless_allowed() -> None:
    for found in EnvironmentFrom:
        vouching.require_known(found, allowed=True)
    for found in set(EnvironmentFrom) - {EnvironmentFrom.UNKNOWN}:
        vouching.require_known(found, allowed=False)
    with pytest.raises(UnknownEnvironmentError, match="are not shown to be Debian's"):
        vouching.require_known(EnvironmentFrom.UNKNOWN, allowed=False)


def test_where_a_reference_is_from(tmp_path: Path, own: Project) -> None:
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere.json"
    for reference, is_default, expected in (
        (own.references / "base.json", True, ReferenceFrom.PROGRAM),
        (source / "reference/base.json", True, ReferenceFrom.SOURCE),
        (source / "reference/base.json", False, ReferenceFrom.SOURCE),
        (source / "../source/base.json", False, ReferenceFrom.SOURCE),
        (elsewhere, False, ReferenceFrom.NAMED),
        (elsewhere, True, ReferenceFrom.SOURCE),
    ):
        assert vouching.reference_from(reference, source, own, is_default=is_default) is expected


def test_the_programs_checkout_is_where_its_code_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rebuilds.Miniature.make(tmp_path).project.root)
    assert vouching.own_project() == Project(Path(__file__).parents[3])


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    yield from debian_archive.served(tmp_path_factory.mktemp("archive"))


@pytest.mark.parametrize("change", ["", "sha256", "size_bytes", "version", "name"])
def test_a_lock_is_debians_if_the_signed_index_of_its_time_has_all_of_it(
    mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(apt_root, "KEYRING", mirror.keyring)
    time = "20261121T081046Z"
    for kind in ("debian", "debian-security"):
        (tmp_path / "snapshots" / kind).mkdir(parents=True)
        (tmp_path / "snapshots" / kind / time).symlink_to(mirror.root / kind)
    index = archive.Index.download(tmp_path / "apt", archive.sources(mirror.address, "file:///none", None))
    locked = archive.make_lock(index, index.resolve(["bash", "hello"]))
    other = {"sha256": "0" * 64, "size_bytes": 7, "version": "9", "name": "hullo"}
    if change:
        last = locked.packages[-1].model_copy(update={change: other[change]})
        locked = locked.model_copy(update={"packages": (*locked.packages[:-1], last)})
    provision = Provision(Project(tmp_path), tmp_path / "cache", Recorder(), None, f"file://{tmp_path}/snapshots")
    assert provision.is_debians(locked) is (not change)


def test_without_an_index_nothing_is_debians(tmp_path: Path) -> None:
    provision = Provision(Project(tmp_path), tmp_path / "cache", Recorder(), None, f"file://{tmp_path}/none")
    assert not provision.is_debians(THEIRS)


@pytest.mark.parametrize("change", ["", "sha256", "version", "damaged", "planted"])
def test_the_evidence_of_a_lock_shows_it_without_any_archive(
    mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(apt_root, "KEYRING", mirror.keyring)
    monkeypatch.setattr(archive, "host_mirrors", list)
    index = archive.Index.download(tmp_path / "apt", archive.sources(mirror.address, "file:///none", None))
    provision = Provision(
        Project(tmp_path), tmp_path / "cache", Recorder(), None, f"file://{tmp_path}/none", offline=True
    )
    kept = evidence.keep(index, provision.store, Recorder())
    locked = archive.make_lock(index, index.resolve(["bash", "hello"])).with_evidence(kept)
    if change in {"sha256", "version"}:
        last = locked.packages[-1].model_copy(update={change: {"sha256": "0" * 64, "version": "9"}[change]})
        locked = locked.model_copy(update={"packages": (*locked.packages[:-1], last)})
    if change == "damaged":
        provision.store.path(Digest.from_hex(Algorithm.SHA256, kept[0].packages_sha256)).write_bytes(b"other")
    if change == "planted":
        locked = locked.model_copy(update={"packages": (*locked.packages, rebuilds.locked_package(name="planted"))})
    assert provision.is_debians(locked) is (not change)


def test_evidence_is_fetched_where_somebody_has_it(
    mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an archive of inputs; else from a mirror, InRelease as long as it is the same one."""
    monkeypatch.setattr(apt_root, "KEYRING", mirror.keyring)
    monkeypatch.setattr(archive, "host_mirrors", list)
    index = archive.Index.download(tmp_path / "apt", archive.sources(mirror.address, "file:///none", None))
    made = Provision(Project(tmp_path), tmp_path / "made", Recorder(), None, "file:///none", offline=True)
    locked = archive.make_lock(index, index.resolve(["bash"])).with_evidence(
        evidence.keep(index, made.store, Recorder())
    )
    (tmp_path / "archive").mkdir()
    shutil.copytree(tmp_path / "made/downloads", tmp_path / "archive/blobs")
    place = inputs_places.parse(str(tmp_path / "archive"))
    theirs = replace(made, cache=tmp_path / "theirs", inputs=(place,))
    assert theirs.is_debians(locked)
    nobodys = replace(made, cache=tmp_path / "nobodys")
    assert len(nobodys.bring_evidence(locked)) == 2 * len(locked.evidence)
    assert not nobodys.is_debians(locked)
    from_mirror = replace(made, cache=tmp_path / "mirrors", mirror=mirror.address, offline=False)
    missing = {file.kind for file in from_mirror.bring_evidence(locked)}
    assert missing == {"Packages"}  # this mirror has no files by their digest
