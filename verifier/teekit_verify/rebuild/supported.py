"""Which images of strangers can be rebuilt, by the settings that say it: asked of mkosi's summary, and before that of the text.

What the text says counts only where nothing in the project says another: mkosi is asked otherwise, which needs its environment.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import UnsupportedInputError, printable
from teekit_verify.rebuild.smells import Smell
from teekit_verify.rebuild.suites import RELEASES
from teekit_verify.rebuild.taken import names_of_others, settings, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_SUPPORTED: dict[str, tuple[str, ...]] = {
    "Distribution": ("debian",),
    "Release": ("trixie", *(name for name in RELEASES if name != "trixie")),
    "Format": ("uki", "disk"),
    "Architecture": ("x86-64",),
}
_SHORT = {"-t": "Format", "-d": "Distribution", "-r": "Release"}
_PACKAGES = re.compile(r"[ \t]*Packages[ \t]*=")
_SECTION = re.compile(r"[ \t]*\[(?P<name>[A-Za-z0-9]+)\][ \t]*")
_SETTING = re.compile(rf"[ \t]*(?P<name>{'|'.join(_SUPPORTED)})[ \t]*=[ \t]*(?P<value>\S+)[ \t]*")
_GIVEN = re.compile(r"^[ \t]*Environment[ \t]*=(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,80}")
_ENVIRONMENT = ("--environment=", "-E")
_MAY_BE_EMPTY = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TERM", "http_proxy", "https_proxy", "no_proxy"})
"""Of a machine, not of an image: that nobody set them is no reason for anything."""
_MAX_VARIABLES = 1000
_MOST_NAMED = 5
_CONDITIONS = frozenset({"Match", "TriggerMatch"})
_PROGRAM = "mkosi.configure"  # it may say anything
_SHOWN = 80
_MAIN = "mkosi.conf"
_UNSAID_WHY = "mkosi takes that of the machine it runs on: here Debian's, which may not be the one that was published"
_UNSET_WHY = (
    "scripts get them by name from the environment of whoever calls mkosi, and here they are empty: "
    "give those of the published image with --mkosi-args '--environment=NAME=VALUE'"
)
_LOCAL = ("mkosi.local.conf", "mkosi.local/mkosi.conf")
_LOCAL_WHY = "mkosi takes it after the project's own configuration: it is for one machine, and usually in no commit"


def require(main: dict[str, Any]) -> None:
    """`main` is the image in mkosi's summary. Raises UnsupportedInputError."""
    for setting, possible in _SUPPORTED.items():
        if main.get(setting) not in possible:
            raise _refusal(setting, str(main.get(setting)))


def require_text(root: Path, arguments: Sequence[str], files: Iterable[Path]) -> None:
    """`files` are all that may be configuration. Raises UnsupportedInputError for a setting of the project's own files that has only
    values which cannot be rebuilt, wherever it is set.
    """
    if (root / _PROGRAM).exists():
        return
    files = tuple(files)
    said, surely = _values(files), _values(taken(root, arguments).files)
    if "Distribution" not in surely and not _is_given("Distribution", arguments):
        _require_something_of_ours(root, arguments, files)
    for setting, possible in _SUPPORTED.items():
        values = surely.get(setting)
        if values and not _is_given(setting, arguments) and not set(said.get(setting, ())) & {*possible, "%"}:
            raise _refusal(setting, values[-1])


def _require_something_of_ours(root: Path, arguments: Sequence[str], files: Sequence[Path]) -> None:
    """Where nobody names a distribution mkosi takes Debian here, and leaves out what the project has for others only."""
    (ours,) = _SUPPORTED["Distribution"]
    others = sorted({name for path in files for name in names_of_others(path, ours)})
    said = (line for path in files for line in settings(path) if line.lstrip().startswith("Distribution"))
    if not others or any(ours in line or "%" in line for line in said):
        return
    if not any(map(_PACKAGES.match, (line for path in taken(root, arguments).files for line in settings(path)))):
        names = _in_words(others[:_MOST_NAMED])
        raise UnsupportedInputError(
            f"the project names no distribution, and has settings for {printable(names[:_SHOWN])}, not for {ours}",
            hint="Rebuild an image or a commit of the project that is made of Debian.",
        )


def unset_variables(root: Path, arguments: Sequence[str]) -> tuple[str, ...]:
    """What scripts are given by name alone: by the environment of whoever calls mkosi, of which nothing is here (mkosi(1), Environment=)."""
    words = [word for path in taken(root, arguments).files for word in _variables(settings(path))]
    words += [word for argument in arguments if (word := _variable_of(argument)) is not None]
    values = {word.partition("=")[0] for word in words if "=" in word} | _MAY_BE_EMPTY
    return tuple(dict.fromkeys(word for word in words if _VARIABLE.fullmatch(word) and word not in values))


def _variable_of(argument: str) -> str | None:
    return next((argument.removeprefix(short) for short in _ENVIRONMENT if argument.startswith(short)), None)


def _variables(text: Sequence[str]) -> Iterator[str]:
    for value in _GIVEN.findall("\n".join(text)):
        yield from islice(value.split(), _MAX_VARIABLES)


def warnings(root: Path, arguments: Sequence[str], files: Iterable[Path]) -> tuple[Smell, ...]:
    """For an auditor: a distribution that nobody says, and settings of one machine."""
    found = [Smell("settings of one machine", name, 0, "", _LOCAL_WHY) for name in _LOCAL if (root / name).is_file()]
    if "Distribution" not in _values(files) and not _is_given("Distribution", arguments):
        found.append(Smell("no Distribution=", _MAIN, 0, "", _UNSAID_WHY))
    unset = unset_variables(root, arguments)
    found += [Smell("variables that nobody set", _MAIN, 0, ", ".join(unset)[:_SHOWN], _UNSET_WHY)] if unset else []
    return tuple(found)


def _is_given(setting: str, arguments: Sequence[str]) -> bool:
    names = (f"--{setting.lower()}", *(short for short, name in _SHORT.items() if name == setting))
    return any(word.startswith(names) for word in arguments)


def _values(files: Iterable[Path]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in files:
        for setting, value in _settings(settings(path)):
            found.setdefault(setting, []).append("%" if "%" in value else value)
    return found


def _settings(text: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Those that say what is made, not when a file is taken."""
    section = ""
    for line in text:
        if (begins := _SECTION.fullmatch(line)) is not None:
            section = begins["name"]
        elif section not in _CONDITIONS and (match := _SETTING.fullmatch(line)) is not None:
            yield match["name"], match["value"]


def _refusal(setting: str, value: str) -> UnsupportedInputError:
    possible = _SUPPORTED[setting]
    return UnsupportedInputError(
        f"the project has {setting}={printable(value[:_SHOWN])}, only {_in_words(possible)} can be rebuilt",
        hint=f"Set it for this run with --mkosi-args --{setting.lower()}={possible[0]}, if the image allows it.",
    )


def _in_words(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
