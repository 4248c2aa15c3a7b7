"""What a script must not reach, and how it must not ask: each refused by value, and nobody is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from builders.http import serve
from builders.local_reach import HOST, local_reach
from builders.scripts_network import Network, parsed, rest_of
from teekit_verify.core.download.reach import PUBLIC, Reach, is_public
from teekit_verify.core.download.upstream import Why
from teekit_verify.rebuild.network.sources import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.mark.parametrize(
    "address",
    [
        # IANA's registries of special-purpose addresses (RFC 6890), a host of each
        *("0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.1.2.3", "169.254.169.254"),  # noqa: S104
        *("172.16.0.1", "172.31.255.254", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
        *("198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1"),
        *("2001::1", "2001:2::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "ff02::1"),
        *("fe80::1%eth0", "2606:4700::1%eth0"),
        "168.63.129.16",  # Azure: "What is IP address 168.63.129.16?"
        *("", "localhost", "0x7f.1", "2130706433", "127.1", "::ffff:7f00:1"),
    ],
)
def test_an_address_that_is_not_of_the_public_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "151.101.1.63", "140.82.121.4", "2606:4700::6810:84e5", "2a04:4e42::223"]
)
def test_an_address_that_is(address: str) -> None:
    assert is_public(address)


@pytest.fixture
def strict(tmp_path: Path) -> Network:
    return Network(tmp_path, PUBLIC)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://169.254.169.254/latest/meta-data/", Why.ADDRESS),
        ("http://[fd00:ec2::254]/latest/", Why.ADDRESS),
        ("http://127.0.0.1/", Why.ADDRESS),
        ("http://localhost/", Why.ADDRESS),
        ("http://2130706433/", Why.ADDRESS),
        ("http://0x7f000001/", Why.ADDRESS),
        ("http://127.1/", Why.ADDRESS),
        ("http://[::1]/", Why.ADDRESS),
        ("http://[::ffff:127.0.0.1]/", Why.ADDRESS),
        ("http://10.0.0.1:22/", Why.PORT),
        ("http://example.org:8080/", Why.PORT),
    ],
)
def test_a_place_that_only_this_host_sees(strict: Network, url: str, why: Why) -> None:
    with strict.recorded() as (script, recorder):
        assert script.asks(url).status == 403
    assert [(one.asked.url, one.not_fetched) for one in recorder.recording().exchanges] == [(url, why)]
    with strict.replayed(recorder.recording()) as (script, player):
        assert script.asks(url).status == 403
    assert player.missed == []


def form(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("latin-1")


ANY = Reach(ports=None)
GET = "GET http://files.example.org/a HTTP/1.1\nHost: files.example.org\n"


@pytest.mark.parametrize(
    ("request_", "reach", "why"),
    [
        ("CONNECT example.org:22 HTTP/1.1\n\n", PUBLIC, Why.PORT),
        ("CONNECT example.org:80 HTTP/1.1\n\n", PUBLIC, Why.PORT),
        ("CONNECT example.org HTTP/1.1\n\n", ANY, Why.FORM),
        ("CONNECT user@example.org:443 HTTP/1.1\n\n", ANY, Why.FORM),
        ("CONNECT example.org:443/x HTTP/1.1\n\n", ANY, Why.FORM),
        ("CONNECT example.org:99999 HTTP/1.1\n\n", ANY, Why.FORM),
        ("CONNECT example.org:0 HTTP/1.1\n\n", ANY, Why.FORM),
        (f"CONNECT {'a.' * 200}org:443 HTTP/1.1\n\n", ANY, Why.FORM),
        ("GET /a HTTP/1.1\nHost: files.example.org\n\n", ANY, Why.FORM),
        ("GET ftp://files.example.org/a HTTP/1.1\n\n", ANY, Why.FORM),
        ("GET file:///etc/passwd HTTP/1.1\n\n", ANY, Why.FORM),
        ("GET http://a:b@files.example.org/a HTTP/1.1\n\n", ANY, Why.FORM),
        ("GET http://files.example.org\\@other.example.org/ HTTP/1.1\n\n", ANY, Why.FORM),
        ("GET http://files.example.org/\xe4 HTTP/1.1\n\n", ANY, Why.FORM),
        ("GET http://files.example.org%2eevil.example/ HTTP/1.1\n\n", ANY, Why.FORM),
        (f"GET http://files.example.org/{'a' * 5000} HTTP/1.1\n\n", ANY, Why.FORM),
        ("PUT http://files.example.org/a HTTP/1.1\nContent-Length: 0\n\n", ANY, Why.METHOD),
        ("DELETE http://files.example.org/a HTTP/1.1\n\n", ANY, Why.METHOD),
        ("OPTIONS * HTTP/1.1\n\n", ANY, Why.METHOD),
        (f"{GET}Transfer-Encoding: chunked\n\n0\n\n", ANY, Why.FORM),
        (f"{GET}Transfer-Encoding: chunked\nContent-Length: 5\n\n0\n\nX", ANY, Why.FORM),
        (f"{GET.replace('GET', 'POST')}Content-Length: 5\nContent-Length: 6\n\nhello", ANY, Why.FORM),
        (f"{GET.replace('GET', 'POST')}Content-Length: +5\n\nhello", ANY, Why.FORM),
        (f"{GET.replace('GET', 'POST')}Content-Length: 99999999999\n\n", ANY, Why.FORM),
        (f"{GET}Content-Length: 5\n\nhello", ANY, Why.FORM),
        (f"{GET}X: a\n\tContent-Length: 5\n\n", ANY, Why.FORM),
        (f"{GET}Content-Length : 5\n\nhello", ANY, Why.FORM),
        (f"{GET}X: a\x00b\n\n", ANY, Why.FORM),
        (f"{GET}{''.join(f'X-{number}: a{chr(10)}' for number in range(80))}\n", ANY, Why.FORM),
        (f"{GET}X: {'a' * 5000}\n\n", ANY, Why.FORM),
    ],
)
def test_a_request_that_two_readers_may_read_differently(tmp_path: Path, request_: str, reach: Reach, why: Why) -> None:
    """Nor is what follows it on the connection: it may be part of it (RFC 9112, section 11.2)."""
    after = form("GET http://files.example.org/second HTTP/1.1\nHost: files.example.org\n\n")
    with Network(tmp_path, reach).recorded() as (script, recorder):
        data = script.says(form(request_) + after)
        assert parsed(data).status == 403
        assert data.count(b"HTTP/1.1") == 1
        assert [one.why for one in script.room.proxy.refused] == [why]
    assert recorder.recording().exchanges == ()


@pytest.mark.parametrize(
    "request_",
    [
        "GET /a HTTP/1.1\nHost: other.example.org\n\n",
        "GET /a HTTP/1.1\n\n",
        f"GET /a HTTP/1.1\nHost: {HOST}:1\nHost: other.example.org\n\n",
        f"GET http://other.example.org/a HTTP/1.1\nHost: {HOST}:1\n\n",
        f"GET /a b HTTP/1.1\nHost: {HOST}:1\n\n",
        f"CONNECT 127.0.0.1:22 HTTP/1.1\nHost: {HOST}:1\n\n",
    ],
)
def test_a_tunnel_leads_to_its_own_server_only(tmp_path: Path, request_: str) -> None:
    with Network(tmp_path, local_reach()).recorded() as (script, recorder), script.tunnel(f"{HOST}:1") as secured:
        secured.sendall(form(request_))
        assert secured.recv(100).split()[1] in {b"403", b"400"}
    assert recorder.recording().exchanges == ()


def test_a_name_is_looked_up_once_and_its_address_is_what_was_looked_at(tmp_path: Path) -> None:
    """A name server that says something else the next time changes nothing (DNS rebinding)."""
    with serve() as server:
        server.files["/a"] = b"x"
        answers = iter([[("127.0.0.1", server.server_address[1])], [("127.0.0.2", server.server_address[1])]])
        asked: list[str] = []

        def resolve(host: str, _: int) -> Sequence[tuple[str, int]]:
            asked.append(host)
            return next(answers)

        reach = replace(local_reach(), resolve=resolve)
        with Network(tmp_path, reach).recorded() as (script, recorder):
            assert script.asks("http://rebinds.example.org/a").body == b"x"
            assert script.asks("http://rebinds.example.org/a").status == 403
    assert asked == ["rebinds.example.org"] * 2
    assert [one.not_fetched for one in recorder.recording().exchanges] == [None, Why.ADDRESS]


def test_of_several_addresses_only_the_public_ones_are_asked(tmp_path: Path) -> None:
    with serve() as server, serve() as inner:
        server.files["/a"] = b"x"
        places = [("127.0.0.2", inner.server_address[1]), ("127.0.0.1", server.server_address[1])]
        reach = replace(local_reach(), resolve=lambda *_: places)
        with Network(tmp_path, reach).recorded() as (script, _):
            assert script.asks("http://several.example.org/a").body == b"x"
    assert inner.requests == []


def test_a_public_address_that_is_this_hosts_own(tmp_path: Path) -> None:
    with serve() as server:
        reach = Reach(ports=None, is_allowed=lambda _: True)
        with Network(tmp_path, reach).recorded() as (script, recorder):
            assert script.asks(server.address("/a")).status == 403
    assert server.requests == []
    assert [one.not_fetched for one in recorder.recording().exchanges] == [Why.ADDRESS]


def test_a_redirect_is_the_scripts_to_follow_and_leads_nowhere_else(tmp_path: Path) -> None:
    with serve() as server:
        server.answers["/r"] = lambda exchange: exchange.redirect("http://169.254.169.254/latest/")
        with Network(tmp_path, local_reach()).recorded() as (script, _):
            answer = script.asks(server.address("/r"))
            assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/latest/")
            assert script.asks(answer.headers["location"]).status == 403


def test_a_build_that_asks_without_end(tmp_path: Path) -> None:
    with (
        serve() as server,
        Network(tmp_path, local_reach(), bounds=Bounds(exchanges=20)).recorded() as (
            script,
            recorder,
        ),
    ):
        server.otherwise = lambda exchange: exchange.serve(b"x")
        statuses = [script.asks(server.address(f"/{number}")).status for number in range(30)]
        assert [one.why for one in script.room.proxy.refused] == [Why.COUNT] * 10
    assert statuses == [200] * 20 + [403] * 10
    assert len(recorder.recording().exchanges) == 20


def test_a_build_whose_addresses_alone_fill_the_recording(tmp_path: Path) -> None:
    with serve() as server, Network(tmp_path, local_reach(), bounds=Bounds(told_bytes=5000)).recorded() as (script, _):
        server.otherwise = lambda exchange: exchange.serve(b"x")
        statuses = [script.asks(server.address(f"/{'a' * 2000}{number}")).status for number in range(4)]
    assert statuses == [200, 200, 403, 403]


def test_many_connections_that_say_nothing_end_with_the_build(tmp_path: Path) -> None:
    with Network(tmp_path, local_reach()).recorded() as (script, _):
        silent = [script.connected() for _ in range(80)]
        opened = [one.__enter__() for one in silent]
    assert all(rest_of(one) == b"" for one in opened)
    for one in silent:
        one.__exit__(None, None, None)
