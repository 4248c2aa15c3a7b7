"""What gives a culprit away in two texts or stretches of bytes that differ: pure questions with yes or no."""

from __future__ import annotations

import re
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_TIMES = re.compile(
    r"\b\d{4}-\d{2}-\d{2}(?:[T _-]\d{2}[:.-]?\d{2}(?:[:.-]?\d{2})?(?:\.\d+)?)?(?:Z|\s?[+-]\d{2}:?\d{2})?\b"
    r"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?\s+)?(?:\d{1,2}\s+)?" + _MONTH + r"\s+\d{1,4}(?:,?\s+\d{4})?\b"
    r"|\b\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?\b"
    r"|\b20\d{6}(?:T?\d{4,6}Z?)?\b"
    r"|\b(?:1[0-9]|2[0-9])\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?\b"
    r"|\b\d{1,2}[./]\d{1,2}[./](?:19|20)\d{2}\b"
    r"|\b\d+(?:\.\d+)?\s?(?:ms|s|secs?|seconds?|min|minutes?)\b"
    r"|(?<=\s)(?:19|20)\d{2}\b"
)
_CLOCK = re.compile(r"\b(\d{1,2})(:\d{2}(?::\d{2})?)\b")
_ADDRESS = re.compile(r"(?<![0-9a-f])(?:0x)?(?:0000)?(?:5[56]|7f)[0-9a-f]{10}(?![0-9a-f])")
_PROCESS = re.compile(r"\[\d{1,7}\]|\bpid[ =:]+\d{1,7}\b", re.IGNORECASE)
_ZONE = re.compile(
    r"[+-]\d{2}:?\d{2}|UTC|Z|(?:Etc/)?GMT[+-]?\d{0,2}|<[+-]\d+>[+-]?\d*|[A-Z][a-z]+/[A-Z][A-Za-z_]+|[A-Z]{3,4}"
)
_RANDOM = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}|[A-Za-z0-9+/_-]{20,}={0,2}"
)
_SUFFIXED = re.compile(r"(.*?[./_-])[A-Za-z0-9]{6,12}(/.*)?")
_TOKEN = re.compile(r"[^\s\"'`=,;()<>\[\]{}|]+")
_JOBS = re.compile(r"-j|\bjobs?\b|nproc|\bcpus?\b|processors?|threads?|parallel|cores?\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}")
_VARIABLE = re.compile(r"\s*(?:export\s+|declare -x\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]")
_WORD_BYTES, _TIME_BYTES = 8, 4
_EARLIEST, _LATEST = 946_684_800, 2_051_222_400  # the years 2000 to 2034: later ones look like kernel addresses
_FAR_SECONDS = 2 * 366 * 86400
_MIN_CLEAR_BYTES = 4
_MAX_TEXT = 2000
_NEARLY = 0.8


def is_file(path: str, pattern: str) -> bool:
    """Whether the whole path matches, without a leading "./" or "/"."""
    return re.fullmatch(pattern, path.removeprefix(".").lstrip("/"), re.DOTALL) is not None


def only_umask(mode_a: str, mode_b: str) -> bool:
    """Two modes in octal digits that differ in what a umask takes away: rights of group and others."""
    changed = int(mode_a, 8) ^ int(mode_b, 8)
    return changed != 0 and not changed & ~0o077


def sorted_by_locale(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one order is that of bytes, and the other one alphabetical in another way: without regard to case and
    punctuation, as most locales have it, or with z after s, as Estonian has it (reprotest's et_EE).
    """
    return any(
        list(left) == sorted(left, key=_bytes)
        and any(_nearly_sorted([*map(key, right)]) for key in (_letters, _estonian))
        for left, right in ((one, other), (other, one))
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum()) or text


def _estonian(text: str) -> str:
    return _letters(text).replace("z", "s~")


def _nearly_sorted(keys: list[str]) -> bool:
    """Every locale places a few letters anew."""
    return sum(left <= right for left, right in pairwise(keys)) >= _NEARLY * (len(keys) - 1) > 0


def only_times_differ(a: str, b: str) -> bool:
    """Whether nothing is left of the difference when everything that looks like a time is taken out."""
    a, b = a[:_MAX_TEXT], b[:_MAX_TEXT]
    return a != b and _TIMES.sub("", a) == _TIMES.sub("", b)


def only_processes_differ(a: str, b: str) -> bool:
    """Whether nothing is left when times and process numbers are taken out, as in "systemd[17]: ..."."""
    a, b = (_PROCESS.sub("", _TIMES.sub("", text[:_MAX_TEXT])) for text in (a, b))
    return a == b


def home_paths_differ(a: str, b: str) -> bool:
    return any(_is_home(one) and _is_home(other) for one, other in _changed(a, b))


def _is_home(token: str) -> bool:
    return re.search(r"(^|[:])(/home/|/root\b|/nonexistent|/Users/)", token) is not None


def paths_differ(a: str, b: str) -> bool:
    """Whether two absolute paths differ, other than in a random suffix of theirs."""
    return any(_is_path(one) and _is_path(other) and not _random_suffix(one, other) for one, other in _changed(a, b))


def _is_path(token: str) -> bool:
    return re.search(r"(^|[:])/[^/]+/", token) is not None


def _random_suffix(one: str, other: str) -> bool:
    """As in /tmp/tmp.Xa81k2/x and /tmp/tmp.0dkP2q/x: mktemp's work."""
    first, second = _SUFFIXED.fullmatch(one), _SUFFIXED.fullmatch(other)
    if not first or not second or first.groups() != second.groups():
        return False
    return "tmp" in first[1] or first[1].endswith(".")


def users_differ(a: str, b: str) -> bool:
    """user@host, with another user."""
    return any(one != other for one, other in _parts_of_addresses(a, b, 0))


def hosts_differ(a: str, b: str) -> bool:
    """user@host, with another host; or a name after a word for it."""
    if any(one != other for one, other in _parts_of_addresses(a, b, 1)):
        return True
    return any(re.search(r"(?i)\bhost(name)?[:= ]", text) is not None for text in (a, b)) and bool(list(_changed(a, b)))


def _parts_of_addresses(a: str, b: str, part: int) -> Iterator[tuple[str, str]]:
    for one, other in _changed(a, b):
        if one.count("@") == other.count("@") == 1:
            yield one.split("@")[part], other.split("@")[part]


def job_counts_differ(a: str, b: str) -> bool:
    """Small numbers that differ in a text about jobs or processors."""
    if not (_JOBS.search(a) and _JOBS.search(b)):
        return False
    changed = list(_changed(a, b))
    return bool(changed) and all(
        re.sub(r"\d+", "", one) == re.sub(r"\d+", "", other) and _NUMBER.search(one) and _NUMBER.search(other)
        for one, other in changed
    )


def umasks_differ(a: str, b: str) -> bool:
    """Umasks by name, or modes of files that differ in what a umask takes away: 755 and 775."""
    changed = list(_changed(a, b))
    if not all(re.fullmatch(r"[0-7]{3,4}", token) for pair in changed for token in pair):
        return False
    if "umask" in a.lower() and "umask" in b.lower():
        return bool(changed)
    return bool(changed) and all(only_umask(*pair) and all(token[-3] in "4567" for token in pair) for pair in changed)


def only_hours_differ(a: str, b: str) -> bool:
    """Times with the same minutes and seconds at other hours: one moment in two time zones, most likely."""
    if not only_times_differ(a, b):
        return False
    times = [_CLOCK.findall(text[:_MAX_TEXT]) for text in (a, b)]
    return bool(times[0]) and times[0] != times[1] and [tail for _, tail in times[0]] == [tail for _, tail in times[1]]


def addresses_differ(a: str, b: str) -> bool:
    """Addresses of a process in hexadecimal digits, in both."""
    return any(_ADDRESS.search(one) and _ADDRESS.search(other) for one, other in _changed(a, b))


def time_zones_differ(a: str, b: str) -> bool:
    changed = list(_changed(a, b))
    return any(_ZONE.fullmatch(one) and _ZONE.fullmatch(other) for one, other in changed) and all(
        _ZONE.fullmatch(token) or _TIMES.fullmatch(token) or token.isdigit() for pair in changed for token in pair
    )


def random_ids_differ(a: str, b: str) -> bool:
    """Tokens of equal length that look drawn at random: UUIDs, long hexadecimal numbers, mktemp's names."""
    return any(
        (
            len(one) == len(other)
            and _RANDOM.search(one) is not None
            and _RANDOM.search(other) is not None
            and _digits(one)
        )
        or _random_suffix(one, other)
        for one, other in _changed(a, b)
    )


def _digits(token: str) -> bool:
    return any(character.isdigit() for character in token)


def variables_differ(a: str, b: str) -> bool:
    """NAME=value with the same name; a name in capitals, as variables of an environment have it."""
    first, second = _VARIABLE.match(a), _VARIABLE.match(b)
    return first is not None and second is not None and first[1] == second[1] and first[1].isupper()


def changed_tokens(a: str, b: str) -> tuple[str, str] | None:
    """The only token that changed; None if there are several, or none."""
    changed = list(_changed(a, b))
    return changed[0] if len(changed) == 1 else None


def _changed(a: str, b: str) -> Iterator[tuple[str, str]]:
    """Tokens that differ, side by side. Tokens are what is between spaces, quotes, brackets, commas and equals signs."""
    for one, other in zip_longest(_TOKEN.findall(a[:_MAX_TEXT]), _TOKEN.findall(b[:_MAX_TEXT]), fillvalue=""):
        if one != other:
            yield one, other


def times_in_bytes_differ(a: bytes, b: bytes) -> bool:
    """Whether every 32-bit number that changed, at a multiple of 4 bytes, is a time of the years 2000 to 2034 in both,
    not far apart, and not text.
    """
    changed = [pair for pair in _words(a, b, _TIME_BYTES) if pair[0] != pair[1]]
    return bool(changed) and all(
        all(_EARLIEST < _number(word) < _LATEST and not _is_text(word) for word in pair)
        and abs(_number(pair[0]) - _number(pair[1])) < _FAR_SECONDS
        for pair in changed
    )


def _is_text(word: bytes) -> bool:
    return all(32 <= byte < 127 for byte in word)  # noqa: PLR2004


def pointers_differ(a: bytes, b: bytes) -> bool:
    """64-bit numbers that are addresses of a process (0x55..., 0x7f...) in both; the kernel is linked at its own."""
    changed = [pair for pair in _words(a, b, _WORD_BYTES) if pair[0] != pair[1]]
    return bool(changed) and all(map(_is_pointer, changed[0]))


def _is_pointer(word: bytes) -> bool:
    return word[6:] == b"\0\0" and word[5] in {0x55, 0x56, 0x7F}


def one_side_is_clear(a: bytes, b: bytes, changed_bytes: int) -> bool:
    """A stretch of zeros in one that is something else in the other."""
    if changed_bytes < _MIN_CLEAR_BYTES or len(a) != len(b):
        return False
    changed = [(one, other) for one, other in zip(a, b, strict=True) if one != other]
    return len(changed) >= _MIN_CLEAR_BYTES and any(not any(side) for side in zip(*changed, strict=True))


def _words(a: bytes, b: bytes, size_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    for at in range(0, min(len(a), len(b)) - size_bytes + 1, size_bytes):
        yield a[at : at + size_bytes], b[at : at + size_bytes]


def _number(word: bytes) -> int:
    return int.from_bytes(word, "little")
