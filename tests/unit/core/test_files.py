"""Files that appear whole or not at all, and locks between processes."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from teekit_verify.core import files
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "ref.json"
    path.write_text("old")
    files.write_whole(path, b"new")
    assert contents(tmp_path) == {"ref.json": b"new"}


def test_the_bytes_are_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ref.json"
    seen: list[tuple[bytes, bool]] = []
    part = tmp_path / ".ref.json.part"
    monkeypatch.setattr(os, "fsync", lambda _: seen.append((part.read_bytes(), path.exists())))
    files.write_whole(path, b"new")
    assert seen == [(b"new", False)]


def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ref.json"
    path.write_text("old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_whole(path, b"new")
    assert contents(tmp_path) == {"ref.json": b"old"}


def test_a_symlink_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    files.write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_whole(pipe, b"through")
        assert os.read(reading, 100) == b"through"
    finally:
        os.close(reading)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("name", "reason"), [("none/file", "No such file or directory"), ("folder", "Is a directory"), ("file/x", "Not a")]
)
def test_what_cannot_be_written_is_an_error_naming_the_path(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TeekitError) as caught:
        files.write_whole(tmp_path / name, b"new")
    assert caught.value.message.startswith(f"{tmp_path / name}: cannot be written: {reason}")
    assert caught.value.hint == "Name a writable place."


def test_another_run_waits_for_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "new-folder" / "lock"
    held = threading.Event()

    def wait_for_it() -> None:
        with files.exclusive(lock):
            held.set()

    other = threading.Thread(target=wait_for_it)
    with files.exclusive(lock):
        other.start()
        assert not held.wait(0.2)
    assert held.wait(10)
    other.join()
