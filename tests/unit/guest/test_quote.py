"""Quotes: configfs-tsm as the kernel documents it, and the service in front of it."""

from __future__ import annotations

import base64
import errno
import functools
import hashlib
import json
import shutil
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders.quote_service import app_of, service
from builders.tools import require
from teekit_guest import identity, layout, quote_service, tsm
from teekit_guest.refusal import Refused
from teekit_guest.tsm import NoTsm, Quote

if TYPE_CHECKING:
    from collections.abc import Callable

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


def made(report_data: bytes) -> Quote:
    return Quote("tdx_guest", b"quote over " + report_data)


def derived(app: bytes, data: bytes) -> str:
    """What docs/guest.md says, by openssl."""
    script = "{ printf 'teekit kettle report data v1\\0'; printf %s \"$1\" | openssl dgst -sha256 -binary; cat; } | openssl dgst -sha512 -r"
    require("openssl")
    done = subprocess.run(["sh", "-c", script, "sh", app.decode()], input=data, check=True, capture_output=True)
    return done.stdout.decode().split()[0]


def answer_to(data: bytes, kettle: int = 0) -> dict[str, str]:
    bound = derived(app_of(kettle), data)
    return {
        "quote": base64.b64encode(b"quote over " + bytes.fromhex(bound)).decode(),
        "tee_type": "tdx",
        "report_data": bound,
        "app_sha256": hashlib.sha256(app_of(kettle)).hexdigest(),
        "asked": data.hex(),
    }


URLSAFE = base64.urlsafe_b64encode(b"\xfb\xff" * 32).decode()


@pytest.mark.parametrize("text", [HEX, HEX.upper(), BASE64, BASE64.rstrip("=")])
def test_the_same_data_in_every_form(text: str) -> None:
    with service(made) as server:
        answer = (200, answer_to(DATA))
        assert server.ask("GET", f"/quote?report_data={text}") == answer
        assert server.ask("POST", "/quote", json.dumps({"report_data": text}).encode()) == answer


def test_both_alphabets_of_base64() -> None:
    usual = base64.b64encode(b"\xfb\xff" * 32).decode()
    assert quote_service.report_data(URLSAFE) == quote_service.report_data(usual) == b"\xfb\xff" * 32
    with service(made) as server:
        status, answer = server.ask("GET", f"/quote?report_data={usual}")
    assert (status, answer["asked"]) == (200, "fbff" * 32)


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
        assert server.ask("GET", f"/quote{query}") == (400, {"error": reason})


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
        assert server.ask("POST", "/quote", body) == (400, {"error": reason})


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999", "²", "000000000300000000", "9" * 5000])
def test_wrong_lengths(length: str) -> None:
    with service(made) as server:
        status, answer = server.ask("POST", "/quote", b"", length=length.encode().decode("latin-1"))
    assert (status, answer) == (400, {"error": "the body must say its length, at most 4096 bytes"})


def test_a_question_has_16_kib_and_no_more() -> None:
    """However it spreads them over lines: a parser makes much more of what it is given."""
    with service(made) as server:
        for lines, bytes_of_each in ((98, 65000), (1, 17000), (90, 250)):
            with server.connection() as sock, suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(b"GET /healthz HTTP/1.0\r\n" + (b"h: " + b"x" * bytes_of_each + b"\r\n") * lines + b"\r\n")
                assert b"200" not in sock.recv(1000)
        with server.connection() as sock:
            sock.sendall(b"GET /healthz HTTP/1.0\r\n" + (b"h: " + b"x" * 150 + b"\r\n") * 90 + b"\r\n")
            assert b" 200 " in sock.recv(1000)


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/"), ("GET", "/quote/")])
def test_other_paths(method: str, path: str) -> None:
    with service(made) as server:
        assert server.ask(method, path) == (404, {"error": "not found"})


def test_it_says_that_it_is_there() -> None:
    with service(made) as server:
        assert server.ask("GET", "/healthz") == (200, {"status": "ok"})


def test_an_app_can_have_the_log_of_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "RUNTIME_LOG", tmp_path / "runtime-log")
    with service(made) as server:
        assert server.ask("GET", "/runtime-log") == (503, {"error": "there is no log"})
        layout.RUNTIME_LOG.write_text("\x1e{}\n")
        assert server.ask("GET", "/runtime-log") == (200, {"runtime_log": "\x1e{}\n"})


def test_without_a_tsm_there_is_no_quote_and_no_pretence(tmp_path: Path) -> None:
    with service(lambda data: tsm.quote(data, tmp_path / "report")) as server:
        status, answer = server.ask("GET", f"/quote?report_data={HEX}")
    assert (status, answer) == (503, {"error": f"this machine gives no quotes: there is no {tmp_path}/report"})


def test_each_kettle_speaks_for_its_own_app_and_no_other() -> None:
    with service(made, 2) as server:
        answers = [server.ask("GET", f"/quote?report_data={HEX}", kettle=kettle) for kettle in (0, 1)]
    assert answers == [(200, answer_to(DATA, 0)), (200, answer_to(DATA, 1))]
    # Even what another kettle's quote holds gives another one.
    assert answers[0][1]["report_data"] != answers[1][1]["report_data"]
    with service(made, 2) as server:
        stolen = server.ask("GET", f"/quote?report_data={answers[0][1]['report_data']}", kettle=1)[1]
    assert stolen["report_data"] != answers[0][1]["report_data"]


def test_an_app_that_is_not_there_gets_no_quote() -> None:
    with service(made) as server:
        layout.app(0).unlink()
        status, answer = server.ask("GET", f"/quote?report_data={HEX}")
    assert (status, answer) == (503, {"error": "the app cannot be read: No such file or directory"})


def test_parts_of_the_wrong_length_are_not_bound() -> None:
    for app, asked in ((bytes(31), DATA), (bytes(33), DATA), (bytes(32), DATA[1:]), (bytes(32), DATA + b"x")):
        with pytest.raises(Refused, match=f"expected 32 and 64 bytes, found {len(app)} and {len(asked)}"):
            identity.bind(app, asked)


def test_a_whole_question_has_a_limit_however_busy_the_one_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte now and then does not prolong it."""
    monkeypatch.setattr(quote_service, "SECONDS", 0.3)
    ends = threading.Event()
    with service(made, hasty=True) as server, server.connection() as sock:
        sent = 0
        try:
            for byte in b"GET /quote?report_data=" + b"0" * 10000:
                sock.send(bytes([byte]))
                sent += 1
                ends.wait(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 10000
        server.servers[0].seconds = 600.0
        assert server.ask("GET", "/healthz") == (200, {"status": "ok"})


def test_half_questions_of_one_kettle_take_no_place_of_anothers() -> None:
    with service(made, 2) as server, ExitStack() as held:
        for _ in range(quote_service.AT_ONCE):
            sock = held.enter_context(server.connection(0))
            sock.send(b"GET /quo")
        until = time.monotonic() + 600
        while server.servers[0].places._value:
            assert time.monotonic() < until
            time.sleep(0.01)
        for _ in range(100):
            refused = held.enter_context(server.connection(0))
            assert refused.recv(1000).startswith(b"HTTP/1.0 503 Service Unavailable\r\n")
        assert server.ask("GET", f"/quote?report_data={HEX}", kettle=1) == (200, answer_to(DATA, 1))


def test_a_kettle_that_asks_much_waits_for_one_that_asks_once() -> None:
    """The platform makes one quote at a time, and kettles take turns."""
    goes_on, asked, order = threading.Semaphore(0), threading.Semaphore(0), []

    def slow(report_data: bytes) -> Quote:
        order.append(report_data.hex())
        asked.release()
        assert goes_on.acquire(timeout=600)
        return made(report_data)

    with service(slow, 2) as server:
        path = f"/quote?report_data={HEX}"
        greedy = [threading.Thread(target=server.ask, args=("GET", path)) for _ in range(3)]
        for thread in greedy:
            thread.start()
        assert asked.acquire(timeout=600)
        modest = threading.Thread(target=server.ask, args=("GET", path), kwargs={"kettle": 1})
        modest.start()
        until = time.monotonic() + 600
        while list(server.servers[0].turns._line) != [0, 1]:
            assert time.monotonic() < until
            time.sleep(0.01)
        for _ in (*greedy, modest):
            goes_on.release()
        for thread in (*greedy, modest):
            thread.join(600)
    first, second = (derived(app_of(kettle), DATA) for kettle in (0, 1))
    assert order == [first, second, first, first]
