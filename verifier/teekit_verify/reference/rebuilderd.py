"""What a rebuilder says about the packages of a distribution: lists of rebuilderd (kpcyrd/rebuilderd, common/src/api, at 335119d).

Version 0 of its interface gives one array (/api/v0/pkgs/list), version 1 pages of {total, records} (/api/v1/packages/binary). A list has tens of
thousands of packages, so an array is read object by object, and only what is asked about is kept. A rebuilder names packages, not digests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.download.answers import ask
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.url import decoded, require_address
from teekit_verify.documents import codec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

MAX_LIST_BYTES = 256 << 20
"""Debian's lists have some 25 MB for one architecture."""
MOST_ENTRIES = 500_000
"""That are kept, of one list or page. Debian has some 70,000 packages for an architecture."""
WHAT = "a list of rebuilderd"
_V0, _V1 = "/api/v0/pkgs/list", "/api/v1/packages/binary"
_PAGE, _MAX_PAGES = 5000, 200
_OK, _NOT_FOUND = 200, 404
_MAX_TEXT = 1024
_SPACE = re.compile(rb"[ \t\r\n]*")
_FLAT_OBJECT = re.compile(rb'\{(?:[^{}\["]++|"(?:[^"\\]|\\.)*+")*+\}')
"""Entries have no values within values."""
_DISTRIBUTIONS = ("distro", "distribution")
"""As versions 0 and 1 call it."""
_URLS = ("artifact_url", "url")


class RebuildStatus(Enum):
    """Of one package, by one rebuilder. UNKNOWN: it has not been rebuilt yet."""

    GOOD = "GOOD"
    BAD = "BAD"
    UNKNOWN = "UNKWN"


@dataclass(frozen=True, slots=True)
class Entry:
    """`file_name` is that of the package's address, empty if the list has none."""

    name: str
    version: str
    architecture: str
    status: RebuildStatus
    file_name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """`source` is the address or file that says it; `entries` are those of `read_file` or `fetch` that were asked about."""

    source: str
    entries: tuple[Entry, ...]


def parse_list(
    data: bytes, where: str, names: Collection[str] | None, distribution: str = "debian"
) -> tuple[Entry, ...]:
    """The entries of these package names (None: of all). `where` names the file in errors. Raises TeekitError, also for one page of several."""
    start = _end_of(_SPACE, data, 0)
    if data[start : start + 1] == b"[":
        return tuple(_kept(_array(data, start + 1, where), names, distribution))
    records, total = _page(data, where)
    if len(records) != total:
        raise TeekitError(
            f"{where}: has {len(records)} of {total} packages: it is one page of several", hint="Save all of it."
        )
    return tuple(_kept(_numbered(records, where), names, distribution))


def fetch(address: str, names: Collection[str], distribution: str = "debian") -> Listing:
    """From a rebuilder's address: version 0 of the interface, or version 1 where that is gone. Uses the network.

    Raises NoAnswerError where it cannot be reached, TeekitError for what is no list.
    """
    base = require_address(address, "--rebuilderd").rstrip("/")
    url = f"{base}{_V0}?distro={distribution}"
    answer = ask(url, MAX_LIST_BYTES)
    if answer.status == _NOT_FOUND:
        return Listing(base, tuple(_paged(base, names, distribution)))
    _require_ok(answer.status, url)
    return Listing(base, parse_list(answer.body, url, names, distribution))


def _paged(base: str, names: Collection[str], distribution: str) -> Iterator[Entry]:
    last, seen = 0, 0
    for _ in range(_MAX_PAGES):
        url = f"{base}{_V1}?distribution={distribution}&limit={_PAGE}&after={last}"
        answer = ask(url, MAX_LIST_BYTES)
        _require_ok(answer.status, url)
        records, total = _page(answer.body, url)
        yield from _kept(_numbered(records, url), names, distribution)
        seen += len(records)
        if seen >= total:
            return
        ids = [found for record in records if isinstance(record, dict) and isinstance(found := record.get("id"), int)]
        if not ids or max(ids) <= last:
            raise TeekitError(f"{url}: says that there are {total} packages, and gave {seen}", hint="Ask again.")
        last = max(ids)
    raise TeekitError(f"{base}: has more than {_MAX_PAGES * _PAGE} packages", hint="Ask another rebuilder.")


def _require_ok(status: int, url: str) -> None:
    if status != _OK:
        raise TeekitError(
            f"{printable(url)}: answers with HTTP status {status}",
            hint="Name the address of a rebuilderd, without /api.",
        )


def _array(data: bytes, place: int, where: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each object with its place, for errors. What is after the array must be nothing."""
    place, number = _end_of(_SPACE, data, place), 0
    while data[place : place + 1] != b"]":
        found = _FLAT_OBJECT.match(data, place)
        if found is None:
            raise TeekitError(f"{where}: expected a package at offset {place:#x}, found something else: is it cut off?")
        label = f"{where}: [{number}]"
        value = codec.plain_json(found[0], label)
        if isinstance(value, dict):
            yield label, value
        place, number = _end_of(_SPACE, data, found.end()), number + 1
        separator = data[place : place + 1]
        if separator == b",":
            place = _end_of(_SPACE, data, place + 1)
        if (separator == b",") is (data[place : place + 1] == b"]"):
            raise TeekitError(f"{where}: expected ',' or ']' at offset {place:#x}: is it cut off?")
    if data[_end_of(_SPACE, data, place + 1) :]:
        raise TeekitError(f"{where}: has something after its end at offset {place + 1:#x}")


def _end_of(pattern: re.Pattern[bytes], data: bytes, place: int) -> int:
    found = pattern.match(data, place)
    return place if found is None else found.end()


def _page(data: bytes, where: str) -> tuple[list[object], int]:
    value = codec.bounded_json(data, where)
    records, total = (value.get("records"), value.get("total")) if isinstance(value, dict) else (None, None)
    if not isinstance(records, list) or not isinstance(total, int):
        raise TeekitError(
            f"{where}: expected a package list of rebuilderd: an array, or an object with total and records"
        )
    return records, total


def _numbered(records: Iterable[object], where: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise TeekitError(f"{where}: [{number}]: expected a package")
        yield f"{where}: [{number}]", record


def _kept(
    records: Iterable[tuple[str, Mapping[str, object]]], names: Collection[str] | None, distribution: str
) -> Iterator[Entry]:
    kept = 0
    for where, record in records:
        name = _text(record, ("name",), where)
        if _text(record, _DISTRIBUTIONS, where) == distribution and (names is None or name in names):
            kept += 1
            if kept > MOST_ENTRIES:
                raise TeekitError(f"{where}: is one of more than {MOST_ENTRIES} entries about the packages in question")
            yield _entry(name, record, where)


def _entry(name: str, record: Mapping[str, object], where: str) -> Entry:
    status = record.get("status") or RebuildStatus.UNKNOWN.value  # version 1 has null for what was not built
    try:
        known = RebuildStatus(status)
    except ValueError as error:
        found = printable(str(status)[:80])
        raise TeekitError(f"{where}: status: expected GOOD, BAD or UNKWN, found '{found}'") from error
    version, architecture = _text(record, ("version",), where), _text(record, ("architecture",), where)
    return Entry(name, version, architecture, known, file_name_in(_text(record, _URLS, where, optional=True)))


def file_name_in(address: str) -> str:
    """The last part of an address or path, decoded if it is Unicode text then."""
    name = address.rpartition("/")[2]
    try:
        return decoded(name)
    except UnicodeDecodeError:
        return name


def _text(record: Mapping[str, object], fields: tuple[str, ...], where: str, *, optional: bool = False) -> str:
    value = next((record[field] for field in fields if field in record), "" if optional else None)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise TeekitError(f"{where}: {fields[0]}: expected text of up to {_MAX_TEXT} characters")
    return value
