"""Files of Intel's collateral, told by their content; what is none is refused by name."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import quotes as build
from teekit_verify.core.errors import TeekitError
from teekit_verify.evidence.collateral import Collateral, add, read_collateral

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = build.ASSETS / "quotes" / "phala-v4-collateral.json"
DOCUMENT = json.loads(PUBLISHED.read_text())
AUTHORITY = build.authority()
INFO = f'{{"tcbInfo":{DOCUMENT["tcb_info"]},"signature":"{DOCUMENT["tcb_info_signature"]}"}}'


def test_a_folder_and_a_file_of_it(tmp_path: Path) -> None:
    shutil.copy(PUBLISHED, tmp_path / "collateral.json")
    for place in (tmp_path, tmp_path / "collateral.json"):
        collateral = read_collateral(place)
        assert list(collateral.tcb_infos) == [bytes.fromhex("b0c06f000000")]
        assert collateral.tcb_infos[bytes.fromhex("b0c06f000000")].text == DOCUMENT["tcb_info"]
        assert collateral.qe_identity is not None
        assert collateral.qe_identity.signature.hex() == DOCUMENT["qe_identity_signature"]
        assert len(collateral.revocations) == 2
        assert collateral.tcb_signing_chain == DOCUMENT["tcb_info_issuer_chain"]


def test_an_answer_of_intels_service_keeps_the_text_that_was_signed() -> None:
    collateral = add(Collateral(), INFO.encode(), "tcb")
    (signed,) = collateral.tcb_infos.values()
    assert signed.text == DOCUMENT["tcb_info"]
    assert signed.signature.hex() == DOCUMENT["tcb_info_signature"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "collateral x: neither certificates, a revocation list, a TCB info nor a QE identity"),
        (b"\x7fELF", "collateral x: neither certificates, a revocation list, a TCB info nor a QE identity"),
        (b"{}", "collateral x: JSON that is neither a TCB info, a QE identity nor dcap-qvl's collateral"),
        (b'{"tcbInfo":1}', "collateral x: JSON that is neither a TCB info, a QE identity nor dcap-qvl's collateral"),
        (b'{"tcbInfo"', "collateral x: JSON at offset"),
        (b'{"signature":"00","tcbInfo":{}}', 'collateral x: tcbInfo at offset 0x0: expected it first, as {"tcbInfo":'),
        (b'{"tcbInfo": {},"signature":"00"}', 'collateral x: tcbInfo at offset 0x0: expected it first, as {"tcbInfo":'),
        (
            json.dumps({**DOCUMENT, "tcb_info": "\ud800"}).encode(),
            "collateral x: JSON at offset 0x0: byte 0xed is not UTF-8",
        ),
        (
            json.dumps({**DOCUMENT, "tcb_info_issuer_chain": "\ud800"}).encode(),
            "collateral x: certificates at offset 0x0: cannot be read: ",
        ),
        (b'{"tcbInfo":{}}', "collateral x: signature at offset 0x0: expected hexadecimal text"),
        (b'{"tcbInfo":{"id":"SGX"},"signature":"00"}', "collateral x: not a TCB info of TDX"),
        (b'{"tcbInfo":{"id":"TDX"},"signature":"00"}', "collateral x: fmspc at offset 0x0: expected hexadecimal text"),
        (b'{"tcb_info":"","qe_identity":""}', "collateral x: root_ca_crl at offset 0x0: expected hexadecimal text"),
        (
            json.dumps({**DOCUMENT, "tcb_info_issuer_chain": 1}).encode(),
            "collateral x: tcb_info_issuer_chain at offset 0x0: expected PEM text",
        ),
        (b"\x30\x03\x02\x01\x01", "collateral x: revocation list at offset 0x0: cannot be read: "),
        (b"-----BEGIN X509 CRL-----\n", "collateral x: revocation list at offset 0x0: cannot be read: "),
        (b"-----BEGIN CERTIFICATE-----\n", "collateral x: certificates at offset 0x0: cannot be read: "),
        (build.pem(AUTHORITY.pck), "collateral x: the certificate of 'Intel SGX PCK Certificate' is not collateral"),
    ],
)
def test_what_is_no_collateral(data: bytes, message: str) -> None:
    with pytest.raises(TeekitError) as caught:
        add(Collateral(), data, "x")
    assert str(caught.value).startswith(message)


def test_two_tcb_infos_of_one_platform() -> None:
    first = add(Collateral(), INFO.encode(), "a")
    with pytest.raises(TeekitError) as caught:
        add(first, INFO.encode(), "b")
    assert str(caught.value) == "collateral b: a second TCB info of FMSPC b0c06f000000"


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="expected 1 to 64 files, found 0"):
        read_collateral(tmp_path)
    for number in range(65):
        (tmp_path / str(number)).touch()
    with pytest.raises(TeekitError, match="expected 1 to 64 files, found 65"):
        read_collateral(tmp_path)
    with pytest.raises(TeekitError, match="No such file or directory"):
        read_collateral(tmp_path / "none")


@given(st.data())
def test_hostile_collateral_raises_only_our_errors(data: st.DataObject) -> None:
    sources = (INFO.encode(), bytes.fromhex(DOCUMENT["pck_crl"]), DOCUMENT["tcb_info_issuer_chain"].encode())
    content = bytearray(data.draw(st.sampled_from(sources)))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = add(Collateral(), bytes(content), "x")
    except TeekitError:
        return
    assert found != Collateral()
