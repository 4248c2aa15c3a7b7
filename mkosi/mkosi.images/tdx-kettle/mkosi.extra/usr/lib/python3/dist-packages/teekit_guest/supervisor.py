"""`python3 -m teekit_guest.supervisor PORT PROGRAM...`: runs a kettle, and tells systemd as long as it answers.

systemd stops a kettle it has not heard of for WatchdogSec=, and starts it anew. What it answers does not matter here: a
kettle that says it is unwell is not better off for a new start.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALIVE = "/.kettle/alive"  # see runtime/worker.js
ANSWER_SECONDS = 10.0
PAUSE_SECONDS = 10.0
STARTING_SECONDS = 0.2
STOPPING_SECONDS = 5.0


def main(arguments: Sequence[str]) -> int:
    """The program's own exit status; 128 and its number for a signal, as shells have it."""
    port, *argv = arguments
    signal.signal(signal.SIGTERM, stop)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as program:
        try:
            watch(program, int(port))
        except Stopped:
            end(program)
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


class Stopped(Exception):  # noqa: N818 -- nothing went wrong
    """systemd, or whoever it was, wants an end."""


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
    """Until the program ends."""
    said, pause = "READY=1", STARTING_SECONDS
    while program.poll() is None:
        if answers(port):
            notify(said)
            said, pause = "WATCHDOG=1", PAUSE_SECONDS
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


def notify(state: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sock.send(state.encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
