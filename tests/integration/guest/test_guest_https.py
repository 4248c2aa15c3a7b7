"""HTTPS in front of kettles: the real nginx with the configuration we make, and the real certbot with a test authority."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders import acme, guest
from builders.attestation import Doors, doors
from builders.http import Exchange, Server, serve
from builders.metadata import always
from builders.network import own_network
from builders.tools import require
from teekit_guest import cert_nginx_setup, hostnames, layout, nginx, tls_key, wait_for_port
from teekit_guest.attestation import AT_ONCE
from teekit_guest.rates import ADDRESS_BURST, Rates
from teekit_guest.tsm import Quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@contextmanager
def connections(
    folder: Path, names: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ssl.SSLSocket]]:
    """nginx for `names`, with a certificate of its own; gives a function that connects to one of them, as some client."""
    monkeypatch.setattr(layout, "FIRST_PORT", guest.free_ports(10))
    port = layout.FIRST_PORT + 9
    certificate, key = acme.self_signed(folder, names)
    assert tls_key.main([str(certificate), str(folder / "tls-key.conf")]) == 0
    places = nginx.Places(folder, certificate, key, folder / "tls-key.conf", (f"127.0.0.1:{port}",))
    conf = folder / "nginx.conf"
    conf.write_text(nginx.configuration(names, places))
    checked = subprocess.run(
        [require("nginx"), "-t", "-e", "stderr", "-c", conf], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    context = ssl.create_default_context(cafile=certificate)

    def connect(name: str, client: str = "127.0.0.1") -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port), timeout=600, source_address=(client, 0))
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    with acme.running([require("nginx"), "-e", "stderr", "-c", str(conf)], folder, port):
        yield connect


@contextmanager
def https(folder: Path, names: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], bytes]]:
    """The same, with a function that sends a request to one of them."""
    with connections(folder, names, monkeypatch) as connect:

        def ask(name: str, request: str) -> bytes:
            with connect(name) as sock:
                sock.sendall(f"{request}\r\nHost: {name}\r\n\r\n".encode())
                return b"".join(iter(lambda: sock.recv(65536), b""))

        yield ask


GET = "GET /path?x=1 HTTP/1.1\r\nConnection: close"


def status(answer: bytes) -> int:
    return int(answer.split()[1])


@contextmanager
def kettles(*numbers: int) -> Iterator[list[Server]]:
    """Servers on the ports of these kettles, each of which says its number."""
    with ExitStack() as stack:
        servers = []
        for number in numbers:
            server = stack.enter_context(serve(layout.port(number)))
            server.files["/path?x=1"] = f"kettle {number}".encode()
            servers.append(server)
        yield servers


@pytest.mark.parametrize(
    ("hostname", "started", "expected"),
    [
        pytest.param(
            "h1.example,h2.example,h3.example", (0, 1, 2), ("kettle 0", "kettle 1", "kettle 2"), id="equal counts"
        ),
        pytest.param("h1.example,h2.example,h3.example", (0, 1), ("kettle 0", "kettle 1", 502), id="more hostnames"),
        pytest.param("h1.example,h2.example", (0, 1, 2), ("kettle 0", "kettle 1"), id="more manifests"),
        pytest.param("h1.example,h1.example,h2.example", (0, 1), ("kettle 0", "kettle 1"), id="duplicates"),
        pytest.param("h1.example,h2.example,h3.example", (0, 2), ("kettle 0", 502, "kettle 2"), id="one did not start"),
    ],
)
def test_which_hostname_leads_to_which_kettle(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hostname: str,
    started: tuple[int, ...],
    expected: tuple[str | int, ...],
) -> None:
    names = hostnames.parse(hostname.encode())
    with https(tmp_path, names, monkeypatch) as ask, kettles(*started) as servers:
        answers = [ask(name, GET) for name in names]
        asked = [len(server.requests) for server in servers]
    for answer, wanted in zip(answers, expected, strict=True):
        if isinstance(wanted, int):
            assert status(answer) == wanted
        else:
            assert status(answer) == 200
            assert answer.endswith(f"\r\n\r\n{wanted}".encode())
    # What has no hostname is not reached by HTTPS at all; it answers on its own port.
    assert asked == [1 if number < len(names) else 0 for number in started]


def test_it_is_seen_to_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connections(tmp_path, ["a.example"], monkeypatch) as connect, connect("a.example") as sock:
        assert wait_for_port.answers(sock.getpeername()[1])


def test_another_name_gets_no_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with https(tmp_path, ["h1.example"], monkeypatch) as ask, pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        ask("h2.example", GET)


def test_what_a_kettle_is_told_about_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def answer(exchange: Exchange) -> None:
        seen.update(exchange.headers.items())
        exchange.serve(b"fine")

    with https(tmp_path, ["h1.example"], monkeypatch) as ask, kettles(0) as (server,):
        server.answers["/path?x=1"] = answer
        ask("h1.example", f"{GET}\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http")
    assert (seen["Host"], seen["X-Forwarded-For"], seen["X-Forwarded-Proto"]) == ("h1.example", "127.0.0.1", "https")


def test_websockets_get_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def upgrade(exchange: Exchange) -> None:
        assert (exchange.headers["Upgrade"], exchange.headers["Connection"]) == ("websocket", "upgrade")
        exchange.protocol_version = "HTTP/1.1"
        exchange.send_response(101)
        exchange.send_header("Upgrade", "websocket")
        exchange.send_header("Connection", "upgrade")
        exchange.end_headers()
        exchange.wfile.write(b"frames")

    with https(tmp_path, ["h1.example"], monkeypatch) as ask, kettles(0) as (server,):
        server.answers["/path?x=1"] = upgrade
        answer = ask("h1.example", "GET /path?x=1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket")
    assert status(answer) == 101
    assert answer.endswith(b"frames")


def test_a_kettle_that_keeps_its_visitors_waiting_keeps_no_other_s_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All kettles have one nginx, and each visitor takes two of its connections. (The limit is made lower here.)"""
    monkeypatch.setattr(nginx, "MOST_VISITORS", 10, raising=False)
    request = b"GET /path?x=1 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
    over = threading.Event()

    def wait(exchange: Exchange) -> None:
        over.wait(600)
        exchange.serve(b"late")

    with connections(tmp_path, ["h1.example", "h2.example"], monkeypatch) as connect, kettles(0, 1) as (silent, _):
        silent.answers["/path?x=1"] = wait

        def ask(name: str, seconds: float) -> int:
            with connect(name) as sock:
                sock.settimeout(seconds)
                sock.sendall(request % name.encode())
                return status(sock.recv(65536))

        with ExitStack() as held:
            for _ in range(10):
                held.enter_context(connect("h1.example")).sendall(request % b"h1.example")
            while len(silent.requests) < 10:
                time.sleep(0.05)
            assert ask("h1.example", 600) == 503
            assert ask("h2.example", 600) == 200
            over.set()


def test_nginx_has_connections_for_the_visitors_of_all_kettles(tmp_path: Path) -> None:
    """Two for each, and files for all of them."""
    text = nginx.configuration(["h1.example"], nginx.Places(tmp_path, tmp_path, tmp_path, tmp_path))
    visitors = int(re.findall(r"limit_conn visitors (\d+);", text)[0])
    most = int(re.findall(r"worker_connections (\d+);", text)[0])
    unit = (Path(nginx.__file__).parents[3] / "systemd/system/kettle-nginx.service").read_text()
    assert 2 * visitors * layout.KETTLES < most < int(re.findall(r"LimitNOFILE=(\d+)", unit)[0])


QUESTION = f"/.well-known/teekit/attestation?nonce={'5a' * 32}"


@pytest.fixture
def attestation_door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    with doors(lambda data: Quote("tdx_guest", data)) as both:
        monkeypatch.setattr(layout, "ATTESTATION_SOCKET", both.path)
        yield both


def key_of(certificate: bytes | None) -> str:
    """SHA-256 of the SubjectPublicKeyInfo of a certificate in DER."""
    key = x509.load_der_x509_certificate(certificate or b"").public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@pytest.mark.parametrize(
    "headers",
    ["", f"\r\nX-Teekit-Tls-Key: {'00' * 32}\r\nX-Teekit-Client: 192.0.2.9", "\r\nContent-Length: 3\r\n\r\nabc"],
    ids=["plain", "who lies", "with a body"],
)
def test_attestation_is_bound_to_the_key_of_the_connection_it_comes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attestation_door: Doors, headers: str
) -> None:
    """On every name, with a kettle behind it or without; the kettle does not hear of it."""
    with connections(tmp_path, ["h1.example", "h2.example"], monkeypatch) as connect, kettles(0) as (server,):
        for name in ("h1.example", "h2.example"):
            with connect(name) as sock:
                sock.sendall(f"GET {QUESTION} HTTP/1.1\r\nHost: {name}\r\nConnection: close{headers}\r\n\r\n".encode())
                head, _, body = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")
                own = key_of(sock.getpeercert(binary_form=True))
            assert head.startswith(b"HTTP/1.1 200 ")
            answer = json.loads(body)
            assert (answer["tls_key_sha256"], answer["nonce"]) == (own, "5a" * 32)
            bound = b"teekit guest report data v1\0" + bytes.fromhex("5a" * 32 + own)
            assert answer["report_data"] == hashlib.sha512(bound).hexdigest()
        assert server.requests == []
    assert attestation_door.https.rates._addresses.keys() == {"127.0.0.1"}


def test_errors_of_attestation_come_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attestation_door: Doors
) -> None:
    with https(tmp_path, ["h1.example"], monkeypatch) as ask, kettles(0) as (server,):
        path, _, query = QUESTION.partition("?")
        assert status(ask("h1.example", f"GET {path} HTTP/1.1\r\nConnection: close")) == 400
        assert status(ask("h1.example", f"GET {path}?{query}&{query} HTTP/1.1\r\nConnection: close")) == 400
        assert status(ask("h1.example", f"POST {QUESTION} HTTP/1.1\r\nConnection: close")) == 501
        # What is not exactly this path is the kettle's.
        ask("h1.example", f"GET {path}/x HTTP/1.1\r\nConnection: close")
        assert len(server.requests) == 1


def test_a_client_that_floods_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attestation_door: Doors
) -> None:
    """Whole questions, and as many half ones as there are places: nginx hands on whole ones only, and says who asks."""
    attestation_door.https.rates = Rates(lambda: 0.0)  # no time passes
    request = f"GET {QUESTION} HTTP/1.1\r\nHost: h1.example\r\nConnection: close\r\n\r\n".encode()

    def ask(client: str) -> int:
        with connect("h1.example", client) as sock:
            sock.sendall(request)
            return status(b"".join(iter(lambda: sock.recv(65536), b"")))

    with connections(tmp_path, ["h1.example"], monkeypatch) as connect, ExitStack() as held:
        for _ in range(2 * AT_ONCE):
            held.enter_context(connect("h1.example", "127.0.0.2")).sendall(request[:-10])
        found = [ask("127.0.0.2") for _ in range(int(ADDRESS_BURST) + 3)]
        assert found == [200] * int(ADDRESS_BURST) + [429] * 3
        assert ask("127.0.0.3") == 200


KIB, MIB = 1 << 10, 1 << 20
MOST_ON_THE_WAY = 3 * MIB // 4  # between a kettle and its client, both ends counted too
EXTRA = Path(nginx.__file__).parents[5]
SYSCTL, FIREWALL = EXTRA / "usr/lib/sysctl.d/51-kettle.conf", EXTRA / "etc/nftables-kettle.conf"
UNIT = EXTRA / "usr/lib/systemd/system/kettle-nginx.service"


def test_an_upload_goes_on_to_the_kettle_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept until it is whole, it would be kept in /run, which is memory, and little of it; without it systemd starts nothing."""
    monkeypatch.setattr(Exchange, "do_POST", Exchange.do_GET, raising=False)
    with connections(tmp_path, ["h1.example"], monkeypatch) as connect, kettles(0) as (server,):
        server.answers["/upload"] = lambda exchange: exchange.serve(exchange.rfile.read(4))
        with connect("h1.example") as sock:
            sock.sendall(b"POST /upload HTTP/1.1\r\nHost: h1.example\r\nContent-Length: %d\r\n\r\nhalf" % MIB)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def network_of_the_image() -> Iterator[None]:
    """With the limits for each socket that the image sets (sysctl.d/51-kettle.conf)."""
    if os.geteuid() != 0:
        pytest.skip("making a network needs root")
    settings = dict(re.findall(r"^-net\.ipv4\.(tcp_[rw]mem) = (.*)$", SYSCTL.read_text(), re.MULTILINE))
    assert len(settings) == 2
    with own_network():
        for name, value in settings.items():
            (Path("/proc/sys/net/ipv4") / name).write_text(value)
        yield


@pytest.mark.usefixtures("network_of_the_image")
def test_a_download_waits_for_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a file, for the same reason; and hardly in memory, of which nginx has a part that is everybody's."""
    taken: list[int] = []
    ended = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.end_headers()
        taken.append(sent_until_it_waits(exchange.connection))
        ended.set()

    with connections(tmp_path, ["h1.example"], monkeypatch) as connect, kettles(0) as (server,):
        server.answers["/large"] = answer
        with connect("h1.example") as sock:
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: h1.example\r\n\r\n")
            assert ended.wait(600)
    assert sum(taken) < MOST_ON_THE_WAY


@pytest.mark.usefixtures("network_of_the_image")
def test_an_upload_waits_for_the_kettle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def read_nothing(_: Exchange) -> None:
        ended.wait(600)

    monkeypatch.setattr(Exchange, "do_POST", Exchange.do_GET, raising=False)
    with connections(tmp_path, ["h1.example"], monkeypatch) as connect, kettles(0) as (server,):
        server.answers["/upload"] = read_nothing
        with connect("h1.example") as sock:
            sock.sendall(b"POST /upload HTTP/1.1\r\nHost: h1.example\r\nContent-Length: 60000000\r\n\r\n")
            sent = sent_until_it_waits(sock)
        ended.set()
    assert sent < MOST_ON_THE_WAY


def sent_until_it_waits(sock: socket.socket) -> int:
    """How many bytes of 40 MiB the other side takes."""
    sock.settimeout(0.5)
    sent = 0
    with suppress(TimeoutError):
        while sent < 40 * MIB:
            sent += sock.send(bytes(MIB // 64))
    return sent


def test_all_connections_of_one_address_have_room_in_the_memory_of_nginx() -> None:
    """Whatever its client and its kettle do: what four directions hold, with one packet more in the two that send, and 100 KiB of nginx's
    own. In a machine of 2 GiB, as those of our tests are.
    """
    most = dict(re.findall(r"tcp_([rw])mem = \d+ \d+ (\d+)$", SYSCTL.read_text(), re.MULTILINE))
    (held,) = re.findall(r"add @connected4 \{ ip saddr ct count over (\d+) \}", FIREWALL.read_text())
    (percent,) = re.findall(r"^MemoryMax=(\d+)%$", UNIT.read_text(), re.MULTILINE)
    each = 2 * (int(most["w"]) + 64 * KIB) + int(most["r"]) + 2 * nginx.RECEIVED_BYTES + 100 * KIB
    assert 1.5 * int(held) * each < (2 << 30) * int(percent) / 100


def test_nginx_takes_as_many_and_as_long_names_as_there_can_be(tmp_path: Path) -> None:
    long = ".".join(["a" * 61] * 4)
    names = hostnames.parse(",".join(f"h{number}.{long}"[:250] for number in range(100)).encode())
    certificate, key = acme.self_signed(tmp_path, ["h.example"])
    assert tls_key.main([str(certificate), str(tmp_path / "tls-key.conf")]) == 0
    places = nginx.Places(tmp_path, certificate, key, tmp_path / "tls-key.conf", (f"127.0.0.1:{guest.free_ports(1)}",))
    (tmp_path / "nginx.conf").write_text(nginx.configuration(names, places))
    argv = [require("nginx"), "-t", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders the service writes into, and an nginx that answers at once."""
    require("certbot")
    monkeypatch.setattr(layout, "HOSTNAMES", tmp_path / "hostnames")
    monkeypatch.setattr(wait_for_port, "main", lambda _: 0)
    monkeypatch.setattr(cert_nginx_setup, "STATE", tmp_path / "state")
    monkeypatch.setattr(cert_nginx_setup, "CONFIGURATION", tmp_path / "nginx.conf")
    return tmp_path


@contextmanager
def authority(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[acme.Authority]:
    with acme.authority(machine / "authority") as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.trusted))
        monkeypatch.setenv("ACME_DIRECTORY", running.directory)
        yield running


@pytest.mark.slow
def test_one_certificate_for_all_names(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.HOSTNAMES.write_text("h2.example,h1.example,h2.example,h3.example")
    with authority(machine, monkeypatch) as running:
        monkeypatch.setattr(cert_nginx_setup, "HTTP_PORT", running.http_port)
        assert cert_nginx_setup.main() == 0
    live = machine / "state/config/live/kettle"
    certificate = x509.load_pem_x509_certificate((live / "fullchain.pem").read_bytes())
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(alternatives.get_values_for_type(x509.DNSName)) == ["h1.example", "h2.example", "h3.example"]
    assert (live / "privkey.pem").stat().st_mode & 0o077 == 0
    assert capsys.readouterr().out == "\nteekit: HTTPS for h2.example, h1.example, h3.example\n"
    served = re.findall(r"server_name (\S+);\n[^}]*127\.0\.0\.1:(\d+);", (machine / "nginx.conf").read_text())
    assert served == [("h2.example", "3001"), ("h1.example", "3002"), ("h3.example", "3003")]


def tired_authority(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The directory of an authority that has had enough of us (RFC 8555, section 6.6)."""
    for method in ("do_HEAD", "do_POST"):
        monkeypatch.setattr(Exchange, method, Exchange.do_GET, raising=False)
    nonce = {"Replay-Nonce": "AAAA"}
    problem = b'{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"}'
    server.answers["/nonce"] = always(200, b"", **nonce)
    server.answers["/account"] = always(429, problem, **nonce, **{"Content-Type": "application/problem+json"})
    names = {"newNonce": "/nonce", "newAccount": "/account", "newOrder": "/order"}
    server.files["/dir"] = json.dumps({name: server.address(path) for name, path in names.items()}).encode()
    return server.address("/dir")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nobody there", "Connection refused"),
        ("rate limited", "too many certificates"),
        ("wrong host", "Some challenges have failed."),
    ],
)
def test_without_a_certificate_kettles_go_on_with_http(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, reason: str
) -> None:
    layout.HOSTNAMES.write_text("h1.example,h2.example")
    # Not where the authority asks: the names lead to another host.
    monkeypatch.setattr(cert_nginx_setup, "HTTP_PORT", guest.free_ports(1))
    with ExitStack() as stack:
        if kind == "wrong host":
            stack.enter_context(authority(machine, monkeypatch))
        else:
            server = stack.enter_context(serve())
            monkeypatch.setenv("ACME_DIRECTORY", tired_authority(server, monkeypatch))
            if kind == "nobody there":
                stack.close()
        assert cert_nginx_setup.main() == 0
    logged = capsys.readouterr().err
    assert reason in logged
    last = "no certificate: certbot failed with exit status 1, its last words are above; kettles answer HTTP only\n"
    assert logged.endswith(last)
    assert not (machine / "nginx.conf").exists()
