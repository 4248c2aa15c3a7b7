"""The answer of a live machine: read as docs/app-identity.md has it, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from builders import given, live_guest
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.evidence.guest_answer import parse_guest_answer, qualifying_data_of, report_data_of

TPM = {
    "message": "AAAA", "signature": "", "ak_public": "", "ak_certificate": None, "event_log": None, "hcl_report": None,
    "pcrs": {"sha256": {"15": "ab" * 32}},
}  # fmt: skip


@pytest.fixture
def fields() -> dict[str, Any]:
    return live_guest.Machine.without_a_server().answer(bytes(32))


def test_all_of_it(fields: dict[str, Any]) -> None:
    answer = parse_guest_answer(json.dumps({**fields, "tpm": TPM, "tls_key_sha256": "cd" * 32}).encode())
    assert answer.nonce == bytes(32)
    assert answer.tls_key_sha256 == b"\xcd" * 32
    assert answer.tpm is not None
    assert answer.tpm.pcrs == {"sha256": {15: b"\xab" * 32}}
    assert answer.manifests == given.Given().manifests


def test_report_data_by_the_documents_formula() -> None:
    nonce, key = bytes(range(32)), b"\xcd" * 32
    assert report_data_of(nonce, key) == hashlib.sha512(b"teekit guest report data v1\0" + nonce + key).digest()
    plain = hashlib.sha512(b"teekit guest report data v1\0" + nonce + bytes(32)).digest()
    assert report_data_of(nonce, None) == plain
    assert qualifying_data_of(plain) == hashlib.sha256(plain).digest()


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda fields: fields.pop(name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(
            (without(name), f"answer.{name}")
            for name in ("nonce", "tdx", "tpm", "runtime_log", "manifests", "hostnames")
        ),
        (lambda fields: fields.update(version=2), "version"),
        (lambda fields: fields.update(version=True), "version"),
        (lambda fields: fields.update(more=1), "answer.more at offset 0x0: is not a field"),
        (lambda fields: fields.update(nonce="AB" * 32), "answer.nonce"),
        (lambda fields: fields.update(nonce="ab" * 31), "answer.nonce"),
        (lambda fields: fields.update(nonce=None), "answer.nonce"),
        (lambda fields: fields.update(tls_key_sha256=""), "answer.tls_key_sha256"),
        (lambda fields: fields.update(tdx=[]), "tdx at offset 0x0: expected an object"),
        (lambda fields: fields["tdx"].update(quote="!"), "tdx.quote"),
        (lambda fields: fields["tdx"].update(quote=None), "tdx.quote"),
        (lambda fields: fields["tdx"].update(more=0), "tdx.more"),
        (lambda fields: fields.update(runtime_log=None), "answer.runtime_log"),
        (lambda fields: fields.update(manifests="AAAA"), "answer.manifests"),
        (lambda fields: fields.update(manifests=["AAAA"] * 101), "at most 100"),
        (lambda fields: fields.update(hostnames=["a\nb"]), "hostnames"),
        (lambda fields: fields.update(hostnames=[7]), "hostnames"),
        (lambda fields: fields.update(tpm={**TPM, "pcrs": {"sha256": {"015": "ab" * 32}}}), "tpm.pcrs"),
        (lambda fields: fields.update(tpm={**TPM, "pcrs": {"md5": {"1": "ab" * 16}}}), "tpm.pcrs"),
        (lambda fields: fields.update(tpm={**TPM, "pcrs": {"sha256": {"1": "ab"}}}), "tpm.pcrs"),
    ],
)
def test_what_is_otherwise_is_refused(
    change: Callable[[dict[str, Any]], Any], words: str, fields: dict[str, Any]
) -> None:
    change(fields)
    with pytest.raises(MalformedInputError) as caught:
        parse_guest_answer(json.dumps(fields).encode())
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Expecting value"),
        (b"[]", "expected an object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"version": 1, "version": 1}', "occurs twice"),
        (b'{"version": NaN}', "NaN"),
        (b"\xff\xfe", "JSON"),
        (b"{" * 200_000, "more than"),
    ],
)
def test_what_is_no_answer(data: bytes, words: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        parse_guest_answer(data)
    assert words in caught.value.message
