"""A new report replaces an older one at the end. Whenever it is killed, the last report with a verdict is there, and the next run finds it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from builders import reports
from teekit_verify.core.errors import TeekitError
from teekit_verify.record import directory, json_report, replacing

JUDGED, FAILED = reports.REBUILDS["reproduced"], reports.REBUILDS["failed"]

# A process that kills itself before its Nth change of a folder's name or removal of a folder.
_KILLED = """\
import os, shutil, signal, sys
from pathlib import Path
from teekit_verify.record import replacing
place, verdict, left = Path(sys.argv[1]), sys.argv[2] == "verdict", int(sys.argv[3])
def counted(function):
    def call(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return function(*arguments, **options)
    return call
Path.rename, shutil.rmtree = counted(Path.rename), counted(shutil.rmtree)
with replacing.older_named(place, print), replacing.replacement(place, has_verdict=verdict) as folder:
    (folder / "report.json").write_bytes(sys.stdin.buffer.read())
"""
_MOST_STEPS = 12


def report_in(folder: Path, data: bytes, mark: str) -> None:
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / mark).write_text(mark)
    (folder / "report.json").write_bytes(data)


def is_whole(folder: Path, data: bytes, mark: str) -> bool:
    report, artifact = folder / "report.json", folder / "artifacts" / mark
    return report.is_file() and report.read_bytes() == data and artifact.is_file() and artifact.read_text() == mark


def ended(place: Path, kind: str, step: int, data: bytes) -> int:
    command = [sys.executable, "-c", _KILLED, str(place), kind, str(step)]
    return subprocess.run(command, input=data, env={**os.environ}, check=False, capture_output=True).returncode


@pytest.mark.parametrize("kind", ["verdict", "failure"])
@pytest.mark.parametrize("before", ["verdict", "failure after a verdict"])
def test_a_kill_at_any_step_leaves_the_last_report_with_a_verdict(tmp_path: Path, kind: str, before: str) -> None:
    judged, failed = json_report.render_rebuild(JUDGED), json_report.render_rebuild(FAILED)
    new = judged if kind == "verdict" else failed
    status, step, place = -1, -1, tmp_path
    for step in range(_MOST_STEPS):
        place = tmp_path / str(step) / "report"
        report_in(place if before == "verdict" else place.with_name(".report.old"), judged, "good")
        if before != "verdict":
            report_in(place, failed, "bad")
        status = ended(place, kind, step, new)
        older = [folder for folder in (place, place.with_name(".report.old")) if is_whole(folder, judged, "good")]
        replaced = kind == "verdict" and (place / "report.json").is_file() and not (place / "artifacts").exists()
        assert older or replaced
        with replacing.older_named(place, lambda _: None):  # the next run
            assert (place / "report.json").is_file()
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert status == 0  # every step was tried
    assert 4 <= step < _MOST_STEPS - 1
    assert (place / "report.json").read_bytes() == new
    assert place.with_name(".report.old").exists() == (kind == "failure")
    assert not place.with_name(".report.gone").exists()


def test_failures_do_not_replace_the_last_report_with_a_verdict(tmp_path: Path) -> None:
    place, old = tmp_path / "report", tmp_path / ".report.old"
    judged = json_report.render_rebuild(JUDGED)
    report_in(place, judged, "good")
    for _ in range(3):
        directory.write_failure(place, FAILED, (), None)
        assert (place / "report.json").read_bytes() == json_report.render_rebuild(FAILED)
        assert is_whole(old, judged, "good")
    with replacing.replacement(place, has_verdict=True) as folder:
        report_in(folder, judged, "better")
    assert is_whole(place, judged, "better")
    assert not old.exists()


def test_all_of_a_report_is_on_the_disk_before_an_older_one_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut must not leave new names with nothing behind them, and the older report gone."""
    place, written, done = tmp_path / "report", set[int](), list[str]()
    report_in(place, json_report.render_rebuild(JUDGED), "good")
    fsync, rename, remove = os.fsync, Path.rename, shutil.rmtree

    def counted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        written.add(os.fstat(descriptor).st_ino)

    def checked_rename(self: Path, target: Path) -> Path:
        if self.name == ".report.new":
            assert {path.stat().st_ino for path in (self, *self.rglob("*"))} <= written
            written.clear()
            done.append("rename")
        return rename(self, target)

    def checked_remove(folder: Path, *, ignore_errors: bool = False) -> None:
        if folder.name == ".report.old":
            assert folder.parent.stat().st_ino in written
            done.append("remove")
        remove(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(os, "fsync", counted_fsync)
    monkeypatch.setattr(Path, "rename", checked_rename)
    monkeypatch.setattr(shutil, "rmtree", checked_remove)
    with replacing.replacement(place, has_verdict=True) as folder:
        report_in(folder, json_report.render_rebuild(JUDGED), "better")
    assert done == ["rename", "remove"]


def test_what_another_run_writes_once_the_name_is_free_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not wait any more, and begins while this run removes the older report."""
    place, others = tmp_path / "report", tmp_path / ".report.new"
    report_in(place, json_report.render_rebuild(JUDGED), "good")
    remove = shutil.rmtree

    def begun_meanwhile(folder: Path, *, ignore_errors: bool = False) -> None:
        if folder.name == ".report.old":
            report_in(others, b"{", "another's")
        remove(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", begun_meanwhile)
    with replacing.replacement(place, has_verdict=True) as folder:
        report_in(folder, json_report.render_rebuild(JUDGED), "better")
    assert is_whole(others, b"{", "another's")


def test_a_report_that_cannot_be_read_is_kept_as_if_it_had_a_verdict(tmp_path: Path) -> None:
    report_in(tmp_path / "report", b"{", "unknown")
    directory.write_failure(tmp_path / "report", FAILED, (), None)
    assert is_whole(tmp_path / ".report.old", b"{", "unknown")


def test_of_two_failures_one_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        directory.write_failure(tmp_path / "report", FAILED, (), None)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def fail(place: Path, error: BaseException) -> None:
    directory.write_failure(place, FAILED, (), None)
    raise error


@pytest.mark.parametrize("error", [TeekitError("x"), KeyboardInterrupt()])
def test_a_run_that_ends_early_says_whose_report_is_there(tmp_path: Path, error: BaseException) -> None:
    place, said = tmp_path / "report", list[str]()
    report_in(place, json_report.render_rebuild(JUDGED), "good")
    with pytest.raises(type(error)), replacing.older_named(place, said.append):
        raise error
    assert said == [
        f"{place} keeps the report of an earlier run until this run has one",
        f"{place} still has the report of an earlier run: this run made none",
    ]
    said.clear()
    with pytest.raises(type(error)), replacing.older_named(place, said.append):
        fail(place, error)
    assert said == [f"{place} keeps the report of an earlier run until this run has one"]


@pytest.mark.parametrize("kind", ["new", "old", "gone"])
@pytest.mark.parametrize("has_older", [True, False])
def test_links_under_our_names_lead_nowhere(tmp_path: Path, kind: str, *, has_older: bool) -> None:
    """A stranger's checkout can have them, and they can lead to a report of somebody else's."""
    judged = json_report.render_rebuild(JUDGED)
    report_in(tmp_path / "victim", judged, "theirs")
    place = tmp_path / "checkout" / "report"
    place.parent.mkdir()
    place.with_name(f".report.{kind}").symlink_to(tmp_path / "victim")
    if has_older:
        report_in(place, judged, "good")
    for _ in range(2):
        with replacing.older_named(place, lambda _: None):
            directory.write_failure(place, FAILED, (), None)
    assert is_whole(tmp_path / "victim", judged, "theirs")
    assert (place / "report.json").read_bytes() == json_report.render_rebuild(FAILED)
    assert not place.is_symlink()
    assert is_whole(place.with_name(".report.old"), judged, "good") == has_older
