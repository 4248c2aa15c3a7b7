"""A project that knows nothing of this repository, built for real."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import UsableProject

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
KernelCommandLine=console=ttyS0 quiet
RemoveFiles=/usr/lib/modules/*/kernel
            /usr/share/doc
            /usr/share/locale
            /usr/share/man
            /var/cache/ldconfig/aux-cache
            /var/log/*
"""


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
    usable_project: UsableProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mkosi 25.3 writes os-release of an image with ImageId= with the umask of its caller."""
    monkeypatch.chdir(usable_project.project.root)
    project = tmp_path / "project"
    project.mkdir()
    (project / "mkosi.conf").write_text(CONFIGURATION)
    (project / "mkosi.build").write_text("#!/bin/sh\nexit 0\n# curl is only talked about here\n")
    (project / "mkosi.build").chmod(0o755)
    report, workspace = tmp_path / "report", tmp_path / "workspace"
    places = ("--source", str(project), "--output", str(report), "--workspace", str(workspace))
    assert main(["rebuild", *places, "--mkosi-args", "", "--parallel"]) == 1
    content = json.loads((report / "report.json").read_text())
    assert content["verdict"] == "NONDETERMINISTIC"
    causes = dict(leaves(content["explanations"][0]["differences"]))
    assert "umask" in causes["stranger.efi: section .initrd: usr/lib/os-release"]
    assert [smell["name"] for smell in content["smells"]] == ["modes that follow the umask", "no Snapshot="]
    assert {package["name"] for package in content["consumed"]["packages"]} >= {"base-files", "systemd-boot-efi"}
    assert "usr/lib/os-release" in (report / "report.html").read_text()
