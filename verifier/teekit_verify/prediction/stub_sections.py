"""Which rows of a UKI's section table systemd-stub uses, as its own code goes through the table.

systemd src/boot/pe.c (src/boot/efi/pe.c up to 256), read in 252.39, 254.26, 255.4, 257.13, 259.5 and 262:

- From 257 on pe_locate_sections_internal() takes the first row whose name is equal (pe_section_name_equal(): all of the
  name, at most 8 bytes), whatever its size; `.profile` rows divide the table, whatever their size
  (pe_section_table_find_profile_start()); what a profile has replaces what the base has, also where it is empty.
- Before, locate_sections() lets each row overwrite the one before, and compares with memcmp() over the length of the known
  name: `.cmdline2` is `.cmdline`.
- ukify of Red Hat's 252 (and systemd's own of that time) writes a longer .sbat over the one that the stub has, without moving what follows: there .sdmagic
  lies over the end of it in memory, 32 bytes being all that the linker left between them. What is measured is what lies there.
- Only then an empty section counts as none (PE_SECTION_VECTOR_IS_SET(), `szs[section] == 0`), so that an empty row hides a
  full one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from teekit_verify.artifacts.pe import Span
from teekit_verify.artifacts.pe_relocations import relocated
from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.artifacts.pe import PeSection
    from teekit_verify.artifacts.uki import UnifiedKernelImage

PROFILE = ".profile"
_MAX_OLD_SECTIONS = 96
"""verify_pe(), MAX_SECTIONS: 252 to 256 refuse longer tables, their later stable releases do not."""


def by_first_name(rows: Sequence[PeSection], names: Sequence[str], profile: int = 0) -> dict[str, PeSection]:
    """The sections of stubs from 257 on with the profile of this number. Raises TeekitError if there is no such profile."""
    starts = profile_starts(rows)
    if profile and profile >= len(starts):
        raise TeekitError(
            f"the UKI has no profile {profile}: there are {max(1, len(starts))}, counted from 0",
            hint="Choose one of the UKI's profiles.",
        )
    edges = [*starts, len(rows)]
    chosen = _first(rows[: edges[0]], names)
    if starts:
        chosen |= _first(rows[edges[profile] : edges[profile + 1]], names)
    return _filled(chosen)


def by_last_prefix(rows: Sequence[PeSection], names: Sequence[str]) -> dict[str, PeSection]:
    """The sections of stubs up to 256, each under the name that the stub knows it by."""
    if len(rows) > _MAX_OLD_SECTIONS:
        raise UnsupportedInputError(
            f"the UKI has {len(rows)} sections: whether this systemd-stub starts with more than {_MAX_OLD_SECTIONS} "
            "depends on its stable release",
            hint="Build the UKI with fewer sections.",
        )
    return _filled({name: replace(row, name=name) for row in rows for name in names if row.name.startswith(name)})


def profile_starts(rows: Sequence[PeSection]) -> list[int]:
    """The numbers of the rows at which profiles begin, empty ones included."""
    return [number for number, row in enumerate(rows) if row.name == PROFILE]


def refuse_changed_memory(chosen: Mapping[str, PeSection], uki: UnifiedKernelImage) -> None:
    """Raises UnsupportedInputError where the stub would not find in memory what the file holds.

    It reads the section table and its sections from the loaded image. The loader copies `memory_bytes` of every row, in the
    order of the table, and rewrites what the relocations name: either can change what an earlier row put there.
    .sdmagic may lie over .sbat: `in_memory` has what is there then.
    """
    headers = Span(0, uki.image.header_bytes)
    loaded = [row for row in uki.sections if row.memory_bytes]
    for row in loaded:
        if row.virtual_address < headers.stop:
            _refuse(
                f"UKI section {printable(row.name)} is loaded over the PE headers, where systemd-stub looks for sections"
            )
        if row.virtual_address + row.memory_bytes > uki.image.memory_bytes:
            _refuse(f"UKI section {printable(row.name)} is loaded beyond the end of the image")
    for used in chosen.values():
        for other in loaded:
            if _place(other) != _place(used) and _overlap(used, other) and not _is_magic_over_sbat(used, other, uki):
                _refuse(f"UKI section {used.name} overlaps section {printable(other.name)} in memory")
    kept = [headers, *(Span(row.virtual_address, row.virtual_address + row.memory_bytes) for row in chosen.values())]
    for written in relocated(uki.data, uki.image):
        if any(written.start < span.stop and span.start < written.stop for span in kept):
            _refuse(
                f"the UKI's relocations rewrite {written.start:#x}, in its headers or in what systemd-stub measures"
            )


def in_memory(section: PeSection, uki: UnifiedKernelImage) -> tuple[Span, ...]:
    """The bytes that the stub measures of a section, as pieces of the file. Raises UnsupportedInputError."""
    whole = section.content
    over = next(
        (row for row in uki.sections if _overlap(section, row) and _is_magic_over_sbat(section, row, uki)), None
    )
    if over is None:
        return (whole,)
    start = max(0, over.virtual_address - section.virtual_address)
    stop = min(section.virtual_size, over.virtual_address + over.virtual_size - section.virtual_address)
    skipped = section.virtual_address + start - over.virtual_address
    piece = Span(over.content.start + skipped, over.content.start + skipped + stop - start)
    pieces = (Span(whole.start, whole.start + start), piece, Span(whole.start + stop, whole.stop))
    return tuple(span for span in pieces if span.size_bytes)


def _is_magic_over_sbat(used: PeSection, other: PeSection, uki: UnifiedKernelImage) -> bool:
    """Of no other pair: .sbat is measured and not used, and nothing that is measured comes from .sdmagic."""
    if used.name != ".sbat" or other.name != ".sdmagic" or not other.virtual_size:
        return False
    places = [_place(row) for row in uki.sections]
    return places.index(_place(used)) < places.index(_place(other))


def _refuse(problem: str) -> NoReturn:
    raise UnsupportedInputError(problem, hint="Build the UKI with ukify.")


def _first(rows: Sequence[PeSection], names: Sequence[str]) -> dict[str, PeSection]:
    return {row.name: row for row in reversed(rows) if row.name in names}


def _filled(chosen: Mapping[str, PeSection]) -> dict[str, PeSection]:
    return {name: row for name, row in chosen.items() if row.virtual_size}


def _place(row: PeSection) -> tuple[int, int, int, int]:
    """What makes a row the same for the loader: its name does not."""
    return row.virtual_address, row.virtual_size, row.raw_offset, row.raw_size


def _overlap(one: PeSection, other: PeSection) -> bool:
    return (
        one.virtual_address < other.virtual_address + other.memory_bytes
        and other.virtual_address < one.virtual_address + one.memory_bytes
    )
