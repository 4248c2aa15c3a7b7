"""File systems, file by file: presence, content, mode, owner, times, attributes, devices and hard links.

Both trees are walked in step, and contents of files with the same name are read side by side, no further than to the first
difference; of files that are equal only the name is kept. What no file shows is compared byte by byte, when nothing else differs.
"""

from __future__ import annotations

import hashlib
import stat
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.artifacts.capabilities import XATTR, capabilities
from teekit_verify.artifacts.compressed import Budget
from teekit_verify.artifacts.cpio import CpioEntry
from teekit_verify.artifacts.fields import Field, field_of
from teekit_verify.artifacts.initrd import Member
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats.entries import Key, Scanned
from teekit_verify.explanation.formats.fields import ChangedField
from teekit_verify.explanation.formats.presence import compare_presence, kind_of, small_files, with_contents
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_verify.artifacts.filetree import Node, TreeFile
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_MAX_READ_BYTES = 16 << 30
"""Of either side: a file system may hold far more than it is large, as holes."""
_MAX_LOOKED_INTO = 200
_MAX_LOOKED_INTO_BYTES = 512 << 20
_MAX_SHOWN = 500
_MAX_VALUE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = int(datetime.max.replace(tzinfo=UTC).timestamp()) * 10**9
Files = dict[str, "Node"]


def compare_trees(
    examination: Examination, pair: Pair, trees: tuple[Iterator[TreeFile], Iterator[TreeFile]]
) -> list[Difference]:
    """What differs in the files; empty if they are all equal. Raises TeekitError for what cannot be read."""
    walk, budget, met = _Walk(trees), Budget(_MAX_READ_BYTES), _Met()
    for name, left, right in walk.pairs():
        met.compare(name, left, right, walk.first_names(left, right), budget)
    children = list(_presence(pair, *walk.alone, budget))
    children += _contents(examination, pair, met)
    for changed in (*met.fields, *(met.attributes[key] for key in sorted(met.attributes)), met.same_file):
        children += changed.told(pair)
    return children or list(_others(pair, met, walk))


class _Walk:
    """Two trees in step: what stands at the same place in both is handed on at once, and nothing of it is kept but the name."""

    def __init__(self, trees: tuple[Iterator[TreeFile], Iterator[TreeFile]]) -> None:
        self._trees = trees
        self.alone: tuple[Files, Files] = ({}, {})
        """What was met on one side only, so far."""
        self.orders: tuple[list[str], list[str]] = ([], [])
        self._firsts: tuple[dict[int, str], dict[int, str]] = ({}, {})

    def pairs(self) -> Iterator[tuple[str, Node, Node]]:
        """Names that both have, with what A and B have there."""
        for files in zip_longest(*self._trees):
            for side, file in enumerate(files):
                if file is not None:
                    self._meet(side, file)
            left, right = files
            if left is not None and right is not None and left.name == right.name:
                self.orders[0].append(left.name)
                self.orders[1].append(left.name)
                yield left.name, left.node, right.node
                continue
            for side, file in enumerate(files):
                if file is None:
                    continue
                self.orders[side].append(file.name)
                partner = self.alone[1 - side].pop(file.name, None)
                if partner is None:
                    self.alone[side][file.name] = file.node
                else:
                    yield file.name, *((partner, file.node) if side else (file.node, partner))

    def _meet(self, side: int, file: TreeFile) -> None:
        if _has_names(file.node):
            self._firsts[side].setdefault(file.node.inode, file.name)

    def first_names(self, left: Node, right: Node) -> tuple[str, str]:
        """Of files with several names, the first of them; empty for others."""
        names = (
            firsts[node.inode] if _has_names(node) else ""
            for firsts, node in zip(self._firsts, (left, right), strict=True)
        )
        return next(names), next(names)


def _has_names(node: Node) -> bool:
    return node.links > 1 and stat.S_ISREG(node.mode)


class _Met:
    """What differs of the names that both sides have."""

    def __init__(self) -> None:
        self.fields = [ChangedField(where, what) for where, what, _ in _FIELDS]
        self.attributes: dict[str, ChangedField] = {}
        self.same_file = ChangedField(Field.LINKS, "is the same file as")
        self.others: dict[str, ChangedField] = {}
        self.changed: list[tuple[str, Node, Node]] = []
        """By content, as many as are shown."""
        self.changed_count = 0
        self.unread: set[str] = set()
        """Damaged ones among them."""
        self._compared: set[tuple[int, int]] = set()

    def compare(self, name: str, left: Node, right: Node, firsts: tuple[str, str], budget: Budget) -> None:
        is_alike = stat.S_IFMT(left.mode) == stat.S_IFMT(right.mode)
        if is_alike and not self._have_equal_content(name, left, right, budget):
            self.changed_count += 1
            if len(self.changed) < _MAX_SHOWN:
                self.changed.append((name, left, right))
        if _shown(left) != _shown(right):
            for changed, (where, _, value) in zip(self.fields, _FIELDS, strict=True):
                if is_alike or where is not Field.MODE:  # every symlink has one mode, which is nobody's umask
                    changed.add(name, value(left), value(right))
        if left.xattrs != right.xattrs:
            for key in {key for node in (left, right) for key, _ in node.xattrs}:
                where, what = (Field.CAPABILITY, "capability") if key == XATTR else (Field.XATTR, f"attribute {key}")
                changed = self.attributes.setdefault(key, ChangedField(where, what))
                changed.add(name, told_xattr(key, left), told_xattr(key, right))
        self.same_file.add(name, *firsts)
        if left.others != right.others:
            for key in dict.fromkeys(key for node in (left, right) for key, _ in node.others):
                changed = self.others.setdefault(key, ChangedField(field_of(key), str(key)))
                changed.add(name, _other(left, key), _other(right, key))

    def _have_equal_content(self, name: str, left: Node, right: Node, budget: Budget) -> bool:
        """Of names that share a file only the first one is looked at."""
        if left.target != right.target:
            return False
        if not stat.S_ISREG(left.mode):
            return True
        if _has_names(left) or _has_names(right):
            if (left.inode, right.inode) in self._compared:
                return True
            self._compared.add((left.inode, right.inode))
        try:
            return left.size_bytes == right.size_bytes and (
                _are_stored_alike(left, right, budget) or _are_equal(left, right, budget)
            )
        except MalformedInputError:
            self.unread.add(name)
            return False


def _shown(node: Node) -> tuple[object, ...]:
    return node.mode, node.uid, node.gid, node.mtime, node.device, node.links


def _presence(pair: Pair, one: Files, other: Files, budget: Budget) -> Iterator[Difference]:
    """By the comparer of archives, as entries that have a digest."""
    sides: list[dict[Key, Scanned]] = []
    for side in (one, other):
        rows = {}
        for place, (name, node) in enumerate(side.items()):
            rows[name, 0] = Scanned(_entry(name, node), _digest(node, budget), Member(0, None), place, place)
        sides.append(rows)
    names = small_files(*sides)
    contents = (
        {key: b"".join(one[key[0]].content()) for key in names[0]},
        {key: b"".join(other[key[0]].content()) for key in names[1]},
    )
    yield from with_contents(compare_presence(pair, *sides), contents)


def _digest(node: Node, budget: Budget) -> bytes:
    state = hashlib.sha256(node.target.encode("utf-8", "surrogateescape"))
    for piece in node.content():
        budget.spend(len(piece), "file system")
        state.update(piece)
    return state.digest()


def _entry(name: str, node: Node) -> CpioEntry:
    """What comparers of archives ask of it."""
    size = len(node.target) if node.target else node.size_bytes
    return CpioEntry(
        *(name, node.inode, node.mode, node.uid, node.gid, node.links, 0, size, (0, 0), node.device, 0, 0, 0)
    )


def _contents(examination: Examination, pair: Pair, met: _Met) -> Iterator[Difference]:
    small = sorted(met.changed, key=lambda row: row[1].size_bytes + row[2].size_bytes)[:_MAX_LOOKED_INTO]
    looked_into, total = set(met.unread), 0
    for name, left, right in small:
        total += max(left.size_bytes, right.size_bytes)
        if total <= _MAX_LOOKED_INTO_BYTES:
            looked_into.add(name)
    for name, left, right in met.changed:
        yield _content(examination, pair, name, left, right, is_looked_into=name in looked_into)
    if met.changed_count > len(met.changed):
        yield Difference(f"{met.changed_count - len(met.changed)} more files", Kind.CONTENT, "differ")


def _are_stored_alike(left: Node, right: Node, budget: Budget) -> bool:
    """Equal before they are unpacked, which takes most of the time: what is stored in another way may still be equal."""
    if left.stored is None or right.stored is None:
        return False
    for one, other in zip_longest(left.stored(), right.stored()):
        if one != other:
            return False
        budget.spend(len(one), "file system")
    return True


def _are_equal(left: Node, right: Node, budget: Budget) -> bool:
    """Their pieces may be of other sizes."""
    sides, held = (left.content(), right.content()), [b"", b""]
    while True:
        for number, side in enumerate(sides):
            if not held[number]:
                held[number] = next((piece for piece in side if piece), b"")
        size = min(map(len, held))
        if not size:
            return not any(held)
        if held[0][:size] != held[1][:size]:
            return False
        budget.spend(size, "file system")
        held = [piece[size:] for piece in held]


def _content(
    examination: Examination, pair: Pair, name: str, left: Node, right: Node, *, is_looked_into: bool
) -> Difference:
    path = (*pair.path, name)
    if stat.S_ISLNK(left.mode):
        causes = causes_of([Sighting(path, a=left.target, b=right.target)], examination.conditions)
        return Difference(name, Kind.CONTENT, "symlink to another place", left.target, right.target, causes)
    sizes = [f"{side.size_bytes} bytes" for side in (left, right)]
    if is_looked_into:
        kept = []
        for side, node in (("A", left), ("B", right)):
            try:
                kept.append(examination.spool().keep(node.content()))
            except MalformedInputError as error:
                what = f"not compared: {side} cannot be read: {error.message}"
                examination.note(f"{error.message}: {' > '.join(path)} is not compared")
                return Difference(name, Kind.NOT_COMPARED, what, sizes[0], sizes[1], causes_of([Sighting(path)]))
        return examination.compare(pair.inner(name, *kept))
    what = "differs (one of too many to be examined)"
    return Difference(name, Kind.CONTENT, what, sizes[0], sizes[1], causes_of([Sighting(path)]))


def _time(node: Node) -> str:
    if node.mtime is None or not -_LAST < node.mtime < _LAST:
        return "none" if node.mtime is None else f"{node.mtime} ns"
    fraction = f".{node.mtime % 10**9:09}" if node.mtime % 10**9 else ""
    return f"{_EPOCH + timedelta(seconds=node.mtime // 10**9):%Y-%m-%d %H:%M:%S}{fraction} UTC"


_FIELDS: tuple[tuple[Field | None, str, Callable[[Node], str]], ...] = (
    (None, "is another kind of file", lambda node: kind_of(node.mode)),
    (Field.MODE, "mode", lambda node: f"{node.mode & 0o7777:04o}"),
    (Field.OWNER, "owner and group", lambda node: f"{node.uid}:{node.gid}"),
    (Field.MTIME, "modification time", _time),
    (None, "device numbers", lambda node: "{}:{}".format(*node.device)),
    (Field.LINK_COUNT, Field.LINK_COUNT.value, lambda node: str(node.links) if stat.S_ISREG(node.mode) else ""),
)


def told_xattr(key: str, node: Node) -> str:
    value = dict(node.xattrs).get(key)
    return "none" if value is None else attribute_text(key, value)


def attribute_text(key: str, value: bytes) -> str:
    """Capabilities by their names, texts as they are, all else in hexadecimal; long ones are cut, with their digest."""
    text = capabilities(value) if key == XATTR else None
    if text is None:
        try:
            text = value.rstrip(b"\0").decode()
        except UnicodeDecodeError:
            text = ""
        if not text or not text.isprintable():
            text = f"0x{value.hex()}"
    if len(text) <= _MAX_VALUE:
        return text
    return f"{text[:_MAX_VALUE]}... ({len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()})"


def _other(node: Node, key: str) -> str:
    return dict(node.others).get(key, "none")


def _others(pair: Pair, met: _Met, walk: _Walk) -> Iterator[Difference]:
    """What a kind of file system keeps besides: times of change and birth, flags; and the order of the names."""
    for changed in met.others.values():
        yield from changed.told(pair)
    orders = [tuple(side) for side in walk.orders]
    if orders[0] != orders[1]:
        causes = causes_of([Sighting(pair.path, where=Field.ORDER, ordered_a=orders[0], ordered_b=orders[1])])
        yield Difference("order of the names", Kind.ORDER, "the same files in another order", causes=causes)
