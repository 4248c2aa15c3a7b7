"""What a dstack guest says of itself, and what is published for its application: `tcb_info`, with RTMR3.

Dstack-TEE/dstack (312dc605), dstack-types, TcbInfo; near/mpc publishes such files. RTMR3 holds application, configuration and instance, so
that it fits one deployment. What the file repeats (the log of the registers, the digest of the configuration) has to agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats.base import UNMENTIONED, Format, Source, match
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, Register, rtmr
from teekit_verify.registers.replay import extend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "dstack tcb_info"
_REGISTERS = {"mrtd": MRTD, **{f"rtmr{index}": rtmr(index) for index in range(RTMR_COUNT)}}
_MAX_EVENTS, _SHOWN_CHARACTERS = 10_000, 120
_REPEATED = frozenset({"event_log", "app_compose"})


def _recognises(source: Source) -> bool:
    document = source.json
    return isinstance(document, dict) and isinstance(document.get("mrtd"), str) and "rtmr3" in document


def _read(source: Source) -> Sequence[ReferenceValues]:
    document = source.json if isinstance(source.json, dict) else {}
    values = {register: _digest(source, name, document.get(name)) for name, register in _REGISTERS.items()}
    _check_log(source, document.get("event_log"), values)
    _check_configuration(source, document)
    platform = {register: match(NAME, value) for register, value in values.items()}
    others = tuple(
        (name, printable(str(value))[:_SHOWN_CHARACTERS])
        for name, value in document.items()
        if name not in _REGISTERS and name not in _REPEATED
    )
    return (
        ReferenceValues("guest of a tcb_info", {QEMU.name: platform}, unmentioned=UNMENTIONED, not_compared=others),
    )


def _digest(source: Source, field: str, value: object) -> Digest:
    try:
        return Digest.from_hex(Algorithm.SHA384, value if isinstance(value, str) else "")
    except TeekitError as error:
        raise source.fail(field, "is not a SHA-384 digest in hexadecimal") from error


def _check_log(source: Source, log: object, values: Mapping[Register, Digest]) -> None:
    """The events must lead to the registers; events without digests say nothing of that."""
    if log in (None, []):
        return
    if not isinstance(log, list) or len(log) > _MAX_EVENTS:
        raise source.fail("event_log", f"is not a list of at most {_MAX_EVENTS} events")
    found = {register: Digest.zero(Algorithm.SHA384) for register in values if register != MRTD}
    for number, event in enumerate(log):
        fields = event if isinstance(event, dict) else {}
        if not fields.get("digest"):
            return
        register = _REGISTERS.get(f"rtmr{fields.get('imr')}")
        if register is None:
            raise source.fail(f"event_log[{number}]", "does not belong to an RTMR")
        found[register] = extend(found[register], _digest(source, f"event_log[{number}].digest", fields.get("digest")))
    wrong = [register.name for register, value in found.items() if value != values[register]]
    if wrong:
        raise source.fail("event_log", f"does not lead to {', '.join(wrong)}")


def _check_configuration(source: Source, document: Mapping[str, object]) -> None:
    stated, compose = document.get("compose_hash"), document.get("app_compose")
    if isinstance(stated, str) and isinstance(compose, str):
        computed = Digest.of(Algorithm.SHA256, compose.encode("utf-8", "replace")).hex
        if stated.lower() != computed:
            raise source.fail("compose_hash", f"SHA-256 of app_compose is {computed}, found {printable(stated)[:80]}")


FORMAT = Format("dstack tcb_info", _recognises, _read)
