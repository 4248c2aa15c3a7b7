"""A certificate inside the virtual machine: certbot, nginx and the renewal of the real image, with a test authority on the host.

The image is the one as built, but for two files in /usr/lib/kettle that a further cpio archive behind its initrd brings: where the authority
is, and whom to trust. Profile devtools, for the shell that starts the renewal, which else comes after half a day.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import time
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders import acme, direct_boot
from builders.cpio import DIRECTORY, Entry, build_cpio
from builders.guest import free_ports
from builders.network import own_network
from builders.tools import require
from teekit_verify.boot import qemu
from teekit_verify.boot.running import running_qemu
from teekit_verify.local.dummy_quote import DummySigner
from teekit_verify.local.servers import METADATA_PORT, QUOTE_PORT, DummyQuotes, Metadata, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

NAMES = ("first.example", "second.example")
NONCE = "c3" * 32
KETTLE = "usr/lib/kettle"
HOST = "10.0.2.2"  # as the guest calls it
_BOOT_SECONDS, _ANSWER_SECONDS, _COMMAND_SECONDS = 1800, 600, 1200


@dataclass(frozen=True)
class Guest:
    """`https_port` on this host's loopback is the guest's port 443; its certificates lead to `root`."""

    https_port: int
    root: str
    console: Path

    def certificate(self, name: str) -> x509.Certificate:
        with self._connected(name) as sock:
            return x509.load_der_x509_certificate(sock.getpeercert(binary_form=True) or b"")

    def attestation(self, name: str) -> tuple[dict[str, object], x509.Certificate]:
        """What the machine says of itself over a connection, and the certificate of that connection."""
        with self._connected(name) as sock:
            request = f"GET /.well-known/teekit/attestation?nonce={NONCE} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
            sock.sendall(request.encode())
            head, _, body = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            return json.loads(body), x509.load_der_x509_certificate(sock.getpeercert(binary_form=True) or b"")

    def get(self, name: str) -> bytes:
        """Status line, headers and body of the answer."""
        with self._connected(name) as sock:
            sock.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def _connected(self, name: str) -> ssl.SSLSocket:
        """Raises ssl.SSLError unless the certificate is for `name` and from the authority."""
        context = ssl.create_default_context(cadata=self.root)
        plain = socket.create_connection(("127.0.0.1", self.https_port), _ANSWER_SECONDS)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    def run(self, command: str) -> int:
        """A command in the root shell on the serial console; its exit status."""
        with socket.socket(socket.AF_UNIX) as console:
            console.settimeout(_COMMAND_SECONDS)
            console.connect(str(self.console))
            console.sendall(f"{command}; echo it ended with $?.\n".encode())
            said = b""
            while (found := re.search(rb"it ended with (\d+)\.", said)) is None:
                said += console.recv(4096)
        return int(found[1])


@pytest.fixture(scope="module")
def guest(devtools_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    program, folder = require(qemu.PROGRAM), tmp_path_factory.mktemp("guest")
    with ExitStack() as stack:
        stack.enter_context(own_network())
        authority = stack.enter_context(acme.authority(folder / "authority", HOST))
        stack.enter_context(serving(METADATA_PORT, Metadata(hostname=",".join(NAMES)).answer))
        signer = DummySigner.create(datetime.now(UTC))
        stack.enter_context(serving(QUOTE_PORT, DummyQuotes(lambda data: signer.quote(data, {})).answer))
        https_port = free_ports(1)
        machine = direct_boot.machine_in(folder, ((authority.http_port, 80), (https_port, 443)))
        argv = direct_boot.argv(
            machine,
            program,
            devtools_image,
            folder,
            more=files_for_the_test(authority),
            cmdline=direct_boot.command_line(devtools_image),
        )
        stack.enter_context(running_qemu(argv, machine.control, log=folder / "log"))
        for line in (
            f"teekit: HTTPS for {', '.join(NAMES)}",
            "teekit: kettle 0 answers on port 3001",
            "root@teekit:~# ",
        ):
            direct_boot.wait_for(machine.console_log, line, seconds=_BOOT_SECONDS)
        yield Guest(https_port, root_of(authority), machine.console)


def files_for_the_test(authority: acme.Authority) -> bytes:
    settings = f"ACME_DIRECTORY={authority.directory}\nREQUESTS_CA_BUNDLE=/{KETTLE}/trusted.pem\n"
    return build_cpio(
        [
            Entry(KETTLE, mode=DIRECTORY | 0o755),
            Entry(f"{KETTLE}/acme.env", settings.encode()),
            Entry(f"{KETTLE}/trusted.pem", authority.trusted.read_bytes()),
        ]
    )


def root_of(authority: acme.Authority) -> str:
    context = ssl.create_default_context(cafile=authority.trusted)
    with urllib.request.urlopen(authority.roots, context=context, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())


def test_the_demo_app_answers_over_https(guest: Guest) -> None:
    head, body = guest.get(NAMES[0]).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["app"] == "demo"
    alternatives = guest.certificate(NAMES[0]).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(alternatives.get_values_for_type(x509.DNSName)) == sorted(NAMES)


def test_a_name_without_a_kettle_answers_502(guest: Guest) -> None:
    assert guest.get(NAMES[1]).startswith(b"HTTP/1.1 502 ")


def certificate_after(guest: Guest, first: x509.Certificate) -> x509.Certificate:
    """nginx is started anew by a path unit, which nobody waits for; in between, nobody answers."""
    until = time.monotonic() + _COMMAND_SECONDS
    while True:
        with suppress(OSError):
            found = guest.certificate(NAMES[0])
            if found.serial_number != first.serial_number:
                return found
        assert time.monotonic() < until
        time.sleep(0.5)


def test_the_machine_says_which_key_this_connection_has(guest: Guest) -> None:
    """On every name, with a kettle behind it or none."""
    for name in NAMES:
        require_bound(*guest.attestation(name))


def require_bound(answer: dict[str, object], certificate: x509.Certificate) -> None:
    """docs/app-identity.md."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(key).digest()
    assert (answer["nonce"], answer["tls_key_sha256"], answer["hostnames"]) == (NONCE, digest.hex(), list(NAMES))
    bound = b"teekit guest report data v1" + bytes(1) + bytes.fromhex(NONCE) + digest
    assert answer["report_data"] == hashlib.sha512(bound).hexdigest()


def test_a_certificate_is_renewed_and_nginx_shows_the_new_one(guest: Guest) -> None:
    first = guest.certificate(NAMES[0])
    assert guest.run("systemctl start cert-renew.service") == 0
    second = certificate_after(guest, first)
    assert second.public_key() != first.public_key()
    assert guest.get(NAMES[0]).startswith(b"HTTP/1.1 200 ")
    answer, certificate = guest.attestation(NAMES[0])
    assert certificate == second
    require_bound(answer, certificate)
