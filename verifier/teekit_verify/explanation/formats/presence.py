"""What only one of two archives has: with the name it may have in the other one, and what is below a folder."""

from __future__ import annotations

import stat
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.artifacts.bundle import FILE_KINDS
from teekit_verify.artifacts.fields import Field
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Cause, Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from teekit_verify.explanation.formats.entries import Key, Scanned
    from teekit_verify.explanation.pair import Pair

_MAX_SHOWN = 500
_MAX_BELOW = 100
_MAX_EXCERPT = 6
_MAX_CONTENTS = 20
SMALL_BYTES = 4096


def compare_presence(pair: Pair, one: Mapping[Key, Scanned], other: Mapping[Key, Scanned]) -> Iterator[Difference]:
    """Of a folder with all that is in it, the folder alone."""
    alone = [{key: row for key, row in side.items() if key not in rest} for side, rest in ((one, other), (other, one))]
    tops = [[key for key in side if (_parent(key), 0) not in side] for side in alone]
    partners = _partners(alone, tops)
    for number, side in enumerate("AB"):
        below: dict[Key, list[Key]] = defaultdict(list)
        for key in alone[number]:
            below[_top(key, alone[number])].append(key)
        sign = "-+"[number]
        for key in tops[number][:_MAX_SHOWN]:
            inside = [name for name in below[key] if name != key]
            partner = partners[number].get(key)
            told = kind_and_size(alone[number][key])
            files = [name[0] for name in inside if not stat.S_ISDIR(alone[number][name].entry.mode)]
            yield Difference(
                key[0],
                Kind.PRESENCE,
                _what(side, key, len(inside), partner),
                *((told, "") if side == "A" else ("", told)),
                _causes(pair, key[0], partner, number, files),
                tuple(f"{sign}{name}" for name in files[:_MAX_EXCERPT]),
            )
        if len(tops[number]) > _MAX_SHOWN:
            more = len(tops[number]) - _MAX_SHOWN
            yield Difference(f"{more} more entries", Kind.PRESENCE, f"only in {side}", count=more)


def small_files(one: Mapping[Key, Scanned], other: Mapping[Key, Scanned]) -> tuple[list[Key], list[Key]]:
    """Files that A or B has alone, not below a folder that it has alone, and of which the content is shown."""
    found: tuple[list[Key], list[Key]] = ([], [])
    for side, rest, names in ((one, other, found[0]), (other, one, found[1])):
        alone = side.keys() - rest.keys()
        for key, row in side.items():
            if key in rest or key[1] or (_parent(key), 0) in alone:
                continue
            if stat.S_ISREG(row.entry.mode) and 0 < row.entry.size_bytes <= SMALL_BYTES and len(names) < _MAX_CONTENTS:
                names.append(key)
    return found


def with_contents(
    differences: Iterable[Difference], contents: tuple[Mapping[Key, bytes], Mapping[Key, bytes]]
) -> Iterator[Difference]:
    """The same with the first lines of files that one side alone has; what is no text is shown by its first bytes."""
    for difference in differences:
        side = 0 if difference.a else 1
        is_entry = difference.kind is Kind.PRESENCE and (difference.a or difference.b)
        content = contents[side].get((difference.name, 0)) if is_entry else None
        if content is None or difference.excerpt:
            yield difference
        else:
            yield replace(difference, excerpt=tuple(f"{'-+'[side]}{line}" for line in raw.shown(content, _MAX_EXCERPT)))


def kind_and_size(row: Scanned) -> str:
    return f"{kind_of(row.entry.mode)}, {row.entry.size_bytes} bytes, mode {row.entry.mode & 0o7777:04o}"


def kind_of(mode: int) -> str:
    return FILE_KINDS.get(stat.S_IFMT(mode), "file of no known kind")


def _parent(key: Key) -> str:
    return key[0].rpartition("/")[0]


def _top(key: Key, entries: Mapping[Key, Scanned]) -> Key:
    """The highest of the directories above it that are all among the entries; a path has fewer than 4096 of them."""
    while (parent := (_parent(key), 0)) in entries and parent != key:
        key = parent
    return key


def _partners(alone: Sequence[Mapping[Key, Scanned]], tops: Sequence[Sequence[Key]]) -> tuple[dict[Key, Key], ...]:
    """For either side, what may be the same thing under another name: the only one with that content, or in that folder."""
    found: tuple[dict[Key, Key], dict[Key, Key]] = ({}, {})
    for group in (
        lambda side, key: alone[side][key].digest if alone[side][key].entry.size_bytes else None,
        lambda side, key: (_parent(key), stat.S_IFMT(alone[side][key].entry.mode)),
    ):
        groups: defaultdict[object, tuple[list[Key], list[Key]]] = defaultdict(lambda: ([], []))
        for side in (0, 1):
            for key in tops[side]:
                if key not in found[side] and (mark := group(side, key)) is not None:
                    groups[mark][side].append(key)
        for left, right in groups.values():
            if len(left) == len(right) == 1:
                found[0][left[0]], found[1][right[0]] = right[0], left[0]
    return found


def _what(side: str, key: Key, inside: int, partner: Key | None) -> str:
    what = f"only in {side}"
    what += f", as entry {key[1] + 1} of that name" if key[1] else ""
    what += f", with {inside} entries below it" if inside else ""
    return what + (f"; {'BA'['AB'.index(side)]} alone has {partner[0]}" if partner else "")


def _causes(pair: Pair, name: str, partner: Key | None, side: int, files: Sequence[str]) -> tuple[Cause, ...]:
    """Of the file, of its other name, and what most files below are known for."""
    names = (name, partner[0] if partner else "")[:: -1 if side else 1]
    own = causes_of([Sighting((*pair.path, name), where=Field.NAME if partner else None, a=names[0], b=names[1])])
    seen = Counter(cause for file in files[:_MAX_BELOW] for cause in causes_of([Sighting((*pair.path, file))]))
    common = [cause for cause, count in seen.items() if 2 * count >= min(len(files), _MAX_BELOW) and cause not in own]
    return (*own, *common)
