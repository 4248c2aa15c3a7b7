"""What a build is given so that its scripts reach the proxy, and nothing else: a socket, a port of its own loopback, an authority's certificate."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.rebuild.network.authority import Authority
from teekit_verify.rebuild.network.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from teekit_verify.core.download.reach import Reach
    from teekit_verify.rebuild.network.sources import Source

_PLACE = "/network"  # in the sandbox
_SOCKET, _FORWARD, _AUTHORITY = "proxy", "forward.py", "authority"
_PORT = 3128
PROXY = f"http://127.0.0.1:{_PORT}"
# mkosi shows this file to every script that has a network, also to one that runs in the image: no other file is seen in both. Readers of
# certificates pass over what is none, and readers of name servers over what is a certificate.
AUTHORITIES = "/etc/resolv.conf"
_RESOLV_CONF = (
    b"# No name server: scripts reach a recording proxy (http_proxy), whose authority is the certificate below.\n"
)
_BEGIN = f'python3 -SI {_PLACE}/{_FORWARD} {_PORT} {_PLACE}/{_SOCKET} && exec "$@"'

VARIABLES: Mapping[str, str] = {
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), PROXY),
    **dict.fromkeys(
        (
            "SSL_CERT_FILE",  # OpenSSL, Go, rustls
            "CURL_CA_BUNDLE",
            "GIT_SSL_CAINFO",
            "REQUESTS_CA_BUNDLE",
            "PIP_CERT",
            "NODE_EXTRA_CA_CERTS",
            "CARGO_HTTP_CAINFO",
            "NIX_SSL_CERT_FILE",
            "DENO_CERT",
        ),
        AUTHORITIES,
    ),
    "NODE_USE_ENV_PROXY": "1",
    "GOTELEMETRY": "off",
}
"""What programs ask for a proxy and its authority. wget and apt have no such variable for an authority: they fetch over http only."""


@dataclass(frozen=True, slots=True)
class Room:
    """A `folder` of the host that has the socket and what belongs to it; a proxy that listens while it is `open`."""

    folder: Path
    proxy: Proxy

    @classmethod
    def make(cls, folder: Path, source: Source, reach: Reach) -> Room:
        return cls(folder, Proxy(source, reach, Authority()))

    @contextmanager
    def open(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o755)
        (self.folder / _FORWARD).write_bytes(Path(__file__).with_name(_FORWARD).read_bytes())
        (self.folder / _AUTHORITY).write_bytes(_RESOLV_CONF + self.proxy.authority.certificate)
        for name in (_FORWARD, _AUTHORITY):
            (self.folder / name).chmod(0o644)
        self.folder.chmod(0o755)
        with self.proxy.served(self.folder / _SOCKET):
            yield

    @property
    def binds(self) -> dict[str, Path]:
        """Place in the sandbox -> place on the host, to read only."""
        return {_PLACE: self.folder, AUTHORITIES: self.folder / _AUTHORITY}


def behind(command: list[str]) -> list[str]:
    """The command, in a sandbox with the room's `binds`, after its loopback leads to the proxy."""
    return ["sh", "-c", _BEGIN, "sh", *command]


def mkosi_options() -> tuple[str, ...]:
    """For the scripts of all images: a subimage is told only what is passed on to it (mkosi(1), PassEnvironment=)."""
    return (
        *(f"--environment={name}={value}" for name, value in VARIABLES.items()),
        f"--pass-environment={' '.join(VARIABLES)}",
        f"--proxy-url={PROXY}",  # mkosi 27 gives git its own setting, an empty one otherwise
    )
