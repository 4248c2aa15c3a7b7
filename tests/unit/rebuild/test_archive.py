"""Debian's archive, asked through the real apt: a signed archive of the test's own, whole and tampered with."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from builders import debian_archive
from builders.debian_archive import DebianArchive
from builders.http import serve
from builders.standins import StandIns
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import apt_root, archive
from teekit_verify.rebuild.archive import ArchiveError, Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.rebuild.suites import Archive


DEBIANS_OWN = [f"{archive._DEBIAN_MIRROR}/{name}" for name in ("debian", "debian-security")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    yield from debian_archive.served(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def mirror(made: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DebianArchive:
    """A copy that a test may change; apt trusts its key and no other."""
    shutil.copytree(made.root, tmp_path / "mirror")
    monkeypatch.setattr(apt_root, "KEYRING", made.keyring)
    monkeypatch.setattr(archive, "host_mirrors", list)
    return DebianArchive(tmp_path / "mirror", made.home)


def download(mirror: DebianArchive, tmp_path: Path) -> Index:
    return Index.download(tmp_path / "apt", archive.sources(mirror.address, "file:///none", None))


def refusal(mirror: DebianArchive, tmp_path: Path) -> str:
    with pytest.raises(ArchiveError) as caught:
        download(mirror, tmp_path)
    assert caught.value.message.startswith("the package index could not be fetched and checked: ")
    assert caught.value.hint == "Check the mirror, or name another with --mirror URL."
    return caught.value.message


def test_packages_are_those_of_the_signed_index(mirror: DebianArchive, tmp_path: Path) -> None:
    index = download(mirror, tmp_path)
    packages = index.resolve(["bash", "hello"])
    assert [(p.name, p.version, p.archive, p.path) for p in packages] == [
        (
            "libc6",  # the security update
            "2.41-12+deb13u1",
            "debian-security",
            "pool/updates/trixie-security/libc6/libc6_2.41-12+deb13u1_amd64.deb",
        ),
        ("libtinfo6", "6.5-2", "debian", "pool/main/trixie-updates/libtinfo6/libtinfo6_6.5-2_amd64.deb"),
        ("bash", "5.2-1", "debian", "pool/main/trixie/bash/bash_5.2-1_amd64.deb"),
        ("hello", "1:2.10~rc1+dfsg-3", "debian", "pool/main/trixie/hello/hello_2.10~rc1+dfsg-3_amd64.deb"),
    ]
    for package in packages:
        content = (mirror.root / package.archive / package.path).read_bytes()
        assert (package.size_bytes, package.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_lock_of_it_names_a_time_at_which_a_snapshot_has_it(mirror: DebianArchive, tmp_path: Path) -> None:
    index = download(mirror, tmp_path)
    lock = archive.make_lock(index, index.resolve(["hello"]))
    assert debian_archive.DATE == "Sat, 21 Nov 2026 02:10:46 UTC"
    assert (lock.suite, lock.snapshot) == ("trixie", "20261121T081046Z")  # six hours later
    assert [package.name for package in lock.packages] == ["hello"]


def test_a_package_that_is_in_both_archives(mirror: DebianArchive, tmp_path: Path) -> None:
    """A point release takes over security updates: the same package, at another place."""
    deb = mirror.add("libc6", "2.41-12+deb13u1")
    shutil.copy(mirror.root / "debian-security/pool/updates/trixie-security/libc6" / deb.name, deb)
    mirror.publish()
    (package,) = download(mirror, tmp_path).resolve(["libc6"])
    assert (mirror.root / package.archive / package.path).exists()
    assert package.sha256 == hashlib.sha256(deb.read_bytes()).hexdigest()


@pytest.mark.parametrize("algorithm", ["SHA256", "the content"])
def test_a_tampered_index_is_refused(mirror: DebianArchive, tmp_path: Path, algorithm: str) -> None:
    packages = mirror.dists("trixie") / "main/binary-amd64/Packages"
    content = packages.read_bytes()
    if algorithm == "SHA256":  # another digest for a package: the same size
        place = content.index(b"SHA256: ") + 8
        content = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    else:
        content = content.replace(b"5.2-1", b"6.0-1")
    packages.write_bytes(content)
    assert "File has unexpected size" in (message := refusal(mirror, tmp_path)) or "Hash Sum mismatch" in message


def test_a_changed_release_is_refused(mirror: DebianArchive, tmp_path: Path) -> None:
    release = mirror.dists("trixie") / "InRelease"
    release.write_text(release.read_text().replace("Suite: trixie", "Suite: trixje"))
    assert "BADSIG" in (message := refusal(mirror, tmp_path)) or "not signed" in message or "invalid" in message


def test_a_release_of_another_key_is_refused(mirror: DebianArchive, tmp_path: Path) -> None:
    mirror.new_key("other@example.org")
    mirror.sign("trixie-security", key="other@example.org")
    message = refusal(mirror, tmp_path)  # why, apt says in words that differ between its versions
    assert "trixie-security InRelease' is not signed" in message


def test_an_unsigned_release_is_refused(mirror: DebianArchive, tmp_path: Path) -> None:
    release = mirror.dists("trixie") / "InRelease"
    text = release.read_text()
    (release.parent / "Release").write_text(text.split("\n\n", 1)[1].split("-----BEGIN")[0])
    release.unlink()
    assert "is not signed" in refusal(mirror, tmp_path)


def test_an_expired_release_is_taken(mirror: DebianArchive, tmp_path: Path) -> None:
    """Locks may be made of a snapshot of the past; how old the index is says its date."""
    for suite in ("trixie", "trixie-updates", "trixie-security"):
        mirror.sign(suite, valid_until="Sun, 22 Nov 2020 02:10:46 UTC")
    assert download(mirror, tmp_path).resolve(["hello"])


def test_a_missing_suite_is_refused(mirror: DebianArchive, tmp_path: Path) -> None:
    shutil.rmtree(mirror.dists("trixie-security"))
    assert "trixie-security" in refusal(mirror, tmp_path)


def test_a_mirror_that_has_nothing(mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as server, pytest.raises(ArchiveError) as caught:
        Index.download(tmp_path / "apt", archive.sources(server.address(), "file:///none", None))
    assert "404  Not Found" in caught.value.message
    assert caught.value.hint == "Check the mirror, or name another with --mirror URL."


def test_a_second_mirror_is_tried_for_the_index(mirror: DebianArchive, tmp_path: Path) -> None:
    """What one mirror has fits together, so it is taken as a whole."""
    bases = [
        *archive.sources("file:///none", "file:///none", None),
        *archive.sources(mirror.address, "file:///none", None),
    ]
    index = Index.download(tmp_path / "apt", bases)
    assert [base for _, base in index.bases] == [f"{mirror.address}/{name}" for name in ("debian", "debian-security")]
    assert [package.name for package in index.resolve(["hello"])] == ["hello"]


def test_a_user_of_a_mirror_is_not_shown(mirror: DebianArchive, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as caught:
        Index.download(tmp_path / "apt", archive.sources("http://me:hunter2@127.0.0.1:1", "file:///none", None))
    assert "hunter2" not in caught.value.message


def test_a_proxy_that_fails_is_named(mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "no_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ALL_PROXY", "http://me:hunter2@127.0.0.1:1")
    with pytest.raises(ArchiveError) as caught:
        Index.download(tmp_path / "apt", archive.sources("http://mirror.invalid", "file:///none", None))
    assert "(through the proxy http://***@127.0.0.1:1)" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_mirror_over_http(mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`file:` and `http:` addresses are written differently by apt."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as server:
        for path in mirror.root.rglob("*"):
            if path.is_file():
                server.files["/a~b/" + path.relative_to(mirror.root).as_posix()] = path.read_bytes()
        index = Index.download(tmp_path / "apt", archive.sources(server.address("/a~b"), "file:///none", None))
        (package,) = index.resolve(["hello"])
    assert package.path == "pool/main/trixie/hello/hello_2.10~rc1+dfsg-3_amd64.deb"


def test_a_package_that_there_is_not(mirror: DebianArchive, tmp_path: Path) -> None:
    index = download(mirror, tmp_path)
    for request, problem in (
        (["bash", "nonesuch"], "E: Unable to locate package nonesuch"),
        (["hello=9"], "E: Version '9' for 'hello' was not found"),
    ):
        with pytest.raises(ArchiveError) as caught:
            index.resolve(request)
        assert caught.value.message.startswith("apt cannot resolve the packages: apt-get failed with exit status 100")
        assert problem in caught.value.message
        assert caught.value.hint == "Correct the names in nix/build-env.packages, or in the image's mkosi.conf."
    with pytest.raises(ArchiveError, match="apt installs nothing for no request"):
        index.resolve([])


@pytest.mark.parametrize(
    "request_",
    [
        "-oDebug::NoLocking=1",
        "./evil.deb",
        "/srv/evil.deb",
        "../evil.deb",
        "evil.deb",
        "evil.changes",
        "hello-",
        "~nhello",
        "?name(.*)",
        "^standard",
        "hello=1.0/x",
        "hello/../x",
        "hel*",
        "hello\nbash",
        "hell\u0661",
        "",
    ],
)
def test_what_is_no_name_of_a_package_never_reaches_apt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    def reached(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr(apt_root, "run", reached)
    with pytest.raises(ArchiveError, match="is not a plain name of a package") as caught:
        Index(tmp_path, (), "").resolve(["hello", request_])
    assert caught.value.message.isprintable()


def test_a_file_beside_apt_is_no_package(mirror: DebianArchive, tmp_path: Path) -> None:
    """Apt itself would take it, and what is in it."""
    index = download(mirror, tmp_path)
    (tmp_path / "apt/empty/hello").write_text("x")
    assert [package.name for package in index.resolve(["hello/trixie"])] == ["hello"]


def test_a_dependency_that_cannot_be_met(mirror: DebianArchive, tmp_path: Path) -> None:
    mirror.add("broken", "1", depends="nonesuch (>= 2)")
    mirror.publish()
    with pytest.raises(ArchiveError, match="Depends: nonesuch"):
        download(mirror, tmp_path).resolve(["broken"])


def test_the_hosts_packages_and_configuration_play_no_part(
    mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bash is installed on this host; and nothing of APT_CONFIG of the host is read."""
    (tmp_path / "evil.conf").write_text('APT::Get::AllowUnauthenticated "true"; Dir::State::status "/nowhere";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "evil.conf"))
    assert "bash" in [package.name for package in download(mirror, tmp_path).resolve(["bash"])]


def test_without_a_keyring_or_a_mirror(mirror: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArchiveError) as caught:
        Index.download(tmp_path, [("debian-security", "file:///x")])
    assert (caught.value.message, caught.value.hint) == (
        "no Debian mirror is known",
        "Name one with --mirror URL.",
    )
    monkeypatch.setattr(apt_root, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(ArchiveError) as caught:
        download(mirror, tmp_path)
    assert caught.value.message == f"the archive's keyring {tmp_path}/none.gpg is missing"
    assert caught.value.hint == "Run scripts/setup_deps.sh."


HOST: list[tuple[Archive, str]] = [("debian", "http://host/debian")]


def test_sources_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "host_mirrors", lambda: HOST)
    assert archive.sources("http://near/", "https://past/archive", "20261121T081046Z") == [
        ("debian", "http://near/debian"),
        ("debian-security", "http://near/debian-security"),
        ("debian", "http://host/debian"),
        ("debian", "https://past/archive/debian/20261121T081046Z"),
        ("debian-security", "https://past/archive/debian-security/20261121T081046Z"),
    ]
    assert archive.sources(None, "https://past", None) == HOST


@pytest.mark.parametrize(("mirror_address", "past"), [("near", "https://past"), ("http://near", "past")])
def test_sources_are_addresses(monkeypatch: pytest.MonkeyPatch, mirror_address: str, past: str) -> None:
    monkeypatch.setattr(archive, "host_mirrors", list)
    with pytest.raises(TeekitError, match="is an http, https or file address"):
        archive.sources(mirror_address, past, "20261121T081046Z")


@pytest.mark.parametrize(
    ("printed", "mirrors"),
    [
        (
            "http://m/debian/ http://m/debian/ http://s/debian-security/",
            ["http://m/debian/", "http://s/debian-security/"],
        ),
        ("http://m/debian", ["http://m/debian", "http://m/debian-security"]),
        ("http://m/ubuntu/ https://ppa.example.org/x cdrom:[Debian http://[bad/debian", DEBIANS_OWN),
        ("mirror+file:/etc/apt/mirrors/debian tor+http://m/debian", DEBIANS_OWN),
        ("", DEBIANS_OWN),
    ],
)
def test_the_hosts_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, mirrors: list[str]) -> None:
    stand_ins = StandIns.make(tmp_path / "bin")
    stand_ins.add("apt-get", f"echo '{printed}'")
    monkeypatch.setenv("PATH", str(stand_ins.folder))
    assert [address for _, address in archive.host_mirrors()] == mirrors
    assert stand_ins.calls == ["apt-get indextargets --format $(REPO_URI) Created-By: Packages"]


def test_a_host_without_apt_has_debians_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [address for _, address in archive.host_mirrors()] == DEBIANS_OWN
