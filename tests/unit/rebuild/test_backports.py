"""Pins to Debian's backports, as apt_preferences(5) has them, and what the real apt then takes from a signed archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import debian_archive
from teekit_verify.core.download import DownloadStore
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import apt_root, archive, backports, evidence
from teekit_verify.rebuild.archive import Index
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builders.debian_archive import DebianArchive

PIN = "Pin: release n=trixie-backports\nPin-Priority: 990\n"


def project(root: Path, **files: str) -> Path:
    folder = root / "mkosi.sandbox/etc/apt/preferences.d"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({}, ()),
        ({"a_pref": f"Package: linux-source\n{PIN}"}, ("linux-source",)),
        ({"a": f"# why\nPackage: bb aa\n# more\n{PIN}\nPackage: cc\n{PIN}"}, ("aa", "bb", "cc")),
        ({"a_pref": f"Package: aa\n{PIN}", "b_pref": f"package: bb\n{PIN.lower()}"}, ("aa", "bb")),
        ({"a_bak": f"Package: aa\n{PIN}"}, ()),  # apt does not read it
        ({"a_pref": "Package: aa\nPin: release n=trixie\nPin-Priority: 990\n"}, ()),
        ({"a_pref": "Package: *\nPin: origin example.org\nPin-Priority: -1\n"}, ()),
        ({"a_pref": f"Package: aa\n\n{PIN}"}, ()),  # the pin is of another stanza, of no package
    ],
)
def test_the_names_that_a_project_pins(tmp_path: Path, files: dict[str, str], names: tuple[str, ...]) -> None:
    assert backports.pinned(project(tmp_path, **files)) == names


def test_a_project_without_pins_has_none(tmp_path: Path) -> None:
    assert backports.pinned(tmp_path) == ()


@pytest.mark.parametrize("name", ["*", "linux-*", "/linux/", "src:linux", "-a", "Linux"])
def test_only_plain_names_are_pinned(tmp_path: Path, name: str) -> None:
    with pytest.raises(TeekitError) as caught:
        backports.pinned(project(tmp_path, a_pref=f"Package: {name}\n{PIN}"))
    assert caught.value.message.endswith(f"a.pref: '{name}' is not a plain name of a package")
    assert caught.value.hint == "Name each package that is to come from trixie-backports."


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DebianArchive]:
    """`kernel` needs a package that only backports have; `hello` is in both."""
    for made in debian_archive.served(tmp_path):
        made.add("kernel", "6.12")
        made.add("kernel", "7.3~bpo13+1", suite="trixie-backports", depends="kernel-7.3 (= 7.3~bpo13+1)")
        made.add("kernel-7.3", "7.3~bpo13+1", suite="trixie-backports")
        made.add("hello", "1:3.0~bpo13+1", suite="trixie-backports")
        made.publish()
        monkeypatch.setattr(apt_root, "KEYRING", made.keyring)
        monkeypatch.setattr(archive, "host_mirrors", list)
        yield made


def resolved(mirror: DebianArchive, folder: Path, *pinned: str) -> tuple[Index, list[tuple[str, str]]]:
    index = Index.download(folder, archive.sources(mirror.address, "file:///none", None), pinned)
    return index, sorted((package.name, package.version) for package in index.resolve(["kernel", "hello"]))


def test_only_what_is_pinned_comes_from_backports(mirror: DebianArchive, tmp_path: Path) -> None:
    assert resolved(mirror, tmp_path / "with", "kernel")[1] == [
        ("hello", "1:2.10~rc1+dfsg-3"),
        ("kernel", "7.3~bpo13+1"),
        ("kernel-7.3", "7.3~bpo13+1"),
    ]


def test_without_a_pin_there_are_no_backports(mirror: DebianArchive, tmp_path: Path) -> None:
    index, found = resolved(mirror, tmp_path / "without")
    assert found == [("hello", "1:2.10~rc1+dfsg-3"), ("kernel", "6.12")]
    assert "backports" not in (index.root / "etc/sources.list").read_text()
    with pytest.raises(archive.ArchiveError, match="apt cannot resolve the packages"):
        index.resolve(["kernel-7.3"])


def test_the_signed_index_of_backports_is_evidence(mirror: DebianArchive, tmp_path: Path) -> None:
    index, _ = resolved(mirror, tmp_path / "apt", "kernel")
    store = DownloadStore(tmp_path / "store")
    kept = evidence.keep(index, store, StderrProgress())
    locked = archive.make_lock(index, index.resolve(["kernel"])).with_evidence(kept)
    assert [item.suite for item in kept] == ["trixie", "trixie-backports", "trixie-updates", "trixie-security"]
    assert evidence.check(locked, store).holds
