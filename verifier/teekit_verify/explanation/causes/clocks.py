"""What a clock leaves behind, in texts and in bytes: pure questions with yes or no."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = r"(?:UTC|GMT|CES?T|EE?S?T|WES?T|[ECMP][SD]T|BST|MSK|IST|JST|A[CEW]ST|SAST|EAT|<?[+-][0-9]{2}(?::?[0-9]{2})?>?)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
_CLOCKS = re.compile(r"\b([0-9]{1,2})(:[0-9]{2}(?::[0-9]{2})?)\b")
_TIMES = re.compile(
    r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T _-][0-9]{2}[:.-]?[0-9]{2}(?:[:.-]?[0-9]{2})?(?:[.,][0-9]+)?)?"
    rf"(?:Z|\s?{ZONE})?\b"
    rf"|\b(?:{_DAY}[a-z]{{0,6}},?\s+)?(?:[0-9]{{1,2}}\s+)?{_MONTH}\s+[0-9]{{1,4}}(?:,?\s+[0-9]{{4}})?\b"
    rf"|\b[0-9]{{1,2}}[- ]{_MONTH}[- ](?:[0-9]{{2}}){{1,2}}\b"
    r"|\b20[0-9]{2}([/.])[0-9]{1,2}\1[0-9]{1,2}\b"
    r"|\b[0-9]{4}-W[0-9]{2}(?:-[0-9])?\b"
    rf"|\b{_CLOCK}(?:\.[0-9]+)?(?:\s?[AaPp]\.?[Mm]\b)?(?:\s{ZONE}(?!\w))?"
    r"|(?<![0-9])20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[T_.-]?[0-9]{4,6}Z?)?(?![0-9])"
    r"|\b(?:1[0-9]|2[0-9])[0-9]{8}(?:[0-9]{3}|[0-9]{6}|[0-9]{9})?(?:\.[0-9]+)?\b"
    r"|\b[0-9]{1,2}[./][0-9]{1,2}[./](?:19|20)[0-9]{2}\b"
    # With two digits for the year, 6.12.48 is a version: only with leading zeros, and no further part.
    r"|\b[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}\b"
    r"|(?<![\w.-])(?:0[1-9]|[12][0-9]|3[01])\.(?:0[1-9]|1[0-2])\.[12][0-9](?![\w-]|\.\w)"
    r"|\b[0-9]+\.[0-9]+\s?(?:ms|s|secs?|seconds?|min|minutes?)\b"
    r"|(?:(?<=\bin )|(?<=\btook )|(?<=\bafter ))[0-9]+\s?(?:ms|s|secs?|seconds?|min|minutes?)\b"
    r"|(?<=\[)\s*[0-9]+\.[0-9]{6}(?=\])"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
    r"|(?<=\s)(?:199|20[0-3])[0-9]\b"
)
_DATES = re.compile(r"\b([12][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_HEX_TIME = re.compile(r"(?:0x)?([0-9a-fA-F]{8})")
_EARLIEST, _LATEST = 1_420_070_400, 2_051_222_400  # the years 2015 to 2034: others look like code, or kernel addresses
_SOON_SECONDS = 16
_FAR_SECONDS = 2 * 366 * 86400
_TIME_BYTES = 4
_UNITS_PER_SECOND = (10**9, 10**6)
MAX_TEXT = 2000
_MOMENT_DIGITS = 6


def without_times(text: str) -> str:
    """The text, cut at a limit, without all that looks like a time or a duration."""
    return _TIMES.sub("", text[:MAX_TEXT])


def holds_moment(line: str) -> bool:
    """Whether a line that one side alone has names a moment: a date or a clock, whatever else; a year alone is none."""
    return any(sum(map(str.isdigit, found[0])) >= _MOMENT_DIGITS for found in _TIMES.finditer(line[:MAX_TEXT]))


def is_time(token: str) -> bool:
    return _TIMES.fullmatch(token) is not None


def only_times_differ(a: str, b: str) -> bool:
    """Whether nothing is left of the difference when everything that looks like a time is taken out."""
    a, b = a[:MAX_TEXT], b[:MAX_TEXT]
    return a != b and (without_times(a) == without_times(b) or _only_hex_times_differ(a, b))


def _only_hex_times_differ(a: str, b: str) -> bool:
    changed = [pair for pair in zip_longest(a.split(), b.split(), fillvalue="") if pair[0] != pair[1]]
    found = [[_HEX_TIME.search(token) for token in pair] for pair in changed]
    return bool(found) and all(
        one and other and _near(int(one[1], 16), int(other[1], 16)) and _outside(one) == _outside(other)
        for one, other in found
    )


def _outside(found: re.Match[str]) -> str:
    return found.string[: found.start()] + "\0" + found.string[found.end() :]


def only_hours_differ(a: str, b: str) -> bool:
    """Times with the same minutes and seconds at other hours: one moment in two time zones, most likely."""
    if not only_times_differ(a, b):
        return False
    times = [_CLOCKS.findall(text[:MAX_TEXT]) for text in (a, b)]
    has_same_tails = [tail for _, tail in times[0]] == [tail for _, tail in times[1]]
    return bool(times[0]) and times[0] != times[1] and has_same_tails and _days_are_near(a, b)


def _days_are_near(a: str, b: str) -> bool:
    """No two zones are further apart than from one day to the next but one; nothing is known of texts without a date."""
    days = [[_day(*found) for found in _DATES.findall(text[:MAX_TEXT])] for text in (a, b)]
    return len(days[0]) == len(days[1]) and all(
        abs(one - other) <= timedelta(days=1) for one, other in zip(*days, strict=True)
    )


def _day(year: str, month: str, day: str) -> timedelta:
    """Since the beginning of the calendar; a day that its month lacks is of the next one."""
    return date(int(year), int(month), 1) - date.min + timedelta(days=int(day))


def times_in_bytes_differ(a: bytes, b: bytes) -> bool:
    """Whether every little-endian number that changed is a time of the years 2015 to 2034 in both, not far apart, and not
    text: seconds in 32 bits, or millionths or billionths of a second in 64 bits; at a multiple of its size.
    """
    seconds = list(_changed(a, b, _TIME_BYTES))
    if len(seconds) == 1 and _is_flipped_bit(*seconds[0]):
        return False
    if seconds and all(
        not (_is_text(one) and _is_text(other)) and _near(_number(one), _number(other)) for one, other in seconds
    ):
        return True
    fine = list(_changed(a, b, 2 * _TIME_BYTES))
    return bool(fine) and any(
        all(_near(_number(one) // unit, _number(other) // unit) for one, other in fine) for unit in _UNITS_PER_SECOND
    )


def _is_flipped_bit(one: bytes, other: bytes) -> bool:
    """One bit, and not one of the lowest: those change between two builds that were made one after the other."""
    return (_number(one) ^ _number(other)).bit_count() == 1 and abs(_number(one) - _number(other)) >= _SOON_SECONDS


def _number(word: bytes) -> int:
    return int.from_bytes(word, "little")


def _near(one: int, other: int) -> bool:
    return all(_EARLIEST < time < _LATEST for time in (one, other)) and abs(one - other) < _FAR_SECONDS


def _is_text(word: bytes) -> bool:
    return all(32 <= byte < 127 for byte in word)  # noqa: PLR2004


def _changed(a: bytes, b: bytes, size_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    return ((one, other) for one, other in words(a, b, size_bytes) if one != other)


def words(a: bytes, b: bytes, size_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Side by side, as far as both go."""
    for at in range(0, min(len(a), len(b)) - size_bytes + 1, size_bytes):
        yield a[at : at + size_bytes], b[at : at + size_bytes]
