"""`release list` and `release show` through main(argv), and `reference list` with folders below."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import documents, keys
from builders.published_schemas import problems
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create

ROOT = Path(__file__).parents[3]
REFERENCE = documents.reference()


def _release(folder: Path, name: str, **changes: object) -> Path:
    """A release of the sample reference; `changes` are of its release.json."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "base.json").write_bytes(create.dump_reference(replace(REFERENCE, release=name)))
    fields = {
        "schema": "teekit-verify/release/v1",
        "repository": None,
        "commit": REFERENCE.commit,
        "tag": None,
        "image": REFERENCE.inputs.image,
        "profiles": list(REFERENCE.inputs.profiles),
        "reference": "base.json",
    }
    (place / "release.json").write_text(json.dumps(fields | changes))
    return place


def _sign(place: Path, keys_folder: Path, name: str = "alice") -> None:
    key = keys.write_private(keys_folder, name)
    assert main(["reference", "sign", str(place / "base.json"), "--key", str(key)]) == ExitStatus.HOLDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "releases"


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return keys.pin(tmp_path / "trusted", "alice")


def _run(capsys: pytest.CaptureFixture[str], *argv: object, status: int) -> str:
    capsys.readouterr()
    assert main(["release", *map(str, argv)]) == status
    return capsys.readouterr().out


def _list(capsys: pytest.CaptureFixture[str], folder: Path, *more: object, status: int) -> dict[str, dict[str, Any]]:
    fields = json.loads(_run(capsys, "list", "--folder", folder, *more, "--json", status=status))
    assert problems("release-list-v1", fields) == []
    assert fields["exit_status"] == status
    return {item["name"]: item for item in fields["releases"]}


def test_signed_unsigned_and_withdrawn(
    tmp_path: Path, folder: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _sign(_release(folder, "2026.11"), tmp_path)
    _release(folder, "2026.10", withdrawn="it is broken")
    listed = _list(capsys, folder, "--trusted-keys", trusted, status=0)
    assert [(item["signed_by"], item["withdrawn"]) for item in listed.values()] == [
        ([], "it is broken"),
        (["alice"], None),
    ]
    _release(folder, "2026.12")
    assert _list(capsys, folder, status=0)["2026.11"]["signed_by"] == [], "nobody asked"
    assert not _list(capsys, folder, "--trusted-keys", trusted, status=1)["2026.12"]["has_signature_file"]
    out = _run(capsys, "list", "--folder", folder, "--trusted-keys", trusted, status=1)
    assert "by alice" in out
    assert "2026.10 is withdrawn: it is broken" in out


def test_a_strangers_signature_is_none(
    tmp_path: Path, folder: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _sign(_release(folder, "2026.11"), tmp_path, "mallory")
    assert _list(capsys, folder, "--trusted-keys", trusted, status=1)["2026.11"]["signed_by"] == []
    assert "not by a trusted key" in _run(capsys, "list", "--folder", folder, "--trusted-keys", trusted, status=1)
    assert "yes, not checked" in _run(capsys, "list", "--folder", folder, status=0)


def test_a_signature_of_other_bytes_is_none(
    tmp_path: Path, folder: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = _release(folder, "2026.11")
    _sign(place, tmp_path)
    (place / "base.json").write_bytes((place / "base.json").read_bytes() + b"\n")
    assert _list(capsys, folder, "--trusted-keys", trusted, status=1)["2026.11"]["signed_by"] == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"commit": "b" * 40}, "commit"), ({"image": "other"}, "image"), ({"profiles": ["other"]}, "profiles")],
)
def test_a_release_that_disagrees_with_its_reference(
    folder: Path, changes: dict[str, object], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _release(folder, "2026.11", **changes)
    assert _list(capsys, folder, status=1)["2026.11"]["disagreements"] == [what]
    for options in ((), ("--quiet",)):
        out = _run(capsys, "list", "--folder", folder, *options, status=1)
        assert f"release.json and base.json name another {what}" in out
    _run(capsys, "show", "2026.11", "--folder", folder, status=1)


def test_the_signed_file_of_another_release_is_no_release(
    tmp_path: Path, folder: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old release under a new name: its signature is good, as it is about the same bytes."""
    _sign(_release(folder, "2026.10"), tmp_path)
    shutil.copytree(folder / "2026.10", folder / "2026.11")
    listed = _list(capsys, folder, "--trusted-keys", trusted, status=2)
    assert listed["2026.10"]["signed_by"] == ["alice"]
    assert listed["2026.11"]["problem"] == "base.json is of the release '2026.10', not of '2026.11'"


def test_a_damaged_release_does_not_hide_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _release(folder, "2026.10")
    (_release(folder, "2026.11") / "base.json").write_text("{}")
    listed = _list(capsys, folder, status=2)
    assert listed["2026.10"]["problem"] == ""
    assert "base.json" in listed["2026.11"]["problem"]


def test_no_releases_give_no_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    assert _list(capsys, folder, status=2) == {}
    assert "has no releases" in _run(capsys, "list", "--folder", folder, status=2)


def test_one_release_is_shown(tmp_path: Path, folder: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = _release(folder, "2026.11", repository="https://git.example.org/images.git")
    _release(folder, "2026.12", commit="b" * 40)
    _sign(place, tmp_path)
    out = _run(capsys, "show", "2026.11", "--folder", folder, "--trusted-keys", trusted, status=0)
    assert "source: https://git.example.org/images.git" in out
    assert "good signature of alice" in out
    assert documents.UKI.sha256.hex in out
    fields = json.loads(_run(capsys, "show", "2026.11", "--folder", folder, "--json", status=0))
    assert problems("release-list-v1", fields) == []
    assert [item["name"] for item in fields["releases"]] == ["2026.11"]


def test_what_is_wrong_is_told_with_quiet_as_well(
    tmp_path: Path, folder: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed, shown = (("list", "--folder", folder), ("show", "2026.11", "--folder", folder))
    _sign(_release(folder, "2026.11"), tmp_path, "mallory")
    for command in (listed, shown):
        assert _run(capsys, *command, "--quiet", status=0) == ""
        told = _run(capsys, *command, "--trusted-keys", trusted, "--quiet", status=1)
        assert told == "2026.11: is signed by no trusted key\n"
    (folder / "2026.11/base.json").write_text("{}")
    assert _run(capsys, *listed, "--quiet", status=2).startswith("2026.11: ")
    assert main(["reference", "list", str(folder), "--quiet"]) == ExitStatus.NO_VERDICT
    assert "base.json" in capsys.readouterr().out


def test_a_name_is_no_path(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _release(folder.parent / "elsewhere", "2026.11")
    _release(folder, "2026.10")
    assert main(["release", "show", "../elsewhere/2026.11", "--folder", str(folder)]) == ExitStatus.NO_VERDICT
    assert "there is no release" in capsys.readouterr().err


def test_the_releases_of_this_repository_are_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    listed = _list(capsys, ROOT / "reference/releases", "--trusted-keys", ROOT / "reference/keys", status=0)
    assert listed["tdx-debian-base-2026.11.30"]["signed_by"] == ["publisher"]
    assert listed["tdx-debian-base-2026.11"]["withdrawn"]


def test_reference_list_looks_into_folders_below(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """release.json, facts of machines and JSON schemas lie there too, and are none."""
    _release(folder, "2026.11")
    for name in ("schema/release-v1.schema.json", "platforms/gcp.json"):
        target = tmp_path / name
        target.parent.mkdir()
        shutil.copy(ROOT / "reference" / name, target)
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert main(["reference", "list", str(tmp_path), "--json"]) == ExitStatus.HOLDS
    fields = json.loads(capsys.readouterr().out)
    assert problems("reference-list-v1", fields) == []
    assert [item["file"] for item in fields["files"]] == ["releases/2026.11/base.json"]


@pytest.mark.parametrize("content", ['{"schema": "teekit-verify/reference/v9"}', '{"schema": "x"}', "{}", "{"])
def test_what_is_not_known_to_be_something_else_is_damaged(
    folder: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (_release(folder, "2026.11") / "other.json").write_text(content)
    assert main(["reference", "list", str(folder)]) == ExitStatus.NO_VERDICT
    assert "2026.11/other.json" in capsys.readouterr().out
