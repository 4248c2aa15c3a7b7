"""A day as it is: servers that are busy, reset connections, lie once, hang, or are behind a proxy or a portal."""

from __future__ import annotations

import base64
import gzip
import hashlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from builders import faults
from builders.faults import PATIENT, Hasty, reset, silent, status
from builders.http import Exchange, Server, serve
from builders.moments import MOMENTS
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import (
    CACHE,
    DocumentError,
    DownloadError,
    DownloadStore,
    LocalError,
    Network,
    Patience,
    Proxies,
    Reason,
    RemoteFile,
)
from teekit_verify.core.download.proxies import of_apt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 8
DIRECT = Proxies("", "")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as made:
        made.files["/file"] = CONTENT
        yield made


def a_store(folder: Path, proxies: Proxies = DIRECT) -> DownloadStore:
    return DownloadStore(folder / "store", Network(proxies), PATIENT)


def hasty(folder: Path, hanging: str, times: int = 1000, seconds: float = 0.2) -> DownloadStore:
    """For a moment it waits for what hangs, and long for others."""
    return DownloadStore(folder / "store", Hasty(DIRECT, {hanging: times}, seconds), PATIENT)


def remote(*urls: str, content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile("package bash 5.2", len(content), Digest.of(Algorithm.SHA256, content), urls)


def refused(store: DownloadStore, *files: RemoteFile) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        store.fetch(files)
    return caught.value


def failing(times: int, fault: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
    return faults.failing(times, fault, CONTENT)


WRONG = b"x" + CONTENT[1:]


@pytest.mark.parametrize("number", [408, 429, 500, 502, 503, 504, 511])
def test_a_server_that_is_busy_is_asked_up_to_five_times(server: Server, tmp_path: Path, number: int) -> None:
    server.answers["/busy"] = failing(4, status(number))
    store = a_store(tmp_path)
    served = store.fetch([remote(server.address("/busy"))])
    assert len(server.requests) == 5
    assert list(served.values()) == [server.address("/busy")]
    server.requests.clear()
    server.answers["/busier"] = status(number)
    error = refused(store, remote(server.address("/busier"), content=b"other"))
    assert len(server.requests) == 5
    assert error.missing[0].reason is Reason.UNREACHABLE
    assert error.hint == "Run it again, later or on another network: what was downloaded is kept."


@pytest.mark.parametrize("fault", [reset, lambda exchange: exchange.connection.shutdown(socket.SHUT_RDWR)])
def test_a_connection_that_is_reset(server: Server, tmp_path: Path, fault: Callable[[Exchange], None]) -> None:
    server.answers["/reset"] = failing(4, fault)
    a_store(tmp_path).fetch([remote(server.address("/reset"))])
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("number", "reason"), [(404, "gone"), (410, "gone"), (401, "unreachable"), (403, "unreachable")]
)
def test_a_definite_answer_is_taken_at_once(server: Server, tmp_path: Path, number: int, reason: str) -> None:
    server.answers["/no"] = status(number)
    error = refused(a_store(tmp_path), remote(server.address("/no")))
    assert len(server.requests) == 1
    assert [refusal.reason.value for refusal in error.missing[0].refusals] == [reason]


def test_a_name_server_that_fails_for_a_moment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = socket.getaddrinfo, iter(range(1000))

    def flaky(*arguments: object, **options: object) -> object:
        if next(asked) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", flaky)
    a_store(tmp_path).fetch([remote(f"http://localhost:{server.server_address[1]}/file")])
    assert len(server.requests) == 1


def test_a_name_that_nobody_knows_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def unknown(*arguments: object, **_: object) -> object:
        asked.append(arguments)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refused(a_store(tmp_path), remote("http://mirror.invalid/x"))
    assert len(asked) == 1
    assert error.message.endswith("unreachable: http://mirror.invalid/x: its name is not known")


def test_retry_after_is_honoured_and_bounded(server: Server, tmp_path: Path) -> None:
    patience = Patience(first_pause=1000.0, longest_pause=0.05)
    server.answers["/busy"] = failing(4, status(429, Retry_After="86400"))
    DownloadStore(tmp_path, Network(DIRECT), patience).fetch([remote(server.address("/busy"))])
    assert PATIENT.pause(1, 7.0, 0) == 7.0
    assert PATIENT.pause(1, 86400.0, 0) == 60.0
    assert PATIENT.pause(1, -5.0, 0) == 0.0
    pauses = [Patience().pause(attempt, None, 128) for attempt in (1, 2, 3, 4)]
    assert pauses == [0.25, 0.75, 2.25, 6.75]


def test_a_wrong_answer_of_a_mirror_in_the_middle_of_its_update(server: Server, tmp_path: Path) -> None:
    server.answers["/syncing"] = failing(1, lambda exchange: exchange.serve(WRONG))
    a_store(tmp_path).fetch([remote(server.address("/syncing"))])
    assert len(server.requests) == 2


def test_a_captive_portal_is_called_one(server: Server, tmp_path: Path) -> None:
    page = b"<html>Welcome to our hotel</html>"

    def portal(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Type", "text/html; charset=utf-8")
        exchange.send_header("Content-Length", str(len(page)))
        exchange.end_headers()
        exchange.wfile.write(page)

    server.answers["/login?session=secret"] = portal
    server.answers["/file"] = lambda exchange: exchange.redirect(server.address("/login?session=secret"))
    error = refused(a_store(tmp_path), remote(server.address("/file")))
    (refusal,) = error.missing[0].refusals
    assert refusal.reason is Reason.OTHER_BYTES
    assert "answers with a web page, as captive portals and proxies do" in refusal.detail
    assert "captive portal" in (error.hint or "")
    assert "secret" not in error.message


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "br"])
def test_an_answer_compressed_on_the_way_is_called_one(server: Server, tmp_path: Path, coding: str) -> None:
    """RFC 9110, section 12.5.3: it was asked for as it is. What says so of bytes that are the right ones is taken."""

    def compressed(exchange: Exchange, content: bytes) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Encoding", coding)
        exchange.send_header("Content-Length", str(len(content)))
        exchange.end_headers()
        exchange.wfile.write(content)

    server.answers["/file"] = lambda exchange: compressed(exchange, gzip.compress(CONTENT))
    error = refused(a_store(tmp_path), remote(server.address("/file")))
    (refusal,) = error.missing[0].refusals
    assert "it compresses what it sends, which was not asked for" in refusal.detail
    server.answers["/file"] = lambda exchange: compressed(exchange, CONTENT)
    a_store(tmp_path).fetch([remote(server.address("/file"))])


def test_where_a_redirect_leads_is_named_if_that_fails(server: Server, tmp_path: Path) -> None:
    with serve() as other:
        target = other.address("/file?key=secret")
        server.answers["/file"] = lambda exchange: exchange.redirect(target)
        error = refused(a_store(tmp_path), remote(server.address("/file")))
    (refusal,) = error.missing[0].refusals
    assert (refusal.reason, refusal.source) == (Reason.GONE, server.address("/file"))
    assert refusal.detail.startswith(f"it redirects to {other.address('/file')}")
    assert "HTTP 404" in refusal.detail
    assert "secret" not in error.message


@pytest.mark.parametrize(
    "hangs", [silent, *(lambda exchange, after=after: exchange.stall(b"file 10", after=after) for after in (0, 3))]
)
def test_a_source_that_hangs_goes_last(server: Server, tmp_path: Path, hangs: Callable[[Exchange], None]) -> None:
    """What it costs is a moment for the first files, not one for each."""
    contents = [b"file %d" % number for number in range(10, 70)]
    with serve() as hanging:
        for number, content in enumerate(contents):
            server.files[f"/{number}"] = content
            hanging.answers[f"/{number}"] = hangs
        files = [
            remote(hanging.address(f"/{number}"), server.address(f"/{number}"), content=content)
            for number, content in enumerate(contents)
        ]
        said: list[str] = []
        store = hasty(tmp_path, hanging.address())
        served = store.fetch(files, waiting=lambda found: said.append(found.in_words()))
        assert len(served) == 60
        assert len(hanging.requests) <= 20  # what eight threads have under way, and not all 60
    assert all(url.startswith(server.address()) for url in served.values())


def test_the_only_source_left_is_asked_although_it_was_silent(tmp_path: Path) -> None:
    asked: list[str] = []
    for moment in MOMENTS:
        answers = iter((silent, lambda exchange: exchange.serve(CONTENT)))
        with serve() as server:
            server.answers["/slow"] = lambda exchange, answers=answers: next(answers)(exchange)  # type: ignore[misc]
            store = hasty(tmp_path / str(moment), server.address("/slow"), times=1, seconds=moment)
            store.fetch([remote(server.address("/slow"), server.address("/missing"))])
            asked = [path for path, _ in server.requests]
        if asked == ["/slow", "/missing", "/slow"]:
            break
    assert asked == ["/slow", "/missing", "/slow"]


def test_a_part_is_gone_on_with_at_the_next_source(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []
    for moment in MOMENTS:
        with serve() as server:
            server.files["/file"] = CONTENT
            server.answers["/stalls"] = lambda exchange: exchange.stall(CONTENT, after=1000)
            store = hasty(tmp_path / str(moment), server.address("/stalls"), seconds=moment)
            store.fetch([remote(server.address("/stalls"), server.address("/file"))])
            asked = list(server.requests)
        if asked == [("/stalls", None), ("/file", "bytes=1000-")]:
            break
    assert asked == [("/stalls", None), ("/file", "bytes=1000-")]


class Persistent(Exchange):
    protocol_version = "HTTP/1.1"
    connections: int

    def setup(self) -> None:
        type(self).connections += 1
        super().setup()


def test_connections_are_kept(tmp_path: Path) -> None:
    with serve() as server:
        kind = type("Counting", (Persistent,), {"connections": 0})
        server.RequestHandlerClass = kind
        files = []
        for number in range(60):
            content = b"file %d" % number
            if number % 3:
                server.files[f"/{number}"] = content
            else:
                server.answers[f"/{number}"] = status(404)
            files.append(remote(server.address(f"/{number}"), content=content))
        error = refused(a_store(tmp_path), *files)
        assert len(error.missing) == 20
        assert len(server.requests) == 60
        assert kind.connections <= 8  # type: ignore[attr-defined]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, variable: str) -> None:
    server.answers["http://mirror.invalid/x"] = lambda exchange: exchange.serve(CONTENT)
    proxies = Proxies.from_environment({variable: server.address()})
    a_store(tmp_path, proxies).fetch([remote("http://mirror.invalid/x")])
    assert server.requests == [("http://mirror.invalid/x", None)]


def test_a_proxy_that_fails_is_named_and_its_user_is_not(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets it
        proxy = f"127.0.0.1:{unused.getsockname()[1]}"
        proxies = Proxies.from_environment(
            {"http_proxy": f"http://me:hunter2@{proxy}", "https_proxy": f"http://{proxy}"}
        )
        for url in ("http://mirror.invalid/x", "https://mirror.invalid/x"):
            error = refused(a_store(tmp_path, proxies), remote(url))
            assert f"{proxy} fails: Connection refused" in error.message
            assert proxy in (error.hint or "")
            assert "hunter2" not in error.message + (error.hint or "")


@pytest.mark.parametrize(("number", "blamed"), [(407, True), (503, False)])
def test_what_comes_through_a_proxy_says_so(server: Server, tmp_path: Path, number: int, *, blamed: bool) -> None:
    server.answers["http://mirror.invalid/x"] = status(number)
    error = refused(a_store(tmp_path, Proxies(server.address(), "")), remote("http://mirror.invalid/x"))
    assert f"(through the proxy {server.address()})" in error.message
    assert (error.hint or "").startswith(f"Check the proxy {server.address()}") is blamed


def test_a_kind_of_proxy_that_is_not_known(tmp_path: Path) -> None:
    error = refused(a_store(tmp_path, Proxies("socks5://127.0.0.1:1", "")), remote("http://mirror.invalid/x"))
    assert "the proxy socks5://127.0.0.1:1 cannot be used: only http and https proxies are known" in error.message


@pytest.mark.parametrize(
    ("direct", "url", "is_direct"),
    [
        ("example.org", "http://example.org/", True),
        ("example.org", "http://a.example.org/", True),
        (".example.org", "http://a.example.org/", True),
        ("*.example.org", "http://a.example.org/", True),
        ("example.org", "http://notexample.org/", False),
        ("example.org:8080", "http://example.org:8080/", True),
        ("example.org:8080", "http://example.org/", False),
        ("a.test, b.test c.test", "http://c.test/", True),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("::1", "http://[::1]:80/", True),
        ("*", "https://anything.test/", True),
        ("", "http://example.org/", False),
    ],
)
def test_who_is_asked_without_a_proxy(direct: str, url: str, *, is_direct: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        proxies = Proxies.from_environment({"all_proxy": "proxy.test:3128", name: direct})
        assert proxies.for_url(url) == (None if is_direct else "http://proxy.test:3128")


def test_the_environment_goes_before_apt() -> None:
    """Settings as `apt-config dump` has them, see apt-transport-http(1)."""
    apt = of_apt({"Acquire::http::Proxy": "http://apt.test:3142", "Acquire::http::Proxy::local.test": "DIRECT"})
    assert Proxies().or_else(apt) == Proxies("http://apt.test:3142", "http://apt.test:3142", ("local.test",))
    mixed = Proxies.from_environment({"https_proxy": "http://mine.test:1"}).or_else(apt)
    assert (mixed.http, mixed.https) == ("http://apt.test:3142", "http://mine.test:1")
    assert Proxies.from_environment({"http_proxy": ""}).or_else(apt).for_url("http://a.test/") is None
    assert of_apt({"Acquire::http::Proxy": "DIRECT"}).for_url("http://a.test/") is None
    assert mixed.environment() == {
        "http_proxy": "http://apt.test:3142",
        "https_proxy": "http://mine.test:1",
        "no_proxy": "local.test",
    }


def test_a_user_in_an_address_is_sent_but_never_shown(server: Server, tmp_path: Path) -> None:
    seen: list[str | None] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers.get("Authorization"))
        exchange.serve(CONTENT)

    server.answers["/private"] = answer
    host = server.address().removeprefix("http://")
    store = a_store(tmp_path)
    served = store.fetch([remote(f"http://me:hunter2@{host}/private")])
    assert seen == ["Basic " + base64.b64encode(b"me:hunter2").decode()]
    assert list(served.values()) == [f"http://***@{host}/private"]
    error = refused(store, remote(f"http://me:hunter2@{host}/none", content=b"other"))
    assert "hunter2" not in error.message
    assert "hunter2" not in str(error.facts)


def test_a_user_does_not_follow_a_redirect(server: Server, tmp_path: Path) -> None:
    seen: list[str | None] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers.get("Authorization"))
        exchange.serve(CONTENT)

    with serve() as other:
        other.answers["/there"] = answer
        server.answers["/here"] = lambda exchange: exchange.redirect(other.address("/there"))
        a_store(tmp_path).fetch([remote(server.address("/here").replace("http://", "http://me:hunter2@"))])
    assert seen == [None]


@pytest.mark.parametrize("name", ["part", "final"])
def test_a_folder_in_the_way_is_no_fault_of_a_source(server: Server, tmp_path: Path, name: str) -> None:
    store, file = a_store(tmp_path), remote(server.address("/file"), server.address("/file?again"))
    final = store.path(file.digest)
    place = final if name == "final" else final.with_name(final.name + ".part")
    (place / "something").mkdir(parents=True)
    with pytest.raises(LocalError, match=r"cannot be written: (Is a directory|Directory not empty)") as caught:
        store.fetch([file])
    assert final.name in (caught.value.hint or "")


def test_each_file_and_source_is_named_with_its_reason(server: Server, tmp_path: Path) -> None:
    server.files["/wrong"] = WRONG
    server.answers["/busy"] = status(503)
    urls = [server.address(path) for path in ("/missing", "/wrong", "/busy")]
    error = refused(a_store(tmp_path), remote(*urls), remote(server.address("/missing"), content=b"gone"))
    assert error.code == "inputs_unavailable"
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    facts: Any = error.facts
    first, second = facts["files"]
    assert (first["name"], first["digest"]) == ("package bash 5.2", digest)
    assert [(one["source"], one["reason"]) for one in first["sources"]] == [
        (urls[0], "gone"),
        (urls[1], "other bytes"),
        (urls[2], "unreachable"),
    ]
    assert (first["reason"], second["reason"]) == ("other bytes", "gone")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (["/gone", "/gone2"], Reason.GONE),
        (["/gone", "/refused"], Reason.GONE),
        (["/gone", "/busy"], Reason.UNREACHABLE),
        (["/refused"], Reason.UNREACHABLE),
        (["/gone", "/wrong"], Reason.OTHER_BYTES),
    ],
)
def test_a_file_is_gone_if_no_source_may_have_it_at_another_time(
    server: Server, tmp_path: Path, answers: list[str], reason: Reason
) -> None:
    server.answers |= {"/busy": status(503), "/refused": status(403)}
    server.files["/wrong"] = WRONG
    error = refused(a_store(tmp_path), remote(*(server.address(path) for path in answers)))
    assert error.missing[0].reason is reason


def test_what_is_in_the_store_is_served_by_it(server: Server, tmp_path: Path) -> None:
    store, file = a_store(tmp_path), remote(server.address("/file"))
    assert store.fetch([file]) == {file.digest: server.address("/file")}
    assert store.fetch([file]) == {file.digest: CACHE}


def test_a_document_is_bounded_and_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.answers["/index.json"] = failing(2, status(503))
    store = a_store(tmp_path)
    assert store.document(server.address("/index.json"), len(CONTENT)) == CONTENT
    with pytest.raises(Exception, match="has more than 10 bytes"):
        store.document(server.address("/file"), 10)
    with pytest.raises(DocumentError, match=r"/none: gone: HTTP 404"):
        store.document(server.address("/none"), 10)


def registry(server: Server, *, realm: str) -> str:
    """A registry that gives its blob to whoever has a token that anybody gets; the address of the blob."""
    path = f"/v2/images/inputs/blobs/sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    challenge = f'Bearer realm="{realm}",service="registry.test",scope="repository:images/inputs:pull"'

    def blob(exchange: Exchange) -> None:
        if exchange.headers.get("Authorization") == "Bearer let.me-in":
            exchange.redirect(server.address("/stored"))
        else:
            status(401, WWW_Authenticate=challenge)(exchange)

    def stored(exchange: Exchange) -> None:
        assert "Authorization" not in exchange.headers  # it is somebody else's
        exchange.serve(CONTENT)

    server.answers |= {path: blob, "/stored": stored}
    return server.address(path)


def test_a_token_that_anybody_gets(server: Server, tmp_path: Path) -> None:
    """As registries in public clouds want it (distribution.github.io/distribution/spec/auth/token)."""
    asked = "/token?service=registry.test&scope=repository%3Aimages%2Finputs%3Apull"
    server.files[asked] = b'{"token": "let.me-in", "expires_in": 300}'
    url = registry(server, realm=server.address("/token"))
    store = a_store(tmp_path)
    store.fetch([remote(url)])
    blob = url.removeprefix(server.address())
    assert [path for path, _ in server.requests] == [blob, asked, blob, "/stored"]


@pytest.mark.parametrize(
    "token", [b"", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nX-Evil: 1"}', b'{"token": "wrong"}', b"x" * (2 << 20)]
)
def test_a_token_that_is_none(server: Server, tmp_path: Path, token: bytes) -> None:
    server.files["/token?service=registry.test&scope=repository%3Aimages%2Finputs%3Apull"] = token
    error = refused(a_store(tmp_path), remote(registry(server, realm=server.address("/token"))))
    assert error.missing[0].refusals[0].detail.startswith("HTTP 401")
    assert len(server.requests) <= 3


@pytest.mark.parametrize(
    "realm", ["file:///etc/passwd", "ftp://127.0.0.1:1/x", "http://[bad", "", "http://127.0.0.1:1/?x=y"]
)
def test_a_token_is_not_fetched_from_anywhere(server: Server, tmp_path: Path, realm: str) -> None:
    error = refused(a_store(tmp_path), remote(registry(server, realm=realm)))
    assert error.missing[0].refusals[0].detail.startswith("HTTP 401")
    assert len(server.requests) == 1
