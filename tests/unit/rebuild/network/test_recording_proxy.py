"""What scripts fetch is recorded, and another build gets it again, with every server gone."""

from __future__ import annotations

import gzip
import json
import threading
from typing import TYPE_CHECKING

import pytest

from builders.http import Exchange, serve
from builders.local_reach import local_reach, secured
from builders.published_schemas import problems
from builders.scripts_network import Network, wait_until
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download.upstream import Why
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.network.recording import Recording

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network(tmp_path, local_reach())


def unknown_length(exchange: Exchange) -> None:
    exchange.send_response(200)
    exchange.end_headers()
    exchange.wfile.write(b"to the end")
    exchange.close_connection = True


def same_again(network: Network, recording: Recording, url: str, *headers: str) -> bytes:
    with network.replayed(recording) as (script, player):
        answer = script.asks(url, *headers)
        assert (answer.status, player.missed) == (200, [])
        return answer.body


def test_an_answer_is_given_again_without_its_server(network: Network) -> None:
    with serve() as server, network.recorded() as (script, recorder):
        server.files["/a"] = b"the bytes"
        url = server.address("/a")
        first = script.asks(url)
    (one,) = recorder.recording().exchanges
    assert (first.status, first.body) == (200, b"the bytes")
    assert (one.asked.url, one.status, one.size_bytes) == (url, 200, 9)
    assert one.sha256 == Digest.of(Algorithm.SHA256, b"the bytes")
    with network.replayed(recorder.recording()) as (script, player):
        assert script.asks(url) == first
        assert script.asks(url) == first  # asked more often than before
        other = script.asks(f"{url}?x=1")
    assert other.status == 504
    assert other.body == f"teekit-verify: the recording has no answer to GET {url}?x=1\n".encode()
    assert [(one.method, one.url) for one in player.missed] == [("GET", f"{url}?x=1")]
    assert player.complaint() == (
        f"its scripts asked for {url}?x=1 (GET), which the recording of the other build does not have"
    )


def test_https_is_recorded_and_its_server_is_checked_for_real(tmp_path: Path) -> None:
    with serve() as plain, secured(plain, tmp_path) as (address, authority):
        plain.files["/a"] = b"secret enough"
        network = Network(tmp_path, local_reach(authority))
        with network.recorded() as (script, recorder):
            assert script.asks(f"{address}/a").body == b"secret enough"
        (tmp_path / "other").mkdir()
        suspicious = Network(tmp_path / "other", local_reach())  # the host's authorities did not sign for it
        with suspicious.recorded() as (script, doubter):
            answer = script.asks(f"{address}/a")
    assert (answer.status, answer.body) == (502, b"teekit-verify: the server's certificate is not valid\n")
    assert [one.not_fetched for one in doubter.recording().exchanges] == [Why.CERTIFICATE]
    assert same_again(network, recorder.recording(), f"{address}/a") == b"secret enough"


def test_an_answer_whose_length_nobody_said(network: Network) -> None:
    with serve() as server, network.recorded() as (script, recorder):
        server.answers["/a"] = unknown_length
        first = script.asks(server.address("/a"))
        url = server.address("/a")
    assert (first.body, first.headers["transfer-encoding"]) == (b"to the end", "chunked")
    assert same_again(network, recorder.recording(), url) == b"to the end"


def test_what_is_packed_stays_packed(network: Network) -> None:
    """A bomb costs the proxy nothing: whoever asked for it unpacks it."""
    bomb = gzip.compress(bytes(50 << 20))

    def packed(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Encoding", "gzip")
        exchange.send_header("Content-Length", str(len(bomb)))
        exchange.end_headers()
        exchange.wfile.write(bomb)

    with serve() as server, network.recorded() as (script, recorder):
        server.answers["/a"] = packed
        answer = script.asks(server.address("/a"), "Accept-Encoding: gzip")
    assert (answer.body, answer.headers["content-encoding"]) == (bomb, "gzip")
    assert recorder.recording().exchanges[0].size_bytes == len(bomb)


def test_answers_to_equal_requests_come_in_their_order(network: Network) -> None:
    answers = iter((b"first", b"second"))
    with serve() as server, network.recorded() as (script, recorder):
        server.answers["/a"] = lambda exchange: exchange.serve(next(answers))
        url = server.address("/a")
        assert [script.asks(url).body for _ in range(2)] == [b"first", b"second"]
    with network.replayed(recorder.recording()) as (script, _):
        assert [script.asks(url).body for _ in range(3)] == [b"first", b"second", b"second"]


def test_a_request_is_its_body_and_what_servers_answer_by(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent along, and which form is wanted; not who asks, nor what somebody had before."""
    seen: list[dict[str, str]] = []

    def answer(exchange: Exchange) -> None:
        seen.append({name.lower(): value for name, value in exchange.headers.items()})
        length = int(exchange.headers.get("Content-Length", "0"))
        exchange.serve(exchange.rfile.read(length) or exchange.headers["Accept"].encode())

    with serve() as server, network.recorded() as (script, recorder):
        server.otherwise = answer
        monkeypatch.setattr(Exchange, "do_POST", Exchange.do_GET, raising=False)
        url = server.address("/a")
        script.asks(url, "Accept: one", "User-Agent: mine", "If-None-Match: x", "Cookie: y", "X-Their-Own: z")
        script.asks(url, "Accept: two")
        script.asks(url, "Accept: one", method="POST", body=b"asked so")
    assert (seen[0]["user-agent"], seen[0]["x-their-own"]) == ("mine", "z")
    assert seen[0].keys().isdisjoint({"if-none-match", "cookie"})
    with network.replayed(recorder.recording()) as (script, player):
        assert script.asks(url, "Accept: two", "User-Agent: other").body == b"two"
        assert script.asks(url, "Accept: one").body == b"one"
        assert script.asks(url, "Accept: one", method="POST", body=b"asked so").body == b"asked so"
        assert script.asks(url, "Accept: one", method="POST", body=b"otherwise").status == 504
    assert len(player.missed) == 1


def test_a_script_that_hangs_up_gets_the_whole_answer_the_next_time(network: Network) -> None:
    content = bytes(range(256)) * 40_000
    with serve() as server:
        server.files["/a"] = content
        url = server.address("/a")
        with network.recorded() as (script, recorder):
            with script.connected() as connection:
                connection.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert connection.recv(10) == b"HTTP/1.1 2"
            wait_until(lambda: bool(recorder.recording().exchanges))
    assert [one.size_bytes for one in recorder.recording().exchanges] == [len(content)]
    assert same_again(network, recorder.recording(), url) == content


@pytest.mark.parametrize(("method", "content"), [("GET", b"the bytes"), ("GET", b""), ("HEAD", b"")])
def test_an_answer_is_recorded_before_its_script_can_end(
    network: Network, monkeypatch: pytest.MonkeyPatch, method: str, content: bytes
) -> None:
    """A disk that takes its time: the build ends as soon as its last script has its last byte, and then nothing is recorded any more."""
    has_answer = threading.Event()
    with serve() as server, network.recorded() as (script, recorder):
        monkeypatch.setattr("os.fsync", lambda _: has_answer.wait(0.5))
        monkeypatch.setattr(Exchange, "do_HEAD", Exchange.do_GET, raising=False)
        server.files["/a"] = content
        with script.connected() as connection:
            connection.sendall(f"{method} {server.address('/a')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            seen = b""
            while not seen.endswith(b"\r\n\r\n" + content):
                seen += connection.recv(1000)
            has_answer.set()
            kept = recorder.recording().exchanges
    assert [one.status for one in kept] == [200]


def test_a_head_alone_has_the_length_of_what_it_is_of(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Length", "4711")
        exchange.end_headers()

    with serve() as server, network.recorded() as (script, recorder):
        monkeypatch.setattr(Exchange, "do_HEAD", answer, raising=False)
        url = server.address("/a")
        first = script.asks(url, method="HEAD")
    assert (first.status, first.headers["content-length"], first.body) == (200, "4711", b"")
    with network.replayed(recorder.recording()) as (script, player):
        assert script.asks(url, method="HEAD") == first
        assert script.asks(url).status == 504  # another request
    assert len(player.missed) == 1


def test_only_what_programs_go_by_is_kept_of_a_head(network: Network) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send_response(200)  # with Date and Server
        for name, value in (("Set-Cookie", "a=b"), ("ETag", '"x"'), ("X-Request-Id", "17"), ("Content-Type", "text/x")):
            exchange.send_header(name, value)
        exchange.send_header("Content-Length", "0")
        exchange.end_headers()

    with serve() as server, network.recorded() as (script, recorder):
        server.answers["/a"] = answer
        answered = script.asks(server.address("/a"))
    assert recorder.recording().exchanges[0].headers == (("ETag", '"x"'), ("Content-Type", "text/x"))
    assert answered.headers == {"etag": '"x"', "content-type": "text/x", "content-length": "0"}


def test_a_file_that_was_changed_in_the_cache_is_not_given(network: Network) -> None:
    with serve() as server, network.recorded() as (script, recorder):
        server.files["/a"] = b"the bytes"
        url = server.address("/a")
        script.asks(url)
    network.store.path(Digest.of(Algorithm.SHA256, b"the bytes")).write_bytes(b"the BYTES")
    with network.replayed(recorder.recording()) as (script, _):
        assert b"the BYTES" not in script.asks(url).body


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((b'"status": 200', b'"status": 20'), "status"),
        ((b'"method": "GET"', b'"method": "PUT"'), "method"),
        ((b'"url": "http', b'"url": "file'), "url"),
        ((b"network-recording/v1", b"network-recording/v9"), "network-recording/v9"),
    ],
)
def test_a_recording_of_another_form_is_refused(network: Network, change: tuple[bytes, bytes], message: str) -> None:
    with serve() as server, network.recorded() as (script, recorder):
        server.files["/a"] = b"x"
        script.asks(server.address("/a"))
    data = recorder.recording().dump()
    assert problems("network-recording-v1", json.loads(data)) == []
    assert change[0] in data
    with pytest.raises(TeekitError, match=message):
        Recording.parse(data.replace(*change), "recording.json")


def test_the_authority_signs_for_addresses_too(tmp_path: Path) -> None:
    """A name in digits has a certificate of its own kind."""
    network = Network(tmp_path, local_reach())
    with network.recorded() as (script, _), script.tunnel("127.0.0.1:1") as secured_:
        assert secured_.version() == "TLSv1.3"
