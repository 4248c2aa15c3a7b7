"""What `dstack-mr-gcp` prints: one image on Google Cloud without a vTPM, for several firmware releases and machine types.

flashbots/dstack-mr-gcp (b16e08b3), main.go, measurementOutput. It adds MRTD and then all RTMR0 of one firmware after the
other, so that `rtmr0` falls into as many equal parts as there are values in `mrtd`: the values of one part belong together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import Field
from teekit_verify.documents import fields
from teekit_verify.prediction.platforms.gcp import GCP_NO_VTPM
from teekit_verify.reference.formats.base import (
    STRICT,
    UNMENTIONED,
    Format,
    HexSha384,
    Source,
    acceptable,
    match,
    one_of,
)
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "dstack-mr-gcp"


@frozen
class _Fields:
    """`xfam` and `tdattributes` are 8 bytes as a quote has them: little-endian."""

    __pydantic_config__: ClassVar = STRICT
    rtmr1: HexSha384
    rtmr2: HexSha384
    rtmr3: HexSha384
    rtmr0: Annotated[tuple[HexSha384, ...], Field(min_length=1, max_length=1000)]
    mrtd: Annotated[tuple[HexSha384, ...], Field(min_length=1, max_length=fields.MAX_GROUPS)]
    mrconfigid: HexSha384
    xfam: Annotated[str, Field(pattern="^[0-9A-Fa-f]{16}$")]
    tdattributes: Annotated[str, Field(pattern="^[0-9A-Fa-f]{16}$")]


def _recognises(source: Source) -> bool:
    return isinstance(source.json, dict) and isinstance(source.json.get("mrtd"), list)


def _read(source: Source) -> Sequence[ReferenceValues]:
    found = source.parse(_Fields)
    share, rest = divmod(len(found.rtmr0), len(found.mrtd))
    if rest:
        problem = f"has {len(found.rtmr0)} values, not equally many for each of {len(found.mrtd)} in 'mrtd'"
        raise source.fail("rtmr0", problem)
    groups = [f"firmware {number}" for number in range(1, len(found.mrtd) + 1)]
    platform = {
        MRTD: one_of([acceptable(group, value, group) for group, value in zip(groups, found.mrtd, strict=True)]),
        rtmr(0): one_of(
            [
                acceptable(
                    f"{groups[position // share]}, machine {position % share + 1}", value, groups[position // share]
                )
                for position, value in enumerate(found.rtmr0)
            ]
        ),
        rtmr(1): match(NAME, found.rtmr1),
        rtmr(2): match(NAME, found.rtmr2),
        rtmr(3): match(NAME, found.rtmr3),
    }
    others = (
        ("MRCONFIGID", found.mrconfigid.hex),
        ("XFAM", found.xfam.lower()),
        ("TD attributes", found.tdattributes.lower()),
    )
    return (
        ReferenceValues(
            "image of a dstack-mr-gcp file",
            {GCP_NO_VTPM.name: platform},
            unmentioned=UNMENTIONED,
            not_compared=others,
        ),
    )


FORMAT = Format("dstack-mr-gcp JSON", _recognises, _read)
