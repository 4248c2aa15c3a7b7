"""Quotes: configfs-tsm as the kernel documents it, and the service in front of it."""

from __future__ import annotations

import base64
import errno
import functools
import http.client
import json
import logging
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from teekit_guest import quote_service, tsm
from teekit_guest.quote_service import Server
from teekit_guest.refusal import Refused
from teekit_guest.tsm import NoTsm, Quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = bytes(range(64))
HEX = DATA.hex()
BASE64 = base64.b64encode(DATA).decode()


def _call(path: Path, fake: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return fake(path, *arguments, **named)


class Configfs:
    """/sys/kernel/config/tsm/report: a new folder has the attributes, and what is written to inblob is in outblob."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.root.mkdir()
        self.provider = "tdx_guest"
        self.writers = 1
        self.content = b"quote over "
        self.errors: list[int] = []
        self.kernels = {name: getattr(Path, name) for name in ("mkdir", "write_bytes", "open")}
        fakes = {"mkdir": self.mkdir, "rmdir": shutil.rmtree, "write_bytes": self.write, "open": self.open}
        for name, fake in fakes.items():
            monkeypatch.setattr(Path, name, functools.partialmethod(_call, fake))

    def mkdir(self, entry: Path) -> None:
        if not self.provider:
            raise OSError(errno.ENXIO, "No such device or address")
        self.kernels["mkdir"](entry)
        (entry / "provider").write_text(f"{self.provider}\n")
        (entry / "generation").write_text("0\n")

    def write(self, path: Path, content: bytes) -> None:
        assert path.name == "inblob"
        (path.parent / "generation").write_text(f"{self.writers}\n")
        self.kernels["write_bytes"](path.parent / "outblob", self.content + content)

    def open(self, path: Path, mode: str = "r", **rest: Any) -> Any:
        if path.name == "outblob" and mode == "rb" and self.errors:
            raise OSError(self.errors.pop(), "trouble")
        return self.kernels["open"](path, mode, **rest)


@pytest.fixture
def configfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configfs:
    return Configfs(tmp_path / "report", monkeypatch)


def test_a_quote_and_nothing_left_behind(configfs: Configfs) -> None:
    assert tsm.quote(DATA, configfs.root) == Quote("tdx_guest", b"quote over " + DATA)
    assert list(configfs.root.iterdir()) == []


def test_somebody_else_wrote_in_between(configfs: Configfs) -> None:
    configfs.writers = 2
    with pytest.raises(Refused, match=r"somebody else wrote to teekit-\d+-\d+: its generation went from 0 to 2"):
        tsm.quote(DATA, configfs.root)
    assert list(configfs.root.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EBUSY, errno.ETIMEDOUT, errno.EWOULDBLOCK, errno.EINTR])
def test_passing_trouble_is_tried_again(configfs: Configfs, number: int) -> None:
    configfs.errors = [number] * 2
    assert tsm.quote(DATA, configfs.root).content.endswith(DATA)
    configfs.errors = [number] * 3
    with pytest.raises(Refused, match=r"the platform gives no quote: trouble, 3 times"):
        tsm.quote(DATA, configfs.root)
    assert list(configfs.root.iterdir()) == []


def test_lasting_trouble_is_not(configfs: Configfs) -> None:
    configfs.errors = [errno.EIO]
    with pytest.raises(Refused, match=r"the platform gives no quote: trouble$"):
        tsm.quote(DATA, configfs.root)
    assert configfs.errors == []


def test_a_quote_has_a_limit(configfs: Configfs) -> None:
    configfs.content = b"x" * 10000
    with pytest.raises(Refused, match=r"the platform gave a quote of 8193 bytes, expected 1 to 8192"):
        tsm.quote(DATA, configfs.root)


def test_no_driver(configfs: Configfs) -> None:
    configfs.provider = ""
    with pytest.raises(NoTsm, match="this machine gives no quotes: No such device or address"):
        tsm.quote(DATA, configfs.root)


def test_no_configfs(tmp_path: Path) -> None:
    with pytest.raises(NoTsm, match=f"this machine gives no quotes: there is no {tmp_path}/report"):
        tsm.quote(DATA, tmp_path / "report")


def test_report_data_is_64_bytes(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="report data must be 64 bytes, found 63"):
        tsm.quote(DATA[1:], tmp_path)


@contextmanager
def service(quote: Callable[[bytes], Quote]) -> Iterator[Server]:
    with Server(0, quote, logging.getLogger("test_quote")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        assert answer.getheader("Content-Type") == "application/json"
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def made(report_data: bytes) -> Quote:
    return Quote("tdx_guest", b"quote over " + report_data)


ANSWER = {"quote": base64.b64encode(b"quote over " + DATA).decode(), "tee_type": "tdx", "report_data": HEX}
URLSAFE = base64.urlsafe_b64encode(b"\xfb\xff" * 32).decode()


@pytest.mark.parametrize("text", [HEX, HEX.upper(), BASE64, BASE64.rstrip("=")])
def test_the_same_data_in_every_form(text: str) -> None:
    with service(made) as server:
        assert ask(server, "GET", f"/quote?report_data={text}") == (200, ANSWER)
        assert ask(server, "POST", "/quote", json.dumps({"report_data": text}).encode()) == (200, ANSWER)


def test_both_alphabets_of_base64() -> None:
    usual = base64.b64encode(b"\xfb\xff" * 32).decode()
    assert quote_service.report_data(URLSAFE) == quote_service.report_data(usual) == b"\xfb\xff" * 32
    with service(made) as server:
        status, answer = ask(server, "GET", f"/quote?report_data={usual}")
    assert (status, answer["report_data"]) == (200, "fbff" * 32)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "the query must have report_data=..., once"),
        ("?", "the query must have report_data=..., once"),
        ("?nonce=1", "the query must have report_data=..., once"),
        (f"?report_data={HEX}&report_data={HEX}", "the query must have report_data=..., once"),
        ("?" + "&".join("abcdef"), "the query must have report_data=..., once"),
        ("?report_data=", "the query must have report_data=..., once"),
        (f"?report_data={HEX[2:]}", "report_data must be 64 bytes in hexadecimal or base64"),
        (f"?report_data={HEX}00", "report_data must be 64 bytes in hexadecimal or base64"),
        ("?report_data=%C3%A4", "report_data must be 64 bytes in hexadecimal or base64"),
        ("?report_data=AAAAA", "report_data must be 64 bytes in hexadecimal or base64"),
    ],
)
def test_wrong_queries(query: str, reason: str) -> None:
    with service(made) as server:
        assert ask(server, "GET", f"/quote{query}") == (400, {"error": reason})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 4000, "the body is not JSON"),
        (b"[]", 'the body must be {"report_data": "..."}'),
        (b'{"report_data": 7}', 'the body must be {"report_data": "..."}'),
        (b'{"report_data": "7"}', "report_data must be 64 bytes in hexadecimal or base64"),
        (b" " * 4097, "the body must say its length, at most 4096 bytes"),
    ],
)
def test_wrong_bodies(body: bytes, reason: str) -> None:
    with service(made) as server:
        assert ask(server, "POST", "/quote", body) == (400, {"error": reason})


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999", "²"])
def test_wrong_lengths(length: str) -> None:
    with service(made) as server:
        status, answer = ask(server, "POST", "/quote", b"", **{"Content-Length": length.encode().decode("latin-1")})
    assert (status, answer) == (400, {"error": "the body must say its length, at most 4096 bytes"})


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/"), ("GET", "/quote/")])
def test_other_paths(method: str, path: str) -> None:
    with service(made) as server:
        assert ask(server, method, path) == (404, {"error": "not found"})


def test_it_says_that_it_is_there() -> None:
    with service(made) as server:
        assert ask(server, "GET", "/healthz") == (200, {"status": "ok"})


def test_without_a_tsm_there_is_no_quote_and_no_pretence(tmp_path: Path) -> None:
    with service(lambda data: tsm.quote(data, tmp_path / "report")) as server:
        status, answer = ask(server, "GET", f"/quote?report_data={HEX}")
    assert (status, answer) == (503, {"error": f"this machine gives no quotes: there is no {tmp_path}/report"})


def test_a_crowd_is_turned_away() -> None:
    goes_on, asked = threading.Event(), threading.Semaphore(0)

    def slow(report_data: bytes) -> Quote:
        asked.release()
        goes_on.wait(10)
        return made(report_data)

    with service(slow) as server:
        path = f"/quote?report_data={HEX}"
        # All places but one; the last is taken by the quote that is being made.
        for _ in range(quote_service.AT_ONCE - 1):
            assert server.places.acquire(blocking=False)
        first = threading.Thread(target=ask, args=(server, "GET", path))
        first.start()
        assert asked.acquire(timeout=60)
        assert ask(server, "GET", path) == (503, {"error": "too many questions at once"})
        goes_on.set()
        first.join()
        assert ask(server, "GET", path) == (200, ANSWER)
