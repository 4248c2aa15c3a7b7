"""ELF files: which sections differ, and the build ID."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.elf import MAGIC, ElfFile, ElfSection, parse_elf
from teekit_verify.explanation import raw
from teekit_verify.explanation.culprits import causes_of
from teekit_verify.explanation.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.explanation.examination import Examination, Pair

_MAX_SHOWN = 8
_BUILD_ID = ".note.gnu.build-id"


def is_elf(beginning: bytes) -> bool:
    return beginning.startswith(MAGIC)


def compare_elfs(examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError if one of them is damaged."""
    one, other = parse_elf(pair.a, what=pair.name), parse_elf(pair.b, what=pair.name)
    children = _the_telling_ones(list(_sections(examination, pair, one, other)))
    if not children:
        return None
    examination.leaves.append(pair)
    return Difference(pair.name, Kind.CONTENT, "ELF file", *pair.sizes, children=tuple(children))


def _the_telling_ones(found: list[Difference]) -> list[Difference]:
    """Where code changes, dozens of sections follow: those without a known cause are then named in one row."""
    if len(found) <= _MAX_SHOWN:
        return found
    shown = [difference for difference in found if difference.causes][:_MAX_SHOWN]
    others = [difference.name.removeprefix("ELF section ") for difference in found if difference not in shown]
    row = Difference(
        f"{len(others)} {'more ' if shown else ''}ELF sections", Kind.CONTENT, f"differ: {', '.join(others)}"
    )
    return [*shown, row]


def _sections(examination: Examination, pair: Pair, one: ElfFile, other: ElfFile) -> Iterator[Difference]:
    """Code and data before the build ID, which follows from them."""
    late = []
    first, second = _numbered(one), _numbered(other)
    for key in dict.fromkeys([*first, *second]):
        name = key[0] or "(no name)"
        if key not in first or key not in second:
            yield Difference(f"ELF section {name}", Kind.PRESENCE, f"only in {'A' if key in first else 'B'}")
            continue
        left, right = first[key].content, second[key].content
        inner = pair.inner(
            f"ELF section {name}",
            pair.a.part(left.start, left.size_bytes),
            pair.b.part(right.start, right.size_bytes),
        )
        if first_difference(inner.a, inner.b) is None:
            continue
        if key[0] == _BUILD_ID:
            causes = causes_of([Sighting(inner.path, where=_BUILD_ID)])
            ids = one.build_id or "", other.build_id or ""
            late.append(Difference(inner.name, Kind.CONTENT, "another build ID", *ids, causes=causes))
        else:
            yield _section(examination, inner, key[0])
    yield from late


def _section(examination: Examination, inner: Pair, name: str) -> Difference:
    found = raw.compare_bytes(inner, examination.conditions)
    causes = causes_of([Sighting(inner.path, where=name)]) + found.causes
    return Difference(found.name, found.kind, found.what, found.a, found.b, causes, found.excerpt)


def _numbered(file: ElfFile) -> dict[tuple[str, int], ElfSection]:
    """Sections by name, and number among those of the name."""
    seen: Counter[str] = Counter()
    found = {}
    for section in file.sections:
        found[section.name, seen[section.name]] = section
        seen[section.name] += 1
    return found
