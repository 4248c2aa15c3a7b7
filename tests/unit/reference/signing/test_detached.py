"""Detached signatures of reference files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from builders import documents, keys
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create
from teekit_verify.reference.signing import detached, dsse
from teekit_verify.reference.signing.dsse import Standing

if TYPE_CHECKING:
    from teekit_verify.reference.signing.detached import Verification

TODAY = date(2026, 11, 23)
DATA = create.dump_reference(documents.reference())
OTHER = create.dump_reference(replace(documents.reference(), release="base-2"))


def _signed(data: bytes = DATA, name: str = "alice", earlier: dsse.Envelope | None = None) -> dsse.Envelope:
    return dsse.parse(detached.sign_reference(data, keys.signing_key(name), "ref.json", earlier), "ref.json.sig")


def _verify(data: bytes, envelope: dsse.Envelope, *names: str) -> Verification:
    return detached.verify_reference(data, envelope, [keys.trusted_key(name) for name in names], TODAY)


def test_a_trusted_key_over_these_bytes_holds() -> None:
    result = _verify(DATA, _signed(), "bob", "alice")
    assert result.status is ExitStatus.HOLDS
    assert [item.standing for item in result.judgements] == [Standing.GOOD]


def test_other_keys_do_not() -> None:
    result = _verify(DATA, _signed(), "bob")
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert [item.standing for item in result.judgements] == [Standing.NO_KEY]
    assert _verify(DATA, _signed()).status is ExitStatus.DOES_NOT_HOLD


@pytest.mark.parametrize("data", [OTHER, DATA[:-1], DATA + b"\n", b""])
def test_a_signature_of_other_bytes_does_not_hold(data: bytes) -> None:
    result = _verify(data, _signed(), "alice")
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert result.problem == "the signature is about another file, or about other bytes of this one"


def test_a_signature_moved_to_another_file_does_not_hold() -> None:
    moved = replace(_signed(), payload=OTHER)
    result = _verify(OTHER, moved, "alice")
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert [item.standing for item in result.judgements] == [Standing.BAD_SIGNATURE]


def test_another_kind_of_document_is_not_a_reference() -> None:
    """Good signatures of alice's, by their type not of a reference; and one whose type was changed afterwards."""
    statement = dsse.sign("application/vnd.in-toto+json", DATA, keys.signing_key("alice"))
    result = _verify(DATA, statement, "alice")
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert result.problem == (
        "not the signature of a reference file: its payload type is 'application/vnd.in-toto+json'"
    )
    confused = _verify(DATA, replace(statement, payload_type=detached.PAYLOAD_TYPE), "alice")
    assert confused.status is ExitStatus.DOES_NOT_HOLD
    assert [item.standing for item in confused.judgements] == [Standing.BAD_SIGNATURE]


def test_an_expired_key_does_not_hold() -> None:
    key = replace(keys.trusted_key("alice"), expires=date(2026, 11, 22))
    result = detached.verify_reference(DATA, _signed(), [key], TODAY)
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert [item.standing for item in result.judgements] == [Standing.EXPIRED]


def test_several_people_sign_one_file() -> None:
    both = _signed(name="bob", earlier=_signed())
    assert [item.standing for item in _verify(DATA, both, "alice", "bob").judgements] == [Standing.GOOD] * 2
    assert _verify(DATA, both, "bob").status is ExitStatus.HOLDS
    assert _signed(name="bob", earlier=both) == both, "signing again changes nothing"


def test_signatures_of_older_bytes_are_dropped() -> None:
    assert len(_signed(OTHER, "bob", earlier=_signed()).signatures) == 1
    statement = dsse.sign("application/vnd.in-toto+json", DATA, keys.signing_key("alice"))
    assert len(_signed(DATA, "bob", earlier=statement).signatures) == 1


def test_a_file_has_at_most_sixteen_signatures() -> None:
    full = _signed(name="0")
    for number in range(1, 16):
        full = _signed(name=str(number), earlier=full)
    with pytest.raises(TeekitError, match=r"ref\.json: has 16 signatures already"):
        _signed(name="16", earlier=full)


def test_only_reference_files_are_signed() -> None:
    with pytest.raises(TeekitError, match=r"ref\.json: schema: expected 'teekit-verify/reference/v1'"):
        _signed(create.dump_measurements(documents.measurements()))


def test_a_file_whose_signature_could_not_be_read_is_not_signed() -> None:
    large = json.loads(DATA)
    data = json.dumps(large).encode() + b" " * (7 << 20)
    with pytest.raises(TeekitError, match="is too large to be signed: at most 6 MiB"):
        _signed(data)
