"""Predicted registers in the formats of other people's verifiers: `measure --format NAME`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, choose_from, printable
from teekit_verify.documents.pcrlock import dump_pcrlock
from teekit_verify.reference.formats import flashbots, go_tdx_guest, portable, rvps

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.documents.model import Measurements


@dataclass(frozen=True, slots=True)
class Writer:
    """`platforms` are those that are measured for it unless others are asked for."""

    name: str
    platforms: tuple[str, ...]
    write: Callable[[Measurements], bytes]


WRITERS = (
    Writer(portable.NAME, ("gcp", "azure"), portable.write),
    Writer("flashbots", ("gcp", "azure"), flashbots.write),
    Writer(rvps.NAME, ("qemu",), rvps.write),
    Writer(go_tdx_guest.NAME, ("qemu",), go_tdx_guest.write),
    Writer("pcrlock", ("uefi-vtpm",), dump_pcrlock),
)


def writer(name: str) -> Writer:
    """Raises TeekitError for a name that is none of them."""
    for item in WRITERS:
        if item.name == name:
            return item
    hint = choose_from(name, (item.name for item in WRITERS))
    raise TeekitError(f"no such format to write: {printable(name[:40])}", hint=hint)
