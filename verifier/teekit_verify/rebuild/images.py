"""The images that can be built, and how mkosi is told to build them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.rebuild.sandbox import Sandbox

_SUMMARY_TIMEOUT_SECONDS = 120
# What mkosi installs before anything else (mkosi 25, distributions/debian.py, install()).
_BOOTSTRAP = ("?essential", "base-files")


@dataclass(frozen=True, slots=True)
class Target:
    """One image definition (`mkosi/NAME.conf`) with its mkosi profiles. `artifacts` are the output files to compare."""

    image: str
    profiles: tuple[str, ...]
    artifacts: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name in locks and folders: `base`, `base+debian-kernel`."""
        return "+".join((self.image, *sorted(self.profiles)))

    def mkosi(self, directory: str, *arguments: str) -> list[str]:
        """The mkosi command line for this image, run in the pinned environment."""
        profiles = [f"--profile={profile}" for profile in self.profiles]
        return ["mkosi", "--directory", directory, "-I", f"{self.image}.conf", *profiles, *arguments]


TARGETS: tuple[Target, ...] = (
    Target("base", ("debian-kernel",), ("tdx-debian.efi", "tdx-debian.manifest")),
    Target("base", (), ("tdx-debian.efi", "tdx-debian.manifest")),
)


def find_target(image: str, profiles: Iterable[str]) -> Target:
    """The image of that name with those profiles. Raises TeekitError naming what there is."""
    wanted = tuple(sorted(set(profiles)))
    for target in TARGETS:
        if target.image == image and tuple(sorted(target.profiles)) == wanted:
            return target
    known = ", ".join(target.key for target in TARGETS)
    raise TeekitError(f"there is no image {'+'.join((image, *wanted))!r}", hint=f"Choose one of: {known}.")


def stage_requests(target: Target, sandbox: Sandbox, directory: str) -> list[list[str]]:
    """What apt is asked to install for each stage of an image, as mkosi itself sees its configuration."""
    completed = sandbox.run(target.mkosi(directory, "--json", "summary"), timeout_seconds=_SUMMARY_TIMEOUT_SECONDS)
    stages = json.loads(completed.stdout)["Images"]
    requests = [[*stage["Packages"], *stage["BuildPackages"], *stage["VolatilePackages"]] for stage in stages]
    return [[*_BOOTSTRAP, *request] for request in requests if request]
