"""An app's bytes, from files and servers good and bad."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import socket
import ssl
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from builders.acme import self_signed
from builders.http import Exchange, Server, serve
from builders.metadata import always, respond
from builders.moments import MOMENTS, cut_off
from teekit_guest import app, fetch, layout
from teekit_guest.manifest import Manifest
from teekit_guest.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse
    from pathlib import Path

CONTENT = b"export default { fetch: () => new Response('hello') }"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        running.files["/app.js"] = CONTENT
        yield running


def load(url: str, seconds: float = 600) -> bytes:
    return app.load(Manifest(url, SHA256), seconds=seconds, pause_seconds=0)


@pytest.fixture(autouse=True)
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "IMAGE_APPS", tmp_path)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "an app.js"
    path.write_bytes(CONTENT)
    assert load(path.as_uri()) == CONTENT
    assert load(f"file://localhost{path}".replace(" ", "%20")) == CONTENT


def test_other_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_bytes(CONTENT + b"\n")
    found = hashlib.sha256(CONTENT + b"\n").hexdigest()
    with pytest.raises(Refused, match=f"has SHA-256 {found}, the manifest says {SHA256}"):
        load((tmp_path / "app.js").as_uri())


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path), f"{tmp_path}/pipe", f"{tmp_path}/missing"):
        with pytest.raises(Refused, match="is no regular file"):
            load(f"file://{path}")


@pytest.mark.parametrize(
    "path",
    [
        *("/dev/zero", "/proc/self/mem", "/etc/kettle/cloud-config.env", "/run/kettle/1/app/app.js"),
        *(
            "{image}/../other/app.js",
            "{image}/%2e%2e/other/app.js",
            "{image}-2/app.js",
            "{image}/link",
            "{image}/folder/app.js",
        ),
    ],
)
def test_a_file_outside_the_image_is_not_even_looked_at(tmp_path: Path, path: str) -> None:
    other = tmp_path.parent / "other"
    other.mkdir(exist_ok=True)
    (other / "app.js").write_bytes(CONTENT)
    (tmp_path / "link").symlink_to(other / "app.js")
    (tmp_path / "folder").symlink_to(other)
    with pytest.raises(Refused, match=r"is not below /\S+, the image's own apps"):
        load("file://" + path.replace("{image}", str(tmp_path)))


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot be read: File name too long|is no regular file"):
        load(f"file://{tmp_path}/{'a' * 300}")


def test_a_file_nobody_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "app.js").write_bytes(CONTENT)
    monkeypatch.setattr(type(tmp_path), "open", denied)
    with pytest.raises(Refused, match="cannot be read: Permission denied"):
        load((tmp_path / "app.js").as_uri())


def test_a_download(server: Server) -> None:
    assert load(server.address("/app.js")) == CONTENT


def test_a_download_by_https_from_a_server_whose_certificate_is_trusted(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed(tmp_path, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{server.server_address[1]}/app.js"
    with pytest.raises(fetch.Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        fetch.get(url, seconds=600, most_bytes=1000)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert load(url) == CONTENT
    with pytest.raises(fetch.Unreachable, match="certificate is not valid for '127"):
        fetch.get(url.replace("localhost", "127.0.0.1"), seconds=600, most_bytes=1000)


def test_a_server_that_never_finishes_its_handshake_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        said = cut_off(lambda seconds: fetch.get(url, seconds=seconds, most_bytes=1000))
    assert f"'{url}' did not answer within" in said


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port of 127.0.0.1 that takes no connection: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def answers(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """What the name server says; the ports stand for the addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_name_with_thousands_of_silent_addresses_takes_no_longer_than_one(
    deaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, *[deaf] * 4000)
    tried: list[object] = []
    connect = socket.socket.connect

    def counted(given: socket.socket, where: Any) -> None:
        tried.append(where)
        connect(given, where)

    monkeypatch.setattr(socket.socket, "connect", counted)
    said = cut_off(lambda seconds: fetch.get("http://many.test/", seconds=seconds, most_bytes=1000))
    assert "'http://many.test/' did not answer within" in said
    assert fetch.ADDRESSES <= len(tried) <= len(MOMENTS) * fetch.ADDRESSES  # and not 4,000 for each time


def test_an_address_that_is_silent_leaves_time_for_the_next(
    server: Server, deaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, deaf, server.server_address[1])
    assert fetch.get("http://two.test/app.js", seconds=10, most_bytes=1000).body == CONTENT


def test_redirects_on_the_way(server: Server) -> None:
    server.answers["/first"] = lambda exchange: exchange.redirect("second?x=1")
    server.answers["/second?x=1"] = lambda exchange: exchange.redirect(server.address("/app.js"))
    assert load(server.address("/first")) == CONTENT


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "javascript:1", "gopher://a/"])
def test_redirects_to_other_schemes_are_refused(server: Server, to: str) -> None:
    server.answers["/first"] = lambda exchange: exchange.redirect(to)
    with pytest.raises(Refused, match="another scheme"):
        load(server.address("/first"))


def test_redirects_from_https_to_http_are_refused() -> None:
    with pytest.raises(Refused, match=r"'https://a\.example/' redirects to 'http://a\.example/', another scheme"):
        fetch._redirected("https://a.example/", "http://a.example/")
    assert fetch._redirected("http://a.example/", "https://a.example/x") == "https://a.example/x"


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("http://[", "which is no URL"),
        ("http://me:secret@127.0.0.1/", "neither user nor fragment"),
        ("/a b", "is no URL of at most 2048 printable ASCII characters"),
    ],
)
def test_redirects_to_no_url_are_refused(server: Server, to: str, reason: str) -> None:
    server.answers["/first"] = lambda exchange: exchange.redirect(to)
    with pytest.raises(Refused, match=reason):
        load(server.address("/first"))


def test_redirects_in_a_circle_end(server: Server) -> None:
    server.answers["/round"] = lambda exchange: exchange.redirect("/round")
    with pytest.raises(Refused, match="more than 5 redirects"):
        load(server.address("/round"))
    assert len(server.requests) == 6


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404])
def test_other_answers_are_refused_at_once(server: Server, status: int) -> None:
    server.answers["/app.js"] = always(status, CONTENT)
    with pytest.raises(Refused, match=f"answered {status}"):
        load(server.address("/app.js"))
    assert len(server.requests) == 1


def test_a_server_in_trouble_is_asked_again(server: Server) -> None:
    answers: list[Callable[[Exchange], None]] = [always(503), lambda exchange: exchange.cut(CONTENT, after=5)]

    def answer(exchange: Exchange) -> None:
        (answers.pop(0) if answers else always(200, CONTENT))(exchange)

    server.answers["/app.js"] = answer
    assert load(server.address("/app.js")) == CONTENT


TROUBLE: dict[str, tuple[Callable[[Exchange], None], str]] = {
    "status": (always(500), "answered 500"),
    "broken off": (lambda exchange: exchange.cut(CONTENT, after=5), "broke off after 5 bytes"),
    "no HTTP": (lambda exchange: exchange.wfile.writelines([b"\x00\x01\x02\r\n\r\n"]), "did not answer: "),
}
SLOW: dict[str, Callable[[Exchange], None]] = {
    "stalled": lambda exchange: exchange.stall(CONTENT, after=5),
    "trickling": lambda exchange: exchange.trickle(CONTENT, pause_seconds=0.05),
}


@pytest.mark.parametrize(("trouble", "reason"), TROUBLE.values(), ids=TROUBLE.keys())
def test_trouble_that_stays_is_reported(server: Server, trouble: Callable[[Exchange], None], reason: str) -> None:
    server.answers["/app.js"] = trouble
    with pytest.raises(fetch.Unreachable, match=reason):
        load(server.address("/app.js"))
    assert len(server.requests) == app.TRIES


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW.keys())
def test_slowness_that_stays_is_reported(
    server: Server, monkeypatch: pytest.MonkeyPatch, slow: Callable[[Exchange], None]
) -> None:
    tried: list[float] = []
    download = fetch.download

    def counted(url: str, *, seconds: float, most_bytes: int) -> bytes:
        tried.append(seconds)  # where a busy machine lets the time pass, the server is never asked
        return download(url, seconds=seconds, most_bytes=most_bytes)

    monkeypatch.setattr(fetch, "download", counted)
    server.answers["/app.js"] = slow
    assert "did not answer within" in cut_off(lambda seconds: load(server.address("/app.js"), seconds))
    assert tried.count(tried[-1]) == app.TRIES


@pytest.mark.parametrize("trouble", ["broken off", "stalled", "larger"])
def test_what_is_not_read_to_its_end_is_closed(trouble: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not when the garbage is collected: until then a stranger's server would hold a descriptor of ours."""
    given: list[HTTPResponse] = []
    answered = HTTPConnection.getresponse

    def noted(connection: HTTPConnection) -> HTTPResponse:
        given.append(answered(connection))
        return given[-1]

    monkeypatch.setattr(HTTPConnection, "getresponse", noted)
    monkeypatch.setattr(app, "MOST_BYTES", len(CONTENT) - 1)
    answers = SLOW | {name: answer for name, (answer, _) in TROUBLE.items()} | {"larger": always(200, CONTENT)}
    server.answers["/app.js"] = answers[trouble]
    for moment in MOMENTS if trouble == "stalled" else (600,):
        with pytest.raises((fetch.Unreachable, Refused)):
            load(server.address("/app.js"), moment)
        if given:  # a head: on a busy machine a shorter time may be over before there is one
            break
    assert given
    assert all(answer.isclosed() for answer in given)


def test_more_than_the_limit_is_neither_kept_nor_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app, "MOST_BYTES", len(CONTENT) - 1)
    with pytest.raises(Refused, match=f"is larger than {len(CONTENT) - 1} bytes"):
        load(server.address("/app.js"))
    (tmp_path / "app.js").write_bytes(CONTENT)
    with pytest.raises(Refused, match=f"is larger than {len(CONTENT) - 1} bytes"):
        load((tmp_path / "app.js").as_uri())


def test_an_answer_without_a_length_ends_with_the_connection(server: Server) -> None:
    def bare(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + CONTENT)

    server.answers["/app.js"] = bare
    assert load(server.address("/app.js")) == CONTENT


def chunked(*pieces: bytes) -> Callable[[Exchange], None]:
    """An answer of `pieces` as they are, each a line of a chunked body (RFC 9112, section 7.1)."""

    def answer(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"\r\n".join(pieces))

    return answer


def test_an_answer_in_chunks(server: Server) -> None:
    server.answers["/app.js"] = chunked(
        b"7", CONTENT[:7], f"{len(CONTENT) - 7:x}".encode(), CONTENT[7:], b"0", b"", b""
    )
    assert load(server.address("/app.js")) == CONTENT


@pytest.mark.parametrize("size", [b"-1", b"-5", b"ffffffffffffffff"])
def test_of_chunks_that_say_odd_sizes_no_more_is_read_than_the_limit(
    server: Server, monkeypatch: pytest.MonkeyPatch, size: bytes
) -> None:
    monkeypatch.setattr(app, "MOST_BYTES", 1 << 20)
    server.answers["/app.js"] = chunked(size, bytes(8 << 20))
    found = fetch.get(server.address("/app.js"), seconds=600, most_bytes=app.MOST_BYTES)
    assert len(found.body) == app.MOST_BYTES + 1
    with pytest.raises(Refused, match="is larger than 1048576 bytes"):
        app.load(Manifest(server.address("/app.js"), SHA256), seconds=600, pause_seconds=0)


@pytest.mark.parametrize("size", [b"-1", b"-5", b"5", b"x", b""])
def test_chunks_that_break_off_are_no_answer(server: Server, size: bytes) -> None:
    server.answers["/app.js"] = chunked(size, b"abc")
    with pytest.raises(fetch.Unreachable, match="did not answer"):
        load(server.address("/app.js"))


@pytest.mark.parametrize("host", ["a..example", ".example", "a" * 64 + ".example"])
def test_a_host_that_is_no_name_is_no_answer(host: str) -> None:
    with pytest.raises(fetch.Unreachable, match=r"did not answer: .*label"):
        load(f"https://{host}/app.js")


def test_a_compressed_answer_is_taken_as_it_is(server: Server) -> None:
    bomb = gzip.compress(bytes(1 << 20))
    server.answers["/app.js"] = always(200, bomb, **{"Content-Encoding": "gzip"})
    with pytest.raises(Refused, match=f"has SHA-256 {hashlib.sha256(bomb).hexdigest()}, the manifest says"):
        load(server.address("/app.js"))


def test_no_proxy_and_no_credentials(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def answer(exchange: Exchange) -> None:
        seen.update(exchange.headers.items())
        respond(exchange, 200, CONTENT)

    server.answers["/app.js"] = answer
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    assert load(server.address("/app.js")) == CONTENT
    assert seen.keys() <= {"Host", "Accept-Encoding"}
