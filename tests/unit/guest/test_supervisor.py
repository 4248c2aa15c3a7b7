"""The supervisor of a kettle: when it ends it, and what systemd hears of the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from builders.guest import PACKAGES, free_ports
from builders.http import serve
from builders.metadata import always
from teekit_guest import supervisor

if TYPE_CHECKING:
    from builders.http import Exchange


def start(port: int, *argv: str, first: float = 600, silent: float = 600) -> subprocess.Popen[bytes]:
    """`first` and `silent` are how many seconds it may take to answer for the first time, and again."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    code = (
        "import sys; from teekit_guest import supervisor; supervisor.PAUSE_SECONDS = 0.05; "
        f"supervisor.FIRST_ANSWER_SECONDS, supervisor.SILENT_SECONDS = {first}, {silent}; sys.exit(supervisor.main(sys.argv[1:]))"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(port), *argv], env=environment, stderr=subprocess.PIPE)


@pytest.mark.parametrize("status", [200, 500])
def test_a_kettle_that_answers_goes_on_whatever_it_answers(status: int) -> None:
    with serve() as server:
        asked = threading.Semaphore(0)

        def answer(exchange: Exchange) -> None:
            asked.release()
            exchange.send_error(status)

        server.answers[supervisor.ALIVE] = answer
        with start(server.server_address[1], "/bin/sleep", "600") as process:
            for _ in range(5):
                assert asked.acquire(timeout=600)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(600) == 128 + signal.SIGTERM


def test_a_kettle_that_never_answers_is_ended() -> None:
    with start(free_ports(1), "/bin/sleep", "600", first=0.2) as process:
        assert process.wait(600) == supervisor.SILENT
        assert process.stderr is not None
        assert process.stderr.read() == b"the kettle does not answer: it is ended\n"


def test_a_kettle_that_answers_no_more_is_ended() -> None:
    with serve() as server:
        server.answers[supervisor.ALIVE] = always(200)
        process = start(server.server_address[1], "/bin/sleep", "600", silent=0.5)
        while not server.requests:
            assert process.poll() is None
            threading.Event().wait(0.02)
    with process:
        assert process.wait(600) == supervisor.SILENT


def test_a_connection_without_an_answer_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not supervisor.answers(server.getsockname()[1])
    assert not supervisor.answers(free_ports(1))


def test_the_end_of_the_program_is_its_own() -> None:
    with start(free_ports(1), "/bin/sh", "-c", "exit 7") as process:
        assert process.wait(600) == 7
    with start(free_ports(1), "/bin/sh", "-c", "kill -9 $$") as process:
        assert process.wait(600) == 128 + signal.SIGKILL


def test_what_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOPPING_SECONDS", 0.1)
    with subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"], stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        supervisor.end(program)
        assert program.wait(600) == -signal.SIGKILL
