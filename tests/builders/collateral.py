"""Collateral as Intel's service answers it, signed by the throw-away authority of builders.quotes.

Forms: "Get TDX TCB Info V4" and "Get Quoting Enclave Identity V4" of the Provisioning Certification Service, version 4.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from builders import quotes as build
from teekit_verify.evidence.collateral import Collateral, add

if TYPE_CHECKING:
    from cryptography import x509

SIGNER = "Intel SGX TCB Signing"
DATE = "%Y-%m-%dT%H:%M:%SZ"
ISSUED, NEXT = (build.NOW.replace(day=day).strftime(DATE) for day in (1, 20))
TCB_DATE = "2024-03-13T00:00:00Z"
ZERO_SIGNER = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
PERIOD = {"issueDate": ISSUED, "nextUpdate": NEXT, "tcbEvaluationDataNumber": 17}


def level(
    status: str = "UpToDate",
    *,
    sgx: int = 5,
    pce: int = 5,
    tdx: list[int] | None = None,
    advisories: tuple[str, ...] = (),
) -> dict[str, Any]:
    """`sgx` stands in every component; builders.quotes' platform has 5 in each."""
    numbers = (tdx or []) + [0] * (16 - len(tdx or []))
    tcb = {
        "sgxtcbcomponents": [{"svn": sgx}] * 16,
        "pcesvn": pce,
        "tdxtcbcomponents": [{"svn": number} for number in numbers],
    }
    more = {"advisoryIDs": list(advisories)} if advisories else {}
    return {"tcb": tcb, "tcbDate": TCB_DATE, "tcbStatus": status, **more}


def svn_level(svn: int, status: str = "UpToDate", advisories: tuple[str, ...] = ()) -> dict[str, Any]:
    more = {"advisoryIDs": list(advisories)} if advisories else {}
    return {"tcb": {"isvsvn": svn}, "tcbDate": TCB_DATE, "tcbStatus": status, **more}


def module(name: str, *levels: dict[str, Any], **signer: str) -> dict[str, Any]:
    return {"id": name, **ZERO_SIGNER, **signer, "tcbLevels": list(levels)}


def tcb_info(*levels: dict[str, Any], modules: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    info = {
        "id": "TDX",
        "version": 3,
        **PERIOD,
        "fmspc": build.FMSPC.hex().upper(),
        "pceId": "0000",
        "tcbType": 0,
        "tdxModule": dict(ZERO_SIGNER),
        "tdxModuleIdentities": modules or [],
        "tcbLevels": list(levels or (level(),)),
    }
    return {**info, **changes}


def qe_identity(*levels: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Of the enclave that builders.quotes makes reports of, whose ISVSVN is 6."""
    identity = {
        "id": "TD_QE",
        "version": 2,
        **PERIOD,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11" + "00" * 15,
        "attributesMask": "FB" + "FF" * 7 + "00" * 8,
        "mrsigner": build.QE_MRSIGNER.hex().upper(),
        "isvprodid": 2,
        "tcbLevels": list(levels or (svn_level(6),)),
    }
    return {**identity, **changes}


def signing(authority: build.Authority, **changes: Any) -> x509.Certificate:
    options = {"issuer_name": build.ROOT_NAME, "issuer_key": authority.root_key, "ca": False, **changes}
    return build.certificate(options.pop("name", SIGNER), build.key(7), **options)


def collateral(
    authority: build.Authority,
    info: dict[str, Any] | None = None,
    identity: dict[str, Any] | None = None,
    *,
    signer: x509.Certificate | None = None,
    revoked: tuple[x509.Certificate, ...] = (),
    above: tuple[x509.Certificate, ...] | None = None,
) -> Collateral:
    """Complete; `revoked` are in the root's list, `above` follow the signing certificate in its chain."""
    chain = build.pem(signer or signing(authority), *((authority.root,) if above is None else above))
    found = Collateral()
    for key, document in (("tcbInfo", info or tcb_info()), ("enclaveIdentity", identity or qe_identity())):
        text = json.dumps(document, separators=(",", ":"))
        signature = build.raw_signature(build.key(7), text.encode()).hex()
        found = add(found, f'{{"{key}":{text},"signature":"{signature}"}}'.encode(), key)
    lists = (
        build.revocation_list(authority.root, authority.root_key, *revoked),
        build.revocation_list(authority.ca, authority.ca_key),
    )
    for item in lists:
        found = add(found, item.public_bytes(Encoding.DER), "list")
    return add(found, chain, "chain")


def without(document: dict[str, Any], *path: str | int) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    place: Any = changed
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return changed


def replaced(document: dict[str, Any], value: object, *path: str | int) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    place: Any = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed
