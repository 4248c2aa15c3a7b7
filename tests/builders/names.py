"""A name server: for a network of a test's own, as names are asked at port 53 and at no other."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GOOD, SLOW = "good.test", "slow.test"
ADDRESS = "192.0.2.7"  # RFC 5737: nobody's
A, AAAA = 1, 28  # RFC 1035, 3.2.2; RFC 3596, 2.1
_HEADER, _TRUNCATED = 12, 0x02  # RFC 1035, 4.1.1


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


@contextmanager
def name_server_by_tcp(address: str, answered: Sequence[int]) -> Iterator[list[int]]:
    """Who asks by UDP is told to ask by TCP (RFC 1035, 4.2.1). There, questions for the types `answered` get `address`, where it is of
    that type; others get nothing, and the connection stays. The types that were asked for by TCP are in the list, in their order.
    """
    asked: list[int] = []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", 53)) as tcp,
        ExitStack() as kept,
    ):
        udp.bind(("127.0.0.1", 53))
        for serve, *more in ((_truncate, udp), (_serve_by_tcp, tcp, kept, asked, address, answered)):
            threading.Thread(target=serve, args=more, daemon=True).start()
        yield asked


def _truncate(udp: socket.socket) -> None:
    while True:
        question, client = udp.recvfrom(65536)
        _, end = _name(question)
        flags = bytes([0x81 | _TRUNCATED, 0x80])
        udp.sendto(question[:2] + flags + b"\0\1" + bytes(6) + question[_HEADER : end + 4], client)


def _serve_by_tcp(tcp: socket.socket, kept: ExitStack, asked: list[int], address: str, answered: Sequence[int]) -> None:
    while True:
        connection = kept.enter_context(tcp.accept()[0])
        threading.Thread(target=_answer_by_tcp, args=(connection, asked, address, answered), daemon=True).start()


def _answer_by_tcp(connection: socket.socket, asked: list[int], address: str, answered: Sequence[int]) -> None:
    stream = connection.makefile("rb")
    while size := stream.read(2):
        question = stream.read(int.from_bytes(size, "big"))
        _, end = _name(question)
        asked.append(int.from_bytes(question[end : end + 2], "big"))
        if asked[-1] in answered:
            answer = _answer(question, end, address)
            connection.sendall(len(answer).to_bytes(2, "big") + answer)


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


def _answer(question: bytes, end: int, address: str = ADDRESS) -> bytes:
    """One address, or none of another type."""
    wanted = int.from_bytes(question[end : end + 2], "big") == A
    head = question[:2] + b"\x81\x80" + b"\0\1" + (b"\0\1" if wanted else b"\0\0") + bytes(4)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address)
    return head + question[_HEADER : end + 4] + (record if wanted else b"")
