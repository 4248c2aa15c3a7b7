"""Reference values for Trustee's RVPS, under the names that its default policy asks for.

confidential-containers/trustee (78962cd4): rvps/src/extractors/sample (an object from names to values), rvps/README.md (messages
that hold it in Base64), rvps/src/reference_value.rs (a list of `name`, `expiration`, `value`), and attestation-service/src/
ear_token/ear_default_policy_cpu.rego: `mr_td`, `rtmr_1`, `rtmr_2` of TDX guests, `tdx_pcr11` of Azure's; a guest's value must be one
of those listed. Other names are shown, not compared: anybody may choose names for policies of their own.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from teekit_verify.core.digest import Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import Field
from teekit_verify.documents import codec, fields
from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats.base import (
    MAX_RECORDS,
    STRICT,
    UNMENTIONED,
    Format,
    Source,
    acceptable,
    hex_digest,
    one_of,
)
from teekit_verify.reference.formats.known_values import digests_of, only_tdx_platform
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, PCR_COUNT, RTMR_COUNT, Register, RegisterKind, pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from teekit_verify.documents.model import Measurements, ReferenceRegister

NAME = "rvps"
_NAMES = {"mr_td": MRTD} | {f"rtmr_{index}": rtmr(index) for index in range(RTMR_COUNT)}
_PCR_NAME = re.compile(r"tdx_pcr([0-9]{1,2})")
_SHOWN = 80
_MAX_SHOWN = 50


@frozen
class _Stored:
    """ReferenceValue of reference_value.rs; `value` is any JSON."""

    __pydantic_config__: ClassVar = STRICT
    name: Annotated[str, Field(max_length=1000)]
    value: Any
    version: fields.Name | None = None
    expiration: fields.Name | None = None


@frozen
class _Message:
    """`payload` is Base64 of an object from names to values, where `type` is `sample`."""

    __pydantic_config__: ClassVar = STRICT
    type: fields.Name
    payload: str
    version: fields.Name | None = None


def _recognises(source: Source) -> bool:
    found = source.json
    if isinstance(found, list):
        return bool(found) and all(_is_message(item) or _is_stored(item) for item in found)
    return isinstance(found, dict) and (_is_message(found) or any(_register(name) for name in found))


def _is_message(item: object) -> bool:
    return isinstance(item, dict) and "payload" in item and "type" in item


def _is_stored(item: object) -> bool:
    return isinstance(item, dict) and "name" in item and "value" in item


def _register(name: object) -> Register | None:
    """The register that the default policy compares with this name, None for other names."""
    if not isinstance(name, str):
        return None
    match = _PCR_NAME.fullmatch(name)
    if match is not None:
        return pcr(int(match[1])) if int(match[1]) < PCR_COUNT else None
    return _NAMES.get(name)


def _read(source: Source) -> Sequence[ReferenceValues]:
    platforms: dict[str, dict[Register, ReferenceRegister]] = {}
    others: list[tuple[str, str]] = []
    for name, value in _named(source):
        register = _register(name)
        if register is None:
            others.append((printable(name[:_SHOWN]), printable(json.dumps(value)[:_SHOWN])))
            continue
        family = AZURE.name if register.kind is RegisterKind.PCR else QEMU.name
        registers = platforms.setdefault(family, {})
        if register in registers:
            raise source.fail(name, f"is {register} a second time")
        registers[register] = _acceptable(source, name, register, value)
    if not platforms:
        raise source.fail("$", f"has none of the names {', '.join(_NAMES)}, tdx_pcr0 to tdx_pcr{PCR_COUNT - 1}")
    if AZURE.name in platforms and MRTD in platforms.get(QEMU.name, {}):
        platforms[AZURE.name][MRTD] = platforms[QEMU.name][MRTD]
        if len(platforms[QEMU.name]) == 1:
            del platforms[QEMU.name]
    shown = (*others[:_MAX_SHOWN], *([("other names", str(len(others)))] if len(others) > _MAX_SHOWN else []))
    return (ReferenceValues("image of an RVPS file", platforms, unmentioned=UNMENTIONED, not_compared=shown),)


def _named(source: Source) -> Iterator[tuple[str, object]]:
    """Names and values, whichever of the forms they stand in."""
    if isinstance(source.json, dict) and not _is_message(source.json):
        yield from source.json.items()
        return
    items = source.json if isinstance(source.json, list) else [source.json]
    if len(items) > MAX_RECORDS:
        raise source.fail("$", f"has {len(items)} records, more than {MAX_RECORDS}")
    for position, item in enumerate(items):
        where, data = f"{source.where}: [{position}]", json.dumps(item).encode()
        if _is_message(item):
            message = codec.validate(_Message, data, where)
            yield from _payload(message.type, message.payload, where).items()
        else:
            stored = codec.validate(_Stored, data, where)
            if stored.expiration is not None and _register(stored.name):
                yield f"{stored.name} is valid until", stored.expiration
            yield stored.name, stored.value


def _payload(kind: str, text: str, where: str) -> Mapping[str, object]:
    if kind != "sample":
        raise TeekitError(f"{where}: type: expected 'sample', found '{printable(kind[:_SHOWN])}'")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TeekitError(f"{where}: payload: is not Base64") from error
    found = codec.bounded_json(data, f"{where}: payload")
    if not isinstance(found, dict):
        raise TeekitError(f"{where}: payload: expected an object from names to values")
    return found


def _acceptable(source: Source, name: str, register: Register, value: object) -> ReferenceRegister:
    texts = value if isinstance(value, list) else [value]
    if not texts or len(texts) > MAX_RECORDS:
        raise source.fail(name, f"expected 1 to {MAX_RECORDS} values, found {len(texts)}: no guest could match")
    try:
        digests = [hex_digest(register.algorithms[0], text) for text in texts]
    except ValueError as error:
        raise source.fail(name, str(error)) from error
    return one_of([acceptable(f"value {number}", digest) for number, digest in enumerate(digests, start=1)])


def write(measurements: Measurements) -> bytes:
    """An object from names to lists, for `type: sample`. Raises TeekitError unless one platform is measured, and the image's
    registers are known.
    """
    platform, registers = only_tdx_platform(measurements)
    names = {register: name for name, register in _NAMES.items()}
    document: dict[str, list[str]] = {}
    for register in registers:
        name = f"tdx_pcr{register.index:02}" if register.kind is RegisterKind.PCR else names[register]
        digests: tuple[Digest, ...] = digests_of(platform, register, registers[register])
        if digests:
            document[name] = [digest.hex for digest in digests]
    return json.dumps(document, indent=2).encode() + b"\n"


FORMAT = Format("reference values for Trustee's RVPS", _recognises, _read)
