"""Packages and libraries: tar, ar (.a, .deb), zip (.jar) and cpio of POSIX, member by member."""

from __future__ import annotations

from array import array
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import PIECE_BYTES, first_difference
from teekit_verify.artifacts.bundle import (
    MOST_MEMBERS,
    SYMBOL_TABLE,
    BundleMember,
    TooManyMembersError,
    members_of,
    old_reader_of,
    reader_of,
)
from teekit_verify.artifacts.capabilities import XATTR
from teekit_verify.artifacts.fields import Field
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats import oci
from teekit_verify.explanation.formats.fields import compare_field
from teekit_verify.explanation.formats.filesystem import attribute_text
from teekit_verify.explanation.formats.numbered import numbered
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_MAX_LOOKED_INTO = 50
_MAX_SHOWN = 100
_TIMES = {"atime": "access time (atime)", "ctime": "change time (ctime)", "LIBARCHIVE.creationtime": "time of birth"}
_LINK = "hard link"
_PARTS_OF_DEB = ("control.tar", 0), ("data.tar", 0)
Key = tuple[str, int]
Members = dict[Key, BundleMember]


def is_bundle(beginning: bytes) -> bool:
    return (reader_of(beginning) or old_reader_of(beginning)) is not None


def compare_bundles(examination: Examination, pair: Pair) -> Difference | None:
    """None if nothing differs that a member shows. Raises TeekitError for damaged files."""
    children: list[Difference] = []
    try:
        one, other = _by_stem(*_by_role(_members(pair.a), _members(pair.b)))
    except TooManyMembersError:
        one, other, has_equal_order = _unequal(pair)
        children += [] if has_equal_order else [_another_order(pair, (), ())]
    children += [*_presence(pair, one, other), *_contents(examination, pair, one, other)]
    common = [key for key in one if key in other]
    alike = [key for key in common if one[key].kind == other[key].kind]
    children += compare_field(pair, Field.MODE, "mode", [(key[0], one[key].mode, other[key].mode) for key in alike])
    children += compare_field(
        pair, None, "device numbers", [(key[0], one[key].device, other[key].device) for key in alike]
    )
    for where, what, field in (
        (Field.OWNER, "owner and group", "owner"),
        (Field.MTIME, "modification time", "mtime"),
        (None, "link or packing", "target"),
        (Field.LINK_COUNT, Field.LINK_COUNT.value, "links"),
    ):
        values = [(key[0], getattr(one[key], field), getattr(other[key], field)) for key in common]
        children += compare_field(pair, where, what, values)
    for key in common:
        kinds = one[key].kind, other[key].kind
        where = Field.LINKS if set(kinds) == {"file", _LINK} else None
        children += compare_field(pair, where, "is another kind of member", [(key[0], *kinds)])
    children += _records(pair, common, one, other)
    names = [tuple(key[0] for key in side if key in one and key in other) for side in (one, other)]
    if names[0] != names[1]:
        children.append(_another_order(pair, *names))
    return Difference(pair.name, Kind.CONTENT, "archive", children=tuple(children)) if children else None


def _another_order(pair: Pair, one: tuple[str, ...], other: tuple[str, ...]) -> Difference:
    causes = causes_of([Sighting(pair.path, where=Field.ORDER, ordered_a=one, ordered_b=other)])
    return Difference("order of the members", Kind.ORDER, "the same members in another order", causes=causes)


def _unequal(pair: Pair) -> tuple[Members, Members, bool]:
    """Of very many members those that differ, and whether all are in one order. Each waits for the one of its name in the other archive, so
    that few are kept at a time where the orders are alike.
    """
    waiting: tuple[Members, Members] = ({}, {})
    differing: tuple[Members, Members] = ({}, {})
    orders = array("q"), array("q")
    seen: dict[str, int] = {}
    for rows in zip_longest(*(members_of(blob, most=MOST_MEMBERS) for blob in (pair.a, pair.b))):
        for number, row in enumerate(rows):
            if row is None:
                continue
            member = _plainly_named(row)
            count = seen.get(member.name, 0)
            key = member.name, count >> 32 * number & 0xFFFFFFFF  # both sides count in one number
            seen[member.name] = count + (1 << 32 * number)
            orders[number].append(hash(key))
            partner = waiting[1 - number].pop(key, None)
            if partner is None:
                waiting[number][key] = member
            elif not _is_equal(member, partner):
                member, partner = _with_one_content(member, partner), _with_one_content(partner, member)
                differing[number][key], differing[1 - number][key] = member, partner
    alone = {hash(key) for side in waiting for key in side}
    common = [[place for place in order if place not in alone] for order in orders] if alone else orders
    return {**differing[0], **waiting[0]}, {**differing[1], **waiting[1]}, common[0] == common[1]


def _is_equal(one: BundleMember, other: BundleMember) -> bool:
    """In all but its place in the file."""
    if replace(one, stored=other.stored) != other or one.stored.size_bytes != other.stored.size_bytes:
        return False
    if one.stored.size_bytes <= PIECE_BYTES:
        return one.stored.read(0, PIECE_BYTES) == other.stored.read(0, PIECE_BYTES)
    return first_difference(one.stored, other.stored) is None


def _with_one_content(member: BundleMember, partner: BundleMember) -> BundleMember:
    """A hard link has none of its own, and its partner's may be compared where it is kept as a file."""
    return replace(member, stored=partner.stored) if member.kind == _LINK != partner.kind else member


def _records(pair: Pair, common: list[tuple[str, int]], one: Members, other: Members) -> Iterator[Difference]:
    """What pax has besides: extended attributes, and times of access and change."""
    sides = (one, other)
    for name in sorted({name for side in sides for key in common for name, _ in side[key].xattrs}):
        where, what = (Field.CAPABILITY, "capability") if name == XATTR else (Field.XATTR, f"attribute {name}")
        rows = ((key[0], _attribute(name, one[key]), _attribute(name, other[key])) for key in common)
        yield from compare_field(pair, where, what, rows)
    for name in sorted({name for side in sides for key in common for name, _ in side[key].records}):
        is_time = name in _TIMES
        what = _TIMES[name] if is_time else f"pax record {name}"
        rows = ((key[0], _record(name, one[key]), _record(name, other[key])) for key in common)
        yield from compare_field(pair, Field.MTIME if is_time else None, what, rows)


def _attribute(name: str, member: BundleMember) -> str:
    value = dict(member.xattrs).get(name)
    return "none" if value is None else attribute_text(name, value)


def _record(name: str, member: BundleMember) -> str:
    return dict(member.records).get(name, "none")


def _members(blob: Blob) -> Members:
    found = numbered(map(_plainly_named, members_of(blob)))
    return {key: _linked(member, found) for key, member in found.items()}


def _plainly_named(member: BundleMember) -> BundleMember:
    """A folder without the slash after its name, by which it would have no partner in what is a file or a link instead."""
    return replace(member, name=member.name.rstrip("/") or member.name)


def _linked(member: BundleMember, others: Members) -> BundleMember:
    """A hard link of tar with the content of the file that it is a name of."""
    file = others.get((member.target, 0)) if member.kind == _LINK else None
    return member if file is None else replace(member, stored=file.stored)


def _by_role(one: Members, other: Members) -> tuple[Members, Members]:
    """Of an OCI layout, with the names of what differs by what it is for: they are digests."""
    names = _plain(one), _plain(other)
    found = _roles(one, names[0]), _roles(other, names[1])
    renamed: list[dict[Key, Key]] = [{}, {}]
    for role, both in oci.partners(found[0], found[1], names).items():
        for number, name in enumerate(both):
            renamed[number][names[number][name]] = role, 0
    first, second = (
        {changes.get(key, key): member for key, member in side.items()}
        for side, changes in zip((one, other), renamed, strict=True)
    )
    return first, second


def _by_stem(one: Members, other: Members) -> tuple[Members, Members]:
    """Of a Debian package, without the suffix that says how a member is packed, where that is what differs (deb(5))."""
    sides = []
    for side, partner in ((one, other), (other, one)):
        stems = {key: (key[0].partition(".tar")[0] + ".tar", 0) for key in side if key not in partner}
        sides.append({key: stem for key, stem in stems.items() if stem in _PARTS_OF_DEB})
    both = set(sides[0].values()) & set(sides[1].values())
    first, second = (
        {stems[key] if stems.get(key) in both else key: member for key, member in side.items()}
        for stems, side in zip(sides, (one, other), strict=True)
    )
    return first, second


def _plain(side: Members) -> dict[str, Key]:
    return {key[0].removeprefix("./"): key for key in side if not key[1]}


def _roles(side: Members, names: dict[str, Key]) -> dict[str, str]:
    return oci.roles(names, lambda name: _beginning(side[names[name]]))


def _beginning(member: BundleMember) -> bytes:
    data = b""
    for piece in member.content():
        data += piece
        if len(data) > oci.MAX_BYTES:
            return b""
    return data


def _presence(pair: Pair, one: Members, other: Members) -> Iterator[Difference]:
    alone = [(key, "A") for key in one if key not in other] + [(key, "B") for key in other if key not in one]
    for key, side in alone[:_MAX_SHOWN]:
        causes = causes_of([Sighting((*pair.path, key[0]))])
        yield Difference(key[0], Kind.PRESENCE, f"only in {side}", causes=causes)


def _contents(examination: Examination, pair: Pair, one: Members, other: Members) -> Iterator[Difference]:
    changed = [
        key
        for key in one
        if key in other
        and key[0] != SYMBOL_TABLE
        and (
            (one[key].is_deflated, one[key].method) != (other[key].is_deflated, other[key].method)
            or first_difference(one[key].stored, other[key].stored) is not None
        )
    ]
    for key in changed[:_MAX_LOOKED_INTO]:
        blobs = []
        for name, side in (("A", one), ("B", other)):
            try:
                blobs.append(_unpacked(examination, side[key]))
            except MalformedInputError as error:
                what = f"not compared: {name} cannot be read: {error.message}"
                examination.note(f"{error.message}: {' > '.join((*pair.path, key[0]))} is not compared")
                yield Difference(key[0], Kind.NOT_COMPARED, what, causes=causes_of([Sighting((*pair.path, key[0]))]))
        if len(blobs) < 2:  # noqa: PLR2004
            continue
        inner = pair.inner(key[0], blobs[0], blobs[1])
        if first_difference(inner.a, inner.b) is not None:
            yield examination.compare(inner)
        else:
            causes = causes_of([Sighting(inner.path, where=Field.COMPRESSION)])
            yield Difference(key[0], Kind.CONTENT, "packed in another way, what it unpacks to is equal", causes=causes)
    if len(changed) > _MAX_LOOKED_INTO:
        yield Difference(f"{len(changed) - _MAX_LOOKED_INTO} more members", Kind.CONTENT, "differ")


def _unpacked(examination: Examination, member: BundleMember) -> Blob:
    if member.is_packed:
        return examination.spool().keep(member.content())
    for _ in member.content() if member.sum else ():
        pass  # its checksum may be another one
    return member.stored
