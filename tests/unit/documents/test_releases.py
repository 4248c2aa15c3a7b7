"""The committed releases: names that agree everywhere, and a signature by the committed key of the publisher."""

from __future__ import annotations

from pathlib import Path

import pytest

from teekit_verify.cli.app import main
from teekit_verify.documents.load import load_reference
from teekit_verify.documents.release import load_release

REFERENCE = Path(__file__).parents[3] / "reference"
RELEASES = sorted(path.parent.name for path in (REFERENCE / "releases").glob("*/release.json"))
STANDING = [name for name in RELEASES if load_release(REFERENCE / "releases", name)[0].withdrawn is None]


def test_there_are_releases_that_stand() -> None:
    assert STANDING


@pytest.mark.parametrize("name", STANDING)
def test_a_release_calls_itself_as_its_folder(name: str) -> None:
    release, path = load_release(REFERENCE / "releases", name)
    reference = load_reference(path)
    assert reference.release == name
    assert reference.commit == release.commit
    assert (reference.inputs.image, reference.inputs.profiles) == (release.image, release.profiles)


@pytest.mark.parametrize("name", STANDING)
def test_a_release_is_signed_by_the_publisher(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, path = load_release(REFERENCE / "releases", name)
    assert main(["reference", "verify", str(path), "--trusted-keys", str(REFERENCE / "keys")]) == 0
    assert "SIGNED: by a trusted key" in capsys.readouterr().out


def test_what_a_checkout_is_compared_with_is_a_release() -> None:
    """`reference/IMAGE.json` is a copy: the values of a release that stands."""
    for path in REFERENCE.glob("*.json"):
        release = load_reference(path).release
        assert release in STANDING
        assert path.read_bytes() == load_release(REFERENCE / "releases", release)[1].read_bytes()
