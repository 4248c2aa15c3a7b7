"""A folder that one run has for itself: others see that it is taken, or wait; a link is not followed."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import held


def test_another_run_sees_that_it_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with held(folder, wait=False) as mine:
        assert mine
        with held(folder, wait=False) as second:
            assert not second
        by_util_linux = [require("flock"), "--nonblock", str(folder), "true"]
        assert subprocess.run(by_util_linux, check=False).returncode == 1
    with held(folder, wait=False) as mine:
        assert mine
    assert list(folder.iterdir()) == []


def test_who_waits_gets_it_afterwards(tmp_path: Path) -> None:
    order: list[str] = []

    def wait() -> None:
        with held(tmp_path, wait=True) as mine:
            order.append(f"second: {mine}")

    with held(tmp_path, wait=False):
        waiting = threading.Thread(target=wait)
        waiting.start()
        order.append("first")
    waiting.join(timeout=600)
    assert order == ["first", "second: True"]


def test_a_folder_that_was_renamed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    """What the other one has renamed is not ours, although we waited for it."""
    folder, opened = tmp_path / "folder", threading.Event()
    found: list[list[str]] = []

    def wait() -> None:
        opened.set()
        with held(folder, wait=True):
            found.append(sorted(path.name for path in tmp_path.iterdir()))

    with held(folder, wait=False):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert opened.wait(600)
        while str(folder.stat().st_ino) not in _waited_for():
            time.sleep(0.01)
        folder.rename(tmp_path / "renamed")
    waiting.join(timeout=600)
    assert found == [["folder", "renamed"]]


def _waited_for() -> str:
    """The kernel's list of locks that somebody waits for (proc_locks(5))."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return "\n".join(line for line in lines if "->" in line)


def test_a_process_that_is_started_does_not_keep_it(tmp_path: Path) -> None:
    with held(tmp_path, wait=False):
        started = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with held(tmp_path, wait=False) as mine:
            assert mine
    finally:
        started.communicate(b"\n")


def test_a_link_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(TeekitError, match=f"{name}: cannot be created or opened"), held(tmp_path / name, wait=True):
            pass


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(TeekitError, match="cannot be locked: No locks available"), held(tmp_path, wait=False):
        pass
