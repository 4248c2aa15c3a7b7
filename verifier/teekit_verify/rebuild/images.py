"""The images that can be built, and how mkosi is told to build them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.suites import TRIXIE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from teekit_verify.rebuild.repositories import Repository
    from teekit_verify.rebuild.sandbox import Sandbox
    from teekit_verify.rebuild.suites import Suite

_SUMMARY_TIMEOUT_SECONDS = 120
_LISTS = ("BaseTrees", "Repositories", "Packages", "BuildPackages", "VolatilePackages")
MOST_SUMMARY_BYTES = 16 << 20
# What mkosi installs before anything else (mkosi 25, distributions/debian.py, install()).
_BOOTSTRAP = ("?essential", "base-files")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a mkosi profile makes of an image. `suffix` is added to the output's name, `disk` is the ending of the disk image.

    `folders` are the places in `mkosi/mkosi.profiles/` that it reads.
    """

    name: str
    suffix: str = ""
    disk: str = ""
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """An image definition (`mkosi/NAME.conf`), the stages it names as dependencies, and the profiles it can be built with."""

    name: str
    output: str
    stages: tuple[str, ...]
    profiles: tuple[Profile, ...]


PLAIN = Profile("")
IMAGES = (
    Image("base", "tdx-debian-base", ("kernel", "base"), (PLAIN,)),
    Image(
        "tdx-kettle",
        "tdx-debian",
        ("kernel", "base", "build-tools", "sqld", "tdx-kettle"),
        (
            PLAIN,
            Profile("gcp", disk=".tar.gz", folders=("gcp", "disk")),
            Profile("azure", suffix="-azure", disk=".vhd", folders=("azure", "disk")),
            Profile("devtools", suffix="-devtools", folders=("devtools",)),
            Profile("sqld-source", suffix="-sqld-source", folders=("sqld-source",)),
        ),
    ),
)
DEBIAN_KERNEL = "debian-kernel"
_KERNELS = (DEBIAN_KERNEL, "")


@dataclass(frozen=True, slots=True)
class Target:
    """One image with one profile and one kernel. `profiles` are what mkosi is told, sorted; `artifacts` the output files to compare."""

    definition: Image
    profile: Profile
    kernel: str

    @property
    def image(self) -> str:
        return self.definition.name

    @property
    def suite(self) -> Suite:
        """What its packages come from."""
        return TRIXIE

    @property
    def repositories(self) -> tuple[Repository, ...]:
        """What they come from besides, which is not Debian's."""
        return ()

    def request(self, package: str) -> str:
        """How apt is asked for a package of this name."""
        return package

    @property
    def disk_artifact(self) -> str | None:
        """The one whose partition table is measured with the UKI, if it has one."""
        return self.artifacts[1] if self.profile.disk else None

    @property
    def needs_npm(self) -> bool:
        """Whether each package-lock.json of its source must be one that can be locked."""
        return True

    @property
    def unset(self) -> tuple[str, ...]:
        """Variables that its scripts are to have by name, and nobody set."""
        return ()

    @property
    def build_folder(self) -> bool:
        """Whether its scripts are given a folder for what they make on their way, empty at the start."""
        return False

    @property
    def profiles(self) -> tuple[str, ...]:
        return tuple(sorted(name for name in (self.profile.name, self.kernel) if name))

    @property
    def key(self) -> str:
        """Its name in locks and folders: `base`, `base+debian-kernel`, `tdx-kettle+debian-kernel+gcp`."""
        return "+".join((self.image, *self.profiles))

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The UKI first, because it is what measurements are about."""
        stem = self.definition.output + self.profile.suffix
        return (f"{stem}.efi", *([stem + self.profile.disk] if self.profile.disk else []), f"{stem}.manifest")

    def uses(self, path: str) -> bool:
        """Whether a build sees a file of `mkosi/`, by its path in there: no other image, stage or profile may be its input."""
        if "__pycache__" in path.split("/"):  # left behind by whoever imported a file of the image
            return False
        folder, _, rest = path.partition("/")
        inner = rest.partition("/")[0]
        if folder == "mkosi.images":
            return inner in self.definition.stages
        if folder == "mkosi.profiles":
            return inner in self.profile.folders
        return path not in {f"{image.name}.conf" for image in IMAGES if image is not self.definition}

    def mkosi(self, directory: str, *arguments: str) -> list[str]:
        """The mkosi command line for this image, run in the pinned environment."""
        profiles = [f"--profile={profile}" for profile in self.profiles]
        return ["mkosi", "--directory", directory, "-I", f"{self.image}.conf", *profiles, *arguments]


TARGETS: tuple[Target, ...] = tuple(
    Target(image, profile, kernel) for image in IMAGES for profile in image.profiles for kernel in _KERNELS
)


def find_target(image: str, profiles: Iterable[str]) -> Target:
    """The image of that name with those profiles. Raises TeekitError naming what there is."""
    wanted = tuple(sorted(set(profiles)))
    for target in TARGETS:
        if target.image == image and target.profiles == wanted:
            return target
    _require_known("image {!r}", image, {target.image for target in TARGETS})
    for name in wanted:
        _require_known(
            f"profile {{!r}} of {image}",
            name,
            {name for target in TARGETS if target.image == image for name in target.profiles},
        )
    known = ", ".join(target.key for target in TARGETS)
    raise TeekitError(f"there is no image {'+'.join((image, *wanted))!r}", hint=f"Choose one of: {known}.")


def _require_known(what: str, name: str, known: Collection[str]) -> None:
    """Raises TeekitError with the nearest name, if there is one."""
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Choose one of: {', '.join(sorted(known))}."
        raise TeekitError(f"there is no {what.format(name)}", hint=hint)


def target_of(arguments: Sequence[str]) -> Target | None:
    """What a mkosi command line builds (`-I NAME.conf`, `--profile NAME[,NAME]`); None if it names no image of ours."""
    words = [word for argument in arguments for word in re.sub(r"^-I=?(?=.)", "-I=", argument).split("=", 1)]
    included = {normpath(after) for word, after in pairwise(words) if word in {"-I", "--include"}}
    profiles = [name for word, after in pairwise(words) if word == "--profile" for name in after.split(",")]
    image = next((image.name for image in IMAGES if f"{image.name}.conf" in included), None)
    return find_target(image, profiles) if image else None


def parse_summary(data: bytes) -> list[dict[str, Any]]:
    """The images of `mkosi --json summary`, in the order of building, each with all of the lists that are looked at.

    Raises TeekitError for what is no such summary: programs of the project may print into it.
    """
    try:
        stages = [_with_lists(stage) for stage in json.loads(data)["Images"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        stages = []
    if not stages:
        raise TeekitError(
            "mkosi did not print a summary of the project",
            hint="Look at what `mkosi --json summary` prints in the project.",
        )
    return stages


def _with_lists(stage: dict[str, Any]) -> dict[str, Any]:
    """Raises TypeError, or AttributeError, for other things in the place of lists of text."""
    lists = {name: stage.get(name) or [] for name in _LISTS}
    if not all(isinstance(value, list) and all(isinstance(item, str) for item in value) for value in lists.values()):
        raise TypeError
    if not isinstance(stage.get("Image"), str | None):
        raise TypeError
    return {"Image": None, **stage, **lists}


def stage_requests(target: Target, sandbox: Sandbox, directory: str) -> list[list[str]]:
    """What apt is asked to install for each stage of an image, as mkosi itself sees its configuration."""
    argv = target.mkosi(directory, "--json", "summary")
    completed = sandbox.run(argv, timeout_seconds=_SUMMARY_TIMEOUT_SECONDS, most_bytes=MOST_SUMMARY_BYTES)
    stages = parse_summary(completed.stdout)
    packages: dict[str | None, list[str]] = {}
    requests = []
    for stage in stages:  # in the order of building, so those it extends come first
        below = [name for tree in stage["BaseTrees"] for name in packages.get(Path(tree).name, [])]
        packages[stage["Image"]] = [*below, *stage["Packages"]]
        added = [*stage["Packages"], *stage["BuildPackages"], *stage["VolatilePackages"]]
        if added:
            requests.append([*_BOOTSTRAP, *map(target.request, (*below, *added))])
    return requests
