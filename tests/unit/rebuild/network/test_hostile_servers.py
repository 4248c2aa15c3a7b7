"""Servers that send without end, slowly, or something else than they say: a bounded failure, the same in the other build."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from builders.http import serve
from builders.local_reach import local_reach
from builders.scripts_network import PATIENT, Network
from teekit_verify.core.download.upstream import Patience, Why
from teekit_verify.rebuild.network.sources import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from builders.http import Exchange

SHORT = Patience(silence_seconds=0.5, answer_seconds=2)
SMALL = Bounds(body_bytes=1 << 20, whole_bytes=2 << 20)


def raw(data: bytes) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        exchange.close_connection = True
        exchange.wfile.write(data.replace(b"\n", b"\r\n"))

    return answer


def endless(exchange: Exchange) -> None:
    exchange.send_response(200)
    exchange.end_headers()
    while not exchange.server.stopping.is_set():
        exchange.wfile.write(bytes(1 << 16))


def endless_chunks(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not exchange.server.stopping.is_set():
        exchange.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")


def endless_heads(exchange: Exchange) -> None:
    """Each of them is soon there, and none is the answer (RFC 9110, section 15.2)."""
    while not exchange.server.stopping.is_set():
        exchange.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.001)


def nothing(exchange: Exchange) -> None:
    exchange.server.stopping.wait(600)


def slow_head(exchange: Exchange) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + b"a" * 1000:
        exchange.wfile.write(bytes([byte]))
        if exchange.server.stopping.wait(0.1):
            return


ANSWERS: dict[str, tuple[Callable[[Exchange], None], Why]] = {
    "endless": (endless, Why.SIZE),
    "endless chunks": (endless_chunks, Why.SIZE),
    "more promised than fits": (lambda exchange: exchange.cut(bytes(3 << 20), after=2 << 20), Why.SIZE),
    "endless heads": (endless_heads, Why.ANSWER),
    "a slow head": (slow_head, Why.TIME),
    "silence": (lambda exchange: exchange.stall(b"abcdef", after=3), Why.TIME),
    "nothing at all": (nothing, Why.TIME),
    "a body byte by byte": (lambda exchange: exchange.trickle(b"a" * 1000, pause_seconds=0.1), Why.TIME),
    "a head that ends early": (raw(b"HTTP/1.1 200 OK\nContent-Len"), Why.ANSWER),
    "a head without its end": (raw(b"HTTP/1.1 200 OK\nETag: x\n"), Why.ANSWER),
    "an early end": (lambda exchange: exchange.cut(b"abcdef", after=3), Why.ANSWER),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\n"), Why.ANSWER),
    "a bomb of fields": (raw(b"HTTP/1.1 200 OK\n" + b"X: y\n" * 200 + b"\n"), Why.ANSWER),
    "a long field": (raw(b"HTTP/1.1 200 OK\nX: " + b"a" * 100_000 + b"\n\n"), Why.ANSWER),
    "a long field that is passed on": (raw(b"HTTP/1.1 200 OK\nETag: " + b"a" * 9000 + b"\n\n"), Why.ANSWER),
    "a field within a field": (raw(b"HTTP/1.1 200 OK\nETag: a\n b: c\nContent-Length: 0\n\n"), Why.ANSWER),
    "a chunk that is no number": (raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\nabc\n"), Why.ANSWER),
    "a chunk that ends early": (raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nff\nabc"), Why.ANSWER),
    "no last chunk": (raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabc\n"), Why.ANSWER),
    "a status that is none": (raw(b"HTTP/1.1 42 OK\n\n"), Why.ANSWER),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_it_fails_and_is_not_taken_for_an_answer(name: str, tmp_path: Path) -> None:
    answer, why = ANSWERS[name]
    network = Network(tmp_path, local_reach(), SHORT if why is Why.TIME else PATIENT, SMALL)
    with serve() as server, network.recorded() as (script, recorder):
        server.answers["/a"] = answer
        url = server.address("/a")
        given = script.asks_for_whatever(url)
    (one,) = recorder.recording().exchanges
    assert (one.not_fetched, one.size_bytes) == (why, 0)
    assert b"HTTP/1.1 50" in given[:20] or b"HTTP/1.1 403" in given[:20] or b"200 OK" in given[:20]
    assert not list(network.store.path(one.sha256).parent.glob("*"))  # nothing of it is left
    with network.replayed(recorder.recording()) as (script, player):
        assert script.asks(url).status in {403, 502, 504}
    assert player.missed == []


def test_all_answers_together_are_bounded(tmp_path: Path) -> None:
    network = Network(tmp_path, local_reach(), bounds=SMALL)
    with serve() as server, network.recorded() as (script, recorder):
        server.otherwise = lambda exchange: exchange.serve(bytes(900_000))
        for number in range(3):
            script.asks_for_whatever(server.address(f"/{number}"))
    assert [one.not_fetched for one in recorder.recording().exchanges] == [None, None, Why.SIZE]


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with serve() as server:
        url = server.address("/a")
    with Network(tmp_path, local_reach()).recorded() as (script, recorder):
        assert script.asks(url).status == 502
    assert recorder.complaint() == f"its scripts asked for {url}, and the connection to the server failed"
