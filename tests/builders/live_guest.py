"""A live machine that answers as docs/app-identity.md has it, with quotes of the tests' own authority. It can also misbehave.

REPORTDATA, registers and logs are made here with hashlib; none of it is our own code's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from builders import collateral, eventlog, guests, http, pcs, quotes
from builders import documents as sample
from builders.given import Given
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import model
from teekit_verify.documents.create import dump_reference
from teekit_verify.registers.registers import MRTD, rtmr

PATH = "/.well-known/teekit/attestation"
MRTD_VALUE = b"\x0d" * 48
EV_SEPARATOR, EV_IPL = 4, 0xD
BOOT = (
    (1, EV_SEPARATOR, bytes(4)),
    (2, EV_IPL, b"the UKI"),
    (2, EV_SEPARATOR, bytes(4)),
    (3, EV_IPL, b"the command line"),
)
"""Of the CCEL: register by its index, type, and what is measured."""


def boot_log() -> bytes:
    return eventlog.header(eventlog.SHA384) + b"".join(
        eventlog.measured(register, kind, data, eventlog.SHA384) for register, kind, data in BOOT
    )


def boot_values() -> list[bytes]:
    """RTMR0 to RTMR2."""
    values = [bytes(48)] * 3
    for register, _, data in BOOT:
        digest = hashlib.sha384(data).digest()
        values[register - 1] = hashlib.sha384(values[register - 1] + digest).digest()
    return values


def report_data(nonce: bytes, key: bytes | None) -> bytes:
    return hashlib.sha512(b"teekit guest report data v1\0" + nonce + (key or bytes(32))).digest()


def reference(
    changed: Mapping[str, bytes] | None = None, *, measures: bool = True, pinned: tuple[bytes, ...] = ()
) -> bytes:
    """What was published: `changed` are registers with another value, `pinned` manifests that it accepts."""
    values = dict(zip(("MRTD", "RTMR0", "RTMR1", "RTMR2"), (MRTD_VALUE, *boot_values()), strict=True)) | dict(
        changed or {}
    )
    registers = {
        register: guests.only(model.RegisterValue((Digest(Algorithm.SHA384, values[str(register)]),), "", ()))
        for register in (MRTD, *map(rtmr, range(3)))
    } | {rtmr(3): guests.ignored("decided by what the machine is given to run")}
    sets = (model.GivenSet("pinned", pinned),) if pinned else ()
    apps = model.Apps("teekit measured v1", sets) if measures else None
    return dump_reference(replace(sample.reference(), platforms={"qemu": registers}, apps=apps))


@dataclass
class Machine:
    """What it was given, and how it makes its answer: `mend` changes the answer's fields before they are sent."""

    server: http.Server | None
    folder: Path
    given: Given = field(default_factory=Given)
    told: Given | None = None
    authority: quotes.Authority = field(default_factory=quotes.authority)
    key: bytes | None = None
    mend: Callable[[dict[str, Any]], object] = lambda _fields: None
    asked: list[bytes] = field(default_factory=list)

    @classmethod
    def without_a_server(cls) -> Self:
        """For its answers alone."""
        return cls(None, Path())

    def address(self) -> str:
        assert self.server is not None
        scheme = "http" if self.key is None else "https"
        return f"{scheme}://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, nonce: bytes) -> dict[str, Any]:
        """`told` is what the answer lists, where that is not what is measured."""
        asked, told = report_data(nonce, self.key), self.told or self.given
        body = quotes.body(report_data=asked, rtmrs=(*boot_values(), self.given.value()))
        return {
            "version": 1,
            "nonce": nonce.hex(),
            "tls_key_sha256": None if self.key is None else self.key.hex(),
            "report_data": asked.hex(),
            "tdx": {"quote": b64(quotes.quote(self.authority, report=body)), "ccel": b64(boot_log())},
            "tpm": None,
            "runtime_log": self.given.log().decode(),
            "manifests": [b64(text) for text in told.manifests],
            "hostnames": list(told.hostnames),
        }

    def sent(self, nonce: bytes) -> bytes:
        self.asked.append(nonce)
        fields = self.answer(nonce)
        self.mend(fields)
        return json.dumps(fields).encode()

    def trust(self) -> list[str]:
        """Options with which its quotes are authentic, and everything can be checked."""
        (self.folder / "root.pem").write_bytes(quotes.pem(self.authority.root))
        write_collateral(self.folder / "collateral", self.authority)
        at = quotes.NOW.isoformat()
        return [
            "--trusted-root",
            str(self.folder / "root.pem"),
            "--at",
            at,
            "--collateral",
            str(self.folder / "collateral"),
        ]


def write_collateral(folder: Path, authority: quotes.Authority) -> None:
    """What Intel's service would answer about its platform, in files."""
    folder.mkdir(exist_ok=True)
    lists = (
        quotes.revocation_list(authority.root, authority.root_key),
        quotes.revocation_list(authority.ca, authority.ca_key),
    )
    for number, item in enumerate(lists):
        (folder / f"list-{number}").write_bytes(item.public_bytes(Encoding.DER))
    (folder / "tcb").write_bytes(pcs.signed("tcbInfo", collateral.tcb_info()))
    (folder / "qe").write_bytes(pcs.signed("enclaveIdentity", collateral.qe_identity()))
    (folder / "chain.pem").write_bytes(quotes.pem(collateral.signing(authority), authority.root))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class TlsKey:
    """A key with a certificate that no authority vouches for."""

    pem: Path
    sha256: bytes


def tls_key(folder: Path, name: str = "tls") -> TlsKey:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    made = quotes.certificate(name, key, issuer_name=name, issuer_key=key, ca=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return TlsKey(path, hashlib.sha256(spki).digest())


def encrypt(server: http.Server, key: TlsKey) -> None:
    """From now on it speaks TLS only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key.pem)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)


@contextmanager
def machine(folder: Path, *, tls: TlsKey | None = None, **fields: Any) -> Iterator[Machine]:
    """`tls` is the key of its nginx, None for plain HTTP."""
    with http.serve() as server:
        if tls is not None:
            encrypt(server, tls)
        made = Machine(server, folder, key=None if tls is None else tls.sha256, **fields)
        server.otherwise = lambda exchange: _answer(made, exchange)
        yield made


def _answer(made: Machine, exchange: http.Exchange) -> None:
    parts = urlsplit(exchange.path)
    nonce = bytes.fromhex(parse_qs(parts.query)["nonce"][0])
    if parts.path != PATH or len(nonce) != 32:
        exchange.send_error(404)
        return
    exchange.serve(made.sent(nonce))
