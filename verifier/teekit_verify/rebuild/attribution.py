"""Which package a change of the image comes from. A change that no changed package explains is the alarm of a refresh."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.artifacts.deb import FileKind
from teekit_verify.rebuild.carried import merged
from teekit_verify.rebuild.image_files import INITRD, Aspect, changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from teekit_verify.artifacts.deb import PackagedFile
    from teekit_verify.rebuild.carried import Carried
    from teekit_verify.rebuild.image_files import FileState, ImageParts

_KINDS = {FileKind.FILE: stat.S_IFREG, FileKind.SYMLINK: stat.S_IFLNK, FileKind.DIRECTORY: stat.S_IFDIR}
_RELEASE_FILES = ("usr/lib/os-release", "etc/os-release", "usr/lib/initrd-release", "etc/initrd-release")


class Reason(Enum):
    """What explains a change. The value is for programs.

    `PACKAGE`: what was there and what is there now are a changed package's own. `EDITED`: the package's file changed, and the
    build edits it, now as before. `DERIVED`: a program of the build made it from changes that are explained; its bytes were not checked.
    """

    PACKAGE = "package"
    EDITED = "edited"
    DERIVED = "derived"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class ChangedPart:
    """A section of the UKI (`path` is empty), or a file of its initrd. `by` names what makes a DERIVED one."""

    section: str
    path: str
    aspects: tuple[Aspect, ...]
    reason: Reason
    packages: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A file that a program of the build makes from others; `{0}` in `sources` is the group of `made`."""

    made: str
    sources: str
    by: str


_RULES = (
    _Rule(r"etc/ld\.so\.cache|var/cache/ldconfig(/.*)?", r"usr/lib.*\.so(\..*)?", "ldconfig"),
    _Rule(
        r"(usr/lib/modules/[^/]+)/modules\.[a-z.]+",
        r"{0}/(kernel|updates)/.*\.ko(\..*)?|{0}/modules\..*",
        "depmod",
    ),
    _Rule(r"etc/ssl/certs(/.*)?|etc/ca-certificates\.conf", r"usr/share/ca-certificates/.*", "update-ca-certificates"),
    _Rule(r"usr/lib/udev/hwdb\.bin|etc/udev/hwdb\.bin", r"usr/lib/udev/hwdb\.d/.*", "systemd-hwdb"),
    _Rule(r"(.+)/[^/]+\.(?:py[co])|(?:.+)/__pycache__", r"usr/.*\.py", "Python"),
)


def attribute(old: ImageParts, new: ImageParts, before: Carried, after: Carried) -> tuple[ChangedPart, ...]:
    """Every change, files in the order of their names, then sections."""
    files = [
        _file(path, old.files.get(path), new.files.get(path), before, after)
        for path in sorted(old.files.keys() | new.files.keys())
        if changed(old.files.get(path), new.files.get(path))
    ]
    files = [_with_folder(part, files) for part in (_derived(part, files) for part in files)]
    return (*files, *_sections(old, new, before, after, files))


def _file(path: str, one: FileState | None, other: FileState | None, before: Carried, after: Carried) -> ChangedPart:
    aspects = changed(one, other)
    had, has = before.by_path.get(merged(path), []), after.by_path.get(merged(path), [])
    owners = tuple(sorted({name for name, _ in (*had, *has)}))
    was, is_ = _owners(one, had, aspects), _owners(other, has, aspects)
    match one, other:
        case None, _:
            # What the package had there already, and the image had not, is not new because of the package.
            good = bool(is_) and not _owners(other, had, (Aspect.CONTENT,))
        case _, None:
            good = bool(was) and not has
        case _:
            good = bool(was) and bool(is_)
    if good:
        return ChangedPart(INITRD, path, aspects, Reason.PACKAGE, tuple(sorted(was | is_)))
    moved = _elsewhere(one, other, before, after) if not owners and aspects == (Aspect.CONTENT,) else ()
    if moved:
        return ChangedPart(INITRD, path, aspects, Reason.PACKAGE, moved)
    edited = one is not None and other is not None and not was and not is_ and _differ(had, has)
    return ChangedPart(INITRD, path, aspects, Reason.EDITED if edited else Reason.UNEXPLAINED, owners)


def _owners(
    state: FileState | None, carried: Iterable[tuple[str, PackagedFile]], aspects: tuple[Aspect, ...]
) -> set[str]:
    """The packages that have exactly this file there. Times are the build's own."""
    return (
        set()
        if state is None
        else {name for name, file in carried if _is(state, file, with_mode=not _is_content(aspects))}
    )


def _is_content(aspects: tuple[Aspect, ...]) -> bool:
    """Whether modes and owners, which a build may set, play no part in the change."""
    return not {Aspect.MODE, Aspect.OWNER}.intersection(aspects)


def _is(state: FileState, file: PackagedFile, *, with_mode: bool) -> bool:
    if _KINDS.get(file.kind) != state.kind:
        return False
    same = {
        FileKind.FILE: lambda: state.digest == file.digest,
        FileKind.SYMLINK: lambda: state.target == file.target,
    }.get(file.kind, lambda: True)()
    is_plain = not with_mode or (stat.S_IMODE(state.mode), state.owner) == (file.mode, file.owner)
    return same and is_plain


def _elsewhere(one: FileState | None, other: FileState | None, before: Carried, after: Carried) -> tuple[str, ...]:
    """A build may put a package's file under another name: a module of npm, a program that is copied."""
    if one is None or other is None:
        return ()
    was, is_ = before.by_digest.get(one.digest, set()), after.by_digest.get(other.digest, set())
    return tuple(sorted(was & is_))


def _differ(had: Iterable[tuple[str, PackagedFile]], has: Iterable[tuple[str, PackagedFile]]) -> bool:
    """Whether a package's own file changed between the two."""
    one, other = ({(name, file.kind, file.digest, file.target) for name, file in side} for side in (had, has))
    return bool(one) and bool(other) and one != other


def _derived(part: ChangedPart, files: Iterable[ChangedPart]) -> ChangedPart:
    if part.reason is not Reason.UNEXPLAINED or part.packages:
        return part
    for rule in _RULES:
        found = re.fullmatch(rule.made, part.path)
        if found is None:
            continue
        sources = re.compile(rule.sources.format(*(re.escape(group or "") for group in found.groups())))
        behind = {
            name
            for file in files
            if file.reason in {Reason.PACKAGE, Reason.EDITED} and sources.fullmatch(file.path)
            for name in file.packages
        }
        if behind:
            return replace(part, reason=Reason.DERIVED, packages=tuple(sorted(behind)), by=rule.by)
    return part


def _with_folder(part: ChangedPart, files: Iterable[ChangedPart]) -> ChangedPart:
    """A folder is there because of what is in it, and its time is that of the last change in it."""
    if part.reason is not Reason.UNEXPLAINED or not {Aspect.NEW, Aspect.GONE, Aspect.TIME}.issuperset(part.aspects):
        return part
    inside = [
        file
        for file in files
        if file.path.startswith(f"{part.path}/") and part.aspects in {(Aspect.TIME,), file.aspects}
    ]
    behind = {name for file in inside if file.reason is Reason.PACKAGE for name in file.packages}
    return replace(part, reason=Reason.DERIVED, packages=tuple(sorted(behind)), by="its files") if behind else part


def _sections(
    old: ImageParts, new: ImageParts, before: Carried, after: Carried, files: list[ChangedPart]
) -> Iterator[ChangedPart]:
    found: dict[str, ChangedPart] = {}
    for name in dict.fromkeys((*old.sections, *new.sections)):
        one, other = old.sections.get(name), new.sections.get(name)
        if one == other:
            continue
        was = before.by_digest.get(one, set()) if one else set()
        is_ = after.by_digest.get(other, set()) if other else set()
        aspects = (Aspect.NEW,) if one is None else (Aspect.GONE,) if other is None else (Aspect.CONTENT,)
        reason = Reason.PACKAGE if was and is_ else Reason.UNEXPLAINED
        found[name] = ChangedPart(name, "", aspects, reason, tuple(sorted(was | is_)) if was and is_ else ())
    for part in found.values():
        yield _derived_section(part, found, files, (old, new)) if part.reason is Reason.UNEXPLAINED else part
    yield from _packing(old, new, files)


def _derived_section(
    part: ChangedPart, found: Mapping[str, ChangedPart], files: list[ChangedPart], sides: tuple[ImageParts, ImageParts]
) -> ChangedPart:
    """`.uname` is the kernel's own name, `.osrel` a file of the image; ukify joins .sbat and writes the headers."""
    kernel = found.get(".linux")
    behind: set[str] = set()
    match part.section:
        case ".uname":
            if kernel is not None and all(side.uname == side.release for side in sides):
                behind = set(kernel.packages)
        case ".osrel":
            behind = _of_file(part, files, sides)
        case ".sbat":
            behind = {name for one in (kernel, found.get(".sdmagic")) if one for name in one.packages}
        case "headers":
            behind = {
                name
                for one in (*found.values(), *files)
                if one.reason is not Reason.UNEXPLAINED
                for name in one.packages
            }
        case _:
            pass
    return replace(part, reason=Reason.DERIVED, packages=tuple(sorted(behind)), by="ukify") if behind else part


def _of_file(part: ChangedPart, files: list[ChangedPart], sides: tuple[ImageParts, ImageParts]) -> set[str]:
    """The packages of the file that a section is a copy of, on both sides."""
    for path in _RELEASE_FILES:
        states = [side.files.get(path) for side in sides]
        if all(
            state is not None and state.digest == side.sections.get(part.section)
            for state, side in zip(states, sides, strict=True)
        ):
            return {
                name
                for file in files
                if file.path == path and file.reason is not Reason.UNEXPLAINED
                for name in file.packages
            }
    return set()


def _packing(old: ImageParts, new: ImageParts, files: list[ChangedPart]) -> Iterator[ChangedPart]:
    """An initrd whose bytes differ, though all of its files are equal."""
    for name in dict.fromkeys((*old.initrds, *new.initrds)):
        if old.initrds.get(name) != new.initrds.get(name) and not files:
            yield ChangedPart(name, "", (Aspect.CONTENT,), Reason.UNEXPLAINED)
