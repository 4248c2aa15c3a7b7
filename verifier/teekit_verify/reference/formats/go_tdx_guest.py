"""Policies of go-tdx-guest's `check`: what a quote's body must have, as a protocol buffer in bytes or as text.

google/go-tdx-guest (91f9a52), proto/checkconfig.proto (Config, Policy) and validate/validate.go: fields that are empty are not
checked; `any_mr_td` lists acceptable values beside `mr_td`, which must hold as well if it is there; `rtmrs` has all four or
none. What is not about registers is shown, not compared.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.platforms.qemu import TDX
from teekit_verify.reference.formats.base import UNMENTIONED, Format, Source, acceptable, match, one_of
from teekit_verify.reference.formats.known_values import digests_of, only_tdx_platform
from teekit_verify.reference.protobuf import Message, parse_message
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.reference.textproto import TextMessage, parse_textproto
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, Register, RegisterKind, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.documents.model import Measurements, ReferenceRegister, RegisterValue

NAME = "go-tdx-guest"
_POLICY, _ROOT_OF_TRUST = 1, 2
_HEADER_POLICY, _BODY_POLICY = 1, 2
_CONFIG_FIELDS = {"policy": _POLICY, "root_of_trust": _ROOT_OF_TRUST}
_POLICY_FIELDS = {"header_policy": _HEADER_POLICY, "td_quote_body_policy": _BODY_POLICY}
_HEADER_FIELDS = {"minimum_qe_svn": 1, "minimum_pce_svn": 2, "qe_vendor_id": 3}
_BODY_FIELDS = {
    "minimum_tee_tcb_svn": 1,
    "mr_seam": 2,
    "td_attributes": 3,
    "xfam": 4,
    "mr_td": 5,
    "mr_config_id": 6,
    "mr_owner": 7,
    "mr_owner_config": 8,
    "rtmrs": 9,
    "report_data": 10,
    "any_mr_td": 11,
    "enable_td_debug_check": 12,
    "tdattributes_debug": 12,
}
"""Field 12 was renamed."""
_REPEATED = ("rtmrs", "any_mr_td")
_REGISTER_FIELDS = ("mr_td", *_REPEATED)
_NUMBERS = {1, 2}
_ROOT_FIELDS = {"cabundle_paths": 1, "cabundles": 2, "check_crl": 3, "get_collateral": 4}
_MAX_VALUES = 1000
_SNIFFED_BYTES = 4096


@frozen
class _Body:
    """TDQuoteBodyPolicy: the values of each field by name; bytes, or a number as text."""

    values: dict[str, list[bytes]] = field(default_factory=dict)
    others: list[tuple[str, str]] = field(default_factory=list)


def _recognises(source: Source) -> bool:
    """Text begins with one of the policy's fields; bytes with a message that has a body policy."""
    if source.json is not None:
        return False
    if _is_text(source):
        return True
    try:
        return any(_of_bytes(source).values.values())
    except MalformedInputError:
        return False


def _is_text(source: Source) -> bool:
    beginning = source.data[:_SNIFFED_BYTES]
    return any(name.encode() in beginning for name in _POLICY_FIELDS) and b"\0" not in beginning


def _read(source: Source) -> Sequence[ReferenceValues]:
    body = _of_text(source) if _is_text(source) else _of_bytes(source)
    registers = _registers(source, body)
    if not registers:
        raise source.fail(
            "td_quote_body_policy", "names neither mr_td, any_mr_td nor rtmrs, and would accept every guest"
        )
    return (
        ReferenceValues(
            "guest of a go-tdx-guest policy",
            {TDX.name: registers},
            unmentioned=UNMENTIONED,
            not_compared=tuple(body.others),
        ),
    )


def _registers(source: Source, body: _Body) -> dict[Register, ReferenceRegister]:
    found: dict[Register, ReferenceRegister] = {}
    exact = _digests(source, body, "mr_td")[-1:]
    listed = _digests(source, body, "any_mr_td")
    if exact and listed and exact[0] not in listed:
        raise source.fail("any_mr_td", "does not list mr_td: no guest could match")
    wanted = exact or listed
    if wanted:
        found[MRTD] = one_of([acceptable(f"value {number}", item) for number, item in enumerate(wanted, start=1)])
    rtmrs = _digests(source, body, "rtmrs")
    if rtmrs and len(rtmrs) != RTMR_COUNT:
        raise source.fail("rtmrs", f"expected none or {RTMR_COUNT}, found {len(rtmrs)}")
    return found | {rtmr(index): match(NAME, item) for index, item in enumerate(rtmrs)}


def _digests(source: Source, body: _Body, name: str) -> list[Digest]:
    """Of a register's field. An empty single value means that the field was left out."""
    values = body.values.get(name, [])
    if name not in _REPEATED:
        values = [value for value in values if value]
    for value in values:
        if len(value) != Algorithm.SHA384.size_bytes:
            raise source.fail(name, f"expected {Algorithm.SHA384.size_bytes} bytes, found {len(value)}")
    if len(values) > _MAX_VALUES:
        raise source.fail(name, f"has more than {_MAX_VALUES} values")
    return [Digest(Algorithm.SHA384, value) for value in values]


def _of_bytes(source: Source) -> _Body:
    """A Config, as the tool reads it."""
    where = f"{source.where}: Config"
    config = parse_message(memoryview(source.data), where, chunks=_CONFIG_FIELDS.values())
    policy = parse_message(config.chunk(_POLICY), f"{where}.policy", chunks=_POLICY_FIELDS.values())
    body = _Body()
    header = parse_message(
        policy.chunk(_HEADER_POLICY),
        f"{where}.header_policy",
        integers=_NUMBERS,
        chunks={_HEADER_FIELDS["qe_vendor_id"]},
    )
    _keep(body, header, _HEADER_FIELDS)
    numbers = {_BODY_FIELDS["tdattributes_debug"]}
    found = parse_message(
        policy.chunk(_BODY_POLICY),
        f"{where}.td_quote_body_policy",
        integers=numbers,
        chunks=set(_BODY_FIELDS.values()) - numbers,
    )
    _keep(body, found, {name: number for name, number in _BODY_FIELDS.items() if name != "enable_td_debug_check"})
    return body


def _keep(body: _Body, message: Message, names: dict[str, int]) -> None:
    for name, number in names.items():
        chunks = [bytes(chunk) for chunk in message.chunks.get(number, ())]
        if name in _REGISTER_FIELDS:
            body.values[name] = chunks
        else:
            body.others.extend((name, chunk.hex()) for chunk in chunks[-1:] if chunk)
            body.others.extend((name, str(value)) for value in message.integers.get(number, ())[-1:])


def _of_text(source: Source) -> _Body:
    """A Config or a Policy."""
    found = parse_textproto(source.data, source.where)
    if not {*found.fields} & _POLICY_FIELDS.keys():
        _require_known(source, found, _CONFIG_FIELDS, "Config")
        for root in _messages(source, found, "root_of_trust"):
            _require_known(source, root, _ROOT_FIELDS, "root_of_trust")
        found = _only(source, found, "policy")
    _require_known(source, found, _POLICY_FIELDS, "policy")
    body = _Body()
    for part, names in (("header_policy", _HEADER_FIELDS), ("td_quote_body_policy", _BODY_FIELDS)):
        message = _only(source, found, part)
        _require_known(source, message, names, part)
        _keep_text(source, body, message)
    return body


def _keep_text(source: Source, body: _Body, message: TextMessage) -> None:
    for name, values in message.fields.items():
        if name not in _REPEATED and len(values) > 1:
            raise source.fail(name, "occurs more than once")
        if name in _REGISTER_FIELDS:
            if not all(isinstance(value, bytes) for value in values):
                raise source.fail(name, "expected a string")
            body.values[name] = [value for value in values if isinstance(value, bytes)]
        else:
            (value,) = values
            body.others.append((name, value.hex() if isinstance(value, bytes) else str(value)))


def _messages(source: Source, message: TextMessage, name: str) -> list[TextMessage]:
    found = message.fields.get(name, [])
    kept = [item for item in found if isinstance(item, TextMessage)]
    if len(found) > 1 or len(kept) != len(found):
        raise source.fail(name, "expected one message")
    return kept


def _only(source: Source, message: TextMessage, name: str) -> TextMessage:
    found = _messages(source, message, name)
    return found[0] if found else TextMessage()


def _require_known(source: Source, message: TextMessage, names: dict[str, int], where: str) -> None:
    for name in message.fields:
        if name not in names:
            raise source.fail(f"{where}.{name}", "unknown field")


def write(measurements: Measurements) -> bytes:
    """A Config as text. Raises TeekitError unless one platform is measured, with MRTD and all four RTMRs known."""
    platform, registers = only_tdx_platform(measurements)
    lines = [f'    {name}: "{_escaped(digest)}"' for name, digest in _named(platform, registers)]
    return "\n".join(("policy {", "  td_quote_body_policy {", *lines, "  }", "}", "")).encode()


def _named(platform: str, registers: Mapping[Register, RegisterValue]) -> list[tuple[str, Digest]]:
    named: list[tuple[str, Digest]] = []
    for register in (MRTD, *map(rtmr, range(RTMR_COUNT))):
        value = registers.get(register)
        digests = () if value is None else digests_of(platform, register, value)
        if not digests or (register.kind is RegisterKind.RTMR and len(digests) > 1):
            raise UnsupportedInputError(
                f"{platform} {register}: this format takes MRTD and one value of each RTMR",
                hint="Give the machine too: --firmware, --memory, --edk2 and --qemu.",
            )
        name = "rtmrs" if register.kind is RegisterKind.RTMR else "any_mr_td" if len(digests) > 1 else "mr_td"
        named += [(name, digest) for digest in digests]
    return named


def _escaped(digest: Digest) -> str:
    return "".join(f"\\x{byte:02x}" for byte in digest.value)


FORMAT = Format("go-tdx-guest policy (checkconfig)", _recognises, _read)
