"""`rebuild --allow-repository`, whole: a project with packages of a repository that is not Debian's, through the real apt."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from builders import rebuilds
from builders.debian_archive import DebianArchive, make_deb
from builders.http import serve
from builders.other_repository import OWNER, OtherRepository
from builders.repositories import Repository
from teekit_verify.cli.app import main
from teekit_verify.rebuild import apt_root
from teekit_verify.rebuild.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builders.rebuilds import Miniature

SUMMARY = {
    "Architecture": "x86-64",
    "Distribution": "debian",
    "Format": "uki",
    "ManifestFormat": ["json"],
    "Output": "theirs",
    "Packages": ["agent"],
    "Release": "trixie",
}


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Miniature]:
    made = rebuilds.isolated(tmp_path, tree, monkeypatch)
    monkeypatch.setattr(Project, "find", classmethod(lambda *_: made.project))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    shutil.rmtree(tmp_path / "mirror", ignore_errors=True)  # in its place a signed one
    (tmp_path / "signer").mkdir()
    debian = DebianArchive.make(tmp_path / "signer")
    try:
        make_deb(debian.pool("debian", "trixie") / "base-files", "base-files", "13", {"etc/x": ""}, essential=True)
        debian.publish()
        debian.new_key(OWNER)
        (tmp_path / "mirror").symlink_to(debian.root)
        monkeypatch.setattr(apt_root, "KEYRING", debian.keyring)
        yield made
    finally:
        debian.close()


@pytest.fixture
def vendor(miniature: Miniature) -> Iterator[OtherRepository]:
    signer = DebianArchive(miniature.folder / "signer/mirror", miniature.folder / "signer/gnupg")
    with serve() as server:
        made = OtherRepository.make(miniature.folder / "vendor", signer, server)
        made.add("agent", "3.1-1")
        made.add("base-files", "99")
        made.publish()
        yield made


@pytest.fixture
def project(miniature: Miniature, vendor: OtherRepository) -> Path:
    made = Repository.make(miniature.folder / "stranger")
    for name in ("image.efi", "build.sh"):
        made.write(name, (miniature.project.mkosi / name).read_bytes().replace(b"tdx-debian-base", b"theirs"))
    made.write("summary.json", json.dumps({"Images": [SUMMARY]}).encode())
    made.write("mkosi.conf", b"[Content]\nPackages=agent\n")
    source = f"deb [signed-by=/etc/vendor.asc] {vendor.address} stable main\n"
    made.write("mkosi.sandbox/etc/apt/sources.list.d/vendor.list", source.encode())
    made.write("mkosi.sandbox/etc/vendor.asc", vendor.key())
    made.commit()
    return made.folder


def rebuild(miniature: Miniature, project: Path, *arguments: str) -> int:
    return int(main(miniature.argv("--source", str(project), "--mkosi-args", "", *arguments)))


def report(miniature: Miniature) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((miniature.report / "report.json").read_text())
    return content


def test_it_is_refused_built_named_and_replayed(
    miniature: Miniature, vendor: OtherRepository, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rebuild(miniature, project) == 2
    assert f"allow it with --allow-repository {vendor.address}" in capsys.readouterr().err
    allowed = ("--allow-repository", vendor.address)
    assert rebuild(miniature, project, *allowed) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "UNREFERENCED: " in shown
    assert "; 2 packages not Debian's, from 1 repository that you allowed" in shown
    assert f"whose key the project has, signed by {vendor.fingerprint()}"[:60] in shown
    content = report(miniature)
    (one,) = content["repositories"]
    assert (one["address"], one["suite"], one["signers"]) == (vendor.address, "stable", [vendor.fingerprint()])
    assert ({item["name"] for item in one["packages"]}, one["replaced"]) == ({"agent", "base-files"}, ["base-files"])
    assert {(item["name"], item["version"]) for item in content["consumed"]["packages"]} == {
        ("agent", "3.1-1"),
        ("base-files", "99"),
    }

    reference = miniature.folder / "reference.json"
    assert main(["reference", "create", str(miniature.report), "--release", "r", "--output", str(reference)]) == 0
    lock = miniature.folder / "lock.json"
    shutil.copy(miniature.report / "packages.lock.json", lock)
    vendor.server.files.clear()  # nothing of it is asked again
    replay = ("--lock", str(lock), "--offline", "--clean", "--reference", str(reference))
    capsys.readouterr()
    assert rebuild(miniature, project, *replay, *allowed) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "REPRODUCED: " in text
    assert "; 2 packages not Debian's, from 1 repository that you allowed" in text
    other = miniature.folder / "other.asc"
    other.write_bytes(vendor.key("archive@example.org"))
    assert rebuild(miniature, project, *replay, "--allow-repository", f"{vendor.address}={other}") == 2
    assert "which this project and its options do not allow" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["Section", "Priority"])
def test_a_package_that_mkosi_25_cannot_use_is_named_before_it_is_fetched(
    miniature: Miniature, vendor: OtherRepository, project: Path, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    """reprepro: "No section given for 'agent', skipping.", and so with its priority. mkosi 25.3 makes its index with it; 26 and later do not."""
    vendor.add("agent", "3.2-1", **{field.lower(): ""})
    vendor.publish()
    assert rebuild(miniature, project, "--allow-repository", vendor.address) == 2
    said = capsys.readouterr().err
    assert f"error: agent 3.2-1 of {vendor.address} has no {field}:, and mkosi 25 cannot use such a package" in said
    assert "--environment mkosi-27" in said
    assert not [path for path, _ in vendor.server.requests if path.endswith(".deb")]


def test_it_is_for_projects_of_others(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(miniature.argv("--allow-repository", "https://packages.example.org")) == 2
    assert "--allow-repository is for other projects" in capsys.readouterr().err
