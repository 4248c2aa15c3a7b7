"""Two initrds walked in step: each is unpacked once, on a thread of its own, and entries that are equal leave no more than their name.

While names agree, contents are compared as they come. Where they do not, the entry whose name comes first (most archives are sorted) is
taken alone and digested, so that it can be found again elsewhere in the other one.
"""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.artifacts.initrd import read_initrd
from teekit_verify.explanation.formats.entries import Key, Scanned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.artifacts.cpio import CpioEntry, CpioReader
    from teekit_verify.artifacts.initrd import Member
    from teekit_verify.explanation.examination import Spool

_KEPT_BYTES = 1 << 20
"""Of one content: it was read in one piece, and may be kept."""
_MOST_KEPT, _MOST_KEPT_BYTES = 800, 64 << 20


@dataclass(slots=True)
class Side:
    """What was seen of A or B. `entries` are those that are not wholly equal to the other's, or share their content; `order` has all.

    `kept`: contents by the places of their entries, those of small files that differ or are there alone.
    """

    rows: Iterator[tuple[Member, CpioEntry, CpioReader]]
    spool: Spool
    entries: dict[Key, Scanned] = field(default_factory=dict)
    order: list[Key | str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    kept: dict[int, Blob] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    _kept_bytes: int = 0
    _row: tuple[Member, CpioEntry, CpioReader] | None = None

    def advance(self) -> None:
        self._row = next(self.rows, None)
        if self._row is not None and (not self.members or self.members[-1] != self._row[0]):
            self.members.append(self._row[0])

    @property
    def row(self) -> tuple[Member, CpioEntry, CpioReader] | None:
        """The entry that comes next; None at the end."""
        return self._row

    @property
    def key(self) -> Key:
        """Of the entry that comes next."""
        assert self._row is not None  # noqa: S101 - asked for where there is one
        return self._row[1].name, self._seen[self._row[1].name]

    def take(self, *, label: Key | str, digest: bytes, is_retained: bool, content: bytes | None) -> None:
        """The entry that comes next was read: keep of it what is needed."""
        assert self._row is not None  # noqa: S101
        member, entry, _ = self._row
        key, place = self.key, len(self.order)
        if is_retained:
            self.entries[key] = Scanned(entry, digest, member, place, place)
            self._kept_bytes += len(content or b"")
            if content is not None and len(self.kept) < _MOST_KEPT and self._kept_bytes <= _MOST_KEPT_BYTES:
                self.kept[place] = self.spool.keep([content])
        self._seen[entry.name] += 1
        self.order.append(label)

    def take_alone(self) -> None:
        """The entry that comes next, by its digest."""
        assert self._row is not None  # noqa: S101
        state, first, is_small = hashlib.sha256(), b"", self._row[1].size_bytes <= _KEPT_BYTES
        for piece in self._row[2].content():
            state.update(piece)
            first += piece if is_small else b""
        self.take(label=self._label(), digest=state.digest(), is_retained=True, content=first if is_small else None)
        self.advance()

    def _label(self) -> Key | str:
        key = self.key
        return key if key[1] else key[0]


def walk_in_step(blobs: tuple[Blob, Blob], start: int, spools: tuple[Spool, Spool]) -> tuple[Side, Side]:
    """Both, from `start` on. Raises TeekitError for what is damaged."""
    with ThreadPoolExecutor(2) as pool:
        one, other = (
            Side(read_initrd(blob, start=start, ahead=pool), spool) for blob, spool in zip(blobs, spools, strict=True)
        )
        one.advance()
        other.advance()
        while one.row is not None and other.row is not None:
            if one.key == other.key:
                _take_both(one, other)
            elif one.key in other.entries or (other.key not in one.entries and one.key < other.key):
                one.take_alone()
            else:
                other.take_alone()
        for side in (one, other):
            while side.row is not None:
                side.take_alone()
    return one, other


def _take_both(one: Side, other: Side) -> None:
    assert one.row is not None  # noqa: S101
    assert other.row is not None  # noqa: S101
    (member, entry, reader), (_, other_entry, other_reader) = one.row, other.row
    label = one._label()  # noqa: SLF001 - this module's own
    if _is_shared(entry) or _is_shared(other_entry):
        one.take_alone()
        other.take_alone()
        return
    is_small = max(entry.size_bytes, other_entry.size_bytes) <= _KEPT_BYTES
    if is_small:
        contents = b"".join(reader.content()), b"".join(other_reader.content())
        is_equal = contents[0] == contents[1]
    else:
        contents, is_equal = (b"", b""), _are_equal(reader, other_reader)
    is_retained = not is_equal or _facts(entry) != _facts(other_entry) or member != other.row[0]
    for side, content, mark in ((one, contents[0], b"A"), (other, contents[1], b"B")):
        digest = b"" if is_equal else mark  # compared with each other alone
        kept = content if is_small and not is_equal else None
        side.take(label=label, digest=digest, is_retained=is_retained, content=kept)
        side.advance()


def _are_equal(one: CpioReader, other: CpioReader) -> bool:
    """Both are read to their ends: their pieces are of one size, but for the last."""
    readers, is_equal = (one.content(), other.content()), True
    while True:
        pieces = [next(reader, b"") for reader in readers]
        if not any(pieces):
            return is_equal
        is_equal = is_equal and pieces[0] == pieces[1]


def _is_shared(entry: CpioEntry) -> bool:
    return entry.links > 1 and stat.S_ISREG(entry.mode)


def _facts(entry: CpioEntry) -> tuple[object, ...]:
    """All that an entry says, but for where it is."""
    return (
        *(entry.inode, entry.mode, entry.uid, entry.gid, entry.links, entry.mtime, entry.size_bytes),
        *(entry.filesystem, entry.device, entry.check),
    )
