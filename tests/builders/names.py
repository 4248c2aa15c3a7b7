"""A name server: for a network of a test's own, as names are asked at port 53 and at no other."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD, SLOW = "good.test", "slow.test"
ADDRESS = "192.0.2.7"  # RFC 5737: nobody's
_HEADER, _TYPE_A = 12, 1


@contextmanager
def name_server() -> Iterator[set[str]]:
    """Names below GOOD have ADDRESS, others no answer, as where their server is slow. What was asked for is in the set."""
    asked: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 53))
        thread = threading.Thread(target=_serve, args=(sock, asked))
        thread.start()
        try:
            yield asked
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join()


def _serve(sock: socket.socket, asked: set[str]) -> None:
    while True:
        try:
            question, client = sock.recvfrom(65536)
        except OSError:
            return
        if not question:
            return
        name, end = _name(question)
        asked.add(name)
        if name.endswith(GOOD):
            sock.sendto(_answer(question, end), client)


def _name(question: bytes) -> tuple[str, int]:
    """Of the first question (RFC 1035, 4.1.2), and where its type begins."""
    labels, place = [], _HEADER
    while length := question[place]:
        labels.append(question[place + 1 : place + 1 + length].decode())
        place += 1 + length
    return ".".join(labels).lower(), place + 1


def _answer(question: bytes, end: int) -> bytes:
    """One address, or none of another type."""
    wanted = int.from_bytes(question[end : end + 2], "big") == _TYPE_A
    head = question[:2] + b"\x81\x80" + b"\0\1" + (b"\0\1" if wanted else b"\0\0") + bytes(4)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(ADDRESS)
    return head + question[_HEADER : end + 4] + (record if wanted else b"")
