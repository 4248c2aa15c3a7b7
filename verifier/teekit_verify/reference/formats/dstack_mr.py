"""What `dstack-mr measure --json` prints: one QEMU machine, that boots a kernel without a disk.

Dstack-TEE/dstack (312dc605), dstack-mr/src/lib.rs, TdxMeasurements. kvinwang/dstack-mr (Go) before 0.5 adds `mr_image`, SHA-256
of all registers but RTMR0, and `mr_aggregated`, SHA-256 of all four, in 0.3 with 32 bytes behind them that are zero where
the machine has no key provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats.base import STRICT, UNMENTIONED, Format, HexSha256, HexSha384, Source, match
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "dstack-mr"
_NO_KEY_PROVIDER = bytes(32)


@frozen
class _Fields:
    __pydantic_config__: ClassVar = STRICT
    mrtd: HexSha384
    rtmr0: HexSha384
    rtmr1: HexSha384
    rtmr2: HexSha384
    mr_aggregated: HexSha256 | None = None
    mr_image: HexSha256 | None = None


def _recognises(source: Source) -> bool:
    """With RTMR3 it is what a guest says of itself (dstack_tcb_info): no machine predicts that."""
    document = source.json
    return isinstance(document, dict) and isinstance(document.get("mrtd"), str) and "rtmr3" not in document


def _read(source: Source) -> Sequence[ReferenceValues]:
    found = source.parse(_Fields)
    registers = (found.mrtd, found.rtmr0, found.rtmr1, found.rtmr2)
    _check(source, "mr_aggregated", found.mr_aggregated, registers, endings=(b"", _NO_KEY_PROVIDER))
    _check(source, "mr_image", found.mr_image, (found.mrtd, found.rtmr1, found.rtmr2))
    names = (MRTD, rtmr(0), rtmr(1), rtmr(2))
    platform = {name: match(NAME, value) for name, value in zip(names, registers, strict=True)}
    return (ReferenceValues("image of a dstack-mr file", {QEMU.name: platform}, unmentioned=UNMENTIONED),)


def _check(
    source: Source, field: str, stated: Digest | None, parts: Sequence[Digest], endings: Sequence[bytes] = (b"",)
) -> None:
    joined = b"".join(part.value for part in parts)
    computed = [Digest.of(Algorithm.SHA256, joined + ending) for ending in endings]
    if stated is not None and stated not in computed:
        raise source.fail(field, f"the registers give {computed[0].hex}, found {stated.hex}")


FORMAT = Format("dstack-mr JSON", _recognises, _read)
