"""attestation.service: what it answers, to whom, and how often."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import logging
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import acme, swtpm
from builders.attestation import KEPT, Doors, doors
from builders.http import Exchange, serve
from builders.metadata import always
from builders.tools import require
from teekit_guest import attestation, attestation_answer, identity, layout, rates, tls_key, tpm
from teekit_guest.attestation_answer import Kept, Machine, azure_quote
from teekit_guest.rates import Rates, network_of
from teekit_guest.refusal import Refused
from teekit_guest.tpm_quote import Attester
from teekit_guest.tsm import NoTsm, Quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NONCE = bytes(range(32))
KEY = hashlib.sha256(b"a public key").hexdigest()
QUERY = f"?nonce={NONCE.hex()}"
# Recorded on real machines; see the README beside them.
LOGS = Path(__file__).parents[2] / "assets/eventlogs"
CCEL, TPM_LOG = LOGS / "gcp-cos113-ccel-data.bin", LOGS / "ovmf-swtpm-uki.bin"


def made(data: bytes) -> Quote:
    return Quote("tdx_guest", b"quote over " + data)


def none(_: bytes) -> Quote:
    raise NoTsm("this machine gives no quotes")


def derived(nonce: bytes, key: bytes) -> str:
    """docs/app-identity.md, by openssl."""
    script = "{ printf 'teekit guest report data v1\\0'; cat; } | openssl dgst -sha512 -r"
    require("openssl")
    return subprocess.run(["sh", "-c", script], input=nonce + key, check=True, capture_output=True).stdout.decode()[
        :128
    ]


@pytest.fixture
def opened() -> Iterator[Doors]:
    with doors(made) as both:
        yield both


def test_over_plain_http_no_key_is_bound(opened: Doors) -> None:
    bound = derived(NONCE, bytes(32))
    assert opened.ask(QUERY) == (
        200,
        {
            "version": 1,
            "nonce": NONCE.hex(),
            "tls_key_sha256": None,
            "report_data": bound,
            "tdx": {
                "quote": base64.b64encode(b"quote over " + bytes.fromhex(bound)).decode(),
                "ccel": base64.b64encode(b"the CCEL").decode(),
            },
            "tpm": None,
            "runtime_log": KEPT.runtime_log,
            "manifests": ["Zmlyc3Q=", "/yBzZWNvbmQ="],
            "hostnames": ["a.example", "b.example"],
        },
    )


def test_nginx_says_which_key_it_is(opened: Doors) -> None:
    status, answer = opened.ask_as_nginx(QUERY, KEY)
    assert (status, answer["tls_key_sha256"]) == (200, KEY)
    assert answer["report_data"] == derived(NONCE, bytes.fromhex(KEY))


def test_at_the_plain_door_nobody_is_nginx(opened: Doors) -> None:
    _, answer = opened.ask(QUERY, {attestation.KEY_HEADER: KEY, attestation.CLIENT_HEADER: "192.0.2.1"})
    assert (answer["tls_key_sha256"], answer["report_data"]) == (None, derived(NONCE, bytes(32)))


@pytest.mark.parametrize(
    ("key", "client"), [(None, "192.0.2.1"), (KEY, None), (KEY[2:], "192.0.2.1"), ("zz" * 32, "::1")]
)
def test_a_door_of_nginx_that_does_not_say_who_asks(opened: Doors, key: str | None, client: str | None) -> None:
    status, _ = opened.ask_as_nginx(QUERY, key, client)
    assert status == 400


def test_digits_in_either_case(opened: Doors) -> None:
    assert opened.ask(QUERY.upper().replace("?NONCE", "?nonce"))[1]["nonce"] == NONCE.hex()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?nonce",
        "?nonce=",
        f"?nonce={NONCE.hex()[2:]}",
        f"?nonce={NONCE.hex()}00",
        f"?nonce={NONCE.hex()}&nonce={NONCE.hex()}",
        f"?nonce={NONCE.hex()}&key={KEY}",
        f"?n=1&nonce={NONCE.hex()}",
        f"?nonce={NONCE.hex()[:-1]}g",
        f"?nonce=%C2%B2{NONCE.hex()[6:]}",
        f"?Nonce={NONCE.hex()}",
        "?nonce=" + "%30" * 63,
    ],
)
def test_wrong_questions(opened: Doors, query: str) -> None:
    status, answer = opened.ask(query)
    assert (status, sorted(answer)) == (400, ["error"])


@pytest.mark.parametrize("path", ["/", "/.well-known/teekit/attestation/", "/.well-known/teekit"])
def test_other_paths(opened: Doors, path: str) -> None:
    assert opened.ask(QUERY, path=path) == (404, {"error": "not found"})


def test_other_methods(opened: Doors) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", opened.port, timeout=600)
    connection.request("POST", attestation.PATH + QUERY, b"{}")
    with connection.getresponse() as answer:
        assert answer.status == 501
    connection.close()


def test_no_quote_of_any_kind() -> None:
    with doors(none) as both:
        assert both.ask(QUERY) == (503, {"error": "this machine gives no quotes"})


def test_a_platform_in_trouble_is_no_machine_without_tdx() -> None:
    def busy(_: bytes) -> Quote:
        raise Refused("the platform gives no quote: busy")

    with doors(busy) as both:
        assert both.ask(QUERY) == (503, {"error": "the platform gives no quote: busy"})


def test_what_no_app_can_ask_for() -> None:
    """Whatever an app asks the quote service for, its domain is another, and its digest is not chosen by the app."""
    assert identity.DOMAIN == b"teekit kettle report data v1\0"
    assert attestation_answer.DOMAIN == b"teekit guest report data v1\0"
    # Equal only for SHA-512 collisions: the domains differ within the first 12 bytes, so no split of one input is the other.
    assert identity.DOMAIN[:12] != attestation_answer.DOMAIN[:12]


def test_a_nonce_or_key_of_another_length_is_not_bound() -> None:
    for nonce, key in ((NONCE[1:], None), (NONCE + b"x", None), (NONCE, b""), (NONCE, bytes(31)), (NONCE, bytes(64))):
        with pytest.raises(Refused, match="a nonce and a digest of 32 bytes each"):
            attestation_answer.report_data(nonce, key)


@pytest.fixture(scope="module")
def attester() -> Iterator[Attester]:
    with tempfile.TemporaryDirectory() as folder, swtpm.tpm_with(Path(folder), "sha256,sha384") as device:
        yield Attester(device)


def test_the_tpms_quote_is_over_the_same(attester: Attester, tmp_path: Path) -> None:
    with doors(none, attester, Kept("", (), "", None, b"log of the boot")) as both:
        status, answer = both.ask_as_nginx(QUERY, KEY)
    assert (status, answer["tdx"], answer["hostnames"]) == (200, None, [])
    given = answer["tpm"]
    assert sorted(given) == sorted(
        ("message", "signature", "ak_public", "ak_certificate", "event_log", "hcl_report", "pcrs")
    )
    assert (given["ak_certificate"], given["hcl_report"]) == (None, None)
    assert base64.b64decode(given["event_log"]) == b"log of the boot"
    assert {len(bytes.fromhex(value)) for value in given["pcrs"]["sha256"].values()} == {32}
    assert list(given["pcrs"]["sha256"]) == [str(number) for number in range(24)]
    for name, field in (("msg", "message"), ("sig", "signature"), ("pub", "ak_public")):
        (tmp_path / name).write_bytes(base64.b64decode(given[field]))
    qualifying = hashlib.sha256(bytes.fromhex(derived(NONCE, bytes.fromhex(KEY)))).hexdigest()
    argv = [require("tpm2_checkquote"), "-u", "pub", "-m", "msg", "-s", "sig", "-q", qualifying]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


def test_what_is_measured_is_what_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNTIME_LOG", "HOSTNAMES", "MANIFESTS", "CCEL_COPY", "TPM_LOG_COPY"):
        monkeypatch.setattr(layout, name, tmp_path / name)
    monkeypatch.setattr(tpm, "DEVICE", tmp_path / "none")
    monkeypatch.setattr(tpm, "VERSION", tmp_path / "none")
    layout.MANIFESTS.mkdir()
    layout.RUNTIME_LOG.write_text("\x1elog")
    layout.HOSTNAMES.write_text("a.example")
    layout.given_manifest(0).write_bytes(b"zero")
    layout.given_manifest(1).write_bytes(b"one")
    log = TPM_LOG.read_bytes()
    layout.CCEL_COPY.write_bytes(log + b"a secret")
    assert Kept.read() == Kept("\x1elog", (b"zero", b"one"), "a.example", log, None)
    with Machine.opened(made, logging.getLogger("test")) as machine:
        assert machine.answer(NONCE, None)["tpm"] is None


# What the host's tables call a log.

SECRET = bytes(range(1, 256)) * 16


def test_a_log_of_real_hardware_is_answered_as_far_as_it_goes() -> None:
    whole = CCEL.read_bytes()
    kept = attestation_answer.boot_log(whole)
    assert kept is not None
    assert whole.startswith(kept)
    assert set(whole[len(kept) :]) == {0xFF}
    assert kept == attestation_answer.boot_log(kept + SECRET)


def test_a_log_of_a_tpm_is_answered_whole(tmp_path: Path) -> None:
    whole = TPM_LOG.read_bytes()
    assert attestation_answer.boot_log(whole) == whole
    assert attestation_answer.boot_log(whole + SECRET) == whole


@pytest.mark.parametrize("cut", [1, 100, 4000])
def test_half_an_event_is_not_answered(cut: int) -> None:
    whole = TPM_LOG.read_bytes()
    kept = attestation_answer.boot_log(whole[:-cut])
    assert kept is not None
    assert whole.startswith(kept)
    # The events of what is left, as the TPM2 tools count them: none is broken off.
    (count,) = {len(records(kept)), len(records(kept + SECRET[:2]))}
    assert 0 < count < len(records(whole))


def records(log: bytes) -> list[str]:
    done = subprocess.run([require("tpm2_eventlog"), "/dev/stdin"], input=log, capture_output=True, check=False)
    return [line for line in done.stdout.decode().splitlines() if "EventNum" in line]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(4096),
        b"\xff" * 4096,
        SECRET,
        b"\x7fELF" + SECRET,
        # The head of a log, and a size, a number of algorithms or a digest that lead elsewhere.
        *(
            TPM_LOG.read_bytes()[:offset] + b"\xff" * size + TPM_LOG.read_bytes()[offset + size :]
            for offset, size in ((4, 4), (28, 4), (32, 16), (56, 4))
        ),
    ],
)
def test_memory_that_is_no_log_is_answered_to_nobody(content: bytes) -> None:
    assert attestation_answer.boot_log(content) is None


# How often, and how much at once.


def test_one_address_that_asks_too_often_does_not_cost_the_others() -> None:
    at = 0.0
    limits = Rates(lambda: at)
    allowed = [limits.allow("192.0.2.1") for _ in range(1000)]
    assert allowed == [True] * int(rates.ADDRESS_BURST) + [False] * (1000 - int(rates.ADDRESS_BURST))
    assert limits.allow("192.0.2.2")
    at = 1.0
    assert [limits.allow("192.0.2.1") for _ in range(3)] == [True, False, False]


def test_all_together_have_a_limit_which_time_gives_back() -> None:
    at = 0.0
    limits = Rates(lambda: at)
    assert sum(limits.allow(f"192.0.2.{number}") for number in range(200)) == rates.ALL_BURST
    at = 2.0
    assert sum(limits.allow(f"198.51.100.{number}") for number in range(200)) == 2 * rates.ALL_PER_SECOND


def test_addresses_are_forgotten_and_memory_is_bounded() -> None:
    limits = Rates(lambda: 0.0)
    for number in range(3 * rates.MOST_ADDRESSES):
        limits.allow(str(number))
    assert len(limits._addresses) == rates.MOST_ADDRESSES


@pytest.mark.parametrize(
    ("one", "other", "networks"),
    [
        ("192.0.2.1", "192.0.2.2", 2),
        ("192.0.2.1", "::ffff:192.0.2.1", 1),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 1),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 2),
        ("fe80::1%eth0", "fe80::2", 1),
    ],
)
def test_who_counts_as_one(one: str, other: str, networks: int) -> None:
    assert len({network_of(one), network_of(other)}) == networks


def test_asked_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "ADDRESS_BURST", 2.0)
    monkeypatch.setattr(rates, "ADDRESS_PER_SECOND", 0.0)
    with doors(made) as both:
        assert [both.ask(QUERY)[0] for _ in range(3)] == [200, 200, 429]
        # The other door has limits of its own, and there the address is the client's, not nginx's.
        assert [both.ask_as_nginx(QUERY, KEY)[0] for _ in range(3)] == [200, 200, 429]
        assert both.ask_as_nginx(QUERY, KEY, "2001:db8::1")[0] == 200


def test_a_wrong_question_costs_nothing_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "ADDRESS_BURST", 1.0)
    monkeypatch.setattr(rates, "ADDRESS_PER_SECOND", 0.0)
    with doors(made) as both:
        assert {both.ask("?x=1")[0] for _ in range(5)} == {400}
        assert both.ask(QUERY)[0] == 200


def wait_until(what: Callable[[], object]) -> None:
    until = time.monotonic() + 600
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_half_questions_of_one_address_take_a_few_places(opened: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as held:
        for _ in range(attestation.AT_ONCE_EACH):
            held.enter_context(opened.connection()).send(b"GET /.well")
        wait_until(lambda: opened.plain._open["127.0.0.1"] == attestation.AT_ONCE_EACH)
        for _ in range(20):
            turned_away = held.enter_context(opened.connection())
            assert turned_away.recv(1000).startswith(b"HTTP/1.0 503 Service Unavailable\r\n")
        assert opened.plain.places._value == attestation.AT_ONCE - attestation.AT_ONCE_EACH
        assert opened.ask_as_nginx(QUERY, KEY)[0] == 200
    wait_until(lambda: not opened.plain._open)
    assert opened.ask(QUERY)[0] == 200


def test_a_whole_question_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attestation, "SECONDS", 0.3)
    with doors(made, hasty=True) as both, both.connection() as sock:
        sent, pause = 0, threading.Event()
        try:
            for byte in b"GET /" + b"x" * 10000:
                sock.send(bytes([byte]))
                sent += 1
                pause.wait(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 10000
        both.plain.seconds = 600.0
        assert both.ask(QUERY)[0] == 200


def test_a_flood_at_the_plain_door_waits_for_who_comes_by_https() -> None:
    goes_on, asked, order = threading.Semaphore(0), threading.Semaphore(0), []

    def slow(data: bytes) -> Quote:
        order.append(data.hex())
        asked.release()
        assert goes_on.acquire(timeout=600)
        return made(data)

    with doors(slow) as both:
        flood = [threading.Thread(target=both.ask, args=(QUERY,)) for _ in range(3)]
        for thread in flood:
            thread.start()
        assert asked.acquire(timeout=600)
        one = threading.Thread(target=both.ask_as_nginx, args=(QUERY, KEY))
        one.start()
        wait_until(lambda: list(both.plain.turns._line) == [attestation.PLAIN, attestation.HTTPS])
        for _ in (*flood, one):
            goes_on.release()
        for thread in (*flood, one):
            thread.join(600)
    plain, https = derived(NONCE, bytes(32)), derived(NONCE, bytes.fromhex(KEY))
    assert order == [plain, https, plain, plain]


# The key that nginx says is its own.


def test_the_key_of_a_certificate(tmp_path: Path) -> None:
    certificate, _ = acme.self_signed(tmp_path, ["a.example"])
    script = 'openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform der | sha256sum'
    done = subprocess.run(["sh", "-c", script, "sh", certificate], check=True, capture_output=True, text=True)
    assert tls_key.main([str(certificate), str(tmp_path / "conf")]) == 0
    assert (tmp_path / "conf").read_text() == f"proxy_set_header X-Teekit-Tls-Key {done.stdout.split()[0]};\n"


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_no_certificate_no_nginx(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pem").write_bytes(content)
    with pytest.raises(subprocess.CalledProcessError):
        tls_key.main([str(tmp_path / "broken.pem"), str(tmp_path / "conf")])
    assert not (tmp_path / "conf").exists()


# Azure: the paravisor's quote.


REPORT = b"HCLA" + bytes(28) + bytes(range(256)) * 4 + b"runtime data"


def test_azure_gives_a_quote_for_the_report_of_the_td(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exchange, "do_POST", Exchange.do_GET, raising=False)
    asked: list[bytes] = []

    def answer(exchange: Exchange) -> None:
        asked.append(exchange.rfile.read(int(exchange.headers["Content-Length"])))
        exchange.serve(b'{"quote": "_-8"}')

    with serve() as server:
        server.answers["/acc/tdquote"] = answer
        assert azure_quote(REPORT, server.address("/acc/tdquote")) == b"\xff\xef"
    report = json.loads(asked[0])["report"]
    assert base64.urlsafe_b64decode(report + "==") == bytes(range(256)) * 4


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"quote": 7}', b'{"quote": "a"}', b"[" * 5000])
def test_what_is_no_quote_of_azures(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(Exchange, "do_POST", Exchange.do_GET, raising=False)
    with serve() as server:
        server.answers["/acc/tdquote"] = always(200, body)
        assert azure_quote(REPORT, server.address("/acc/tdquote")) is None
        server.answers["/acc/tdquote"] = always(500, b'{"quote": "_-8"}')
        assert azure_quote(REPORT, server.address("/acc/tdquote")) is None
        address = server.address("/acc/tdquote")
    assert azure_quote(REPORT, address) is None
