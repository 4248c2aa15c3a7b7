"""Requests that two servers could read in two ways: what nginx makes of them, in the bytes that reach a kettle.

RFC 9112, sections 2.2, 3.2, 5 and 6.3 say how a message is told from the next; the forms here are those that servers have been fooled with.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from teekit_guest import layout, nginx

from .test_guest_https import connections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NAMES = ("first.example", "second.example")
HIDDEN = "GET /hidden HTTP/1.1\r\nHost: second.example\r\n\r\n"
FORMS = {
    "length and chunks": f"POST / HTTP/1.1\r\nHost: first.example\r\nContent-Length: {5 + len(HIDDEN)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunks and length": f"POST / HTTP/1.1\r\nHost: first.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{HIDDEN}",
    "two lengths": f"POST / HTTP/1.1\r\nHost: first.example\r\nContent-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length with a sign": f"POST / HTTP/1.1\r\nHost: first.example\r\nContent-Length: +{len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "no coding known": f"POST / HTTP/1.1\r\nHost: first.example\r\nTransfer-Encoding: xchunked\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "two codings": f"POST / HTTP/1.1\r\nHost: first.example\r\nTransfer-Encoding: chunked, identity\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a space before the colon": f"POST / HTTP/1.1\r\nHost: first.example\r\nTransfer-Encoding : chunked\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a tab": f"POST / HTTP/1.1\r\nHost: first.example\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "a folded line": f"POST / HTTP/1.1\r\nHost: first.example\r\nX: y\r\n Transfer-Encoding: chunked\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "bare line feeds": f"POST / HTTP/1.1\nHost: first.example\nContent-Length: {len(HIDDEN)}\n\n{HIDDEN}",
    "a body of GET": f"GET / HTTP/1.1\r\nHost: first.example\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "an extension of a chunk": f"POST / HTTP/1.1\r\nHost: first.example\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\n\r\nx\r\n0\r\n\r\n{HIDDEN}",
    "trailers": f"POST / HTTP/1.1\r\nHost: first.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n{HIDDEN}",
    "HTTP/1.0 with chunks": f"POST / HTTP/1.0\r\nHost: first.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "an upgrade to HTTP/2": f"GET / HTTP/1.1\r\nHost: first.example\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n{HIDDEN}",
    "a line break in the path": f"GET /%0d%0a%0d%0aGET%20/hidden HTTP/1.1\r\nHost: first.example\r\n\r\n{HIDDEN}",
}
ELSEWHERE = {
    "two hosts": "Host: first.example\r\nHost: second.example",
    "a user": "Host: second.example@first.example",
    "a port": "Host: first.example:3002",
    "an address": "Host: 127.0.0.1:4001",
    "a line break": "Host: first.example\x0bsecond.example",
    "forwarded": "Host: first.example\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nConnection: X-Forwarded-For",
}


@contextmanager
def kettles(count: int) -> Iterator[list[list[bytes]]]:
    """For each kettle, the bytes of each connection to it. The answer is always the same; a connection is read until it is closed."""
    seen: list[list[bytes]] = [[] for _ in range(count)]
    with_threads: list[threading.Thread] = []
    servers = [socket.create_server(("127.0.0.1", layout.port(kettle))) for kettle in range(count)]

    def talk(kettle: int, sock: socket.socket) -> None:
        place = len(seen[kettle])
        seen[kettle].append(b"")
        with sock:
            sock.settimeout(20)
            answered = False
            while piece := sock.recv(65536):
                seen[kettle][place] += piece
                if b"\r\n\r\n" in seen[kettle][place] and not answered:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    answered = True

    def serve(kettle: int) -> None:
        while True:
            try:
                sock, _ = servers[kettle].accept()
            except OSError:
                return
            talk(kettle, sock)

    for kettle in range(count):
        with_threads.append(threading.Thread(target=serve, args=(kettle,)))
        with_threads[-1].start()
    try:
        yield seen
    finally:
        for server in servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        for thread in with_threads:
            thread.join(30)


def spoken(folder: Path, monkeypatch: pytest.MonkeyPatch, request: str) -> tuple[bytes, list[list[bytes]]]:
    """What the client hears until nginx has nothing more to say, and what each kettle heard."""
    of_image = nginx.configuration

    def soon_over(names: Sequence[str], places: nginx.Places) -> str:
        return of_image(names, places).replace("http {\n", "http {\n    keepalive_timeout 1s;\n", 1)

    monkeypatch.setattr(nginx, "configuration", soon_over)
    with connections(folder, NAMES, monkeypatch) as connect, kettles(len(NAMES)) as seen:
        with connect(NAMES[0]) as sock:
            sock.sendall(request.encode("latin-1"))
            heard = b""
            while piece := sock.recv(65536):
                heard += piece
        return heard, seen


@pytest.mark.parametrize("form", FORMS)
def test_a_kettle_hears_one_request_on_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """What hides in a body stays a body of the length that the kettle is told; what comes after a request is one by itself."""
    _, seen = spoken(tmp_path, monkeypatch, FORMS[form])
    for data in (data for of_kettle in seen for data in of_kettle):
        head, _, rest = data.partition(b"\r\n\r\n")
        lengths = re.findall(rb"(?mi)^content-length:\s*(\d+)\s*$", head)
        codings = re.findall(rb"(?mi)^transfer-encoding:\s*(.*?)\s*$", head)
        assert len(lengths) + len(codings) <= 1, data
        assert codings in ([], [b"chunked"]), data
        body = int(lengths[0]) if lengths else len(rest) if codings else 0
        assert len(rest) <= body, data
        if codings:
            assert b"/hidden" not in rest.partition(b"0\r\n\r\n")[2], data


@pytest.mark.parametrize("form", ELSEWHERE)
def test_a_host_is_one_of_ours_or_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    request = f"GET / HTTP/1.1\r\n{ELSEWHERE[form]}\r\n\r\n"
    heard, (first, second) = spoken(tmp_path, monkeypatch, request)
    assert second == []
    if form in {"two hosts", "a user", "an address", "a line break"}:
        assert first == []
        assert re.match(rb"HTTP/1\.1 4(00|21) ", heard), heard
    else:
        assert len(first) == 1
        assert re.findall(rb"(?mi)^host: (.*?)\r$", first[0]) == [b"first.example"]
        assert re.findall(rb"(?mi)^x-forwarded-for: (.*?)\r$", first[0]) == [b"127.0.0.1"]
        assert re.findall(rb"(?mi)^x-forwarded-proto: (.*?)\r$", first[0]) == [b"https"]
