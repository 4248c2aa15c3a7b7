"""The committed releases: names that agree everywhere, and a signature by the committed key of the publisher."""

from __future__ import annotations

from pathlib import Path

import pytest

from teekit_verify.cli.app import main
from teekit_verify.core.errors import TeekitError
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


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_says_on_which_day_it_was_published(name: str) -> None:
    assert load_release(REFERENCE / "releases", name)[0].released_on is not None


@pytest.mark.parametrize("day", ["2026-02-30", "2026-2-3", "20260203", "2026-02-03T00:00:00", "2026-W01-1"])
def test_a_day_that_is_none_is_refused(tmp_path: Path, day: str) -> None:
    text = (REFERENCE / "releases" / RELEASES[0] / "release.json").read_text()
    folder = tmp_path / "one"
    folder.mkdir()
    said = load_release(REFERENCE / "releases", RELEASES[0])[0].released
    (folder / "release.json").write_text(text.replace(f'"{said}"', f'"{day}"'))
    with pytest.raises(TeekitError, match="released"):
        load_release(tmp_path, "one")


@pytest.mark.parametrize(
    "name", ["", ".", "..", f"{RELEASES[0]}/", f"x/../{RELEASES[0]}", f"../releases/{RELEASES[0]}", "a\0b", "x" * 5000]
)
def test_what_is_no_name_of_a_release_leads_nowhere(name: str) -> None:
    with pytest.raises(TeekitError, match="there is no release") as caught:
        load_release(REFERENCE / "releases", name)
    assert caught.value.hint is not None
    assert RELEASES[0] in caught.value.hint


def test_the_folder_of_releases_is_none_itself(tmp_path: Path) -> None:
    (tmp_path / "release.json").write_bytes((REFERENCE / "releases" / RELEASES[0] / "release.json").read_bytes())
    (tmp_path / "releases").mkdir()
    for name in ("", ".", ".."):
        with pytest.raises(TeekitError, match="there is no release"):
            load_release(tmp_path / "releases", name)
