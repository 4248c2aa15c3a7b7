"""Runs in the sandbox of a build, with the environment's Python: what comes to a port of its loopback goes to the socket of our proxy.

    python3 -SI forward.py PORT SOCKET

It ends when somebody listens, and leaves a process behind that ends with the sandbox. It imports nothing of this program.
"""

import os
import socket
import sys
import threading
from contextlib import suppress

CHUNK_BYTES = 1 << 16
CONNECTIONS = 64


def copy(source: socket.socket, destination: socket.socket) -> None:
    """To the end of the source, which is then the end for the destination."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            destination.sendall(data)
    with suppress(OSError):
        destination.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        source.shutdown(socket.SHUT_RD)


def joined(near: socket.socket, place: str) -> None:
    with near, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as far:
        try:
            far.connect(place)
        except OSError:
            return
        back = threading.Thread(target=copy, args=(far, near), daemon=True)
        back.start()
        copy(near, far)
        back.join()


def main(port: str, place: str) -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(CONNECTIONS)
    if os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)  # nobody waits for the end of our output
    while True:
        near, _ = listener.accept()
        threading.Thread(target=joined, args=(near, place), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
