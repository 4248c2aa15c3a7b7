"""Anybody's mkosi project that makes a UKI: built as ours are, from a lock of its packages that is made on the fly.

Nothing of it is taken on trust: its configuration is read by mkosi in the sandbox, its packages come from the signed
index, and its scripts have no network.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import resolved
from teekit_verify.rebuild import checkout, environments, images, pins, source, wanted_mkosi
from teekit_verify.rebuild.images import Image, Target
from teekit_verify.rebuild.origin import Origin
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.sandbox import Sandbox, own_first_id
from teekit_verify.rebuild.smells import LEFT_OUT
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.rebuild.pins import Pin
    from teekit_verify.rebuild.provision import Provision

_SUMMARY_SECONDS = 120
_SOURCES = "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"
_NO_SOURCES = "# No source: where this file exists, mkosi offers apt the locked packages only.\n"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,200}")
# Settings that would let in what the lock does not have. They do not change what is made of it.
_SETTINGS = ("--with-network=no", "--incremental=no", "--tools-tree=")
# What would send mkosi elsewhere than where the builds are looked for.
_OURS = (
    "--output-directory",
    "--directory",
    "--workspace-directory",
    "--package-directory",
    "--output",
    "-o",
    "-C",
    "-O",
)


@dataclass(frozen=True, slots=True)
class StrangersProject(Project):
    """`root` is a fresh copy of the project. `program` is the checkout this program runs from: the environment is its."""

    program: Project

    @property
    def mkosi(self) -> Path:
        return self.root

    @property
    def image_lock(self) -> Path:
        return self.root / "teekit-packages.lock.json"

    @property
    def environment_lock(self) -> Path:
        return self.program.with_environment(self.tools).environment_lock

    @property
    def environment_packages(self) -> Path:
        return self.program.with_environment(self.tools).environment_packages


@dataclass(frozen=True, slots=True)
class StrangersTarget(Target):
    """What mkosi makes of the project with `arguments`; `has_manifest` where it writes one, `pins` what its mirrors pin."""

    arguments: tuple[str, ...] = ()
    has_manifest: bool = False
    pins: tuple[Pin, ...] = ()

    @property
    def artifacts(self) -> tuple[str, ...]:
        stem = self.definition.output
        return (f"{stem}.efi", *([f"{stem}.manifest"] if self.has_manifest else []))

    def uses(self, path: str) -> bool:  # noqa: ARG002
        """Which of its files a stranger's project needs is not known."""
        return True

    def mkosi(self, directory: str, *arguments: str) -> list[str]:
        return ["mkosi", "--directory", directory, *self.arguments, *_SETTINGS, *arguments]


def copy_project(folder: Path, destination: Path, *, allow_dirty: bool) -> Origin:
    """A fresh copy: the files of the checked out commit; without git, or with changes that are allowed, as they are.

    Raises TeekitError for changes that are in no commit.
    """
    origin = checkout.origin_of(folder, ".")
    # What git does not know is not in the commit, so it is not built either.
    changes = tuple(change for change in origin.changes if not change.startswith("added "))
    remove(destination)
    if origin.commit is None or (changes and allow_dirty):
        source.copy_source(folder, folder, destination, wanted=lambda path: LEFT_OUT.isdisjoint(path.split("/")))
        return origin
    checkout.require_clean(Origin(None, origin.commit, changes=changes))
    checkout.write_files(folder, checkout.list_files(folder, origin.commit, "."), destination)
    return Origin(None, origin.commit)


def with_its_environment(project: StrangersProject, arguments: str, asked: str | None) -> StrangersProject:
    """The project with the environment that the texts of its copy ask for, or that was `asked` for by name, before anything is fetched.

    Raises TeekitError, also for what the texts tell already that cannot be built.
    """
    named = None if asked is None else environments.named(asked)
    return project.with_environment(
        wanted_mkosi.require(project.root, _words(arguments), project.program.environments(), named)
    )


def find_target(provision: Provision, arguments: str) -> StrangersTarget:
    """What mkosi says it will make of the project. Raises TeekitError for anything but a UKI of the suite we have."""
    words = _words(arguments)
    unknown = StrangersTarget(Image("stranger", "image", (), ()), images.PLAIN, "", words)
    sandbox = Sandbox(
        root=provision.environment().root, read_only_binds={"/source": provision.project.mkosi}, first_id=own_first_id()
    )
    argv = unknown.mkosi("/source", "--json", "summary")
    summary = sandbox.run(argv, timeout_seconds=_SUMMARY_SECONDS, most_bytes=images.MOST_SUMMARY_BYTES).stdout
    stages = images.parse_summary(summary)
    main = stages[-1]
    _require_supported(main)
    name = str(main["Output"])
    if not _FILE_NAME.fullmatch(name):
        raise TeekitError(f"the image is called '{printable(name[:80])}'", hint="Give it a plain name: Output=NAME.")
    return StrangersTarget(
        Image(name, name, (), ()),
        images.PLAIN,
        "",
        words,
        has_manifest="json" in (main.get("ManifestFormat") or ()),
        pins=tuple(pin for stage in stages for pin in _pins(stage)),
    )


def _pins(stage: dict[str, Any]) -> tuple[Pin, ...]:
    """Raises TeekitError for packages that would come from elsewhere than Debian's archive."""
    if stage.get("LocalMirror"):
        raise TeekitError(
            f"the project has LocalMirror={printable(str(stage['LocalMirror'])[:80])}, and its packages are not Debian's",
            hint="Remove it: packages are locked from Debian's archive.",
        )
    return pins.of_mirror(stage.get("Mirror"))


def _words(arguments: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(arguments))
    except ValueError as error:
        raise TeekitError(f"--mkosi-args cannot be split into words: {error}", hint="Close the quotes.") from error
    for word in words:
        if not word.startswith("-") or word.partition("=")[0] in _OURS:
            raise TeekitError(
                f"--mkosi-args cannot have '{printable(word)}': this program says what mkosi does and where",
                hint="Give options of the image only, each as --option=value, such as --profile=NAME.",
            )
    return words


def _require_supported(main: dict[str, Any]) -> None:
    for setting, expected in (
        ("Format", "uki"),
        ("Distribution", "debian"),
        ("Release", "trixie"),
        ("Architecture", "x86-64"),
    ):
        if main.get(setting) != expected:
            raise TeekitError(
                f"the project has {setting}={printable(str(main.get(setting))[:80])}, only {expected} can be rebuilt",
                hint=f"Set it for this run with --mkosi-args --{setting.lower()}={expected}, if the image allows it.",
            )


def prepare(root: Path) -> None:
    """Let mkosi in the copy have the locked packages as its only source, as our own project does. A visible file of the inputs."""
    place = root / _SOURCES
    if resolved(place.parent) != root.resolve() / place.parent.relative_to(root) or place.is_symlink():
        raise TeekitError(f"{_SOURCES} of the project is behind a link", hint="Make it a plain file.")
    if place.exists():
        place.unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(_NO_SOURCES)
