from __future__ import annotations

import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from teekit_verify.boot.qmp import QmpClient
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.process import started

if TYPE_CHECKING:
    from collections.abc import Iterator

GREETING = b'{"QMP": {}}\n'
DONE = b'{"return": {}}\n'


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _serve(path: Path, *answers: bytes, stays: bool = False) -> None:
    """Greet, then answer each command with one of `answers`; then hang up, or take more and say nothing."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def talk() -> None:
        with server, server.accept()[0] as connection:
            connection.sendall(answers[0])
            for answer in answers[1:]:
                connection.recv(4096)
                connection.sendall(answer)
            while stays and connection.recv(4096):
                pass

    threading.Thread(target=talk, daemon=True).start()


def test_a_real_qemu_answers(short: Path) -> None:
    socket_path = short / "q"
    argv = (
        require("qemu-system-x86_64"),
        "-M",
        "none",
        "-display",
        "none",
        "-qmp",
        f"unix:{socket_path},server,nowait",
    )
    with started(argv, log=short / "log") as process:
        while not socket_path.exists():
            time.sleep(0.05)
        with QmpClient(socket_path) as qmp:
            assert qmp.status() == "running"
            assert qmp.execute("stop") == {}
            assert qmp.status() == "paused"
            with pytest.raises(TeekitError, match=r"QEMU refuses the command 'no-such-thing': .*CommandNotFound"):
                qmp.execute("no-such-thing")
            qmp.execute("quit")
        assert process.wait(600) == 0


def test_events_in_between_are_dropped(short: Path) -> None:
    _serve(short / "q", GREETING, DONE, b'{"event": "STOP"}\n{"return": {"status": "paused"}}\n')
    with QmpClient(short / "q") as qmp:
        assert qmp.status() == "paused"


def test_an_answer_without_a_status(short: Path) -> None:
    _serve(short / "q", GREETING, DONE, b'{"return": 5}\n')
    with QmpClient(short / "q") as qmp:
        assert qmp.status() == "unknown"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "the connection to QEMU ended"),
        (b"not JSON\n", "QEMU did not send JSON: b'not JSON"),
        (b"[1]\n", "QEMU did not send a JSON object"),
        (b'{"event": 1}\n' * 1001, "does not answer the command 'query-status' within 1000 lines"),
    ],
)
def test_answers_that_are_none(short: Path, answer: bytes, message: str) -> None:
    _serve(short / "q", GREETING, DONE, answer)
    with QmpClient(short / "q") as qmp, pytest.raises(TeekitError, match=message):
        qmp.status()


def test_nobody_listens(short: Path) -> None:
    with pytest.raises(TeekitError, match=r"QEMU's control socket does not answer: .*No such file"):
        QmpClient(short / "q")


def test_a_silent_qemu(short: Path) -> None:
    _serve(short / "q", GREETING, DONE, DONE, stays=True)
    with QmpClient(short / "q") as qmp:
        qmp.execute("stop")
        qmp._socket.settimeout(0.2)
        with pytest.raises(TeekitError, match="QEMU does not answer the command 'cont': timed out"):
            qmp.execute("cont")
