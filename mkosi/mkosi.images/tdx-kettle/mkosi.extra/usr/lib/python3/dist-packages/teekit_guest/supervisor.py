"""`python3 -m teekit_guest.supervisor PORT PROGRAM...`: runs a kettle, and ends it when it no longer answers.

systemd then starts it anew. What it answers does not matter here: a kettle that says it is unwell is not better off for a new
start. (systemd's own watchdog needs a socket of PID 1's, and a kettle has none.)
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALIVE = "/.kettle/alive"  # see runtime/worker.js
ANSWER_SECONDS = 10.0
PAUSE_SECONDS = 10.0
STARTING_SECONDS = 0.2
STOPPING_SECONDS = 5.0
FIRST_ANSWER_SECONDS = 90.0
SILENT_SECONDS = 60.0
SILENT = 1


def main(arguments: Sequence[str]) -> int:
    """The program's own exit status; 128 and its number for a signal, as shells have it; SILENT if it was ended for not answering."""
    port, *argv = arguments
    signal.signal(signal.SIGTERM, stop)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as program:
        try:
            watch(program, int(port))
        except Stopped:
            end(program)
        except Silent:
            sys.stderr.write("the kettle does not answer: it is ended\n")
            end(program)
            return SILENT
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


class Stopped(Exception):  # noqa: N818 -- nothing went wrong
    """systemd, or whoever it was, wants an end."""


class Silent(Exception):  # noqa: N818 -- as above
    """An app keeps its thread, and never gives it back."""


def stop(*_: object) -> None:
    raise Stopped


def end(program: subprocess.Popen[bytes]) -> None:
    """What it has begun, workerd finishes; but an app that keeps its thread lets it do nothing."""
    program.terminate()
    try:
        program.wait(STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()


def watch(program: subprocess.Popen[bytes], port: int) -> None:
    """Until the program ends. Raises Silent where it has not answered for too long."""
    until, pause = time.monotonic() + FIRST_ANSWER_SECONDS, STARTING_SECONDS
    while program.poll() is None:
        if answers(port):
            until, pause = time.monotonic() + SILENT_SECONDS, PAUSE_SECONDS
        if time.monotonic() > until:
            raise Silent
        try:
            program.wait(pause)
        except subprocess.TimeoutExpired:
            continue


def answers(port: int) -> bool:
    """By hand, as every kettle has one of these in memory, and http.client would double it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as sock:
            sock.sendall(f"GET {ALIVE} HTTP/1.0\r\nHost: kettle\r\n\r\n".encode())
            return bool(sock.recv(1))
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
