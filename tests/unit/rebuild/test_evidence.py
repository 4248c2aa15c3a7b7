"""The chain from a locked package to the archive's signature, on a signed archive of the test's own: whole, and with each link broken."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from builders import debian_archive
from builders.debian_archive import DebianArchive
from builders.tools import require
from teekit_verify.core.download import DownloadStore
from teekit_verify.rebuild import apt_root, archive, evidence
from teekit_verify.rebuild.archive import Index
from teekit_verify.rebuild.evidence import Doubt, EvidenceError
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.rebuild.lock import PackageLock


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    require("gpgv")
    yield from debian_archive.served(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def mirror(made: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DebianArchive:
    shutil.copytree(made.root, tmp_path / "mirror")
    monkeypatch.setattr(apt_root, "KEYRING", made.keyring)
    monkeypatch.setattr(archive, "host_mirrors", list)
    return DebianArchive(tmp_path / "mirror", made.home)


class Kept:
    """A lock that was just made, and the store with its evidence."""

    def __init__(self, mirror: DebianArchive, folder: Path) -> None:
        self.root = folder / "store"
        self.store = DownloadStore(self.root)
        index = Index.download(folder / "apt", archive.sources(mirror.address, "file:///none", None))
        made = archive.make_lock(index, index.resolve(["bash", "hello"]))
        self.lock = made.with_evidence(evidence.keep(index, self.store, StderrProgress()))

    def replace(self, suite: str, **files: bytes) -> PackageLock:
        """The lock with other evidence for a suite, put into the store: `inrelease` or `packages`."""
        digests = {}
        for name, content in files.items():
            digests[f"{name}_sha256"] = hashlib.sha256(content).hexdigest()
            (self.root / "sha256" / digests[f"{name}_sha256"]).write_bytes(content)
        items = [item.model_copy(update=digests) if item.suite == suite else item for item in self.lock.evidence]
        return self.lock.with_evidence(tuple(items))

    def content(self, suite: str) -> bytes:
        item = next(item for item in self.lock.evidence if item.suite == suite)
        return (self.root / "sha256" / item.inrelease_sha256).read_bytes()


@pytest.fixture
def kept(mirror: DebianArchive, tmp_path: Path) -> Kept:
    return Kept(mirror, tmp_path)


def test_a_new_lock_is_followed_to_the_signature(kept: Kept, mirror: DebianArchive) -> None:
    for item in kept.lock.evidence:
        release = (mirror.dists(item.suite) / "InRelease").read_bytes()
        assert item.inrelease_sha256 == hashlib.sha256(release).hexdigest()
    found = evidence.check(kept.lock, kept.store)
    assert (found.holds, found.listed, found.doubts, found.npm) == (True, 4, (), 0)
    assert [(fact.archive, fact.suite) for fact in found.indexes] == [
        ("debian", "trixie"),
        ("debian", "trixie-updates"),
        ("debian-security", "trixie-security"),
    ]
    listed = subprocess.run(
        [require("gpg"), "--homedir", mirror.home, "--with-colons", "--list-keys"], capture_output=True, check=True
    )
    for fact in found.indexes:
        assert fact.date == datetime(2026, 11, 21, 2, 10, 46, tzinfo=UTC)
        assert all(f"fpr:::::::::{signer}:" in listed.stdout.decode() for signer in fact.signers)


def test_evidence_survives_the_locks_file(kept: Kept, tmp_path: Path) -> None:
    from teekit_verify.rebuild import lock  # noqa: PLC0415

    kept.lock.write(tmp_path / "lock.json")
    assert lock.load(tmp_path / "lock.json") == kept.lock


def test_a_compressed_index_is_what_is_kept(mirror: DebianArchive, tmp_path: Path) -> None:
    plain = mirror.dists("trixie") / "main/binary-amd64/Packages"
    plain.with_name("Packages.xz").write_bytes(lzma.compress(plain.read_bytes()))
    mirror.sign("trixie")
    kept = Kept(mirror, tmp_path)
    names = {item.suite: item.packages_sha256 for item in kept.lock.evidence}
    assert names["trixie"] == hashlib.sha256(plain.with_name("Packages.xz").read_bytes()).hexdigest()
    assert evidence.check(kept.lock, kept.store).holds


@pytest.mark.parametrize(
    ("field", "value", "doubt"),
    [
        ("version", "1:2.11", Doubt.NOT_LISTED),
        ("name", "hell", Doubt.NOT_LISTED),
        ("architecture", "all", Doubt.NOT_LISTED),
        ("sha256", "0" * 64, Doubt.OTHER_BYTES),
        ("size_bytes", 7, Doubt.OTHER_BYTES),
        ("path", "pool/main/trixie/hello/hello_2_amd64.deb", Doubt.OTHER_BYTES),
        ("archive", "debian-security", Doubt.NOT_LISTED),
    ],
)
def test_a_package_that_the_index_does_not_have(kept: Kept, field: str, value: object, doubt: Doubt) -> None:
    packages = tuple(
        package.model_copy(update={field: value}) if package.name == "hello" else package
        for package in kept.lock.packages
    )
    found = evidence.check(kept.lock.model_copy(update={"packages": packages}), kept.store)
    assert (found.holds, found.listed, [item.doubt for item in found.doubts]) == (False, 3, [doubt])


def refused(kept: Kept, lock: PackageLock, suite: str = "trixie") -> Doubt | None:
    found = evidence.check(lock, kept.store)
    assert not found.holds
    return next(fact.doubt for fact in found.indexes if fact.suite == suite)


def test_a_release_file_that_was_changed(kept: Kept) -> None:
    changed = kept.content("trixie").replace(b"Components: main", b"Components: mail")
    assert refused(kept, kept.replace("trixie", inrelease=changed)) is Doubt.NOT_SIGNED


def test_a_release_file_that_is_not_signed(kept: Kept) -> None:
    text = kept.content("trixie").split(b"\n\n", 1)[1].split(b"-----BEGIN", 1)[0]
    assert refused(kept, kept.replace("trixie", inrelease=text)) is Doubt.NOT_SIGNED


@pytest.fixture
def other_keys(mirror: DebianArchive, tmp_path: Path) -> Iterator[DebianArchive]:
    """The same archive, signed by a key that no keyring has."""
    home = tmp_path / "other"
    home.mkdir(mode=0o700)
    other = DebianArchive(mirror.root, home)
    try:
        other.new_key("other@example.org")
        other.sign("trixie", key="other@example.org")
        yield other
    finally:
        other.close()


def test_a_release_file_of_another_key(kept: Kept, other_keys: DebianArchive) -> None:
    foreign = (other_keys.dists("trixie") / "InRelease").read_bytes()
    assert refused(kept, kept.replace("trixie", inrelease=foreign)) is Doubt.NOT_SIGNED
    # Beside the archive's own: gpgv calls that one good, and gives the texts of both.
    for both in (foreign + kept.content("trixie"), kept.content("trixie") + foreign):
        assert refused(kept, kept.replace("trixie", inrelease=both)) is Doubt.NOT_SIGNED


def test_text_around_the_signed_one(kept: Kept) -> None:
    before = b"SHA256:\n " + b"0" * 64 + b" 1 main/binary-amd64/Packages\n" + kept.content("trixie")
    assert refused(kept, kept.replace("trixie", inrelease=before)) is Doubt.NOT_SIGNED


def test_an_index_that_the_release_file_does_not_name(kept: Kept) -> None:
    lock = kept.replace("trixie", packages=b"Package: hello\n")
    assert refused(kept, lock) is Doubt.INDEX_NOT_IN_RELEASE
    assert {item.doubt for item in evidence.check(lock, kept.store).doubts} == {Doubt.NOT_LISTED}


def test_the_release_file_of_another_suite(kept: Kept) -> None:
    lock = kept.replace("trixie", inrelease=kept.content("trixie-updates"))
    assert refused(kept, lock) is Doubt.OTHER_SUITE


def test_an_archive_without_an_index(kept: Kept) -> None:
    lock = kept.lock.with_evidence(tuple(item for item in kept.lock.evidence if item.archive == "debian"))
    found = evidence.check(lock, kept.store)
    assert [(item.name, item.doubt) for item in found.doubts] == [("libc6", Doubt.NO_INDEX_OF_ARCHIVE)]


def test_release_files_that_have_expired_are_normal(mirror: DebianArchive, tmp_path: Path) -> None:
    mirror.publish(valid_until="Sun, 22 Nov 2026 02:10:46 UTC")
    kept = Kept(mirror, tmp_path)
    assert evidence.check(kept.lock, kept.store).holds


def test_without_evidence_there_is_no_verdict(kept: Kept) -> None:
    with pytest.raises(EvidenceError) as caught:
        evidence.check(kept.lock.with_evidence(()), kept.store)
    assert caught.value.message == "the lock names no evidence: it was made before the signed index was kept"
    damaged = kept.root / "sha256" / kept.lock.evidence[0].packages_sha256
    damaged.write_bytes(b"damaged")
    with pytest.raises(EvidenceError) as caught:
        evidence.check(kept.lock, kept.store)
    assert caught.value.message == (f"1 files of the lock's evidence are not here: Packages of trixie ({damaged.name})")
    assert caught.value.hint is not None
    assert str(kept.root / "sha256") in caught.value.hint


def test_without_the_keyring_there_is_no_verdict(kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apt_root, "KEYRING", tmp_path / "none")
    with pytest.raises(EvidenceError, match="keyring"):
        evidence.check(kept.lock, kept.store)
