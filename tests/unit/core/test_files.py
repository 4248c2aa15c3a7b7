"""Files that are read up to a limit and appear whole or not at all, and locks between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from teekit_verify.core import files
from teekit_verify.core.errors import TeekitError


def _limited(path: Path, most_bytes: int = 8) -> bytes:
    return files.read_bounded(path, most_bytes, "a key")


def test_a_file_up_to_its_limit_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"12345678")
    assert _limited(path) == b"12345678"
    assert files.read_beginning(path, 3) == b"123"


def test_a_huge_sparse_file_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(TeekitError) as caught:
        _limited(path)
    assert caught.value.message == f"{path}: has more than 8 bytes, too large for a key"
    assert caught.value.hint == "Check that it is a key."


@pytest.mark.parametrize(
    ("most_bytes", "words"), [(1000, "1000 bytes"), (16 << 10, "16 KiB"), (1536 << 10, "1536 KiB"), (1 << 20, "1 MiB")]
)
def test_what_has_no_end_is_refused_at_the_limit(most_bytes: int, words: str) -> None:
    with pytest.raises(TeekitError, match=f"^/dev/zero: has more than {words}, too large for a key$"):
        _limited(Path("/dev/zero"), most_bytes)


def test_the_limit_is_on_what_is_read_and_not_on_the_size_that_was_told() -> None:
    """As of a file that grows: /proc says 0 bytes of what has more."""
    path = Path("/proc/self/status")
    assert path.stat().st_size == 0
    with pytest.raises(TeekitError, match="has more than 8 bytes"):
        _limited(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none", "No such file or directory"), ("folder", "Is a directory"), ("file/x", "Not a directory")],
)
def test_what_cannot_be_read_is_an_error_naming_the_path(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TeekitError) as caught:
        _limited(tmp_path / name)
    assert caught.value.message == f"{tmp_path / name}: cannot be read: {reason}"
    assert caught.value.hint == "Name a readable file."


def test_what_one_may_not_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, whom no mode keeps out."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(TeekitError, match="key: cannot be read: Permission denied"):
        _limited(tmp_path / "key")


def test_a_pipe_that_nobody_writes_to_is_empty_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert _limited(tmp_path / "pipe") == b""


def test_what_a_program_writes_into_a_pipe_is_waited_for(tmp_path: Path) -> None:
    """As of `<(program)` in a shell."""
    reading, writing = os.pipe()

    def write_slowly() -> None:
        for piece in (b"1234", b"5678"):
            time.sleep(0.05)
            os.write(writing, piece)
        os.close(writing)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    try:
        assert _limited(Path(f"/dev/fd/{reading}")) == b"12345678"
    finally:
        writer.join()
        os.close(reading)


def test_a_pipe_has_no_places_to_go_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(TeekitError, match="pipe: cannot be read: File or stream is not seekable"),
        files.opened(tmp_path / "pipe") as stream,
    ):
        stream.seek(0, os.SEEK_END)


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


def test_of_a_named_output_a_symlink_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    files.write_named(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_named(pipe, b"through")
        assert os.read(reading, 100) == b"through"
    finally:
        os.close(reading)
    assert pipe.is_fifo()


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "part", "loop"])
def test_what_somebody_left_under_a_default_name_is_replaced_and_never_followed(tmp_path: Path, kind: str) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    folder.mkdir()
    if kind != "dangling":
        victim.write_text("as it was")
    match kind:
        case "pipe":
            os.mkfifo(folder / "report.html")
        case "part":
            (folder / ".report.html.part").symlink_to(victim)
        case "loop":
            (folder / "report.html").symlink_to("report.html")
        case _:
            (folder / "report.html").symlink_to(victim)
    files.write_whole(folder / "report.html", b"page")
    assert contents(folder) == {"report.html": b"page"}
    assert not (folder / "report.html").is_symlink()
    assert not victim.exists() if kind == "dangling" else victim.read_text() == "as it was"


def test_a_name_of_any_length_that_is_one(tmp_path: Path) -> None:
    files.write_whole(tmp_path / ("x" * 255), b"new")
    assert contents(tmp_path) == {"x" * 255: b"new"}


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
    with pytest.raises(TeekitError) as at_once:
        files.require_writable(tmp_path / name)
    assert at_once.value.message.startswith(f"{tmp_path / name}: cannot be written: {reason}")


@pytest.mark.parametrize("name", ["new", "file", "link", "dangling", "pipe", "x" * 255])
def test_what_can_be_written_is_not_touched_by_the_question(tmp_path: Path, name: str) -> None:
    """Nobody reads the pipe: who opened it would wait."""
    (tmp_path / "file").write_bytes(b"as it was")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("not yet")
    os.mkfifo(tmp_path / "pipe")
    before = {path.name: path.lstat().st_mtime_ns for path in tmp_path.iterdir()}
    files.require_writable(tmp_path / name)
    assert {path.name: path.lstat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert (tmp_path / "file").read_bytes() == b"as it was"


def test_standard_output_is_written_to_where_it_is_a_pipe() -> None:
    """/dev/stdout then leads to a name that is no path: pipe:[123]."""
    program = "from pathlib import Path; from teekit_verify.core import files; p = Path('/dev/stdout')\n"
    program += "files.require_writable(p); files.write_named(p, b'page')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"page", b"")


def test_a_folder_that_can_be_made_is_not_made_by_the_question(tmp_path: Path) -> None:
    files.require_writable_folder(tmp_path / "new/er/folder")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for name in ("file", "file/folder", "x" * 256):
        with pytest.raises(TeekitError, match=r"cannot be written: (Not a directory|File name too long)"):
            files.require_writable_folder(tmp_path / name)


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
    assert held.wait(600)
    other.join()


@pytest.mark.parametrize("place", ["loop", "one", "loop/deeper/still", "folder/../loop"])
def test_links_in_a_circle_are_refused_by_every_python(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    for function in (files.resolved, lambda path: files.write_named(path, b"")):
        with pytest.raises(TeekitError) as caught:
            function(tmp_path / place)
        assert caught.value.message == f"{tmp_path / place} is a link that leads back to itself"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "loop", "one", "two"]


def test_what_is_not_there_yet_has_a_path_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "not yet")
    assert files.resolved(tmp_path / "link" / "report") == tmp_path.resolve() / "not yet" / "report"


def test_a_link_to_itself_hides_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert list(files.walk(tmp_path)) == [
        (str(tmp_path), ["below"], ["loop"]),
        (str(tmp_path / "below"), [], ["file"]),
    ]
