"""`python3 -m teekit_guest.wait_for_port PORT`: until somebody listens there, on loopback."""

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


def main(arguments: list[str]) -> int:
    until = time.monotonic() + SECONDS
    while not listens(int(arguments[0])):
        if time.monotonic() > until:
            return 1
        time.sleep(PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
