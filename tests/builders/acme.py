"""A certificate authority on loopback: Pebble, Let's Encrypt's test server, for which every name leads to this host."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builders.guest import free_ports, wait_until_it_listens
from builders.tools import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


VALID_SECONDS = 3600  # certbot renews in the last 30 days, so at any time


@dataclass(frozen=True)
class Authority:
    """Challenges are asked for on `http_port`. Programs must trust the certificate `trusted` to talk to `directory`.

    `roots` is where the certificate is that those it gives lead to (PEM).
    """

    directory: str
    http_port: int
    trusted: Path
    roots: str


@contextmanager
def authority(folder: Path, host: str = "localhost") -> Iterator[Authority]:
    """It runs on this host's loopback; `host` is what its clients call that. Its certificates are good for an hour."""
    folder.mkdir()
    certificate, key = self_signed(folder, ["localhost", host])
    first = free_ports(6)
    server, management, dns, dns_management, http_port, tls_port = range(first, first + 6)
    settings = {
        "listenAddress": f"127.0.0.1:{server}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(certificate),
        "privateKey": str(key),
        "httpPort": http_port,
        "tlsPort": tls_port,
        "certificateValidityPeriod": VALID_SECONDS,
    }
    config = folder / "pebble.json"
    config.write_text(json.dumps({"pebble": settings}))
    names = [require("pebble-challtestsrv"), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
    names += ["-dns01", f"127.0.0.1:{dns}", "-http01", "", "-https01", "", "-tlsalpn01", ""]
    names += ["-management", f"127.0.0.1:{dns_management}"]
    pebble = [require("pebble"), "-config", str(config), "-dnsserver", f"127.0.0.1:{dns}"]
    with ExitStack() as stack:
        stack.enter_context(running(names, folder, dns_management))
        stack.enter_context(running(pebble, folder, server, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="0"))
        roots = f"https://localhost:{management}/roots/0"
        yield Authority(f"https://{host}:{server}/dir", http_port, certificate, roots)


@contextmanager
def running(argv: Sequence[str], folder: Path, port: int, **environment: str) -> Iterator[None]:
    """A server, from when it listens on `port` until the end."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until_it_listens(port, process)
        assert process.poll() is None, (folder / "log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(600)


def self_signed(folder: Path, names: Sequence[str]) -> tuple[Path, Path]:
    """A certificate for `names`, which may be IPv4 addresses, and its key."""
    alternatives = ",".join(f"{'IP' if name[-1].isdigit() else 'DNS'}:{name}" for name in names)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    argv = [require("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    argv += ["-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}"]
    argv += ["-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key
