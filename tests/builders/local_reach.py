"""A server of a test in the place of the public internet, over http and https."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from builders.http import Exchange
from teekit_verify.core.download.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from builders.http import Server

HOST = "files.example.org"


def local_reach(authority: Path | None = None) -> Reach:
    """The example's name leads to this host's loopback, and to any port of it; nothing else may be reached."""

    def resolve(host: str, port: int) -> Sequence[tuple[str, int]]:
        return [("127.0.0.1" if host == HOST else host, port)]

    return Reach(
        ports=None,
        is_allowed=lambda address: address == "127.0.0.1",
        resolve=resolve,
        authorities=authority,
        this_host=True,
    )


def certificate(folder: Path, host: str = HOST) -> Path:
    """One that signs for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{host}.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@contextmanager
def secured(plain: Server, folder: Path, host: str = HOST) -> Iterator[tuple[str, Path]]:
    """The same files over https: the address, and the file of who signs for it."""
    path = certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    class Secured(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        files, answers = plain.files, plain.answers
        requests, stopping = plain.requests, plain.stopping

        @property
        def otherwise(self) -> Callable[[Exchange], None] | None:
            return plain.otherwise

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Secured(("127.0.0.1", 0), Exchange)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"https://{host}:{server.server_address[1]}", path
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
