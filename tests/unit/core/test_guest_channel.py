"""The question to a live machine: over one connection, within bounds, whatever answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from builders import http, live_guest
from teekit_verify.core.download import Proxies
from teekit_verify.core.download.answers import NoAnswerError
from teekit_verify.core.download.guest_channel import NotAnsweredError, ask_guest, parse_guest_address
from teekit_verify.core.errors import TeekitError

DIRECT = Proxies()
PATH = "/x?nonce=00"


def ask(url: str, proxies: Proxies = DIRECT, *, seconds: float = 600.0) -> bytes:
    return ask_guest(parse_guest_address(url), PATH, proxies, most_bytes=1000, seconds=seconds).body


@contextmanager
def raw(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that reads a request and then does as it is told, once for each connection."""
    stopping = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stopping.is_set():
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with closing(line):
                try:
                    line.recv(4096)
                    answer(line)
                except OSError:
                    pass

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(0.2)
        thread = threading.Thread(target=_until, args=(serve, listener, stopping))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopping.set()
            thread.join()


def _until(serve: Callable[[socket.socket], None], listener: socket.socket, stopping: threading.Event) -> None:
    while not stopping.is_set():
        serve(listener)


def test_the_answer_and_no_key_over_plain_http() -> None:
    with http.serve() as server:
        server.files[PATH] = b"{}"
        reply = ask_guest(parse_guest_address(server.address()), PATH, DIRECT)
    assert (reply.body, reply.tls_key_sha256) == (b"{}", None)


def test_the_key_of_the_connection(tmp_path: Path) -> None:
    key = live_guest.tls_key(tmp_path)
    with http.serve() as server:
        live_guest.encrypt(server, key)
        server.files[PATH] = b"{}"
        url = server.address().replace("http:", "https:")
        reply = ask_guest(parse_guest_address(url), PATH, DIRECT)
    assert (reply.body, reply.tls_key_sha256) == (b"{}", key.sha256)
    assert reply.not_vouched_for
    assert len(server.requests) == 1, "the question is sent once"


@pytest.mark.parametrize(
    ("send", "error", "words"),
    [
        (
            lambda line: line.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
            NotAnsweredError,
            "redirects",
        ),
        (
            lambda line: line.sendall(b"HTTP/1.1 404 Not Found\r\n\r\nnothing\x1b[2J"),
            NotAnsweredError,
            "HTTP 404: nothing\\x1b",
        ),
        (lambda line: line.sendall(b'HTTP/1.1 503 Busy\r\n\r\n{"error": "no"}'), NotAnsweredError, "HTTP 503"),
        (
            lambda line: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"),
            NotAnsweredError,
            "more than 1000 bytes",
        ),
        (lambda line: line.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2000)), NotAnsweredError, "more than 1000 bytes"),
        (
            lambda line: line.sendall(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + bytes(2000) + b"\r\n0\r\n\r\n"
            ),
            NotAnsweredError,
            "more than 1000 bytes",
        ),
        (
            lambda line: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"),
            NotAnsweredError,
            "an encoding that was not asked for",
        ),
        (lambda line: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"), NoAnswerError, "127.0.0.1"),
        (lambda line: line.sendall(b"\x16\x03\x01garbage\r\n\r\n"), NoAnswerError, "127.0.0.1"),
        (lambda line: line.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000), NoAnswerError, "127.0.0.1"),
        (lambda line: line.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000), NoAnswerError, "127.0.0.1"),
        (lambda line: line.sendall(b""), NoAnswerError, "127.0.0.1"),
    ],
)
def test_what_is_no_answer(send: Callable[[socket.socket], object], error: type[TeekitError], words: str) -> None:
    with raw(send) as url, pytest.raises(error) as caught:
        ask(url)
    assert words in caught.value.message
    assert "\x1b" not in caught.value.message


def test_one_byte_now_and_then_buys_no_time() -> None:
    """The deadline is for all of it: each byte comes in time, and the answer never ends."""
    stopping = threading.Event()

    def drip(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n")
        while not stopping.wait(0.01):
            line.sendall(b"X")

    with raw(drip) as url:
        with pytest.raises(NoAnswerError) as caught:
            ask(url, seconds=0.5)
        stopping.set()
    assert "timed out" in caught.value.message


def test_nobody_listens() -> None:
    with socket.socket() as bound:  # so that nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswerError) as caught:
            ask(f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert "refused" in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/", "https://", "https://a/path", "https://a?x", "https://user@a/", "a.example.org", "http://a:0", "http://a:65536",
        "https://a b", "https://a\n", "http://[::1", "",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_machine(url: str) -> None:
    with pytest.raises(TeekitError) as caught:
        parse_guest_address(url)
    assert "expected the address of a machine" in caught.value.message


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://A.example.org/", "https://a.example.org"),
        ("http://a.example.org:3000", "http://a.example.org:3000"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_addresses(url: str, text: str) -> None:
    assert str(parse_guest_address(url)) == text


def test_a_proxy_for_plain_http_is_asked() -> None:
    with http.serve() as proxy:
        proxy.files["http://machine.invalid:3000" + PATH] = b"{}"
        assert ask("http://machine.invalid:3000", Proxies(http=proxy.address())) == b"{}"


def test_a_proxy_that_opens_no_tunnel() -> None:
    asked: list[bytes] = []

    def refuse(line: socket.socket) -> None:
        asked.append(b"")
        line.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with raw(refuse) as proxy, pytest.raises(NotAnsweredError) as caught:
        ask("https://machine.invalid", Proxies(https=proxy))
    assert "the proxy answers HTTP 403" in caught.value.message
    assert asked


def test_this_machine_is_asked_directly() -> None:
    with http.serve() as server:
        server.files[PATH] = b"{}"
        assert ask(server.address(), Proxies(http="http://proxy.invalid:1")) == b"{}"


def test_a_proxy_of_another_kind_is_refused() -> None:
    with pytest.raises(TeekitError) as caught:
        ask("https://machine.invalid", Proxies(https="socks5://proxy.invalid:1"))
    assert "socks5:// is not used" in caught.value.message
