"""Suites and components of Debian's archive, and whose evidence counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from builders.progress import Recorder
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.rebuild.lock_files import EvidenceFile
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.suites import Archive, Suite

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "archive", "suites"),
    [
        ("trixie", "debian", ("trixie", "trixie-updates", "trixie-backports")),
        ("trixie", "debian-security", ("trixie-security",)),
        ("forky", "debian", ("forky", "forky-updates")),
        ("testing", "debian-security", ("testing-security",)),
        ("sid", "debian", ("sid",)),
        ("unstable", "debian-security", ()),
    ],
)
def test_the_suites_of_a_release(name: str, archive: Archive, suites: tuple[str, ...]) -> None:
    """As the archive's folder dists/ has them: https://wiki.debian.org/DebianReleases, SourcesList."""
    assert Suite(name).of(archive) == suites


def test_a_mirror_has_each_components_index_in_its_own_folder() -> None:
    digest = Digest.of(Algorithm.SHA256, b"index")
    file = EvidenceFile("debian", "trixie", "Packages", digest, "non-free-firmware")
    assert list(
        file.addresses([("debian", "https://mirror.example.org/debian/"), ("debian-security", "https://x")])
    ) == ["https://mirror.example.org/debian/dists/trixie/non-free-firmware/binary-amd64/by-hash/SHA256/" + digest.hex]


def test_an_environment_of_a_release_that_none_of_ours_is_made_from_is_not_vouched_for(tmp_path: Path) -> None:
    """Old tools are Debian's, too, and may be known to be broken. Nothing is asked for, which would need the network."""
    old = rebuilds.lock_of(rebuilds.locked_package()).model_copy(update={"suite": "bullseye"})
    provision = Provision(Project(tmp_path), tmp_path / "cache", Recorder(), None, "file:///none")
    assert not provision.is_debians(old)
    assert not (tmp_path / "cache").exists()
