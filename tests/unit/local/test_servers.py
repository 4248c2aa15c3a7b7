"""The metadata service, read by the guest's own client too, and the server of dummy quotes."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import struct
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from teekit_guest import metadata as guest
from teekit_verify.core.errors import TeekitError
from teekit_verify.local.servers import METADATA_PORT, Answer, DummyQuotes, Metadata, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, SECOND = b'{"app": "file:///a.js"}', b'{"app": "https://example.org/b.js"}\n'
NOT_FOUND = Answer(404, "text/plain", b"not found\n")
DATA = bytes(range(64))


def get(port: int, path: str) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


@pytest.fixture
def served() -> Iterator[int]:
    with serving(0, Metadata((FIRST, SECOND), "foo.com,bar.com", b"export default {}").answer) as port:
        yield port


def test_several_manifests_have_commas_between(served: int) -> None:
    status, kind, body = get(served, "/manifest")
    assert (status, kind) == (200, "text/plain")
    assert [base64.b64decode(part, validate=True) for part in body.split(b",")] == [FIRST, SECOND]


def test_for_people(served: int) -> None:
    assert get(served, "/manifest/decoded") == (200, "application/json", FIRST + b"\n" + SECOND)


def test_the_rest(served: int) -> None:
    assert get(served, "/hostname") == (200, "text/plain", b"foo.com,bar.com")
    assert get(served, "/app.js") == (200, "text/javascript", b"export default {}")
    assert get(served, "/health") == (200, "application/json", b'{"status": "ok"}')
    assert get(served, "/") == (404, "text/plain", b"not found\n")


@pytest.mark.parametrize("path", ["/manifest", "/manifest/decoded", "/hostname", "/app.js", "/manifest/", "/%2e%2e/x"])
def test_what_is_not_set_is_not_found(path: str) -> None:
    assert Metadata().answer(path) == NOT_FOUND


def test_the_guest_reads_it(served: int) -> None:
    found = guest.qemu(f"http://127.0.0.1:{served}")
    assert found.manifest == base64.b64encode(FIRST) + b"," + base64.b64encode(SECOND)
    assert found.hostname == b"foo.com,bar.com"


def test_the_guest_reads_that_nothing_is_set() -> None:
    with serving(0, Metadata().answer) as port:
        assert guest.qemu(f"http://127.0.0.1:{port}") == guest.Metadata("qemu", None, None)


def test_the_guest_asks_on_this_port() -> None:
    (service,) = [service for service in guest.SERVICES if service.provider == "qemu"]
    assert urlsplit(service.base).port == METADATA_PORT


def test_a_quote_over_what_was_asked() -> None:
    with serving(0, DummyQuotes(lambda data: b"over " + data).answer) as port:
        expected = (200, "application/octet-stream", b"over " + DATA)
        assert get(port, f"/attest/{DATA.hex()}") == expected
        assert get(port, f"/attest/{DATA.hex().upper()}") == expected
        status, kind, body = get(port, "/health")
    assert (status, kind) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "quotes": "DUMMY-NOT-A-TD-QUOTE"}


@pytest.mark.parametrize("digits", ["", "00" * 63, "00" * 65, "0" * 127, "zz" * 64, "00" * 64 + "/", "00" * 64 + "?x"])
def test_a_question_of_another_length_is_refused(digits: str) -> None:
    found = DummyQuotes(lambda data: data).answer(f"/attest/{digits}")
    assert found == Answer(400, "text/plain", b"GET /attest/ and 128 hexadecimal digits\n")


@pytest.mark.parametrize("path", ["/", "/attest", f"/quote/{DATA.hex()}"])
def test_other_paths_are_not_found(path: str) -> None:
    assert DummyQuotes(lambda data: data).answer(path) == NOT_FOUND


def test_a_port_that_is_taken(served: int) -> None:
    with pytest.raises(TeekitError) as caught, serving(served, Metadata().answer):
        pytest.fail("served on a taken port")
    assert caught.value.message == f"port {served} on 127.0.0.1 cannot be used: Address already in use"
    assert caught.value.hint == "Stop what uses it, and run it again."


def test_the_port_is_free_afterwards() -> None:
    with serving(0, Metadata().answer) as port:
        pass
    with serving(port, Metadata().answer) as again:
        assert again == port


def test_a_guest_that_hangs_up_is_no_error(served: int, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", served)) as connection:
        connection.sendall(b"GET /manifest HT")
        # Closing it sends RST, as when QEMU ends.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert get(served, "/health")[0] == 200
    assert get(served, "/health")[0] == 200
    assert capsys.readouterr().err == ""
