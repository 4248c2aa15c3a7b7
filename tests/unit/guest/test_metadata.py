"""The metadata services of Google, Azure and QEMU's test server, as they answer and as they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import metadata as fake
from builders.http import Exchange, Server, serve
from builders.moments import cut_off
from teekit_guest import metadata
from teekit_guest.fetch import NobodyListens, Unreachable
from teekit_guest.metadata import Metadata, NotThisOne, azure, google, qemu
from teekit_guest.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def test_google_gives_each_attribute(server: Server) -> None:
    base = fake.google(server, {"manifest": b"eyJ9", "hostname": b"a.example,b.example"})
    assert google(base) == Metadata("gcp", b"eyJ9", b"a.example,b.example")


def test_google_answers_404_for_what_is_not_set(server: Server) -> None:
    assert google(fake.google(server, {})) == Metadata("gcp", None, None)


def test_an_answer_without_googles_header_is_somebody_elses(server: Server) -> None:
    server.files["/computeMetadata/v1/instance/attributes/manifest"] = b"eyJ9"
    with pytest.raises(NotThisOne, match="no header Metadata-Flavor: Google"):
        google(server.address())


def test_azure_gives_tags_in_any_case_and_leaves_the_others(server: Server) -> None:
    tags = {"Manifest": "eyJ9", "HOSTNAME": "a.example", "owner": "x;manifest:evil"}
    assert azure(fake.azure(server, tags)) == Metadata("azure", b"eyJ9", b"a.example")


def test_azure_without_tags(server: Server) -> None:
    assert azure(fake.azure(server, {})) == Metadata("azure", None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b"{}{",
        b'["a"]',
        b'[{"name":"manifest"}]',
        b'[{"name":"manifest","value":7}]',
        b"\xff",
        b"[" * 60000,
    ],
    ids=["empty", "null", "number", "broken", "strings", "no value", "value no string", "not UTF-8", "deep"],
)
def test_tags_that_are_not_as_azure_says_are_refused(server: Server, body: bytes) -> None:
    server.answers[fake.AZURE_PATH] = fake.always(200, body)
    with pytest.raises(Refused, match="Azure's list of tags is not the JSON it should be"):
        azure(server.address())


def test_a_list_of_tags_over_the_limit_is_refused(server: Server) -> None:
    base = fake.azure(server, {"manifest": "A" * metadata.MOST_BYTES})
    with pytest.raises(Refused, match="longer than 65536 bytes"):
        azure(base)


def test_qemus_test_server(server: Server) -> None:
    assert qemu(fake.qemu(server, manifest=b"eyJ9")) == Metadata("qemu", b"eyJ9", None)


def test_of_a_huge_value_no_more_is_read_than_shows_that_it_is_too_long(server: Server) -> None:
    found = qemu(fake.qemu(server, manifest=b"A" * 10_000_000))
    assert found.manifest == b"A" * (metadata.MOST_BYTES + 1)


ASK = {
    "google": (google, "/computeMetadata/v1/instance/attributes/manifest"),
    "azure": (azure, fake.AZURE_PATH),
    "qemu": (qemu, "/manifest"),
}
every_service = pytest.mark.parametrize(("ask", "path"), ASK.values(), ids=ASK.keys())


@every_service
@pytest.mark.parametrize("status", [410, 429, 500, 503])
def test_a_service_in_trouble_is_to_be_asked_again(
    server: Server, ask: Callable[[str], Metadata], path: str, status: int
) -> None:
    server.answers[path] = fake.always(status)
    with pytest.raises(Unreachable, match=f"it answered {status}"):
        ask(server.address())


@every_service
@pytest.mark.parametrize("status", [204, 302, 400, 401, 403])
def test_any_other_answer_is_not_the_services(
    server: Server, ask: Callable[[str], Metadata], path: str, status: int
) -> None:
    server.answers[path] = fake.always(status, Location=server.address("/elsewhere"))
    with pytest.raises(NotThisOne, match=f"it answered {status}"):
        ask(server.address())
    assert [asked for asked, _ in server.requests] == [path]


def test_azure_has_no_404(server: Server) -> None:
    with pytest.raises(NotThisOne, match="it answered 404"):
        azure(server.address())


@every_service
def test_nobody_there(ask: Callable[[str], Metadata], path: str) -> None:
    with serve() as gone:
        address = gone.address()
    with pytest.raises(NobodyListens, match=r"nobody listens there"):
        ask(address)


def trickle_headers(exchange: Exchange) -> None:
    while not exchange.server.stopping.wait(0.01):
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\n" if exchange.request_version else b"X-More: 1\r\n")
        exchange.request_version = ""


SLOW = {
    "stalls": lambda exchange: exchange.stall(b"eyJ9", after=2),
    "trickles": lambda exchange: exchange.trickle(b"A" * 1000, pause_seconds=0.01),
    "trickles its headers": trickle_headers,
}


@every_service
@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW.keys())
def test_a_slow_answer_is_cut_off(
    server: Server,
    ask: Callable[[str], Metadata],
    path: str,
    slow: Callable[[Exchange], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.answers[path] = slow

    def within(seconds: float) -> None:
        monkeypatch.setattr(metadata, "SECONDS", seconds)
        ask(server.address())

    assert " did not answer within " in cut_off(within)
