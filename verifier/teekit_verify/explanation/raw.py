"""Contents of no known structure: the first different lines of texts, the first different bytes of all else."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import common_prefix, first_difference
from teekit_verify.artifacts.fields import Field
from teekit_verify.explanation.causes.find import Condition, causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.pair import Pair

_TEXT_PROBE_BYTES = 1 << 16
_WINDOW_BYTES = 1 << 20
_BEFORE_BYTES = 4096
_MAX_ALIGNED_LINES = 100
_MAX_LINE = 160
_MAX_EXCERPT = 6
_MAX_SIGHTINGS = 32
_GAP_BYTES = 8
_MAX_REGION_BYTES = 4096
_AROUND_BYTES = 96
_ROW_BYTES = 16
# Of 512 bytes drawn at random some 221 kinds are expected, hardly ever fewer than 205; code and tables have half of that.
_NEAR_BYTES, _MOST_KINDS = 256, 190
_CONTROL = set(range(32)) - set(b"\t\n\r\f\x1b")


def compare_bytes(pair: Pair, conditions: Sequence[Condition], *, is_code: bool = False) -> Difference:
    """Two contents that differ somewhere. Numbers in code and in packed data are no times and no addresses."""
    if is_text(pair.a) and is_text(pair.b):
        return _compare_texts(pair, conditions)
    return _compare_binaries(pair, conditions, is_code=is_code)


def not_compared(pair: Pair, reason: str, found: Difference) -> Difference:
    """`found` is how the bytes differ. They say nothing of what they hold, so that only its name may tell a cause."""
    what = f"not compared: {reason}"
    return replace(found, kind=Kind.NOT_COMPARED, what=what, causes=causes_of([Sighting(pair.path)]))


def is_told_whole(pair: Pair, difference: Difference) -> bool:
    """Whether the excerpt shows all there is: a text with few different lines."""
    return is_text(pair.a) and is_text(pair.b) and len(difference.excerpt) <= _MAX_EXCERPT


def is_text(blob: Blob) -> bool:
    probe = blob.read(0, _TEXT_PROBE_BYTES)
    if _CONTROL & set(probe):
        return False
    try:
        probe.decode()
    except UnicodeDecodeError as error:
        return error.start > len(probe) - 4 and len(probe) == _TEXT_PROBE_BYTES  # a character cut in two
    return True


def compare_lines(pair: Pair, one: list[str], other: list[str], conditions: Sequence[Condition]) -> Difference:
    """Two lists of lines that differ."""
    path = pair.path
    if len(one) == len(other) > 1 and _without_commas(one) == _without_commas(other):
        moved = [(left, right) for left, right in zip(one, other, strict=True) if left != right]
        first = moved[0]
        orders = [tuple(side) for side in zip(*moved, strict=True)]
        sighting = Sighting(
            path, where=Field.LINE_ORDER, a=first[0], b=first[1], ordered_a=orders[0], ordered_b=orders[1]
        )
        causes, what = causes_of([sighting], conditions), "the same lines in another order"
        return Difference(pair.name, Kind.ORDER, what, causes=causes, excerpt=_excerpt([first]))
    pairs = [_around_change(left, right) for left, right in _line_pairs(one, other)]
    sightings = [Sighting(path, a=left or "", b=right or "", is_text=True) for left, right in pairs[:_MAX_SIGHTINGS]]
    more = " or more" if len(pairs) > _MAX_SIGHTINGS else ""
    count = min(len(pairs), _MAX_SIGHTINGS)
    what = f"text, {count}{more} different {'line' if count == 1 and not more else 'lines'}"
    return Difference(pair.name, Kind.CONTENT, what, causes=causes_of(sightings, conditions), excerpt=_excerpt(pairs))


def _without_commas(lines: list[str]) -> list[str]:
    """In their order; the last one of a list in JSON has no comma."""
    return sorted(line.rstrip(",") for line in lines)


def _compare_texts(pair: Pair, conditions: Sequence[Condition]) -> Difference:
    offset = first_difference(pair.a, pair.b) or 0
    before = pair.a.read(max(0, offset - _BEFORE_BYTES), min(offset, _BEFORE_BYTES))
    start = offset - len(before) + (before.rfind(b"\n") + 1)
    one, other = (
        blob.read(start, _WINDOW_BYTES).decode("utf-8", "surrogateescape").split("\n") for blob in (pair.a, pair.b)
    )
    return compare_lines(pair, one, other, conditions)


def _line_pairs(one: list[str], other: list[str]) -> Iterator[tuple[str | None, str | None]]:
    """The lines that changed, came or went, side by side."""
    size = min(len(one), len(other))
    head = next((at for at in range(size) if one[at] != other[at]), size)
    tail = next((at for at in range(size - head) if one[-1 - at] != other[-1 - at]), size - head)
    one, other = one[head : len(one) - tail], other[head : len(other) - tail]
    if max(len(one), len(other)) > _MAX_ALIGNED_LINES:  # aligning takes more than the square of that
        one, other = one[:_MAX_ALIGNED_LINES], other[:_MAX_ALIGNED_LINES]
    for what, start, stop, start_other, stop_other in difflib.SequenceMatcher(
        None, one, other, autojunk=False
    ).get_opcodes():
        if what != "equal":
            for step in range(max(stop - start, stop_other - start_other)):
                left = one[start + step] if start + step < stop else None
                right = other[start_other + step] if start_other + step < stop_other else None
                yield left, right


def _around_change(left: str | None, right: str | None) -> tuple[str | None, str | None]:
    """Of long lines what changed, with the text around it."""
    if left is None or right is None or max(len(left), len(right)) <= _MAX_LINE:
        return left, right
    head = _common_length(left, right)
    tail = _common_length(left[head:][::-1], right[head:][::-1])
    start = max(0, head - _MAX_LINE // 2)
    cut = [line[start : len(line) - tail + _MAX_LINE // 2] for line in (left, right)]
    return (f"...{cut[0]}", f"...{cut[1]}") if start else (cut[0], cut[1])


def _common_length(left: str, right: str) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(left), len(right)))


def _excerpt(pairs: Sequence[tuple[str | None, str | None]]) -> tuple[str, ...]:
    lines = []
    for left, right in pairs[:_MAX_EXCERPT]:
        lines += [f"-{_cut(left)}"] if left is not None else []
        lines += [f"+{_cut(right)}"] if right is not None else []
    return tuple(lines)


def shown(content: bytes, most_lines: int) -> list[str]:
    """The first lines of a text, or the first rows of a hexadecimal dump."""
    try:
        text = "" if _CONTROL & set(content) else content.decode()
    except UnicodeDecodeError:
        text = ""
    if text:
        return [_cut(line) for line in text.splitlines()[:most_lines]]
    return [_row(content[at : at + _ROW_BYTES], at) for at in range(0, min(len(content), 3 * _ROW_BYTES), _ROW_BYTES)]


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}..."


def _compare_binaries(pair: Pair, conditions: Sequence[Condition], *, is_code: bool) -> Difference:
    sizes = pair.a.size_bytes, pair.b.size_bytes
    regions = list(_regions(pair.a, pair.b)) or [
        (0, 0)
    ]  # of what is compared with itself, to see whether it can be read
    first = regions[0][0]
    # After bytes that came or went, all that follows is shifted: only text still says something.
    told = regions if sizes[0] == sizes[1] else regions[:1]
    with_bytes = sizes[0] == sizes[1] and not is_code
    sightings = [_sighting(pair, start, stop, with_bytes=with_bytes) for start, stop in told]
    places = f"{len(told)}{' or more' if len(told) == _MAX_SIGHTINGS else ''} places, the first at offset {first:#x}"
    what = f"differs in {places}" if sizes[0] == sizes[1] and len(told) > 1 else f"differs from offset {first:#x} on"
    rows = [line for start, _ in told[: _MAX_EXCERPT // 2] for line in _rows(pair, start)]
    return Difference(pair.name, Kind.CONTENT, what, *pair.sizes, causes_of(sightings, conditions), tuple(rows))


def stretches(left: bytes, right: bytes) -> Iterator[tuple[int, int]]:
    """Of two strings of one length, from where to where they differ, with no equal byte between."""
    at = 0
    while (start := at + common_prefix(left[at:], right[at:])) < len(left):
        at = next((end for end in range(start, len(left)) if left[end] == right[end]), len(left))
        yield start, at


def _regions(one: Blob, other: Blob) -> Iterator[tuple[int, int]]:
    """The first different stretches, with gaps of fewer than 8 equal bytes in them."""
    at, found = 0, 0
    while found < _MAX_SIGHTINGS:
        left, right = one.read(at, _WINDOW_BYTES), other.read(at, _WINDOW_BYTES)
        if not left and not right:
            return
        if left == right:
            at += len(left)
            continue
        start = common_prefix(left, right)
        stop = _region_end(left, right, start)
        yield at + start, at + stop
        found += 1
        at += stop if min(len(left), len(right)) > stop else max(len(left), len(right), 1)


def _region_end(left: bytes, right: bytes, start: int) -> int:
    last = start
    limit = min(len(left), len(right), start + _MAX_REGION_BYTES)
    for at in range(start, limit):
        if left[at] != right[at]:
            last = at
        elif at - last >= _GAP_BYTES:
            break
    return min(last + 1, max(limit, start + 1))


def _is_lone_in_packed(pair: Pair, start: int, stop: int) -> bool:
    """One byte that changed where the bytes around it look drawn at random: of what is packed, or damaged, one word in six is
    a possible time.
    """
    around = pair.a.read(max(0, start - _NEAR_BYTES), 2 * _NEAR_BYTES)
    return stop - start == 1 and len(set(around)) > _MOST_KINDS


def _sighting(pair: Pair, start: int, stop: int, *, with_bytes: bool) -> Sighting:
    """With the printable text around the place, and the bytes from the 8-byte boundary before it."""
    low = max(0, start - _AROUND_BYTES)
    around = [blob.read(low, stop - low + _AROUND_BYTES) for blob in (pair.a, pair.b)]
    texts = [_text_at(data, start - low) for data in around]
    if not with_bytes or _is_lone_in_packed(pair, start, stop):
        return Sighting(pair.path, a=texts[0], b=texts[1])
    aligned = start - start % 8
    words = [blob.read(aligned, min(stop - aligned + 8, _MAX_REGION_BYTES)) for blob in (pair.a, pair.b)]
    return Sighting(pair.path, a=texts[0], b=texts[1], raw_a=words[0], raw_b=words[1], changed_bytes=stop - start)


def _text_at(data: bytes, at: int) -> str:
    """The printable ASCII around `data[at]`, empty if there is none to speak of."""
    start = stop = at
    while start and 32 <= data[start - 1] < 127:  # noqa: PLR2004
        start -= 1
    while stop < len(data) and 32 <= data[stop] < 127:  # noqa: PLR2004
        stop += 1
    return data[start:stop].decode("ascii") if stop - start >= 4 else ""  # noqa: PLR2004


def _rows(pair: Pair, at: int) -> Iterator[str]:
    """One row of a hexadecimal dump of both."""
    start = at - at % _ROW_BYTES
    for sign, blob in (("-", pair.a), ("+", pair.b)):
        if not (row := blob.read(start, _ROW_BYTES)):
            continue
        yield f"{sign}{_row(row, start)}"


def _row(row: bytes, start: int) -> str:
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004
    return f"{start:08x}: {row.hex(' ', 2):<39}  {text}"
