"""What a refresh changed, and what it must not bring."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from builders import rebuilds
from builders.tools import require
from teekit_verify.core.download import DownloadStore
from teekit_verify.rebuild import lock_diff
from teekit_verify.rebuild.lock import ComponentIndex, LockedRepository
from teekit_verify.rebuild.lock_diff import Alarm, Evidence, History, LockDiff, entries_since

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.rebuild.lock import LockedPackage, PackageLock

CHANGELOG = """\
greetings (2.10-3+deb13u2) trixie-security; urgency=high

  * CVE-2026-12345, and again CVE-2026-12345.
  * Not one: CVE-26-1.

 -- A <a@example.org>  Sat, 21 Nov 2026 02:10:46 +0000

greetings (2.10-3+deb13u1) trixie; urgency=medium

  * Fix (CVE-2026-0007).

 -- A <a@example.org>  Fri, 20 Nov 2026 02:10:46 +0000

greetings (2.10-3) unstable; urgency=medium

  * CVE-2020-1111

 -- A <a@example.org>  Thu, 19 Nov 2026 02:10:46 +0000
"""


@pytest.fixture
def store(tmp_path: Path) -> DownloadStore:
    return DownloadStore(tmp_path / "store")


def package(name: str = "hello", version: str = "2.10-3", **fields: object) -> LockedPackage:
    """Its path and digest follow from name and version, as in a real archive."""
    update = {
        "version": version,
        "path": f"pool/main/h/{name}/{name}_{version}_amd64.deb",
        "sha256": hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
    }
    return rebuilds.locked_package(name=name).model_copy(update={**update, **fields})


def stored(
    tmp_path: Path, name: str, version: str, *, source: str = "", changelog: str | None = CHANGELOG
) -> LockedPackage:
    """A real package that the store has."""
    tree = tmp_path / "trees" / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: x\n"
    )
    (tree / "DEBIAN" / "control").write_text(control + (f"Source: {source}\n" if source else ""))
    if changelog is not None:
        place = tree / "usr/share/doc" / name
        place.mkdir(parents=True)
        (place / "changelog.Debian.gz").write_bytes(gzip.compress(changelog.encode(), mtime=0))
    subprocess.run([require("dpkg-deb"), "-b", tree, tree.with_suffix(".deb")], check=True, capture_output=True)
    content = tree.with_suffix(".deb").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / "store/sha256").mkdir(parents=True, exist_ok=True)
    (tmp_path / "store/sha256" / digest).write_bytes(content)
    return package(name, version, sha256=digest, size_bytes=len(content))


def compared(store: DownloadStore, old: PackageLock, new: PackageLock) -> LockDiff:
    return lock_diff.compare(old, new, store)


def alarms(diff: LockDiff) -> list[tuple[Alarm, str | None]]:
    return [(flag.alarm, flag.package) for flag in diff.flags]


def test_the_same_lock(store: DownloadStore) -> None:
    lock = rebuilds.lock_of(package(), package("bash"))
    diff = compared(store, lock, lock)
    assert (diff.same, diff.sources, diff.flags, diff.evidence) == (2, (), (), Evidence.NOT_NAMED)


def test_new_gone_and_changed(store: DownloadStore) -> None:
    old = rebuilds.lock_of(package(), package("gone", "1"), package("same", "1"))
    new = rebuilds.lock_of(package(version="2.10-4"), package("new", "1"), package("same", "1"))
    diff = compared(store, old, new)
    found = [(item.name, item.old and item.old.version, item.new and item.new.version) for item in diff.changes()]
    assert found == [("gone", "1", None), ("hello", "2.10-3", "2.10-4"), ("new", None, "1")]
    assert (diff.same, diff.flags) == (1, ())
    assert [(item.source, item.source_known, item.history) for item in diff.sources if item.source == "hello"] == [
        ("hello", False, History.NOT_FETCHED)
    ]


@pytest.mark.parametrize(
    ("before", "after"), [("2.10-3", "2.10-3~"), ("2.10", "2.9"), ("1:1", "2"), ("2.10-3+deb13u2", "2.10-3+deb13u1")]
)
def test_a_downgrade(store: DownloadStore, before: str, after: str) -> None:
    diff = compared(store, rebuilds.lock_of(package(version=before)), rebuilds.lock_of(package(version=after)))
    assert alarms(diff) == [(Alarm.DOWNGRADE, "hello")]


def test_a_package_that_is_now_in_another_image(store: DownloadStore) -> None:
    old = rebuilds.lock_of(package(targets=("tdx-kettle+devtools",)))
    new = rebuilds.lock_of(package(targets=("base", "tdx-kettle+devtools")))
    diff = compared(store, old, new)
    assert ([change.name for change in diff.changes()], diff.same, diff.flags) == (["hello"], 0, ())


def test_an_image_that_gets_the_older_of_two_versions(store: DownloadStore) -> None:
    older, newer = package(version="1", targets=("base",)), package(version="2", targets=("tdx-kettle",))
    moved = older.model_copy(update={"targets": ("base", "tdx-kettle")})
    diff = compared(store, rebuilds.lock_of(older, newer), rebuilds.lock_of(moved))
    assert alarms(diff) == [(Alarm.DOWNGRADE, "hello of tdx-kettle")]


def test_other_bytes_under_the_same_version(store: DownloadStore) -> None:
    old = rebuilds.lock_of(package())
    for changed in (package(sha256="0" * 64), package(sha256="0" * 64, architecture="all")):
        assert alarms(compared(store, old, rebuilds.lock_of(changed))) == [(Alarm.OTHER_BYTES, "hello")]


def test_other_bytes_beside_a_newer_version(store: DownloadStore) -> None:
    """Each version is compared with itself, not with its neighbour in the order of the list."""
    old = rebuilds.lock_of(package(version="1"), package(version="2"))
    new = rebuilds.lock_of(package(version="2", sha256="0" * 64), package(version="3"))
    diff = compared(store, old, new)
    assert alarms(diff) == [(Alarm.OTHER_BYTES, "hello")]
    assert [(item.old.version, item.new.version) for item in diff.changes() if item.old and item.new] == [
        ("2", "2"),
        ("1", "3"),
    ]


@pytest.mark.parametrize("version", ["2.10-3", "2.10-4"])
def test_another_archive_that_no_evidence_explains(store: DownloadStore, version: str) -> None:
    new = rebuilds.lock_of(package(version=version, archive="debian-security"))
    assert alarms(compared(store, rebuilds.lock_of(package()), new)) == [(Alarm.OTHER_ARCHIVE, "hello")]


@pytest.mark.parametrize("targets", [(), ("no-image",)])
def test_a_package_that_no_stage_asks_for(store: DownloadStore, targets: tuple[str, ...]) -> None:
    new = rebuilds.lock_of(package(), package("extra", "1", targets=targets))
    assert alarms(compared(store, rebuilds.lock_of(package()), new)) == [(Alarm.NOT_ASKED_FOR, "extra")]


def test_the_environments_lock_has_no_targets(store: DownloadStore) -> None:
    lock = rebuilds.lock_of(package(targets=()), identity=rebuilds.IDENTITY)
    assert compared(store, lock, lock).flags == ()


def test_another_suite_and_an_older_lock(store: DownloadStore) -> None:
    old = rebuilds.lock_of(package())
    new = old.model_copy(update={"suite": "forky", "snapshot": "20261120T081046Z"})
    assert alarms(compared(store, old, new)) == [(Alarm.OTHER_SUITE, None), (Alarm.OLDER_SNAPSHOT, None)]


REPOSITORY = LockedRepository(
    name="repository-1",
    address="https://packages.example.org/apt",
    suite="stable",
    components=("main",),
    key_from="project",
    key_sha256="1" * 64,
    fingerprints=("A" * 40,),
    signers=("A" * 40,),
    inrelease_sha256="2" * 64,
    indexes=(ComponentIndex(component="main", packages_sha256="3" * 64),),
)


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"key_sha256": "9" * 64}, 2),
        ({"components": ("main", "extra")}, 2),
        ({"suite": "testing"}, 2),
        ({"inrelease_sha256": "9" * 64}, 0),
        (None, 1),
    ],
)
def test_whom_one_trusts_beside_debian(store: DownloadStore, change: dict[str, Any] | None, count: int) -> None:
    """A newer index of the same repository is what a refresh brings."""
    lock = rebuilds.lock_of(package())
    old = lock.model_copy(update={"repositories": (REPOSITORY,)})
    others = () if change is None else (REPOSITORY.model_copy(update=change),)
    new = lock.model_copy(update={"repositories": others})
    for one, other in ((old, new), (new, old)):
        assert alarms(compared(store, one, other)) == [(Alarm.OTHER_REPOSITORY, None)] * count
    if change is None:
        (flag,) = compared(store, old, new).flags
        assert flag.old == f"https://packages.example.org/apt stable main, key {'1' * 16} of {'A' * 40}"


def test_a_lock_of_somebody_elses_project_has_its_own_images(store: DownloadStore) -> None:
    old = rebuilds.lock_of(package(targets=("theirs",)))
    new = rebuilds.lock_of(package(targets=("theirs",)), package("extra", "1", targets=("other",)))
    assert alarms(compared(store, old, old)) == []
    assert alarms(compared(store, old, new)) == [(Alarm.NOT_ASKED_FOR, "extra")]


def test_npm_versions_have_an_order_of_their_own(store: DownloadStore) -> None:
    """Semantic Versioning 2.0.0, 11: 1.0.0-rc.1 < 1.0.0."""
    before, after = (
        package("wrangler", version, archive="npm", path=f"wrangler/-/wrangler-{version}.tgz")
        for version in ("1.0.0-rc.1", "1.0.0")
    )
    diff = compared(store, rebuilds.lock_of(before), rebuilds.lock_of(after))
    assert (diff.flags, diff.sources[0].history) == ((), History.NOT_DEBIANS)
    assert alarms(compared(store, rebuilds.lock_of(after), rebuilds.lock_of(before))) == [(Alarm.DOWNGRADE, "wrangler")]


def test_changes_are_told_by_source_with_their_changelog(tmp_path: Path, store: DownloadStore) -> None:
    new = [
        stored(tmp_path, name, "2.10-3+deb13u2", source="greetings", changelog=text)
        for name, text in (
            ("hello", None),
            ("welcome", CHANGELOG),
        )
    ]
    old = [package(item.name) for item in new]
    diff = compared(store, rebuilds.lock_of(*old), rebuilds.lock_of(*new))
    (source,) = diff.sources
    assert (source.source, source.source_known, source.history) == ("greetings", True, History.READ)
    assert [change.name for change in source.changes] == ["hello", "welcome"]
    assert [(entry.version, entry.distribution, entry.cves) for entry in source.entries] == [
        ("2.10-3+deb13u2", "trixie-security", ("CVE-2026-12345",)),
        ("2.10-3+deb13u1", "trixie", ("CVE-2026-0007",)),
    ]
    assert source.cves == ("CVE-2026-0007", "CVE-2026-12345")


def test_a_kernel_whose_name_has_the_version_in_it(tmp_path: Path, store: DownloadStore) -> None:
    new = stored(tmp_path, "linux-image-2", "2.10-3+deb13u2", source="greetings")
    old = stored(tmp_path, "linux-image-1", "2.10-3", source="greetings", changelog=None)
    (source,) = compared(store, rebuilds.lock_of(old), rebuilds.lock_of(new)).sources
    assert (source.history, len(source.entries)) == (History.READ, 2)


def test_a_source_with_a_version_of_its_own(tmp_path: Path, store: DownloadStore) -> None:
    """As gcc-defaults has; a binary rebuild (+b1) has its source's version."""
    new = stored(tmp_path, "hello", "7:1-2", source="greetings (2.10-3+deb13u2)")
    (source,) = compared(store, rebuilds.lock_of(package(version="7:1-1")), rebuilds.lock_of(new)).sources
    assert (source.history, source.entries) == (History.OLD_UNKNOWN, ())
    old = stored(tmp_path, "hello", "7:1-1", source="greetings (2.10-3+deb13u1)")
    (source,) = compared(store, rebuilds.lock_of(old), rebuilds.lock_of(new)).sources
    assert [entry.version for entry in source.entries] == ["2.10-3+deb13u2"]
    rebuilt = stored(tmp_path, "hello", "2.10-3+deb13u2+b1", source="greetings (2.10-3+deb13u2)")
    (source,) = compared(
        store, rebuilds.lock_of(package(version="2.10-3+deb13u1+b4")), rebuilds.lock_of(rebuilt)
    ).sources
    assert [entry.version for entry in source.entries] == ["2.10-3+deb13u2"]


def test_a_changelog_that_ends_before_the_old_version() -> None:
    history, entries = entries_since(CHANGELOG, "2.9-1")
    assert (history, len(entries)) == (History.CUT_OFF, 3)
    assert entries_since("no changelog\n", "1") == (History.CUT_OFF, ())


def test_as_dpkg_parsechangelog_reads_it(tmp_path: Path) -> None:
    parse = require("dpkg-parsechangelog")
    (tmp_path / "changelog").write_text(CHANGELOG)
    argv = [
        parse,
        "-l",
        str(tmp_path / "changelog"),
        "--since",
        "2.10-3",
        "--format",
        "rfc822",
        "--show-field",
        "Version",
    ]
    shown = subprocess.run([*argv, "--all"], check=True, capture_output=True, text=True).stdout.split()
    assert [entry.version for entry in entries_since(CHANGELOG, "2.10-3")[1]] == [
        version for version in shown if version != "2.10-3"
    ]
