"""What an auditor should look at in the source of an image: places where something unpinned or unchecked can come in.

Found by their looks, line by line: a warning is no proof, and no warning is none either. They never change a verdict.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from teekit_verify.core.files import walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_FILES = 20_000
_MAX_FILE_BYTES = 1 << 20
_MAX_BYTES = 16 << 20
_MAX_SMELLS = 200
_MAX_LINE = 2000
_SHOWN = 200
_NEAR = 8  # lines: a check of what was downloaded stands close to it
_GUEST = re.compile(r"(^|/)mkosi\.(extra|skeleton)/")  # scripts that run in the guest, not in the build
_PROSE = frozenset({".md", ".rst", ".adoc"})
LEFT_OUT = frozenset({".git", "mkosi.output", "mkosi.cache", "mkosi.builddir", "mkosi.workspace", "mkosi.pkgcache"})
"""What git, or mkosi at its work, leaves in a project: no part of its source."""


@dataclass(frozen=True, slots=True)
class Smell:
    """One place. `line` counts from 1, and is 0 where the whole file, or what it lacks, is meant. `text` is that line."""

    name: str
    path: str
    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line that matches `pattern` smells, unless `excuse` matches there, or in one of `near` lines after it.

    With `before`, `pattern` is looked for only behind where that matches, with no `#` between. Strangers write the lines: every
    pattern takes time in proportion to the length of the line, so none has two repetitions that can match the same.
    """

    name: str
    pattern: re.Pattern[str]
    why: str
    excuse: re.Pattern[str] | None = None
    near: int = 0
    before: re.Pattern[str] | None = None

    def fits(self, line: str) -> bool:
        if self.before is None:
            return self.pattern.search(line) is not None
        for part in line.split("#"):
            first = self.before.search(part)
            if first is not None and self.pattern.search(part, first.end()):
                return True
        return False


_CHECKED = re.compile(r"\b(sha(224|256|384|512)sum|shasum|b[23]sum|gpgv?|sqv|minisign|signify|cosign)\b|[0-9a-f]{64}")
_COMMIT = re.compile(r"\b[0-9a-f]{40}\b|\b[0-9a-f]{64}\b")
_BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")
_NOT_CHECKED = "signature check switched off"
_NOT_ITS_MAKERS = "what comes from there is not checked to be what its maker signed"
_WHO_SERVES = "whoever serves the address decides what goes into the image"
_SCRIPT_RULES = (
    _Rule(
        "code from the network, run as it comes",
        re.compile(r"\|\s*(sudo\s+)?(/bin/|/usr/bin/)?(env\s+)?(ba|da|z)?sh\b"),
        _WHO_SERVES,
        before=re.compile(r"\b(curl|wget)\b"),
    ),
    _Rule(
        "code from the network, run as it comes",
        re.compile(r"\b(ba|da|z)?sh\s+<\(\s*(curl|wget)\b|\b(ba|da|z)?sh\s+-c\s+[\"']?\$\(\s*(curl|wget)\b"),
        _WHO_SERVES,
    ),
    _Rule(
        "download without a digest",
        re.compile(r"\b(curl|wget|aria2c)\s+[-\"'$\\h]|\b(urlretrieve|urlopen|requests\.get)\("),
        _WHO_SERVES,
        _CHECKED,
        _NEAR,
    ),
    _Rule(
        "git tag or branch, which may move",
        re.compile(r"\bgit\s++(-\S++\s++([^-\s]\S*+\s++)?){0,8}(clone|pull|fetch|submodule\s++update)\b"),
        "the same name may stand for other code tomorrow: check out a commit",
        _COMMIT,
        _NEAR,
    ),
    _Rule(
        "packages that no lock pins",
        re.compile(
            r"\b(p?npm (install|i|add|update)|yarn (install|add)|(pip3?|pipx|cargo|go|gem|bundle) install|go get"
            r"|uv (sync|add))\b|\bnpx\s"
        ),
        "the newest version at the time of the build goes in",
        re.compile(r"--require-hashes|--locked|--frozen|--immutable|--offline|--no-index"),
    ),
    _Rule(
        "signature keys from the network",
        re.compile(r"--recv-keys?\b|--keyserver\b|\bapt-key\s+adv\b"),
        "whoever answers decides whose signatures are good",
    ),
    _Rule(
        "container image by a name that may move",
        re.compile(r"\b(pull|run|copy|from)\b"),
        "name it by its digest",
        _BY_DIGEST,
        before=re.compile(r"\b(docker|podman|skopeo|buildah)\s"),
    ),
    _Rule(
        "container image by a name that may move",
        re.compile(r"^\s*FROM\s+\S"),
        "name it by its digest",
        _BY_DIGEST,
    ),
)
_TEXT_RULES = (
    _Rule(
        _NOT_CHECKED,
        re.compile(
            r"\btrusted\s*[:=]\s*yes\b|\ballow-?insecure\w*\s*[:=]\s*(yes|true|1)\b|AllowInsecureRepositories|"
            r"AllowUnauthenticated|--allow-unauthenticated|--no-gpg-check|--no-check-certificate|"
            r"Verify-Peer\W+(false|no|0)\b|^\s*RepositoryKeyCheck\s*=\s*(no|false|0)\b",
            re.IGNORECASE,
        ),
        _NOT_ITS_MAKERS,
    ),
    _Rule(_NOT_CHECKED, re.compile(r"\s(-k|--insecure)\b"), _NOT_ITS_MAKERS, before=re.compile(r"\bcurl\b")),
    _Rule(
        "private key in the source", re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----"), "everybody can sign with it"
    ),
)
_YES = r"\s*=\s*(yes|true|1|on|strict|always)\b"
_CONF_RULES = (
    _Rule(
        "scripts with network",
        re.compile(rf"^\s*WithNetwork{_YES}", re.IGNORECASE),
        "what they fetch is an input that no lock pins",
    ),
    _Rule(
        "tools from another tree",
        re.compile(r"^\s*+ToolsTree\s*+=\s*+(?!(no|false|0)?\s*+$)", re.IGNORECASE),
        "the tools that make the image are not those of the pinned environment",
    ),
    _Rule(
        "signature keys from the network",
        re.compile(rf"^\s*RepositoryKeyFetch{_YES}", re.IGNORECASE),
        "whoever answers decides whose signatures are good",
    ),
    _Rule(
        "signed with a key that others do not have",
        re.compile(rf"^\s*(SecureBoot|SignExpectedPcr){_YES}", re.IGNORECASE),
        "nobody else can make the same bytes: publish the image without the signature too",
    ),
    _Rule(
        "build from a cache",
        re.compile(rf"^\s*(Incremental{_YES}|CacheOnly\s*=\s*(always|metadata)\b)", re.IGNORECASE),
        "an older cache can go into the image; here every build starts from nothing",
    ),
)
_OWN_TOOLS = ("flake.nix", "shell.nix")
_SHELL = "build shell of the project, not used"
_SHELL_WHY = "the tools here are those of the pinned environment, not the ones that the project chose"
_MOST_DEEP = 32
_STRANGERS_RULES = (
    _Rule(
        "modes that follow the umask",
        re.compile(r"^\s*((Image(Id|Version)|Hostname)\s*=\s*\S|Release\s*=\s*(sid|unstable)\s*$)", re.IGNORECASE),
        "mkosi's own defect, not the project's: with this setting it writes os-release anew, with the mode of the caller's umask; "
        "--vary default,-umask builds it without that difference",
    ),
)
"""Of projects that are not ours: what is no fault of theirs, but may make two builds differ."""
_WANTED_SETTINGS = (
    ("SourceDateEpoch", "files carry the time of the build"),
    ("Seed", "identifiers of disks and file systems are random"),
)
_AT_A_TIME = re.compile(r"^\s*(Snapshot\s*=\s*\S|Mirror\s*=.*/[0-9]{8}T[0-9]{6}Z)", re.IGNORECASE)
_SNAPSHOT = ("Snapshot", "packages are whatever the mirror has on the day of the build")


def find_smells(root: Path, folder: Path, *, has_lock: bool) -> tuple[Smell, ...]:
    """Of the files in `folder`; paths are relative to `root`. A project with a lock of its packages needs no snapshot."""
    found: list[Smell] = []
    settings: set[str] = set()
    for path in _files(folder):
        lines = _lines(path)
        name = path.relative_to(root).as_posix()
        if path.suffix == ".conf" or path.name.endswith(".conf.d"):
            settings |= {line.partition("=")[0].strip().lower() for line in lines if "=" in line}
            if any(map(_AT_A_TIME.match, lines)):
                settings.add("snapshot")
        found += islice(_of_file(name, path, lines), _MAX_SMELLS - len(found))
    if not has_lock:
        found += islice(_of_strangers(root, folder), _MAX_SMELLS - len(found))
    wanted = _WANTED_SETTINGS if has_lock else (*_WANTED_SETTINGS, _SNAPSHOT)
    main = (folder / "mkosi.conf").relative_to(root).as_posix()
    lacking = [Smell(f"no {name}=", main, 0, "", why) for name, why in wanted if name.lower() not in settings]
    return tuple(found + lacking)


def _of_strangers(root: Path, folder: Path) -> Iterator[Smell]:
    """The project's own build shell, which is not used, and settings of its main configuration."""
    for name in _OWN_TOOLS:
        if (folder / name).is_file():
            yield Smell(_SHELL, (folder / name).relative_to(root).as_posix(), 0, "", _SHELL_WHY)
    for path in (folder / "mkosi.conf", *sorted((folder / "mkosi.conf.d").glob("*.conf"))):
        if path.is_file() and path.stat().st_size <= _MAX_FILE_BYTES:
            yield from _of_lines(path.relative_to(root).as_posix(), _lines(path), _STRANGERS_RULES)


def build_shells_above(folder: Path) -> tuple[Smell, ...]:
    """Those of the repository that a project's `folder` lies in: in the folders between, its root among them."""
    found: list[Smell] = []
    for depth, above in enumerate(islice((folder, *folder.parents), _MOST_DEEP)):
        found += [
            Smell(_SHELL, f"{'../' * depth}{name}", 0, "", _SHELL_WHY)
            for name in _OWN_TOOLS
            if depth and (above / name).is_file()
        ]
        if (above / ".git").exists():
            return tuple(found)
    return ()


def _files(folder: Path) -> Iterator[Path]:
    """Plain files in the order of names, but not what mkosi or git left there, nor large ones."""
    count, left_bytes = 0, _MAX_BYTES
    for place, folders, names in walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(names):
            count += 1
            if count > _MAX_FILES:
                return
            path = folder / place / name
            if stat.S_ISREG(path.lstat().st_mode) and path.stat().st_size <= min(_MAX_FILE_BYTES, left_bytes):
                left_bytes -= path.stat().st_size
                yield path


def _lines(path: Path) -> list[str]:
    """None of a file that is no text."""
    try:
        return lines_of(path.read_bytes())
    except OSError:
        return []


def lines_of(data: bytes) -> list[str]:
    """The beginnings of a text's lines; none of what is no text."""
    return [] if b"\0" in data else [line[:_MAX_LINE] for line in data.decode(errors="replace").splitlines()]


def smells_of(name: str, lines: list[str]) -> Iterator[Smell]:
    """Of lines that may be of a script or of a configuration: every rule."""
    yield from _of_lines(name, lines, (*_TEXT_RULES, *_CONF_RULES, *_SCRIPT_RULES))


def _of_file(name: str, path: Path, lines: list[str]) -> Iterator[Smell]:
    is_executable = bool(path.stat().st_mode & stat.S_IXUSR)
    if path.name in {"mkosi.version", "mkosi.configure"} and is_executable:
        yield Smell("program that mkosi runs to read its configuration", name, 0, "", "it can change what is built")
    is_script = is_executable or bool(lines and lines[0].startswith("#!")) or path.suffix in {".sh", ".py", ".mk"}
    rules: tuple[_Rule, ...] = _TEXT_RULES
    if path.suffix in _PROSE:
        rules = ()
    if path.suffix == ".conf":
        rules += _CONF_RULES
    if _GUEST.search(name):
        rules = _TEXT_RULES
    elif is_script or path.name in {"Dockerfile", "Containerfile", "Makefile"}:
        rules += _SCRIPT_RULES
    yield from _of_lines(name, lines, rules)


def _of_lines(name: str, lines: list[str], rules: tuple[_Rule, ...]) -> Iterator[Smell]:
    """At most one for each line: the first rule that fits."""
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith(("#", ";", "//")):
            continue
        rule = next((rule for rule in rules if rule.fits(line)), None)
        if rule is not None and not (
            rule.excuse
            and rule.excuse.search("\n".join(_statement(lines[number - 1 : number + _NEAR + rule.near], rule.near)))
        ):
            yield Smell(rule.name, name, number, line.strip()[:_SHOWN], rule.why)


def _statement(lines: list[str], near: int) -> list[str]:
    """The first line with those that it goes on in, and `near` more."""
    last = next((number for number, line in enumerate(lines) if not line.endswith("\\")), 0)
    return lines[: min(last, _NEAR) + 1 + near]
