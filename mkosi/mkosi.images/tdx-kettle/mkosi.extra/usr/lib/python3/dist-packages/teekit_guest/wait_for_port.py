"""`python3 -m teekit_guest.wait_for_port PORT`: until a server answers there, on loopback."""

from __future__ import annotations

import socket
import sys
import time

SECONDS = 180.0
PAUSE_SECONDS = 0.1


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def answers(port: int) -> bool:
    """Whether something comes back. `nginx -t` listens too, and ends without a word; to plain HTTP, nginx's HTTPS says what is wrong."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return bool(sock.recv(1))
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    until = time.monotonic() + SECONDS
    while not answers(int(arguments[0])):
        if time.monotonic() > until:
            return 1
        time.sleep(PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
