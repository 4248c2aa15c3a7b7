"""Initrds and cpio archives: every entry by presence, content, mode, owner, device, time and order.

Both sides are walked in step, once; only large contents that differ are unpacked again, to look at them. Archives at the beginning
that are equal are not unpacked.
"""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import Blob, first_difference
from teekit_verify.artifacts.cpio import MAGIC, CpioEntry
from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.initrd import Member, equal_members_end, holds_archive, read_initrd
from teekit_verify.artifacts.magic import COMPRESSION_MAGIC_BYTES, compression_of
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats.fields import compare_field
from teekit_verify.explanation.formats.instep import walk_in_step
from teekit_verify.explanation.formats.packing import compare_packing
from teekit_verify.explanation.formats.presence import (
    SMALL_BYTES,
    compare_presence,
    kind_of,
    small_files,
    with_contents,
)
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from teekit_verify.explanation.examination import Examination, Spool
    from teekit_verify.explanation.formats.entries import Key, Scanned
    from teekit_verify.explanation.formats.instep import Side
    from teekit_verify.explanation.pair import Pair

_MAX_LOOKED_INTO = 200
_MAX_LOOKED_INTO_BYTES = 512 << 20
_MAX_SHOWN = 500
_MAX_TARGET_BYTES = 4096


def is_archive(beginning: bytes) -> bool:
    """A cpio archive, plain or compressed. What is compressed may turn out to be something else."""
    return beginning.startswith(MAGIC) or compression_of(beginning[:COMPRESSION_MAGIC_BYTES]) is not None


def compare_archives(examination: Examination, pair: Pair) -> Difference | None:
    """None if something else is compressed. Raises TeekitError for a damaged archive."""
    if not (holds_archive(pair.a) and holds_archive(pair.b)):
        return None
    start = equal_members_end(pair.a, first_difference(pair.a, pair.b) or 0)
    walked = walk_in_step((pair.a, pair.b), start, (examination.spool(), examination.spool(1)))
    one, other = (_linked(side.entries) for side in walked)
    children = list(_shape(pair, start, walked[0].members, walked[1].members))
    common = [(key, one[key], other[key]) for key in one if key in other]
    alone = small_files(one, other)
    places = [{side[key].content_place: key for key in keys} for side, keys in ((one, alone[0]), (other, alone[1]))]
    told, kept = _contents(examination, pair, start, common, (set(places[0]), set(places[1])), walked=walked)
    shown = [
        {key: row[place].read(0, SMALL_BYTES) for place, key in names.items() if place in row}
        for names, row in zip(places, kept, strict=True)
    ]
    children += with_contents(compare_presence(pair, one, other), (shown[0], shown[1]))
    children += told
    children += _metadata(pair, common)
    children += _order(pair, *_common_orders(walked))
    if not children:
        children = list(_unseen(pair, common))
    if not children:
        return compare_packing(pair, start, walked[0].members, walked[1].members)
    counts = [len(side.order) for side in walked]
    count = f"{counts[0]} entries" if counts[0] == counts[1] else f"{counts[0]} and {counts[1]} entries"
    return Difference(pair.name, Kind.CONTENT, f"archive, {count}", children=tuple(children))


def _common_orders(walked: tuple[Side, Side]) -> tuple[list[Key | str], list[Key | str]]:
    """The names that both have, as either has them."""
    orders = walked[0].order, walked[1].order
    if orders[0] == orders[1]:
        return orders
    both = set(orders[0]) & set(orders[1])
    return [key for key in orders[0] if key in both], [key for key in orders[1] if key in both]


def _linked(found: dict[Key, Scanned]) -> dict[Key, Scanned]:
    """With the contents of files that share one: newc stores it with the last of their names."""
    contents = {_file_number(row): row for row in found.values() if _is_shared(row) and row.entry.size_bytes}
    for key, row in found.items():
        if _is_shared(row) and not row.entry.size_bytes and (last := contents.get(_file_number(row))):
            found[key] = replace(row, digest=last.digest, content_place=last.place)
    return found


def _is_shared(row: Scanned) -> bool:
    return row.entry.links > 1 and stat.S_ISREG(row.entry.mode)


def _file_number(row: Scanned) -> tuple[object, ...]:
    return row.member, row.entry.archive, row.entry.filesystem, row.entry.inode


def _shape(pair: Pair, start: int, one: list[Member], other: list[Member]) -> Iterator[Difference]:
    """How many archives there are, and how they are compressed."""
    forms = [", ".join(member.form for member in side) for side in (one, other)]
    if forms[0] != forms[1]:
        packings = [sorted(member.form for member in side) for side in (one, other)]
        is_repacked = len(packings[0]) == len(packings[1]) and packings[0] != packings[1]
        causes = causes_of([Sighting(pair.path, where=Field.COMPRESSION if is_repacked else None)])
        what = "number or compression of the archives" + (f" after {start} equal bytes" if start else "")
        yield Difference("archives in a row", Kind.CONTENT, what, forms[0], forms[1], causes)


def _contents(
    examination: Examination,
    pair: Pair,
    start: int,
    common: Sequence[tuple[Key, Scanned, Scanned]],
    others: tuple[set[int], set[int]],
    *,
    walked: tuple[Side, Side],
) -> tuple[list[Difference], tuple[dict[int, Blob], dict[int, Blob]]]:
    """The contents that differ, and by their places what was kept of either side: `others`, too."""
    changed = [row for row in common if _differs(row)]
    chosen = _chosen(changed)
    sides = (
        others[0] | {row[1].content_place for row in chosen},
        others[1] | {row[2].content_place for row in chosen},
    )
    with ThreadPoolExecutor(2) as pool:
        spools = examination.spool(), examination.spool(1)
        missing = [side - walk.kept.keys() for side, walk in zip(sides, walked, strict=True)]
        found = pool.map(_kept, (pair.a, pair.b), (start, start), missing, spools)
        kept_a, kept_b = (walk.kept | more for walk, more in zip(walked, found, strict=True))
    looked_into = {row[0] for row in chosen}
    return list(_told(examination, pair, changed, looked_into, (kept_a, kept_b))), (kept_a, kept_b)


def _told(
    examination: Examination,
    pair: Pair,
    changed: Sequence[tuple[Key, Scanned, Scanned]],
    looked_into: set[Key],
    kept: tuple[dict[int, Blob], dict[int, Blob]],
) -> Iterator[Difference]:
    kept_a, kept_b = kept
    for key, one, other in changed[:_MAX_SHOWN]:
        if key in looked_into:
            yield _content(
                examination, pair.inner(key[0], kept_a[one.content_place], kept_b[other.content_place]), one, other
            )
        else:
            sizes = [f"{side.entry.size_bytes} bytes" for side in (one, other)]
            yield Difference(
                key[0],
                Kind.CONTENT,
                "differs (one of too many to be examined)",
                sizes[0],
                sizes[1],
                causes=causes_of([Sighting((*pair.path, key[0]))]),
            )
    if len(changed) > _MAX_SHOWN:
        yield Difference(f"{len(changed) - _MAX_SHOWN} more files", Kind.CONTENT, "differ")


def _differs(row: tuple[Key, Scanned, Scanned]) -> bool:
    """In content. What is a file here and a symlink there is another kind of file, whatever it holds."""
    kinds = [stat.S_IFMT(side.entry.mode) for side in row[1:]]
    return kinds[0] == kinds[1] and row[1].digest != row[2].digest and not _is_told_elsewhere(row)


def _is_told_elsewhere(row: tuple[Key, Scanned, Scanned]) -> bool:
    """A name of a file with hard links in both, whose content is stored with another name."""
    return all(side.content_place != side.place for side in row[1:])


def _chosen(changed: Sequence[tuple[Key, Scanned, Scanned]]) -> list[tuple[Key, Scanned, Scanned]]:
    """Small files first: they are more, and say more."""
    chosen, total = [], 0
    for row in sorted(changed, key=lambda row: row[1].entry.size_bytes + row[2].entry.size_bytes)[:_MAX_LOOKED_INTO]:
        total += max(row[1].entry.size_bytes, row[2].entry.size_bytes)
        if total <= _MAX_LOOKED_INTO_BYTES:
            chosen.append(row)
    return chosen


def _kept(blob: Blob, start: int, places: set[int], spool: Spool) -> dict[int, Blob]:
    kept: dict[int, Blob] = {}
    if places:
        for place, (_, _, reader) in enumerate(read_initrd(blob, start=start)):
            if place in places:
                kept[place] = spool.keep(reader.content())
                if len(kept) == len(places):
                    break
    return kept


def _content(examination: Examination, pair: Pair, one: Scanned, other: Scanned) -> Difference:
    if stat.S_ISLNK(one.entry.mode) and stat.S_ISLNK(other.entry.mode):
        targets = [blob.read(0, _MAX_TARGET_BYTES).decode("utf-8", "surrogateescape") for blob in (pair.a, pair.b)]
        causes = causes_of([Sighting(pair.path, a=targets[0], b=targets[1])], examination.conditions)
        return Difference(pair.name, Kind.CONTENT, "symlink to another place", targets[0], targets[1], causes)
    return examination.compare(pair)


_Field = tuple[Field | None, str, "Callable[[CpioEntry], str]"]
_METADATA: tuple[_Field, ...] = (
    (None, "is another kind of file", lambda entry: kind_of(entry.mode)),
    (Field.MODE, "mode", lambda entry: f"{entry.mode & 0o7777:04o}"),
    (Field.OWNER, "owner and group", lambda entry: f"{entry.uid}:{entry.gid}"),
    (
        Field.MTIME,
        "modification time",
        lambda entry: f"{datetime.fromtimestamp(entry.mtime, UTC):%Y-%m-%d %H:%M:%S} UTC",
    ),
    (None, "device numbers", lambda entry: "{}:{}".format(*entry.device)),
    (Field.LINK_COUNT, Field.LINK_COUNT.value, lambda entry: str(entry.links) if stat.S_ISREG(entry.mode) else ""),
)
_UNSEEN: tuple[_Field, ...] = (
    (Field.INODE, "inode number", lambda entry: str(entry.inode)),
    (Field.FOLDER_LINKS, "number of links", lambda entry: str(entry.links)),
    (Field.FILESYSTEM, "numbers of the file system", lambda entry: "{}:{}".format(*entry.filesystem)),
    (None, "checksum field", lambda entry: f"{entry.check:#x}"),
)
"""What an unpacked file shows, and what only the archive shows."""


def _metadata(pair: Pair, common: Sequence[tuple[Key, Scanned, Scanned]]) -> Iterator[Difference]:
    alike = [row for row in common if stat.S_IFMT(row[1].entry.mode) == stat.S_IFMT(row[2].entry.mode)]
    for field in _METADATA:
        yield from _by_field(pair, field, alike if field[0] is Field.MODE else common)


def _unseen(pair: Pair, common: Sequence[tuple[Key, Scanned, Scanned]]) -> Iterator[Difference]:
    for field in _UNSEEN:
        yield from _by_field(pair, field, common)


def _by_field(pair: Pair, field: _Field, common: Sequence[tuple[Key, Scanned, Scanned]]) -> Iterator[Difference]:
    where, what, value = field
    yield from compare_field(
        pair, where, what, ((key[0], value(one.entry), value(other.entry)) for key, one, other in common)
    )


def _order(pair: Pair, one: list[Key | str], other: list[Key | str]) -> Iterator[Difference]:
    if one == other:
        return
    at = next(at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right)
    last = max(at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right)
    names = [tuple(map(_plain, side[at : last + 1])) for side in (one, other)]
    sighting = Sighting(pair.path, Field.ORDER, a=names[0][0], b=names[1][0], ordered_a=names[0], ordered_b=names[1])
    what = f"the same entries in another order, from number {at + 1} on"
    yield Difference("order of the entries", Kind.ORDER, what, names[0][0], names[1][0], causes_of([sighting]))


def _plain(key: Key | str) -> str:
    return key if isinstance(key, str) else key[0]
