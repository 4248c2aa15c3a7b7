"""A stand-in for Intel's Provisioning Certification Service, version 4: its paths, its headers, its errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding

from builders import collateral
from builders import quotes as build

if TYPE_CHECKING:
    from builders.http import Exchange, Server

TCB, QE = "/tdx/certification/v4/tcb", "/tdx/certification/v4/qe/identity"
LIST, ROOT_LIST = "/sgx/certification/v4/pckcrl", "/sgx/certification/v4/rootcacrl"


@dataclass
class Pcs:
    """`answers`, by path with the question: what is sent, and its headers. All of them are good until a test changes one."""

    server: Server
    authority: build.Authority
    answers: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chain = build.pem(collateral.signing(self.authority), self.authority.root)
        authorities = build.pem(self.authority.ca, self.authority.root)
        lists = (
            build.revocation_list(self.authority.ca, self.authority.ca_key),
            build.revocation_list(self.authority.root, self.authority.root_key),
        )
        self.set(self.tcb, signed("tcbInfo", collateral.tcb_info()), "TCB-Info-Issuer-Chain", chain)
        self.set(QE, signed("enclaveIdentity", collateral.qe_identity()), "SGX-Enclave-Identity-Issuer-Chain", chain)
        self.set(self.list, lists[0].public_bytes(Encoding.DER), "SGX-PCK-CRL-Issuer-Chain", authorities)
        self.set(ROOT_LIST, lists[1].public_bytes(Encoding.DER).hex().encode(), "", b"")

    @property
    def tcb(self) -> str:
        return f"{TCB}?fmspc={build.FMSPC.hex()}"

    @property
    def list(self) -> str:
        return f"{LIST}?ca=platform&encoding=der"

    def set(self, path: str, body: bytes, header: str, chain: bytes) -> None:
        headers = {header: quote(chain.decode("ascii"))} if header else {}
        self.answers[path] = (body, headers)
        self.server.answers[path] = lambda exchange: _send(exchange, 200, headers, body)

    def fail(self, path: str, *answers: tuple[int, dict[str, str]]) -> None:
        """These answers first, one for each time that it is asked, and then as before."""
        left = list(answers)
        good: Callable[[Exchange], None] = self.server.answers[path]

        def answer(exchange: Exchange) -> None:
            if left:
                status, headers = left.pop(0)
                _send(exchange, status, headers, b"")
            else:
                good(exchange)

        self.server.answers[path] = answer


def signed(key: str, document: dict[str, Any]) -> bytes:
    text = json.dumps(document, separators=(",", ":"))
    return f'{{"{key}":{text},"signature":"{build.raw_signature(build.key(7), text.encode()).hex()}"}}'.encode()


def _send(exchange: Exchange, status: int, headers: dict[str, str], body: bytes) -> None:
    exchange.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        exchange.send_header(name, value)
    exchange.end_headers()
    exchange.wfile.write(body)
