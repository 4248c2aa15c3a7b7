"""The report directory: whole or as it was, never in somebody else's place; and what a reference may be made of."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import released, reports
from teekit_verify.core.errors import TeekitError
from teekit_verify.explanation.tree import Difference, Explanation, Kind
from teekit_verify.record import directory, json_report, read, replacing
from teekit_verify.report.html import page

FAILED = reports.REBUILDS["failed"]


def write(place: Path, *logs: Path) -> None:
    directory.write_failure(place, FAILED, logs, page.render)


def names(place: Path) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


def test_a_failure_leaves_its_report_and_the_logs_there_are(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "build.log").write_text("the reason")
    place = tmp_path / "deep" / "report"
    write(place, tmp_path / "A" / "build.log", tmp_path / "B" / "build.log")
    assert names(place) == ["logs", "logs/build-A.log", "report.html", "report.json"]
    assert (place / "logs/build-A.log").read_text() == "the reason"
    assert (place / "report.json").read_bytes() == json_report.render_rebuild(FAILED)


def test_an_older_report_is_replaced_whole(tmp_path: Path) -> None:
    write(tmp_path / "report")
    (tmp_path / "report" / "artifacts").mkdir()
    for left in (".report.new", ".report.old"):  # of a run that was killed
        (tmp_path / left / "sub").mkdir(parents=True)
    write(tmp_path / "report")
    assert names(tmp_path) == ["report", "report/logs", "report/report.html", "report/report.json"]


def test_two_runs_write_one_after_the_other(tmp_path: Path) -> None:
    """Each report is whole, and the later one stays."""
    place, begun, go_on = tmp_path / "report", threading.Event(), threading.Event()

    def slow_page(report: Any) -> bytes:
        begun.set()
        assert go_on.wait(600)
        return page.render(report)

    (tmp_path / "A").mkdir()
    (tmp_path / "A/build.log").write_text("the first run")
    with ThreadPoolExecutor() as runs:
        first = runs.submit(directory.write_failure, place, FAILED, (tmp_path / "A/build.log",), slow_page)
        assert begun.wait(600)
        second = runs.submit(write, place)
        with suppress(TimeoutError):
            second.result(timeout=1)
        go_on.set()
        first.result()
        second.result()
    assert names(place) == ["logs", "report.html", "report.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A", "report"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TeekitError("x")])
def test_an_interruption_leaves_the_older_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    write(tmp_path / "report")
    (tmp_path / "report" / "old").touch()

    def fail(_: object) -> bytes:
        raise error

    monkeypatch.setattr(directory, "render_rebuild", fail)
    with pytest.raises(type(error)):
        write(tmp_path / "report")
    assert names(tmp_path) == ["report", "report/logs", "report/old", "report/report.html", "report/report.json"]


def test_a_full_disk_is_said_and_leaves_the_older_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "report")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    (tmp_path / "build.log").touch()
    with pytest.raises(TeekitError) as caught:
        write(tmp_path / "report", tmp_path / "build.log")
    assert caught.value.message == f"{tmp_path / 'report'} cannot be written: No space left on device"
    assert caught.value.hint == (
        "Free some space, or name a folder elsewhere with --output DIR, and run it again: finished builds are kept."
    )
    assert names(tmp_path / "report") == ["logs", "report.html", "report.json"]
    assert not (tmp_path / ".report.new").exists()


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "report").symlink_to("real")
    for _ in range(2):
        write(tmp_path / "report")
    assert (tmp_path / "report").is_symlink()
    assert names(tmp_path / "real") == ["logs", "report.html", "report.json"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_a_report_is_not_replaced(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "thesis"
    if kind == "folder":
        place.mkdir()
        (place / "chapter-1").touch()
    else:
        place.touch()
    expected = f"{place} has other files in it" if kind == "folder" else f"{place} is not a folder"
    for refuse in (replacing.require_replaceable, write):
        with pytest.raises(TeekitError) as caught:
            refuse(place)
        assert (caught.value.message, caught.value.hint) == (expected, "Name a new folder with --output DIR.")
    assert place.exists()


def test_a_place_that_cannot_be_written_is_known_before_the_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(TeekitError) as caught:
        replacing.require_replaceable(tmp_path / "new" / "report")
    assert caught.value.message == f"{tmp_path} cannot be written"
    assert caught.value.hint == "Name another folder with --output DIR."


def test_a_place_below_a_file_is_known_before_the_builds(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TeekitError) as caught:
        replacing.require_replaceable(tmp_path / "file" / "new" / "report")
    assert caught.value.message == f"{tmp_path / 'file'} cannot be written"


@pytest.mark.parametrize("has_report", [False, True])
def test_a_folder_that_cannot_give_way_is_known_before_the_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_report: bool
) -> None:
    """A mount point: what a container is given for its results, say. The kernel answers like this."""

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    if has_report:
        (tmp_path / "report.json").touch()
    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(TeekitError) as caught, replacing.older_named(tmp_path, pytest.fail):
        pytest.fail("the builds")
    assert caught.value.message == f"{tmp_path} cannot be replaced: Device or resource busy"
    assert caught.value.hint == "Name a folder in it, or another one, with --output DIR."


def test_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    with replacing.older_named(tmp_path / "report", pytest.fail):
        write(tmp_path / "report")
    assert names(tmp_path / "report") == ["logs", "report.html", "report.json"]


def report_of(place: Path, **changes: Any) -> None:
    row = {"name": "tdx-debian.efi", "size_bytes": 3, "sha256": "a" * 64}
    content = {"schema": "teekit-verify/report/v1", "artifacts": [{"a": row, "b": row}]} | changes
    (place / "report.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema": "teekit-verify/comparison/v1"}, "is not the report of a rebuild with artifacts"),
        ({"artifacts": []}, "is not the report of a rebuild with artifacts"),
        ({"artifacts": [{"a": None, "b": None}]}, "build A and B differ, so there is nothing to publish"),
        (
            {"artifacts": [{"a": {"name": "x", "sha256": "a" * 64}, "b": {"name": "x", "sha256": "b" * 64}}]},
            "build A and B differ, so there is nothing to publish",
        ),
    ],
)
def test_a_reference_is_not_made_of_these(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    report_of(tmp_path, **changes)
    with pytest.raises(TeekitError) as caught:
        directory.load_reproduced(tmp_path)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    "artifacts",
    [
        "x",
        [1],
        [{}],
        [{"a": 1, "b": 1}],
        [{"a": {"name": "x"}, "b": {"name": "x"}}],
        [{"a": {"name": 1, "size_bytes": "x", "sha256": 2}, "b": {"name": 1, "size_bytes": "x", "sha256": 2}}],
        [{"a": {"name": "x", "size_bytes": 1, "sha256": "zz"}, "b": {"name": "x", "size_bytes": 1, "sha256": "zz"}}],
        [
            {
                "a": {"name": "../../etc/passwd", "size_bytes": 1, "sha256": "a" * 64},
                "b": {"name": "../../etc/passwd", "size_bytes": 1, "sha256": "a" * 64},
            }
        ],
    ],
)
def test_a_hostile_report_is_an_error_and_no_defect(tmp_path: Path, artifacts: object) -> None:
    report_of(tmp_path, artifacts=artifacts)
    with pytest.raises(TeekitError):
        directory.load_reproduced(tmp_path)


def test_measurements_of_the_uki_on_the_disk_are_of_this_rebuild_by_its_bytes(tmp_path: Path) -> None:
    """On a disk the UKI is called BOOTX64.EFI; with other bytes it is another one, whatever its name."""
    released.write_report(tmp_path / "report")
    path = tmp_path / "report" / "measurements.json"
    content = json.loads(path.read_text())
    content["artifact"]["name"] = "BOOTX64.EFI"
    path.write_text(json.dumps(content))
    _, measurements = directory.load_reproduced(tmp_path / "report")
    assert measurements.artifact.name == "BOOTX64.EFI"
    content["artifact"]["sha256"] = "0" * 64
    path.write_text(json.dumps(content))
    with pytest.raises(TeekitError, match=r"measurements\.json is about another artifact"):
        directory.load_reproduced(tmp_path / "report")


def test_differences_that_no_reader_would_take_are_left_out_and_counted(tmp_path: Path) -> None:
    """Of archives inside archives there may be any number: the verdict of two long builds must not be lost to them."""
    leaf = Difference("x" * 200, Kind.CONTENT, "differs", excerpt=("-a", "+b"))
    many = tuple(replace(leaf, children=(leaf,) * 9) for _ in range(2000))
    report = replace(
        reports.REBUILDS["nondeterministic"], explanations=(Explanation("A", "B", many), Explanation("C", "D", (leaf,)))
    )
    directory.write_failure(tmp_path / "report", report, (), page.render)
    one, other = read.load_rebuild(tmp_path / "report" / "report.json").explanations
    assert 1000 <= len(one.differences) < 2000
    assert one.differences[:1000] == many[:1000]
    assert one.notices == ("only the first 10000 of 20000 differences are shown: `teekit-verify explain` has them all",)
    assert other == Explanation("C", "D", (leaf,))
    assert "only the first 10000 of 20000 differences are shown" in (tmp_path / "report" / "report.html").read_text()
