"""What a stranger's project needs that a rebuild does not give: a network for its scripts, and packages that are not Debian's.

Told by the text of its files, before anything is fetched or run. Where a text was misread, `--without-network` builds all the same.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from teekit_verify.core import url
from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.core.files import read_bounded, resolved, walk
from teekit_verify.rebuild import apt_sources, pins
from teekit_verify.rebuild.smells import LEFT_OUT
from teekit_verify.rebuild.taken import (
    DROP_INS,
    MAIN,
    PROFILES,
    is_conditional,
    is_of_others,
    lines,
    scripts_of,
    settings,
    taken,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from teekit_verify.rebuild.apt_sources import Entry
    from teekit_verify.rebuild.pins import Pin
    from teekit_verify.rebuild.taken import Taken

_MAX_BYTES = 1 << 20
_MAX_FILES = 20_000
_SHOWN = 120
_MOST_NAMED = 1000
"""Words that may name scripts: each may be a pattern for all files."""
# mkosi(1), Scripts: these have the network always, all others where WithNetwork= says so.
_WITH_NETWORK = re.compile(r"mkosi\.(sync|prepare)(\.|$)")
_SCRIPT = re.compile(r"mkosi\.(sync|prepare|build|postinst|finalize|postoutput)(\.|$)")
_NETWORK = re.compile(r"^\s*WithNetwork\s*=\s*(yes|true|1|on)\b", re.IGNORECASE | re.MULTILINE)
_NAMED = re.compile(
    r"^\s*(?P<kind>Sync|Prepare|Build|PostInstallation|Finalize|PostOutput)Scripts\s*=(?P<value>.*(\n[ \t]+\S.*)*)",
    re.MULTILINE,
)
_FETCHES = re.compile(
    r"\b(curl|wget|aria2c)\s+[-\"'$\\h]|\b(urlretrieve|urlopen|requests\.get)\("
    r"|\bgit\s++(-\S++\s++([^-\s]\S*+\s++)?){0,8}(clone|pull|fetch|submodule\s++update)\b"
    r"|\b(p?npm (ci|install|i|add)|yarn (install|add)|(pip3?|pipx|cargo|gem|bundle) install|go (get|install|mod download))\b"
    r"|\b(cargo fetch|uv (sync|add)|apt(-get)? source|(docker|podman) (pull|run|build)|skopeo copy)\b"
)
_WITHOUT = re.compile(r"--offline\b|--no-index\b|file://")
_SAYS = re.compile(r"\s*(echo|printf|log|info)\s+(\"[^\"$`]*\"|'[^']*')\s*(>&2\s*)?")
"""What a script only tells of itself: nothing is computed in it."""
_OUTPUT = re.compile(r"[ \t]*OutputDirectory[ \t]*=[ \t]*([^\s%]+)[ \t]*$")
_TAKES = re.compile(r"[ \t]*(?:Initrds|BaseTrees|ExtraTrees|SkeletonTrees)[ \t]*=([^%]*)$")
_SOURCED = re.compile(r"^\s*(source|\.)\s+[\"']?(\$\{?SRCDIR\}?/)?(?P<path>[A-Za-z0-9_][A-Za-z0-9._/-]{0,200})")
_LAID_OVER = re.compile(
    r"^[ \t]*(?:SandboxTrees|PackageManagerTrees)[ \t]*=(?P<value>.*(?:\n[ \t]+\S.*)*)", re.MULTILINE
)
_GUEST = frozenset({"mkosi.extra", "mkosi.skeleton"})
_SANDBOXES = frozenset({"mkosi.sandbox", "mkosi.pkgmngr"})
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+]{1,20}:/{1,3}[^\s\]#]+")
_DISTRIBUTION = "debian"
_OF_DEBIAN = frozenset({"debian", "debian-security", "debian-debug"})
_NO_SOURCES = "# No source: where this file exists, mkosi offers apt the locked packages only.\n"


def require_no_network(root: Path, arguments: Sequence[str]) -> None:
    """Raises UnsupportedInputError for a project whose scripts fetch: builds have no network, and what comes from there is no
    recorded input.
    """
    found = taken(root, arguments)
    allowed = any(_NETWORK.search("\n".join(settings(path))) for path in found.files)
    scripts = sorted(_scripts(root, found, with_all=allowed))
    for path in (*scripts, *(other for script in scripts for other in _sourced(root, script))):
        for number in _fetching(lines(path)):
            name = printable(path.relative_to(root).as_posix())
            line = printable(lines(path)[number - 1].strip()[:_SHOWN])
            raise UnsupportedInputError(
                f"the project fetches from the network while it is built ({name}:{number}: {line}), and builds here have none",
                hint="Let its scripts fetch, recorded, with --allow-network-fetch; or build it all the same with --without-network.",
            )


def require_own_places(root: Path, arguments: Sequence[str]) -> None:
    """Raises UnsupportedInputError for a project that looks for what it makes in its own `OutputDirectory=`: builds here write to another."""
    files = taken(root, arguments).files
    outputs = {_place(root, root, match[1]) for path in files for match in map(_OUTPUT.match, settings(path)) if match}
    for path in files:
        for match in filter(None, map(_TAKES.match, settings(path))):
            for word in re.split(r"[\s,]+", match[1].strip()):
                place = _place(root, path.parent, word.partition(":")[0])
                if place is not None and not outputs.isdisjoint(place.parents) and not place.exists():
                    raise UnsupportedInputError(
                        f"the project takes {printable(word[:_SHOWN])} ({printable(path.relative_to(root).as_posix())}) from its own "
                        "OutputDirectory=, and builds here write to another",
                        hint="Give the project that file, or rebuild an image of it that needs none of another's.",
                    )


def _place(root: Path, folder: Path, word: str) -> Path | None:
    """Below the root, or None."""
    place = Path(os.path.normpath(folder / word))
    return place if word and place != root and place.is_relative_to(root) else None


def _fetching(text: list[str]) -> Iterator[int]:
    """The numbers of lines, from 1, that look like it."""
    for number, line in enumerate(text, start=1):
        if line.lstrip().startswith("#") or _SAYS.fullmatch(line):
            continue
        if _FETCHES.search(line) and not _WITHOUT.search(line):
            yield number


def _sourced(root: Path, script: Path) -> Iterator[Path]:
    """Files of the project that a script reads as its own lines: seen from the project, where mkosi starts it."""
    for match in filter(None, map(_SOURCED.match, lines(script))):
        path = root / match["path"]
        if ".." not in path.parts and path.is_file() and not path.is_symlink():
            yield path


def _scripts(root: Path, found: Taken, *, with_all: bool) -> set[Path]:
    """Those that mkosi gives a network: some always, others where the configuration says so."""
    names = _SCRIPT if with_all else _WITH_NETWORK
    scripts = {path for folder in found.folders for path in scripts_of(folder, names)}
    words = (
        (path.parent, word)
        for path in found.files
        for match in _NAMED.finditer("\n".join(settings(path)))
        if with_all or match["kind"] in {"Sync", "Prepare"}
        for word in match["value"].split()
    )
    scripts.update(script for folder, word in islice(words, _MOST_NAMED) for script in _named(root, folder, word))
    return scripts


def _named(root: Path, folder: Path, word: str) -> Iterator[Path]:
    """What a setting names, seen from its file, or from the project: it is included from there."""
    # Several "**" would go through the tree again and again.
    if ".." in Path(word).parts or word.startswith("/") or "**" in word:
        return
    for place in (folder, root):
        try:
            found = sorted(place.glob(word))
        except (ValueError, NotImplementedError):
            return
        yield from (path for path in found[:_MAX_FILES] if path.is_file() and not path.is_symlink())


@dataclass(frozen=True, slots=True)
class Sources:
    """What a project's own sources asked for: the times of Debian's snapshot archives, and suites of allowed repositories."""

    pins: tuple[Pin, ...] = ()
    entries: tuple[Entry, ...] = ()


def take_sources(root: Path, allowed: Collection[str] = (), arguments: Sequence[str] = ()) -> Sources:
    """Let mkosi in the copy have the locked packages as its only source. What the sources asked for is honoured by the lock.

    `allowed` are the addresses of repositories that the user allows. Raises UnsupportedInputError for a source of somebody else, and
    TeekitError for one behind a link.
    """
    found: list[Pin] = []
    entries: list[Entry] = []
    asked = 0
    chosen, trees = set(taken(root, arguments).folders), _trees(root)
    for path in _source_files(root, trees):
        _require_plain(root, path)
        name = printable(path.relative_to(root).as_posix())
        text = read_bounded(path, _MAX_BYTES, "a file of apt's sources").decode(errors="replace")
        if _is_left_out(root, path, chosen):
            path.write_text(_NO_SOURCES)
            continue
        for address in _ADDRESS.findall(apt_sources.without_keys(text)):
            found += () if address.rstrip("/") in allowed else _pins_of(address, name)
        for entry in apt_sources.entries(path, text, _tree_of(path, trees), name):
            asked += 1
            if asked > apt_sources.MOST_ENTRIES:
                raise UnsupportedInputError(
                    f"the project's sources ask for more than {apt_sources.MOST_ENTRIES} suites"
                )
            entries += [entry] if entry.address in allowed else []
        path.write_text(_NO_SOURCES)
    return Sources(tuple(found), tuple(entries))


def _is_left_out(root: Path, path: Path, chosen: Collection[Path]) -> bool:
    """Whether it lies in what mkosi does not take: a drop-in of other distributions, a profile that nobody chose."""
    for folder in path.relative_to(root).parents:
        above = root / folder
        if above.parent.name == DROP_INS and is_of_others(above / MAIN[0], _DISTRIBUTION):
            return True
        if above.parent == root / PROFILES and above not in chosen and not is_conditional(above / MAIN[0]):
            return True
    return False


def _tree_of(path: Path, trees: Collection[Path]) -> Path:
    """The folder that is apt's `/`: the innermost one of the sandbox's trees; of a file alone, its own."""
    return next(folder for folder in path.parents if folder.name in _SANDBOXES or folder in trees or path in trees)


def _pins_of(address: str, name: str) -> tuple[Pin, ...]:
    plain = address.rstrip("/")
    head, _, last = plain.rpartition("/")
    if url.last_folder(plain) in _OF_DEBIAN:
        return ()
    if url.last_folder(head) in _OF_DEBIAN and re.match(r"[0-9]", last):
        return (pins.pin(last, address),)
    shown = printable(url.redacted(plain)[:_SHOWN])
    raise UnsupportedInputError(
        f"the project takes packages from {shown} ({name}), and only Debian's archive is locked unless you allow another",
        hint=f"If you trust its owner, allow it with --allow-repository {shown}, or rebuild without that source and its packages.",
    )


def _source_files(root: Path, trees: Mapping[Path, PurePosixPath]) -> Iterator[Path]:
    for place, folders, names in walk(root):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for path in (Path(place, name) for name in sorted(names)):
            if _is_of_sources(_seen_by_apt(root, path, trees)):
                yield path


def _seen_by_apt(root: Path, path: Path, trees: Mapping[Path, PurePosixPath]) -> PurePosixPath | None:
    """Where a file of the project is for apt, if it is in a tree that is laid over its `/`."""
    for above in (path, *path.parents):
        if above in trees:
            return trees[above] / path.relative_to(above)
        if above.name in _SANDBOXES and above != path:
            return PurePosixPath("/") / path.relative_to(above)
        if above == root:
            break
    return None


def _is_of_sources(place: PurePosixPath | None) -> bool:
    if place is None:
        return False
    in_folder = place.parent == PurePosixPath("/etc/apt/sources.list.d") and place.suffix in {".list", ".sources"}
    return in_folder or place == PurePosixPath("/etc/apt/sources.list")


def _trees(root: Path) -> dict[Path, PurePosixPath]:
    """Files and folders that the configuration lays over apt's `/` by a setting, with the place of each there."""
    found: dict[Path, PurePosixPath] = {}
    for path in configuration(root):
        for match in _LAID_OVER.finditer("\n".join(settings(path))):
            for word in re.split(r"[\s,]+", match["value"].strip()):
                name, _, target = word.partition(":")
                for folder in {path.parent, root} if name else ():
                    if (place := _place(root, folder, name)) is not None and len(found) < _MOST_NAMED:
                        found[place] = PurePosixPath("/") / target
    return found


def _require_plain(root: Path, path: Path) -> None:
    if path.is_symlink() or resolved(path.parent) != root.resolve() / path.parent.relative_to(root):
        name = printable(path.relative_to(root).as_posix())
        raise TeekitError(f"{name} of the project is behind a link", hint="Make it a plain file.")


def build_files(root: Path) -> Iterator[Path]:
    """Plain files that are of the build: what goes into the image as it is runs in the guest."""
    count = 0
    for place, folders, names in walk(root):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT | _GUEST | _SANDBOXES)
        for name in sorted(names):
            count += 1
            if count > _MAX_FILES:
                return
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path


def configuration(root: Path) -> Iterator[Path]:
    """What mkosi may read as its configuration: also where it is included from a folder of any name."""
    return (path for path in build_files(root) if path.suffix == ".conf")
