"""File systems, file by file: presence, content, mode, owner, times, attributes, devices and hard links.

Both trees are read whole, without contents; then the contents of files with the same name are read side by side, and no
further than to the first difference. What no file shows is compared byte by byte, when nothing else differs.
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
from teekit_verify.explanation.formats.fields import compare_field
from teekit_verify.explanation.formats.presence import compare_presence, kind_of, small_files, with_contents
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    one, other = ({file.name: file.node for file in tree} for tree in trees)
    budget = Budget(_MAX_READ_BYTES)
    children = list(_presence(pair, one, other, budget))
    common = [name for name in one if name in other]
    children += _contents(examination, pair, one, other, budget)
    alike = [name for name in common if stat.S_IFMT(one[name].mode) == stat.S_IFMT(other[name].mode)]
    for where, what, value in _FIELDS:
        names = alike if where is Field.MODE else common  # every symlink has one mode, which is nobody's umask
        children += compare_field(pair, where, what, ((name, value(one[name]), value(other[name])) for name in names))
    children += _attributes(pair, common, one, other)
    first = [_first_names(side) for side in (one, other)]
    children += compare_field(
        pair,
        Field.LINKS,
        "is the same file as",
        ((name, first[0].get(name, ""), first[1].get(name, "")) for name in common),
    )
    return children or list(_others(pair, common, one, other))


def _presence(pair: Pair, one: Files, other: Files, budget: Budget) -> Iterator[Difference]:
    """By the comparer of archives, as entries that have a digest."""
    if one.keys() == other.keys():
        return
    sides: list[dict[Key, Scanned]] = []
    for side, rest in ((one, other), (other, one)):
        rows = {}
        for place, (name, node) in enumerate(side.items()):
            digest = b"" if name in rest else _digest(node, budget)
            rows[name, 0] = Scanned(_entry(name, node), digest, Member(0, None), place, place)
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


def _contents(examination: Examination, pair: Pair, one: Files, other: Files, budget: Budget) -> Iterator[Difference]:
    unread: set[str] = set()
    changed = list(_changed(one, other, budget, unread))
    small = sorted(changed, key=lambda name: one[name].size_bytes + other[name].size_bytes)[:_MAX_LOOKED_INTO]
    looked_into, total = set(), 0
    for name in small:
        total += max(one[name].size_bytes, other[name].size_bytes)
        if total <= _MAX_LOOKED_INTO_BYTES:
            looked_into.add(name)
    for name in changed[:_MAX_SHOWN]:
        is_looked_into = name in looked_into or name in unread
        yield _content(examination, pair, name, one[name], other[name], is_looked_into=is_looked_into)
    if len(changed) > _MAX_SHOWN:
        yield Difference(f"{len(changed) - _MAX_SHOWN} more files", Kind.CONTENT, "differ")


def _changed(one: Files, other: Files, budget: Budget, unread: set[str]) -> Iterator[str]:
    """Names whose contents differ, of names that share a file the first one. Damaged ones among them are `unread`."""
    seen: set[tuple[int, int]] = set()
    for name, left in one.items():
        right = other.get(name)
        if right is None or stat.S_IFMT(left.mode) != stat.S_IFMT(right.mode):
            continue
        if left.target != right.target:
            yield name
        elif stat.S_ISREG(left.mode) and (left.inode, right.inode) not in seen:
            seen.add((left.inode, right.inode))
            try:
                is_equal = left.size_bytes == right.size_bytes and (
                    _are_stored_alike(left, right, budget) or _are_equal(left, right, budget)
                )
            except MalformedInputError:
                is_equal = False
                unread.add(name)
            if not is_equal:
                yield name


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


def _attributes(pair: Pair, common: list[str], one: Files, other: Files) -> Iterator[Difference]:
    """Extended attributes, by name."""
    names = {key for side in (one, other) for name in common for key, _ in side[name].xattrs}
    for key in sorted(names):
        where, what = (Field.CAPABILITY, "capability") if key == XATTR else (Field.XATTR, f"attribute {key}")
        values = ((name, told_xattr(key, one[name]), told_xattr(key, other[name])) for name in common)
        yield from compare_field(pair, where, what, values)


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


def _first_names(side: Mapping[str, Node]) -> dict[str, str]:
    """For a file with several names, the first of them."""
    firsts: dict[int, str] = {}
    return {
        name: firsts.setdefault(node.inode, name)
        for name, node in side.items()
        if node.links > 1 and stat.S_ISREG(node.mode)
    }


def _other(node: Node, key: str) -> str:
    return dict(node.others).get(key, "none")


def _others(pair: Pair, common: list[str], one: Files, other: Files) -> Iterator[Difference]:
    """What a kind of file system keeps besides: times of change and birth, flags; and the order of the names."""
    keys = dict.fromkeys(key for name in common for key, _ in one[name].others)
    for key in keys:
        values = ((name, _other(one[name], key), _other(other[name], key)) for name in common)
        yield from compare_field(pair, field_of(key), str(key), values)
    orders = [tuple(side) for side in (one, other)]
    if orders[0] != orders[1]:
        causes = causes_of([Sighting(pair.path, where=Field.ORDER, ordered_a=orders[0], ordered_b=orders[1])])
        yield Difference("order of the names", Kind.ORDER, "the same files in another order", causes=causes)
