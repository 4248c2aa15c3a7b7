"""Collateral from a service that answers like Intel's. Expected: the interface's description, version 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from builders import collateral, http, pcs
from builders import quotes as build
from teekit_verify.core.download.answers import NoAnswerError
from teekit_verify.core.errors import NotAuthenticError, TeekitError
from teekit_verify.evidence.certificates import parse_chain
from teekit_verify.evidence.collateral import Collateral, add
from teekit_verify.reference.intel_pcs import CollateralError, Fetched, Question, Service, cached, fetch_collateral

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHORITY = build.authority()


@pytest.fixture
def service() -> Iterator[pcs.Pcs]:
    with http.serve() as server:
        yield pcs.Pcs(server, AUTHORITY)


def _fetch(service: pcs.Pcs, pauses: list[float] | None = None) -> Fetched:
    chain = parse_chain(build.pem(*AUTHORITY.chain))
    where = cached(service.server.address())
    waited: list[float] = [] if pauses is None else pauses
    return fetch_collateral(Question(chain, AUTHORITY.root, build.NOW, where, waited.append))


def test_what_is_fetched_is_what_collateral_is_read_from(service: pcs.Pcs) -> None:
    fetched = _fetch(service)
    assert sorted(fetched.files) == [
        "pck_crl_platform.der",
        "qe_identity.json",
        "root_ca_crl.der",
        f"tcb_info_{build.FMSPC.hex()}.json",
        "tcb_signing_chain.pem",
    ]
    found = Collateral()
    for name, data in fetched.files.items():
        found = add(found, data, name)
    assert list(found.tcb_infos) == [build.FMSPC]
    assert unquote(service.answers[service.tcb][1]["TCB-Info-Issuer-Chain"]) == found.tcb_signing_chain
    assert fetched.files["qe_identity.json"] == service.answers[pcs.QE][0], "signed is the text as it was sent"
    assert {item.issuer for item in found.revocations} == {AUTHORITY.ca.subject, AUTHORITY.root.subject}
    assert fetched.next_update is not None
    assert fetched.next_update > build.NOW


def test_the_platform_decides_what_is_asked(service: pcs.Pcs) -> None:
    _fetch(service)
    asked = [path for path, _ in service.server.requests]
    assert asked == [service.tcb, pcs.QE, "/sgx/certification/v4/pckcrl?ca=platform&encoding=der", pcs.ROOT_LIST]


def test_an_address_of_a_cache_may_end_in_its_interface(service: pcs.Pcs) -> None:
    address = service.server.address()
    assert (
        cached(f"{address}/sgx/certification/v4/") == cached(address) == Service(address, f"{address}{pcs.ROOT_LIST}")
    )
    with pytest.raises(TeekitError, match="--pccs is an http, https or file address"):
        cached("localhost:8081")


def test_a_busy_service_is_asked_again_when_it_says(service: pcs.Pcs) -> None:
    service.fail(service.tcb, (429, {"Retry-After": "7"}), (503, {}))
    pauses: list[float] = []
    assert _fetch(service, pauses).files
    assert pauses == [7, 5]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([(404, {"Error-Code": "NoCacheData"})], r"TCB info of FMSPC 00906ed50000: it has none \(NoCacheData\): http"),
        ([(500, {})], "it answers with HTTP status 500"),
        ([(429, {"Retry-After": "1"})] * 3, "it answers with HTTP status 429"),
        ([(429, {"Retry-After": "86400"})], r"asks to come back later \(Retry-After: 86400\)"),
        ([(429, {"Retry-After": "Mon, 30 Nov 2026 00:00:00 GMT"})], "asks to come back later"),
    ],
)
def test_a_service_without_an_answer(service: pcs.Pcs, answers: list[Any], message: str) -> None:
    service.fail(service.tcb, *answers)
    message = message.replace("00906ed50000", build.FMSPC.hex())
    with pytest.raises(CollateralError, match=message):
        _fetch(service)


def test_a_service_that_is_not_there() -> None:
    with http.serve() as server:
        gone = pcs.Pcs(server, AUTHORITY)
    server.server_close()
    with pytest.raises(NoAnswerError, match="refused"):
        _fetch(gone)


def test_an_answer_that_never_ends(service: pcs.Pcs) -> None:
    service.server.answers[pcs.QE] = lambda exchange: exchange.serve(bytes(5 << 20))
    with pytest.raises(NoAnswerError, match="answers with more than 4194304 bytes"):
        _fetch(service)


def _changed(service: pcs.Pcs, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> None:
    before, chain = service.answers[path]
    answer = (before if body is None else body, headers or chain)
    service.server.answers[path] = lambda exchange: pcs._send(exchange, 200, answer[1], answer[0])


def _other_platform(service: pcs.Pcs) -> None:
    _changed(service, service.tcb, pcs.signed("tcbInfo", collateral.tcb_info(fmspc="00112233AABB")))


def _other_pce(service: pcs.Pcs) -> None:
    _changed(service, service.tcb, pcs.signed("tcbInfo", collateral.tcb_info(pceId="0001")))


def _outdated(service: pcs.Pcs) -> None:
    _changed(service, pcs.QE, pcs.signed("enclaveIdentity", collateral.qe_identity(nextUpdate="2020-01-01T00:00:00Z")))


def _forged(service: pcs.Pcs) -> None:
    body = service.answers[pcs.QE][0]
    _changed(service, pcs.QE, body.replace(b'"isvprodid":2', b'"isvprodid":3'))


def _foreign_list(service: pcs.Pcs) -> None:
    stranger = build.revocation_list(AUTHORITY.ca, build.key(9))
    _changed(service, service.list, stranger.public_bytes(Encoding.DER))


def _sgx(service: pcs.Pcs) -> None:
    _changed(service, service.tcb, pcs.signed("tcbInfo", collateral.tcb_info(id="SGX")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _other_platform,
            "asked for the TCB info of FMSPC [0-9a-f]{12} and the QE identity, found a TCB info of 00112233aabb",
        ),
        (_other_pce, "the TCB info is of PCE-ID 0001, the platform has 0000"),
        (_outdated, "the QE identity was to be replaced by 2020-01-01"),
        (_forged, "the signature of the QE identity is not that of Intel SGX TCB Signing"),
        (_foreign_list, "the revocation list of Intel SGX PCK Platform CA is not signed by that authority"),
        (_sgx, "not a TCB info of TDX"),
        (
            lambda it: _changed(it, it.tcb, None, {"X-Other": "1"}),
            "TCB info: the answer has no header tcb-info-issuer-chain",
        ),
        (
            lambda it: _changed(it, it.tcb, None, {"TCB-Info-Issuer-Chain": "%FF"}),
            "tcb-info-issuer-chain is not URL-encoded PEM",
        ),
        (
            lambda it: _changed(it, it.tcb, None, {"TCB-Info-Issuer-Chain": "x"}),
            "TCB info: tcb-info-issuer-chain at offset",
        ),
        (lambda it: _changed(it, pcs.ROOT_LIST, b"<html>"), "neither DER, PEM nor hexadecimal text"),
        (lambda it: _changed(it, pcs.ROOT_LIST, b"3000"), "revocation list at offset 0x0: cannot be read"),
        (lambda it: _changed(it, pcs.QE, b"{"), "JSON at offset"),
    ],
)
def test_what_is_not_intels_or_of_another_platform_is_not_handed_out(
    service: pcs.Pcs, change: Any, message: str
) -> None:
    change(service)
    with pytest.raises(TeekitError, match=message):
        _fetch(service)


def test_a_root_that_is_not_trusted(service: pcs.Pcs) -> None:
    other = build.authority(root={"issuer_key": build.key(8)})
    chain = parse_chain(build.pem(*AUTHORITY.chain))
    question = Question(chain, other.root, build.NOW, cached(service.server.address()), lambda _: None)
    with pytest.raises(NotAuthenticError):
        fetch_collateral(question)
