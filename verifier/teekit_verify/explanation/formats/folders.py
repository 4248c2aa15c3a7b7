"""Two folders, such as release directories: files by their paths, links by their targets, and modes."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import Blob, first_difference
from teekit_verify.artifacts.fields import Field
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.files import read_bounded, walk
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats import oci
from teekit_verify.explanation.formats.fields import compare_field
from teekit_verify.explanation.formats.presence import kind_of
from teekit_verify.explanation.pair import Pair
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from teekit_verify.explanation.examination import Examination

_MAX_ENTRIES = 100_000
_LEFT_OUT = "of folders, times, owners, extended attributes and which names are hard links to one file are not compared"
_MAX_LOOKED_INTO = 200
Found = dict[str, os.stat_result]


def compare_folders(examination: Examination, a: Path, b: Path) -> tuple[Difference, ...]:
    """Empty if they hold the same files with the same bytes, targets, modes and device numbers. The rest is this machine's, as a notice says.

    Raises TeekitError for what cannot be read.
    """
    one, other = _listed(a), _listed(b)
    examination.note(_LEFT_OUT)
    top = a.name if a.name == b.name else f"{a.name} and {b.name}"
    pair = Pair((top,), Blob(-1, 0, 0), Blob(-1, 0, 0))
    roles = oci.partners(oci.roles(*_readable(a, one)), oci.roles(*_readable(b, other)), (one, other))
    for role, names in roles.items():
        one[role], other[role] = one.pop(names[0]), other.pop(names[1])
    differences = []
    for name in sorted(one.keys() ^ other.keys()):
        causes = causes_of([Sighting((top, name))])
        row = one.get(name) or other[name]
        told = f"{kind_of(row.st_mode)}, {row.st_size} bytes"
        side = "A" if name in one else "B"
        sides = (told, "") if side == "A" else ("", told)
        differences.append(Difference(name, Kind.PRESENCE, f"only in {side}", *sides, causes))
    common = sorted(one.keys() & other.keys())
    alike = [name for name in common if stat.S_IFMT(one[name].st_mode) == stat.S_IFMT(other[name].st_mode)]
    differences += _contents(
        examination, pair, [(name, *_paths(a, b, roles.get(name, (name, name)))) for name in alike]
    )
    for where, what, value in (
        (None, "is another kind of file", _kind),
        (Field.MODE, "mode", _mode),
        (None, "device numbers", _device),
    ):
        differences += compare_field(
            pair,
            where,
            what,
            ((name, value(one[name]), value(other[name])) for name in (alike if where is Field.MODE else common)),
        )
    return (Difference(top, Kind.CONTENT, "folder", children=tuple(differences)),) if differences else ()


def _listed(folder: Path) -> Found:
    found: Found = {}

    def failed(error: OSError) -> None:
        raise TeekitError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for root, folders, files in walk(folder, failed):
        for name in [*folders, *files]:
            path = os.path.join(root, name)  # noqa: PTH118 - names may be no Unicode
            found[os.path.relpath(path, folder)] = os.lstat(path)
            if len(found) > _MAX_ENTRIES:
                raise UnsupportedInputError(f"{folder}: more than {_MAX_ENTRIES} files are not compared")
    return found


def _paths(a: Path, b: Path, names: tuple[str, str]) -> tuple[Path, Path]:
    return a / names[0], b / names[1]


def _readable(folder: Path, found: Found) -> tuple[set[str], Callable[[str], bytes]]:
    """The names of the files, and how one is read; of what is larger than any index there is nothing."""
    names = {name for name, row in found.items() if stat.S_ISREG(row.st_mode) and row.st_size <= oci.MAX_BYTES}

    def read(name: str) -> bytes:
        return read_bounded(folder / name, oci.MAX_BYTES, "an index") if name in names else b""

    return {name for name, row in found.items() if stat.S_ISREG(row.st_mode)}, read


def _kind(row: os.stat_result) -> str:
    return kind_of(row.st_mode)


def _device(row: os.stat_result) -> str:
    return f"{os.major(row.st_rdev)}:{os.minor(row.st_rdev)}"


def _mode(row: os.stat_result) -> str:
    return f"{row.st_mode & 0o7777:04o}"


def _contents(examination: Examination, pair: Pair, rows: list[tuple[str, Path, Path]]) -> Iterator[Difference]:
    count = 0
    for name, left, right in rows:
        if left.is_symlink():
            targets = [os.readlink(path) for path in (left, right)]  # noqa: PTH115 - as it is stored
            if targets[0] != targets[1]:
                causes = causes_of([Sighting((*pair.path, name), a=targets[0], b=targets[1])], examination.conditions)
                yield Difference(name, Kind.CONTENT, "symlink to another place", targets[0], targets[1], causes)
        elif stat.S_ISREG(left.lstat().st_mode) and not _are_equal(left, right):
            count += 1
            if count <= _MAX_LOOKED_INTO:
                yield examination.compare(pair.inner(name, examination.open(left), examination.open(right)))
            else:
                yield Difference(name, Kind.CONTENT, "differs (one of too many to be examined)")


def _are_equal(left: Path, right: Path) -> bool:
    """Opened and closed at once: there may be more of them than a process may have open."""
    with ExitStack() as stack:
        blobs = []
        for path in (left, right):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                raise TeekitError(f"{path}: cannot be read: {error.strerror}") from error
            stack.callback(os.close, descriptor)
            blobs.append(Blob.of(descriptor))
        return first_difference(*blobs) is None
