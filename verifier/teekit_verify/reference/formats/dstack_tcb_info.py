"""A TCB info of dstack, published as what a deployment must be: its registers, with hashes and log that explain them.

Dstack-TEE/dstack (312dc605), guest-agent, TcbInfo, as near/mpc keeps it in its assets. The registers are compared, RTMR3 too: it
holds the application and its instance. The log and the hashes beside them are not believed and not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats.base import STRICT, UNMENTIONED, Format, HexSha384, Source, match
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "dstack"
_SHOWN = ("os_image_hash", "compose_hash", "device_id", "mr_aggregated")
_MAX_SHOWN = 128


@dataclass(frozen=True, slots=True)
class _Fields:
    __pydantic_config__: ClassVar = STRICT
    mrtd: HexSha384
    rtmr0: HexSha384
    rtmr1: HexSha384
    rtmr2: HexSha384
    rtmr3: HexSha384
    event_log: list[Any]
    os_image_hash: str = ""
    compose_hash: str = ""
    device_id: str = ""
    mr_aggregated: str = ""
    app_compose: str = ""
    mr_kms: str = ""
    mr_enclave: str = ""
    rootfs_hash: str = ""


def _recognises(source: Source) -> bool:
    return isinstance(source.json, dict) and isinstance(source.json.get("mrtd"), str) and "event_log" in source.json


def _read(source: Source) -> Sequence[ReferenceValues]:
    found = source.parse(_Fields)
    values = (found.rtmr0, found.rtmr1, found.rtmr2, found.rtmr3)
    registers = {MRTD: match(NAME, found.mrtd)}
    registers |= {rtmr(index): match(NAME, value) for index, value in zip(range(RTMR_COUNT), values, strict=True)}
    stated = ((name, str(getattr(found, name))[:_MAX_SHOWN]) for name in _SHOWN)
    others = tuple((name.replace("_", " "), text) for name, text in stated if text)
    return (
        ReferenceValues(
            "guest of a dstack TCB info", {QEMU.name: registers}, unmentioned=UNMENTIONED, not_compared=others
        ),
    )


FORMAT = Format("dstack TCB info (registers and event log)", _recognises, _read)
