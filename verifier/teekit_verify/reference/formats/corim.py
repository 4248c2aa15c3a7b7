"""Concise Reference Integrity Manifests (CoRIM) about a TD: Intel's profile, as far as it names measurement registers.

draft-ietf-rats-corim: tag 501 is a manifest, alone or as the payload of COSE_Sign1 (tag 18), whose signature is not checked and shown as that; tag 506 in it a CoMID, whose reference triples pair an environment with measurements.
draft-cds-rats-intel-corim-profile (2.16.840.1.113741.1.16.1): `tee.mrtee` (-83) is MRTD, and tag 60020 a set that the value must be a
member of. RTMRs are `integrity-registers` (14) by number, or by name; or `digests` (2) of a measurement that has the name as its
key. Names are MRTD and RTMR0 to RTMR3. The profile has no environment for a TD of its own yet: a digest of another environment
(the TDX module, an enclave) that is taken for MRTD fits no guest. Nothing else is compared; it is shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import UnsupportedInputError, printable
from teekit_verify.prediction.platforms.qemu import TDX
from teekit_verify.reference.cbor import Key, Tagged, Value, parse_cbor
from teekit_verify.reference.formats.base import UNMENTIONED, Format, Source, acceptable, one_of
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, Register, rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.documents.model import AcceptableValue, ReferenceRegister

_CORIM, _COMID, _COSE_SIGN1 = 501, 506, 18
_WRAPPERS = {500, 502}
_ID, _TAGS, _TRIPLES, _REFERENCE = 0, 1, 4, 0
_CLASS, _VENDOR, _MODEL = 0, 1, 2
_MKEY, _MVAL, _DIGESTS, _REGISTERS, _MRTEE = 0, 1, 2, 14, -83
_SET, _MEMBER, _SHA384 = 60020, 6, (7, "sha-384")
_NAME = re.compile(r"(?i)rtmr\[?([0-3])\]?")
_MAX_TAGS, _MAX_TRIPLES, _MAX_DIGESTS = 16, 1000, 1000
_TAG_HEAD, _LONGEST_HEAD_BYTES = 0xD9, 3


def _recognises(source: Source) -> bool:
    """Tag 501, with the wrappers of older drafts before it, or a signature around it."""
    data = source.data
    while len(data) >= _LONGEST_HEAD_BYTES and data[0] == _TAG_HEAD and int.from_bytes(data[1:3], "big") in _WRAPPERS:
        data = data[_LONGEST_HEAD_BYTES:]
    return data[:3] == bytes([_TAG_HEAD]) + _CORIM.to_bytes(2, "big") or data[:1] == bytes([0xC0 | _COSE_SIGN1])


def _read(source: Source) -> Sequence[ReferenceValues]:
    manifest = _manifest(source, parse_cbor(source.data, f"{source.where}: CoRIM"))
    registers: dict[Register, ReferenceRegister] = {}
    others: list[tuple[str, str]] = []
    if _is_signed(source.data):
        others.append(
            ("signature", "COSE_Sign1: the signature is not checked, so the file is only as good as the way it came")
        )
    for where, environment, measurement in _measurements(source, manifest):
        stated = dict(_stated(source, where, measurement))
        if not stated:
            others.append((where, f"another measurement of {environment}"))
        for register, value in stated.items():
            found = one_of(value)
            if registers.setdefault(register, found) != found:
                raise source.fail(where, f"is {register} a second time, with another value")
    if not registers:
        raise UnsupportedInputError(
            f"{source.where}: is a CoRIM without reference values of MRTD or an RTMR", hint="Name one about a TD."
        )
    name = manifest.get(_ID)
    title = printable(name[:80]) if isinstance(name, str) else "image of a CoRIM"
    return (ReferenceValues(title, {TDX.name: registers}, unmentioned=UNMENTIONED, not_compared=tuple(others[:50])),)


def _manifest(source: Source, value: Value) -> dict[Key, Value]:
    while isinstance(value, Tagged) and value.number in _WRAPPERS:
        value = value.value
    if isinstance(value, Tagged) and value.number == _COSE_SIGN1:
        value = _signed(source, value.value)
    if not isinstance(value, Tagged) or value.number != _CORIM:
        raise source.fail("$", f"expected tag {_CORIM}")
    return _map(source, value.value, "corim")


def _signed(source: Source, value: Value) -> Value:
    """The payload of COSE_Sign1 (RFC 9052, 4.2): protected and unprotected header, payload, signature. Nothing is verified."""
    parts = _array(source, value, "COSE_Sign1")
    if len(parts) != 4 or not isinstance(parts[2], bytes):  # noqa: PLR2004 - as above
        raise source.fail("COSE_Sign1", "expected four parts, with the CoRIM in the third")
    payload = parse_cbor(parts[2], f"{source.where}: payload of COSE_Sign1")
    return Tagged(_CORIM, payload) if isinstance(payload, dict) else payload


def _is_signed(data: bytes) -> bool:
    while data[:1] == bytes([_TAG_HEAD]) and int.from_bytes(data[1:3], "big") in _WRAPPERS:
        data = data[_LONGEST_HEAD_BYTES:]
    return data[:1] == bytes([0xC0 | _COSE_SIGN1])


def _measurements(source: Source, manifest: dict[Key, Value]) -> Iterator[tuple[str, str, dict[Key, Value]]]:
    """(Where, the environment in words, measurement-map)."""
    tags = _array(source, manifest.get(_TAGS), "tags")
    if len(tags) > _MAX_TAGS:
        raise source.fail("tags", f"has {len(tags)}, more than {_MAX_TAGS}")
    for number, tag in enumerate(tags):
        where = f"tags[{number}]"
        if not isinstance(tag, Tagged) or tag.number != _COMID or not isinstance(tag.value, bytes):
            raise source.fail(where, f"expected a CoMID (tag {_COMID})")
        comid = _map(source, parse_cbor(tag.value, f"{source.where}: {where}"), where)
        triples = _map(source, comid.get(_TRIPLES), f"{where}.triples")
        for place, record in enumerate(_array(source, triples.get(_REFERENCE, []), f"{where}.reference-triples")):
            path = f"{where}.reference-triples[{place}]"
            pair = _array(source, record, path)
            if len(pair) != 2:  # noqa: PLR2004 - environment and measurements
                raise source.fail(path, "expected an environment and its measurements")
            claims = pair[1] if isinstance(pair[1], list) else [pair[1]]
            for index, claim in enumerate(claims):
                yield f"{path}[{index}]", _environment(source, pair[0], path), _map(source, claim, path)


def _environment(source: Source, value: Value, path: str) -> str:
    names = _map(source, _map(source, value, path).get(_CLASS, {}), f"{path}.class")
    found = [name for name in (names.get(_VENDOR), names.get(_MODEL)) if isinstance(name, str)]
    return printable(" ".join(found)[:80]) or "an environment without a name"


def _stated(
    source: Source, where: str, measurement: dict[Key, Value]
) -> Iterator[tuple[Register, list[AcceptableValue]]]:
    values = _map(source, measurement.get(_MVAL), f"{where}.mval")
    if _MRTEE in values:
        yield MRTD, _acceptable(source, f"{where}.mrtee", values[_MRTEE])
    named = _register(measurement.get(_MKEY))
    if named is not None and _DIGESTS in values:
        yield named, _acceptable(source, f"{where}.digests", values[_DIGESTS])
    for key, value in _map(source, values.get(_REGISTERS, {}), f"{where}.integrity-registers").items():
        register = rtmr(key) if type(key) is int and 0 <= key < RTMR_COUNT else _register(key)
        if register is None:
            raise source.fail(f"{where}.integrity-registers", f"has no register {printable(str(key)[:40])!r}")
        yield register, _acceptable(source, f"{where}.integrity-registers", value)


def _register(key: object) -> Register | None:
    if not isinstance(key, str):
        return None
    match = _NAME.fullmatch(key)
    if match is not None:
        return rtmr(int(match[1]))
    return MRTD if key.lower() == "mrtd" else None


def _acceptable(source: Source, where: str, value: Value) -> list[AcceptableValue]:
    """One digest, alone or in a list, or a set that the value is a member of. Of each algorithm a list has one."""
    if isinstance(value, Tagged):
        operands = _array(source, value.value, where)
        if value.number != _SET or len(operands) != 2 or operands[0] != _MEMBER:  # noqa: PLR2004 - operator and set
            raise source.fail(where, "only 'member' of a set of digests is supported")
        digests = [_digest(source, where, item) for item in _array(source, operands[1], where)]
    else:
        pairs = _array(source, value, where)
        single = len(pairs) == 2 and isinstance(pairs[1], bytes)  # noqa: PLR2004 - algorithm and value
        digests = [_digest(source, where, item) for item in ([pairs] if single else pairs)]
        if sum(item is not None for item in digests) > 1:
            raise source.fail(where, "has several SHA-384 digests, expected one")
    found = [item for item in digests if item is not None]
    if not found or len(found) > _MAX_DIGESTS:
        raise source.fail(where, f"expected 1 to {_MAX_DIGESTS} digests in SHA-384, found {len(found)}")
    return [acceptable(f"value {number}", item) for number, item in enumerate(dict.fromkeys(found), start=1)]


def _digest(source: Source, where: str, value: Value) -> Digest | None:
    """None for another algorithm: MRTD and RTMRs are SHA-384."""
    pair = _array(source, value, where)
    if len(pair) != 2 or not isinstance(pair[1], bytes):  # noqa: PLR2004 - algorithm and value
        raise source.fail(where, "expected an algorithm and a digest")
    if pair[0] not in _SHA384:
        return None
    if len(pair[1]) != Algorithm.SHA384.size_bytes:
        raise source.fail(where, f"a SHA-384 digest has 48 bytes, found {len(pair[1])}")
    return Digest(Algorithm.SHA384, pair[1])


def _map(source: Source, value: Value, where: str) -> dict[Key, Value]:
    if not isinstance(value, dict):
        raise source.fail(where, "expected a map")
    return value


def _array(source: Source, value: Value, where: str) -> list[Value]:
    if not isinstance(value, list) or len(value) > _MAX_TRIPLES:
        raise source.fail(where, f"expected an array of at most {_MAX_TRIPLES}")
    return value


FORMAT = Format("CoRIM about a TD (CBOR)", _recognises, _read)
