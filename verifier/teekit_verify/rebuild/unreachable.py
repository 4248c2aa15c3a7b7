"""What a stranger's project names that a copy of its folder cannot give to mkosi: told by the text, before anything is fetched."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.rebuild.taken import INCLUDE, PROFILES, settings, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SHOWN = 120
_PATHS = re.compile(
    r"^[ \t]*(?:Include|(?:Extra|Skeleton|Sandbox|PackageManager|Base)Trees|Initrds|BuildSources|PackageDirectories|RepartDirectories"
    r"|(?:Sync|Prepare|Build|PostInstallation|Finalize|PostOutput)Scripts)[ \t]*=(?P<value>.*(?:\n[ \t]+\S.*)*)",
    re.MULTILINE,
)
_MUST_BE_THERE = re.compile(
    r"^[ \t]*(?P<setting>EnvironmentFiles|(?:Package|Repart)Directories|(?:Skeleton|Sandbox)Trees|BuildSources|NSpawnSettings"
    r"|(?:Sync|Prepare|Build|PostInstallation|Finalize|PostOutput)Scripts)[ \t]*=(?P<value>.*(?:\n[ \t]+\S.*)*)",
    re.MULTILINE,
)
"""What mkosi 25.3 and 27.1 both refuse to read where it is not (parse_path of mkosi/config.py)."""
_PLAIN = re.compile(
    r"[A-Za-z0-9._][A-Za-z0-9._/+@-]*"
)  # no pattern, variable or specifier, and no folder of the machine
_MAX_NAMED = 1000
_WITH_MKOSI = re.compile(r"mkosi-[a-z-]+")  # configuration that mkosi brings itself
_SECRETS = {
    "mkosi.rootpw": "Write it into the project's mkosi.conf: RootPassword=.",
    "mkosi.passphrase": "Rebuild the image without that encryption.",
    "mkosi.key": "Rebuild the image without that file and its signatures.",
}
_BRING = (
    "If the published image was built with one, commit it in a copy of the project (git add --force, if git ignores it); else commit "
    "it without that setting."
)
_TARS = ("mkosi.sandbox.tar", "mkosi.pkgmngr.tar")
_PROFILE = "--profile="
_MATCHED = re.compile(r"^[ \t]*Profiles?[ \t]*=[ \t]*(.*)$", re.MULTILINE)


def require(root: Path, arguments: Sequence[str]) -> None:
    """Raises TeekitError for files outside of the folder, for what options or settings name and is not there, and for mkosi.rootpw."""
    for word in arguments:
        _require_included(root, word)
    found = taken(root, arguments)
    for path in found.files:
        for name in _outside(root, path):
            raise UnsupportedInputError(
                f"the project takes {printable(name[:_SHOWN])} ({printable(path.relative_to(root).as_posix())}), which lies outside of "
                "the folder that was named",
                hint=f"Name the folder above both with --source, and this one with --mkosi-args '{INCLUDE}FOLDER'.",
            )
        _require_named(root, path)
    for folder in found.folders:
        _require_no_secret(root, folder)
        _require_no_tar(root, folder)


def require_profiles(root: Path, arguments: Sequence[str], files: Iterable[Path]) -> None:
    """`files` are all of the configuration. Raises TeekitError for a profile that is nowhere: mkosi 25 passes over it in silence."""
    named = [name for word in arguments if word.startswith(_PROFILE) for name in word.removeprefix(_PROFILE).split(",")]
    matched = {name for path in files if named for name in _matched(path)}
    for name in filter(None, named):
        places = (root / PROFILES / name, root / PROFILES / f"{name}.conf")
        if name not in matched and not any(place.exists() for place in places):
            raise TeekitError(
                f"there is no profile {printable(name[:_SHOWN])} in the project, which --mkosi-args names",
                hint="Name a file or folder of its mkosi.profiles.",
            )


def _matched(path: Path) -> Iterator[str]:
    for value in _MATCHED.findall("\n".join(settings(path))):
        yield from (word.strip("|!") for word in re.split(r"[\s,]+", value))


def _require_included(root: Path, word: str) -> None:
    for name in word.removeprefix(INCLUDE).split(",") if word.startswith(INCLUDE) else ():
        if not _WITH_MKOSI.fullmatch(name) and not (root / name).exists():
            raise TeekitError(
                f"there is no {printable(name[:_SHOWN])} in the project, which --mkosi-args includes",
                hint="Write its path as seen from the project's folder.",
            )


def _outside(root: Path, path: Path) -> Iterator[str]:
    """Names are seen from the file's folder, or from one above it."""
    for match in _PATHS.finditer("\n".join(settings(path))):
        for word in re.split(r"[\s,]+", match["value"]):
            name = word.partition(":")[0]
            if ".." in Path(name).parts and not name.startswith(("/", "%")):
                place = Path(os.path.normpath(path.parent / name))
                if not place.is_relative_to(root):
                    yield name


def _require_named(root: Path, path: Path) -> None:
    """Names are seen from the file's folder, or from one above it."""
    words = (
        (match["setting"], word.partition(":")[0])
        for match in _MUST_BE_THERE.finditer("\n".join(settings(path)))
        for word in re.split(r"[\s,]+", match["value"])
    )
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    for setting, name in islice(words, _MAX_NAMED):
        if _PLAIN.fullmatch(name) and not any(os.path.lexists(folder / name) for folder in folders):
            where = printable(path.relative_to(root).as_posix())
            raise UnsupportedInputError(
                f"{where} of the project has {setting}={printable(name[:_SHOWN])}, and the project has no such file",
                hint=_BRING,
            )


def _require_no_secret(root: Path, folder: Path) -> None:
    """They have to be readable for their owner only (mkosi(1), RootPassword=), and copies have the modes that git keeps."""
    for name, hint in _SECRETS.items():
        if (folder / name).is_file():
            place = printable((folder / name).relative_to(root).as_posix())
            raise UnsupportedInputError(
                f"the project has a secret in {place}; mkosi reads it only with a mode that keeps others out, which git does not store",
                hint=hint,
            )


def _require_no_tar(root: Path, folder: Path) -> None:
    for name in _TARS:
        if (folder / name).is_file():
            raise UnsupportedInputError(
                f"the project has apt's settings in {printable((folder / name).relative_to(root).as_posix())}, and archives of them are not "
                "looked into",
                hint=f"Unpack it as the folder {name.removesuffix('.tar')}.",
            )
