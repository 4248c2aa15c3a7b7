"""What boot tests say to a guest's shell: here to a shell of this machine, behind a terminal and a socket as there."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from builders.guest_console import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "console"
    master, slave = pty.openpty()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        threading.Thread(target=_join, args=(server, master), daemon=True).start()
        # Without an editor of lines of its own, which would read in another way than a terminal does.
        with subprocess.Popen(["/bin/sh"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as shell:
            yield path
            shell.kill()
    os.close(slave)


def _join(server: socket.socket, master: int) -> None:
    """One client after the other, as QEMU does; what is said to nobody is lost."""
    clients: list[socket.socket] = []

    def say() -> None:
        with suppress(OSError):  # the shell has ended
            while said := os.read(master, 65536):
                for client in clients[-1:]:
                    with suppress(OSError):
                        client.sendall(said)

    threading.Thread(target=say, daemon=True).start()
    with suppress(OSError):
        while True:
            with server.accept()[0] as client, suppress(ConnectionError):
                clients.append(client)
                while heard := client.recv(65536):
                    while heard:
                        heard = heard[os.write(master, heard) :]


@pytest.mark.parametrize("length", [10, 4000, 5000, 20000])
def test_a_command_of_any_length_is_answered(console: Path, length: int) -> None:
    """A terminal takes 4095 characters in a line (termios(3))."""
    assert ask(console, f"printf %s '{'x' * length}' | wc -c") == str(length)


def test_quotes_and_lines_stay_as_they_are(console: Path) -> None:
    said = ask(console, f"kept='a  \"b\" $HOME'\nprintf '%s\\n' \"$kept\" # {'x' * 5000}\n")
    assert said == 'a  "b" $HOME'
