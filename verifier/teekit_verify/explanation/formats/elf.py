"""ELF files: which sections differ, and the build ID."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.elf import MAGIC, ElfFile, ElfSection, parse_elf
from teekit_verify.artifacts.fields import Field
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_MAX_SHOWN = 8
_BUILD_ID = ".note.gnu.build-id"
_CODE = re.compile(r"\.(text|init|fini|plt|rela?|eh_frame|gcc_except|symtab|(shs|dyn)?str|dynsym|hash|gnu\.|debug_)")
"""Sections of code, and tables whose numbers follow from it."""
_SIGNED = b"~Module signature appended~\n"
_SIGNATURE_BYTES = 12
"""Of struct module_signature, whose last field is the length (Linux include/linux/module_signature.h)."""


def is_elf(beginning: bytes) -> bool:
    return beginning.startswith(MAGIC)


def compare_elfs(examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError if one of them is damaged."""
    one, other = parse_elf(pair.a, what=pair.name), parse_elf(pair.b, what=pair.name)
    sections = list(_sections(examination, pair, one, other))
    sections += _build_id(pair, one, other, is_alone=not sections)
    children = [*_the_telling_ones(sections), *_signatures(examination, pair)]
    if not children:
        return None
    examination.leaves.append(pair)
    return Difference(pair.name, Kind.CONTENT, "ELF file", *pair.sizes, children=tuple(children))


def _signatures(examination: Examination, pair: Pair) -> Iterator[Difference]:
    """What sign-file appends to a kernel module."""
    sides = [blob.part(blob.size_bytes - _signature_bytes(blob), blob.size_bytes) for blob in (pair.a, pair.b)]
    if first_difference(*sides) is not None:
        inner = pair.inner("module signature", *sides)
        causes = causes_of([Sighting(inner.path, where=Field.MODULE_SIGNATURE)])
        yield replace(raw.compare_bytes(inner, examination.conditions), causes=causes)


def _signature_bytes(blob: Blob) -> int:
    """0 if there is none."""
    after = len(_SIGNED) + _SIGNATURE_BYTES
    tail = blob.read(max(0, blob.size_bytes - after), after)
    if len(tail) < after or not tail.endswith(_SIGNED):
        return 0
    return after + int.from_bytes(tail[_SIGNATURE_BYTES - 4 : _SIGNATURE_BYTES], "big")


def _the_telling_ones(named: list[tuple[str, Difference]]) -> list[Difference]:
    """Where code changes, dozens of sections follow: those without a known cause are then named in one row."""
    found = [difference for _, difference in named]
    if len(found) <= _MAX_SHOWN:
        return found
    shown = [difference for difference in found if difference.causes][:_MAX_SHOWN]
    others = [name for name, difference in named if difference not in shown]
    row = Difference(
        f"{len(others)} {'more ' if shown else ''}ELF sections",
        Kind.CONTENT,
        f"differ: {', '.join(others)}",
        is_code=any(difference.is_code for difference in found if difference not in shown),
    )
    return [*shown, row]


def _sections(examination: Examination, pair: Pair, one: ElfFile, other: ElfFile) -> Iterator[tuple[str, Difference]]:
    """By name: code and data; the build ID, which follows from them, is looked at for itself."""
    first, second = _numbered(one), _numbered(other)
    for key in dict.fromkeys([*first, *second]):
        name = key[0] or "(no name)"
        if key not in first or key not in second:
            yield name, Difference(f"ELF section {name}", Kind.PRESENCE, f"only in {'A' if key in first else 'B'}")
            continue
        left, right = first[key].content, second[key].content
        inner = pair.inner(
            f"ELF section {name}",
            pair.a.part(left.start, left.size_bytes),
            pair.b.part(right.start, right.size_bytes),
        )
        is_told_later = key[0] == _BUILD_ID and one.build_id and other.build_id
        if not is_told_later and first_difference(inner.a, inner.b) is not None:
            yield name, _section(examination, inner, key[0])


def _build_id(pair: Pair, one: ElfFile, other: ElfFile, *, is_alone: bool) -> Iterator[tuple[str, Difference]]:
    if one.build_id and other.build_id and one.build_id != other.build_id:
        causes = causes_of([Sighting(pair.path, where=Field.LONE_BUILD_ID if is_alone else Field.BUILD_ID)])
        name = f"ELF section {_BUILD_ID}"
        yield _BUILD_ID, Difference(name, Kind.CONTENT, "another build ID", one.build_id, other.build_id, causes)


def _section(examination: Examination, inner: Pair, name: str) -> Difference:
    is_code = _CODE.match(name) is not None
    found = raw.compare_bytes(inner, examination.conditions, is_code=is_code)
    return replace(found, causes=causes_of([Sighting(inner.path, elf_section=name)]) or found.causes, is_code=is_code)


def _numbered(file: ElfFile) -> dict[tuple[str, int], ElfSection]:
    """Sections by name, and number among those of the name."""
    seen: Counter[str] = Counter()
    found = {}
    for section in file.sections:
        found[section.name, seen[section.name]] = section
        seen[section.name] += 1
    return found
