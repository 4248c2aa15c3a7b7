"""Repositories that are not Debian's, through the real apt: allowed with their own key, and each way to be more than that."""

from __future__ import annotations

import hashlib
import lzma
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from builders import debian_archive
from builders.debian_archive import DebianArchive
from builders.http import serve
from builders.other_repository import OWNER, OtherRepository
from builders.tools import require
from teekit_verify.core.download import DownloadError, DownloadStore
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import (
    apt_root,
    archive,
    evidence,
    lock,
    needs,
    other_evidence,
    repositories,
    repositories_used,
)
from teekit_verify.rebuild.archive import ArchiveError, Index
from teekit_verify.rebuild.repositories import KeyFrom
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.rebuild.repositories import Repository

PLACE = "mkosi.sandbox/etc/apt/sources.list.d/vendor.sources"
KEY_PLACE = "mkosi.sandbox/etc/apt/keyrings/vendor.asc"
SOURCES = "Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: /etc/apt/keyrings/vendor.asc\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    require("gpgv")
    for archive_made in debian_archive.served(tmp_path_factory.mktemp("archive")):
        archive_made.new_key(OWNER)
        archive_made.new_key("other@example.org")
        yield archive_made


@pytest.fixture
def mirror(made: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DebianArchive:
    shutil.copytree(made.root, tmp_path / "mirror")
    monkeypatch.setattr(apt_root, "KEYRING", made.keyring)
    monkeypatch.setattr(archive, "host_mirrors", list)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return DebianArchive(tmp_path / "mirror", made.home)


@pytest.fixture
def vendor(mirror: DebianArchive, tmp_path: Path) -> Iterator[OtherRepository]:
    with serve() as server:
        repository = OtherRepository.make(tmp_path / "vendor", mirror, server)
        repository.add("agent", "3.1-1", depends="libtinfo6")
        repository.publish()
        yield repository


def project(folder: Path, vendor: OtherRepository, suite: str = "stable") -> Path:
    for name, content in (
        (PLACE, SOURCES.format(f"{vendor.address}/", suite).encode()),
        (KEY_PLACE, vendor.key()),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def found(folder: Path, *options: str) -> tuple[Repository, ...]:
    """As a rebuild finds them, with the words of --allow-repository."""
    permissions = tuple(map(repositories.permission, options))
    return repositories.allowed(permissions, needs.take_sources(folder, {one.address for one in permissions}).entries)


class Locked:
    def __init__(self, mirror: DebianArchive, folder: Path, others: tuple[Repository, ...], *names: str) -> None:
        self.store = DownloadStore(folder / "store")
        bases = archive.sources(mirror.address, "file:///none", None)
        self.index = Index.download(folder / "apt", bases, repositories=others)
        packages = sorted(self.index.resolve(names), key=lambda item: item.archive)
        kept = other_evidence.keep(self.index, packages, self.store, StderrProgress())
        self.lock: PackageLock = archive.make_lock(self.index, packages, kept).model_copy(
            update={"packages": tuple(item.model_copy(update={"targets": ("x",)}) for item in packages)}
        )
        self.evidence = evidence.keep(self.index, self.store, StderrProgress())


def test_an_allowed_repository_is_locked_with_its_key_and_its_signed_index(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    folder = project(tmp_path / "project", vendor)
    made = Locked(mirror, tmp_path, found(folder, vendor.address), "agent")
    assert (folder / PLACE).read_text().startswith("# No source:")
    assert [(item.name, item.archive) for item in made.lock.packages] == [
        ("libtinfo6", "debian"),
        ("agent", "repository-1"),
    ]
    (one,) = made.lock.repositories
    release = (vendor.root / "dists/stable/InRelease").read_bytes()
    index = (vendor.root / "dists/stable/main/binary-amd64/Packages").read_bytes()
    assert (one.address, one.suite, one.components, one.key_from) == (vendor.address, "stable", ("main",), "project")
    assert one.fingerprints == one.signers == (vendor.fingerprint(),)
    assert one.inrelease_sha256 == hashlib.sha256(release).hexdigest()
    assert [item.packages_sha256 for item in one.indexes] == [hashlib.sha256(index).hexdigest()]
    assert made.lock.snapshot == "20261121T081046Z"  # of Debian's own index, not of the later one
    assert [item.suite for item in made.evidence] == ["trixie", "trixie-updates", "trixie-security"]
    for hex_ in (one.key_sha256, one.inrelease_sha256, one.indexes[0].packages_sha256):
        assert (tmp_path / "store/sha256" / hex_).is_file()


def test_its_lock_is_read_again_and_its_packages_come_from_there(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    made = Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")
    made.lock.write(tmp_path / "lock.json")
    again = lock.load(tmp_path / "lock.json")
    assert again == made.lock
    package = again.packages[1]
    store = DownloadStore(tmp_path / "other")
    store.fetch([package.remote_file(again.other_places)])
    deb = vendor.root / package.path
    assert store.path(package.digest).read_bytes() == deb.read_bytes()
    changed = deb.read_bytes().replace(b"agent 3.1-1", b"agent 3.1-X")
    assert changed != deb.read_bytes()
    vendor.server.files[f"/apt/{package.path}"] = changed
    with pytest.raises(DownloadError):
        DownloadStore(tmp_path / "third").fetch([package.remote_file(again.other_places)])


def test_a_flat_one_and_one_whose_key_is_in_the_text(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    vendor.publish("/")
    folder = project(tmp_path / "project", vendor)
    key = "".join(f" {line or '.'}\n" for line in vendor.key().decode().splitlines())
    (folder / PLACE).write_text(f"Types: deb\nURIs: {vendor.address}\nSuites: /\nSigned-By:\n{key}")
    made = Locked(mirror, tmp_path, found(folder, vendor.address), "agent")
    (one,) = made.lock.repositories
    assert (one.suite, one.components, one.signers) == ("/", (), (vendor.fingerprint(),))
    package = made.lock.packages[1]
    assert package.addresses(made.lock.other_places) == (f"{vendor.address}/pool/agent_3.1-1_amd64.deb",)


def test_a_line_of_the_older_form(vendor: OtherRepository, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", vendor)
    (folder / PLACE).unlink()
    options = "arch=amd64 trusted=yes signed-by=/etc/apt/keyrings/vendor.asc"
    text = f"deb [{options}] {vendor.address} stable main extra # theirs\ndeb-src {vendor.address} stable main\n"
    (folder / PLACE).with_suffix(".list").write_text(text)
    (one,) = found(folder, vendor.address)
    assert (one.suite, one.components, one.fingerprints) == ("stable", ("main", "extra"), (vendor.fingerprint(),))


@pytest.mark.parametrize("how", ["project", "user"])
def test_an_index_of_another_key_is_refused(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path, how: str
) -> None:
    """Also of Debian's own: a key signs for its repository alone."""
    folder = project(tmp_path / "project", vendor)
    option = vendor.address
    if how == "user":
        (tmp_path / "key.gpg").write_bytes(mirror.keyring.read_bytes())
        option += f"={tmp_path / 'key.gpg'}"
    else:
        vendor.publish(key="other@example.org")
    others = found(folder, option)
    assert [one.key_from for one in others] == [KeyFrom(how)]
    with pytest.raises(ArchiveError, match=r"InRelease' is not signed") as caught:
        Locked(mirror, tmp_path, others, "agent")
    assert caught.value.hint == (
        f"Check that the mirror and the allowed repositories ({vendor.address}) are reachable, current, and signed by the keys you gave."
    )


def test_debians_index_is_not_believed_for_the_key_of_another(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    mirror.sign("trixie-security", key=OWNER)
    with pytest.raises(ArchiveError, match=r"trixie-security InRelease' is not signed"):
        Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")


def test_an_index_with_weak_digests_alone_is_refused_by_name(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    """As apt-secure(8) has it: MD5 and SHA-1 are not trusted."""
    vendor.sign(digests=("MD5", "SHA1"))
    vendor.serve()
    with pytest.raises(ArchiveError) as caught:
        Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")
    assert caught.value.message.splitlines()[0].startswith(
        "the package index could not be fetched and checked: "
        f"The repository '{vendor.address} stable InRelease' provides only weak security information.; apt-get failed"
    )


PACKAGES = "dists/stable/main/binary-amd64/Packages"


def test_an_index_that_is_only_there_compressed(mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path) -> None:
    content = lzma.compress((vendor.root / PACKAGES).read_bytes())
    (vendor.root / f"{PACKAGES}.xz").write_bytes(content)
    vendor.sign()
    vendor.serve()
    del vendor.server.files[f"/apt/{PACKAGES}"]
    made = Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")
    (one,) = made.lock.repositories
    assert one.indexes[0].packages_sha256 == hashlib.sha256(content).hexdigest()
    assert [item.name for item in made.lock.packages] == ["libtinfo6", "agent"]


def test_an_index_that_is_only_there_by_its_digest(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    """The repository format's Acquire-By-Hash: the strongest digest that the index has."""
    content = (vendor.root / PACKAGES).read_bytes()
    vendor.sign(more="Acquire-By-Hash: yes", digests=("SHA256",))
    vendor.serve()
    del vendor.server.files[f"/apt/{PACKAGES}"]
    digest = hashlib.sha256(content).hexdigest()
    vendor.server.files[f"/apt/{PACKAGES.rpartition('/')[0]}/by-hash/SHA256/{digest}"] = content
    made = Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")
    assert made.lock.repositories[0].indexes[0].packages_sha256 == digest


def test_an_expired_index_is_refused(mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path) -> None:
    vendor.publish(valid_until="Sun, 22 Nov 2020 02:10:46 UTC")
    with pytest.raises(ArchiveError, match="expired"):
        Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")


def test_a_changed_index_is_refused(mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path) -> None:
    name = "/apt/dists/stable/main/binary-amd64/Packages"
    vendor.server.files[name] = vendor.server.files[name].replace(b"Version: 3.1-1", b"Version: 3.1-2")
    with pytest.raises(ArchiveError, match=r"unexpected size|Hash Sum mismatch"):
        Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")


def test_what_takes_the_place_of_debians_is_named(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    vendor.add("libtinfo6", "9:6.5-1")
    vendor.publish()
    made = Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent", "hello")
    (one,) = repositories_used.used(made.lock, "x")
    assert {package.name for package in one.packages} == {"libtinfo6", "agent"}
    assert one.replaced == ("libtinfo6",)


def test_paths_and_fields_that_would_lead_elsewhere(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    others = found(project(tmp_path / "project", vendor), vendor.address)
    index = vendor.root / "dists/stable/main/binary-amd64/Packages"
    whole = index.read_text()
    for old, new in (
        ("Filename: pool/", "Filename: ../pool/"),
        ("Filename: pool/", "Filename: pool/.x/"),
        ("SHA256: ", "SHA256: x"),
    ):
        index.write_text(whole.replace(old, new))
        vendor.sign()
        vendor.serve()
        with pytest.raises(ArchiveError):
            Locked(mirror, tmp_path / "run", others, "agent")
        shutil.rmtree(tmp_path / "run")


def test_a_file_of_the_name_of_one_of_debians(mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path) -> None:
    """Builds see all packages in one folder: one of the two would be what mkosi takes for both."""
    others = found(project(tmp_path / "project", vendor), vendor.address)
    index = vendor.root / "dists/stable/main/binary-amd64/Packages"
    index.write_text(index.read_text().replace("agent_3.1-1_amd64.deb", "libtinfo6_6.5-2_amd64.deb"))
    vendor.sign()
    vendor.serve()
    with pytest.raises(ArchiveError, match=r"two of the packages have the file name libtinfo6_6\.5-2_amd64\.deb"):
        Locked(mirror, tmp_path / "run", others, "agent")


def test_a_lock_is_not_taken_for_more_than_is_allowed(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    others = found(project(tmp_path / "project", vendor), vendor.address)
    made = Locked(mirror, tmp_path, others, "agent").lock
    trusted = [one.trusted for one in others]
    lock.require_trusted(made, trusted)
    with pytest.raises(TeekitError, match=f"packages from {vendor.address} stable, signed by {vendor.fingerprint()}"):
        lock.require_trusted(made, [])
    with pytest.raises(TeekitError, match="made without the repository"):
        lock.require_trusted(made.model_copy(update={"repositories": ()}), trusted)
    other = made.repositories[0].model_copy(update={"key_sha256": "0" * 64})
    assert made.digest_for("x") != made.model_copy(update={"repositories": (other,)}).digest_for("x")


@pytest.mark.parametrize("change", [{"archive": "repository-2"}, {"archive": "debian", "path": "agent_3_amd64.deb"}])
def test_a_lock_names_where_each_package_is_from(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path, change: dict[str, Any]
) -> None:
    made = Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent").lock
    packages = (made.packages[0], made.packages[1].model_copy(update=change))
    made.model_copy(update={"packages": packages}).write(tmp_path / "lock.json")
    with pytest.raises(TeekitError, match=r"which the lock does not list|begins with pool/"):
        lock.load(tmp_path / "lock.json")


def test_packages_that_are_not_debians_make_no_environment_debians(
    mirror: DebianArchive, vendor: OtherRepository, tmp_path: Path
) -> None:
    made = Locked(mirror, tmp_path, found(project(tmp_path / "project", vendor), vendor.address), "agent")
    checked = evidence.check(made.lock.with_evidence(made.evidence), made.store)
    assert not checked.holds
    assert [doubt.name for doubt in checked.doubts] == ["agent"]


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("file:///srv/apt", "takes an http or https address without a user, found 'file:///srv/apt'"),
        ("https://me:secret@example.org/apt", r"found 'https://\*\*\*@example.org/apt'"),
        ("https://example.org/apt?x", "a repository is an http, https or file address"),
        ("https://example.org/none", "nothing in the project takes packages from there"),
    ],
)
def test_what_is_allowed_is_an_address_of_the_project(
    vendor: OtherRepository, tmp_path: Path, option: str, problem: str
) -> None:
    with pytest.raises(TeekitError, match=problem):
        found(project(tmp_path, vendor), vendor.address, option)


def test_no_key_and_what_is_none(vendor: OtherRepository, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", vendor)
    (folder / KEY_PLACE).unlink()
    (folder / KEY_PLACE).symlink_to(vendor.signer.keyring)  # a file of the host
    with pytest.raises(TeekitError, match="and has no key of it") as caught:
        found(folder, vendor.address)
    assert caught.value.hint == f"Give the key that its owner published: --allow-repository {vendor.address}=FILE."
    for number, content in enumerate((b"", b"<html>", vendor.key()[:200], b"\x94\x00", b"\xc6\xff\xff\xff\xff\xff")):
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(TeekitError, match="is not an OpenPGP public key"):
            found(project(tmp_path / f"p{number}", vendor), f"{vendor.address}={tmp_path / 'key'}")


@pytest.mark.parametrize(
    ("suite", "components"), [("../x", "main"), ("stable", ""), ("x/", "main"), ("$(ARCH)/", ""), ("a", "[main]")]
)
def test_suites_that_are_none(vendor: OtherRepository, tmp_path: Path, suite: str, components: str) -> None:
    folder = project(tmp_path, vendor)
    text = (folder / PLACE).read_text().replace("Suites: stable", f"Suites: {suite}")
    (folder / PLACE).write_text(text.replace("Components: main", f"Components: {components}"))
    with pytest.raises(TeekitError, match="is not a suite and its components"):
        found(folder, vendor.address)


def test_one_suite_has_one_key(vendor: OtherRepository, tmp_path: Path) -> None:
    folder = project(tmp_path, vendor)
    second = folder / "mkosi.images/app" / PLACE
    shutil.copytree(folder / "mkosi.sandbox", folder / "mkosi.images/app/mkosi.sandbox")
    assert len(found(project(tmp_path, vendor), vendor.address)) == 1
    project(tmp_path, vendor)
    second.write_text(SOURCES.format(vendor.address, "stable"))
    (folder / "mkosi.images/app" / KEY_PLACE).write_bytes(vendor.key("other@example.org"))
    with pytest.raises(TeekitError, match="the project has two keys for"):
        found(folder, vendor.address)
