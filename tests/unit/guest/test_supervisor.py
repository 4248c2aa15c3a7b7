"""The supervisor of a kettle: what systemd hears of it, and when."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from builders.guest import PACKAGES, free_ports
from builders.http import serve
from builders.metadata import always
from teekit_guest import supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def systemd(folder: Path) -> Iterator[socket.socket]:
    """The socket that sd_notify(3) writes to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(20)
        yield sock


def start(folder: Path, port: int, *argv: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES), "NOTIFY_SOCKET": str(folder / "notify")}
    code = "import sys; from teekit_guest import supervisor; supervisor.PAUSE_SECONDS = 0.1; sys.exit(supervisor.main(sys.argv[1:]))"
    return subprocess.Popen([sys.executable, "-c", code, str(port), *argv], env=environment)


@pytest.mark.parametrize("status", [200, 500])
def test_systemd_hears_of_a_kettle_that_answers_whatever_it_answers(tmp_path: Path, status: int) -> None:
    with serve() as server, systemd(tmp_path) as heard:
        server.answers[supervisor.ALIVE] = always(status)
        with start(tmp_path, server.server_address[1], "/bin/sleep", "60") as process:
            assert [heard.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 128 + signal.SIGTERM


def test_systemd_hears_nothing_of_a_kettle_that_takes_a_connection_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not supervisor.answers(server.getsockname()[1])
    assert not supervisor.answers(free_ports(1))


def test_the_end_of_the_program_is_its_own(tmp_path: Path) -> None:
    with start(tmp_path, free_ports(1), "/bin/sh", "-c", "exit 7") as process:
        assert process.wait(20) == 7
    with start(tmp_path, free_ports(1), "/bin/sh", "-c", "kill -9 $$") as process:
        assert process.wait(20) == 128 + signal.SIGKILL


def test_what_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOPPING_SECONDS", 0.1)
    with subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"], stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        supervisor.end(program)
        assert program.wait(20) == -signal.SIGKILL
