"""A project that knows nothing of this repository, built for real, with packages of an apt repository that is not Debian's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from builders.debian_archive import DebianArchive
from builders.http import serve
from builders.other_repository import OWNER, OtherRepository
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integration.conftest import UsableProject

CONFIGURATION = """\
[Distribution]
Distribution=debian
Release=trixie

[Output]
Format=uki
ImageId=stranger
ManifestFormat=json
Seed=630b5f72-a36a-4e83-b23d-6ef47c82fd9c

[Content]
SourceDateEpoch=0
CleanPackageMetadata=yes
Packages=linux-image-cloud-amd64
         systemd-boot-efi
         agent
         netbase
KernelCommandLine=console=ttyS0 quiet
RemoveFiles=/usr/lib/modules/*/kernel
            /usr/share/doc
            /usr/share/locale
            /usr/share/man
            /var/cache/ldconfig/aux-cache
            /var/log/*
"""


SOURCE = "Types: deb\nURIs: {}\nSuites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/vendor.asc\n"


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherRepository]:
    """With an epoch, a tilde, a package for all architectures, and one in the place of Debian's."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "gnupg").mkdir(mode=0o700)
    signer = DebianArchive(tmp_path / "none", tmp_path / "gnupg")
    try:
        signer.new_key(OWNER)
        with serve() as server:
            made = OtherRepository.make(tmp_path / "vendor", signer, server)
            made.add("agent", "3.1-1", depends="agent-data")
            made.add("agent-data", "1:2.0~rc1-1", architecture="all")
            made.add("netbase", "99:1", architecture="all")
            made.publish()
            yield made
    finally:
        signer.close()


def leaves(differences: list[dict[str, Any]], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Path and causes of the ends of the tree."""
    for item in differences:
        here = f"{path}: {item['name']}" if path else item["name"]
        if item["children"]:
            yield from leaves(item["children"], here)
        else:
            yield here, [cause["name"] for cause in item["causes"]]


@pytest.mark.slow
def test_a_strangers_uki_is_rebuilt_and_what_mkosi_25_takes_from_the_umask_is_named(
    usable_project: UsableProject, vendor: OtherRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As mkosi 25.3 writes os-release of an image with ImageId=: with the umask of its caller."""
    monkeypatch.chdir(usable_project.project.root)
    project = tmp_path / "project"
    project.mkdir()
    (project / "mkosi.conf").write_text(CONFIGURATION)
    (project / "mkosi.build").write_text("#!/bin/sh\nexit 0\n# curl is only talked about here\n")
    (project / "mkosi.build").chmod(0o755)
    apt = project / "mkosi.sandbox/etc/apt"
    for place in ("sources.list.d", "keyrings"):
        (apt / place).mkdir(parents=True)
    (apt / "sources.list.d/vendor.sources").write_text(SOURCE.format(vendor.address))
    (apt / "keyrings/vendor.asc").write_bytes(vendor.key())
    report, workspace = tmp_path / "report", tmp_path / "workspace"
    places = ("--source", str(project), "--output", str(report), "--workspace", str(workspace))
    allowed = ("--allow-repository", vendor.address)
    assert main(["rebuild", *places, *allowed, "--mkosi-args", "", "--parallel"]) == 1
    content = json.loads((report / "report.json").read_text())
    assert content["verdict"] == "NONDETERMINISTIC"
    causes = dict(leaves(content["explanations"][0]["differences"]))
    assert "umask" in causes["stranger.efi: section .initrd: usr/lib/os-release"]
    assert [smell["name"] for smell in content["smells"]] == ["modes that follow the umask", "no Snapshot="]
    assert {package["name"] for package in content["consumed"]["packages"]} >= {"base-files", "systemd-boot-efi"}
    page = (report / "report.html").read_text()
    assert "usr/lib/os-release" in page
    (others,) = content["repositories"]
    taken = {(package["name"], package["version"]) for package in others["packages"]}
    assert taken == {("agent", "3.1-1"), ("agent-data", "1:2.0~rc1-1"), ("netbase", "99:1")}
    assert (others["signers"], others["replaced"]) == ([vendor.fingerprint()], ["netbase"])
    manifest = json.loads((report / "artifacts" / "stranger.manifest").read_text())
    installed = {(package["name"], package["version"]) for package in manifest["packages"]}
    assert taken <= installed
    assert vendor.address in page
