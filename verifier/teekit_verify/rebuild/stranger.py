"""Anybody's mkosi project that makes a UKI: built as ours are, from a lock of its packages that is made on the fly.

Nothing of it is taken on trust: its configuration is read by mkosi in the sandbox, its packages come from the signed
index, and its scripts have no network but what `network` records.
"""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import TeekitError, ToolFailedError, UnsupportedInputError, printable
from teekit_verify.core.files import resolved
from teekit_verify.rebuild import (
    backports,
    checkout,
    environments,
    images,
    keys,
    named_only,
    needs,
    npm,
    pins,
    requests,
    source,
    supported,
    unreachable,
    versions,
    wanted_mkosi,
)
from teekit_verify.rebuild.images import Image, Target
from teekit_verify.rebuild.named_only import Allowed
from teekit_verify.rebuild.network.room import mkosi_options
from teekit_verify.rebuild.origin import ChangeKind, Origin
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.sandbox import Sandbox, named_by, own_first_id
from teekit_verify.rebuild.smells import LEFT_OUT, Smell
from teekit_verify.rebuild.suites import COMPONENTS, MAIN, TRIXIE, Component, Suite
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from teekit_verify.rebuild.environments import EnvironmentChosen
    from teekit_verify.rebuild.needs import Sources
    from teekit_verify.rebuild.pins import Pin
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.repositories import Repository

_SUMMARY_SECONDS = 120
_SOURCE = "/source"  # a place in the sandbox
_SANDBOX = "mkosi.sandbox"
_SOURCES = f"{_SANDBOX}/etc/apt/sources.list.d/mkosi.sources"
_PREFERENCES = f"{_SANDBOX}/etc/apt/preferences.d/teekit-backports.pref"
_NO_SOURCES = "# No source: where this file exists, mkosi offers apt the locked packages only.\n"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,200}")
# Settings that would let in what the lock does not have. They do not change what is made of it.
_WITHOUT_NETWORK = ("--with-network=no",)
_SETTINGS = ("--incremental=no", "--tools-tree=", "--history=no")
_NO_UKI: dict[str, tuple[object, ...]] = {
    "Bootable": (False, "disabled", "no"),
    "Bootloader": ("none", "grub", "grub-signed"),
}
_BOOTS = {"Bootable": "--bootable=yes", "Bootloader": "--bootloader=uki"}
_PLAIN = Allowed()
_BULLET = "‣"
_RAW = ".raw"
_COMPRESSED = {"none": _RAW, "zstd": f"{_RAW}.zst", "xz": f"{_RAW}.xz", "gz": f"{_RAW}.gz", "lz4": f"{_RAW}.lz4"}
_DEBIANS_OWN = frozenset({"https://snapshot.debian.org", "http://snapshot.debian.org"})
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
    def knows_snapshots(self) -> bool:
        """Whether mkosi itself says what `Snapshot=` is."""
        return self.tools is not environments.DEFAULT

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
    """What mkosi makes of the project with `arguments`; `has_manifest` where it writes one, `pins` what its mirrors pin, `from_suite`
    where its packages come from, but for those `from_backports` and of `allowed` repositories, and `disk` the ending of the disk's
    file, if it makes one. `fetches`: its scripts may, those of them that mkosi gives a network. `variables` are those that are `unset`.
    """

    arguments: tuple[str, ...] = ()
    has_manifest: bool = False
    pins: tuple[Pin, ...] = ()
    from_suite: Suite = TRIXIE
    disk: str = ""
    from_backports: tuple[str, ...] = ()
    allowed: tuple[Repository, ...] = ()
    fetches: bool = False
    variables: tuple[str, ...] = ()

    @property
    def repositories(self) -> tuple[Repository, ...]:
        return self.allowed

    def request(self, package: str) -> str:
        """By its suite, apt takes what it depends on from there too, where that must be."""
        return f"{package}/{self.suite.backports}" if package in self.from_backports else package

    @property
    def artifacts(self) -> tuple[str, ...]:
        stem = self.definition.output
        return (f"{stem}.efi", *self.disk_artifacts, *([f"{stem}.manifest"] if self.has_manifest else []))

    @property
    def disk_artifacts(self) -> tuple[str, ...]:
        return (f"{self.definition.output}{self.disk}",) if self.disk else ()

    @property
    def disk_artifact(self) -> str | None:
        """A compressed disk is compared, and its UKI measured."""
        return next((name for name in self.disk_artifacts if name.endswith(_RAW)), None)

    @property
    def suite(self) -> Suite:
        return self.from_suite

    @property
    def needs_npm(self) -> bool:
        """Theirs may be of anything; a warning says which are not given to the build."""
        return False

    @property
    def unset(self) -> tuple[str, ...]:
        return self.variables

    @property
    def build_folder(self) -> bool:
        """Scripts of strangers may expect `$BUILDDIR`, which mkosi gives where there is such a folder."""
        return True

    def uses(self, path: str) -> bool:  # noqa: ARG002
        """Which of its files a stranger's project needs is not known."""
        return True

    def mkosi(self, directory: str, *arguments: str) -> list[str]:
        """A disk's UKI is written beside it, too: that changes nothing of the disk."""
        split = ("--split-artifacts=uki",) if self.disk else ()
        network = mkosi_options() if self.fetches else _WITHOUT_NETWORK
        return ["mkosi", "--directory", directory, *self.arguments, *network, *_SETTINGS, *split, *arguments]


def copy_project(folder: Path, destination: Path, *, allow_dirty: bool, allowed: Allowed = _PLAIN) -> Origin:
    """A fresh copy: the files of the checked out commit; without git, or with changes that are allowed, as they are.

    Raises TeekitError for changes that are in no commit, and for what a commit only names, unless that is `allowed`.
    """
    commit, found = checkout.changes_of(folder, ".", without_submodules=allowed.submodules)
    # What git does not know is not in the commit, so it is not built either.
    changes = tuple(change for change in found if change.kind is not ChangeKind.ADDED)
    if commit is not None and changes and allowed.large_files:
        changes = named_only.unchanged(folder, commit, changes)
    remove(destination)
    if commit is None or (changes and allow_dirty):
        source.copy_source(folder, folder, destination, wanted=lambda path: LEFT_OUT.isdisjoint(path.split("/")))
        return Origin(None, commit, changes=tuple(map(str, found)))
    checkout.require_clean(Origin(None, commit, changes=tuple(map(str, changes))))
    named_only.write(folder, commit, destination, allowed)
    return Origin(None, commit)


def with_its_environment(project: StrangersProject, arguments: str, asked: str | None) -> StrangersProject:
    """The project with the environment that the texts of its copy ask for, or that was `asked` for by name, before anything is fetched.

    Raises TeekitError, also for what the texts tell already that cannot be built.
    """
    named, words = None if asked is None else environments.named(asked), _words(arguments)
    found = wanted_mkosi.require(project.root, words, project.program.environments(), named)
    supported.require_text(project.root, words, needs.configuration(project.root))
    return project.with_environment(found)


def why_its_environment(project: StrangersProject, arguments: str, asked: str | None) -> EnvironmentChosen:
    """For the report: of the copy, before any of it is changed."""
    named = None if asked is None else environments.named(asked)
    return wanted_mkosi.chosen(project.root, _words(arguments), project.tools, named)


def require_no_network(project: StrangersProject, arguments: str) -> None:
    """Raises UnsupportedInputError for scripts that look as if they fetched."""
    needs.require_no_network(project.root, _words(arguments))


def require_own_places(project: StrangersProject, arguments: str) -> None:
    """Raises UnsupportedInputError for a project that reads what it makes where builds here do not write."""
    words = _words(arguments)
    unreachable.require(project.root, words)
    unreachable.require_profiles(project.root, words, needs.configuration(project.root))
    needs.require_own_places(project.root, words)


def fix_version(project: StrangersProject, arguments: str, origin: Origin) -> tuple[Smell, ...]:
    """A text in the place of each program that says the image's version, and what an auditor is told of it."""
    return versions.fix(project.root, _words(arguments), origin.commit)


def setting_warnings(project: StrangersProject, arguments: str) -> tuple[Smell, ...]:
    """What the image follows that the project's commit does not say."""
    return supported.warnings(project.root, _words(arguments), needs.configuration(project.root))


def npm_warnings(project: StrangersProject) -> tuple[Smell, ...]:
    """The lists of npm packages that no lock is made from."""
    lists = sorted(path for path in needs.build_files(project.root) if path.name == npm.PACKAGE_LOCK)
    found = ((path.relative_to(project.root).as_posix(), npm.problem_of(path)) for path in lists)
    return tuple(
        Smell("npm packages that the build does not have", name, 0, "", f"no lock is made of them: {problem}")
        for name, problem in found
        if problem is not None
    )


def find_target(provision: Provision, arguments: str) -> StrangersTarget:
    """What mkosi says it will make of the project. Raises TeekitError for what cannot be rebuilt."""
    words = _words(arguments)
    unknown = StrangersTarget(Image("stranger", "image", (), ()), images.PLAIN, "", words)
    sandbox = Sandbox(
        root=provision.environment().root, read_only_binds={_SOURCE: provision.project.mkosi}, first_id=own_first_id()
    )
    argv = unknown.mkosi(_SOURCE, "--json", "summary")
    try:
        with named_by("mkosi"):
            summary = sandbox.run(argv, timeout_seconds=_SUMMARY_SECONDS, most_bytes=images.MOST_SUMMARY_BYTES).stdout
    except ToolFailedError as error:
        if error.stopped:  # it had not come to an opinion
            raise
        raise UnsupportedInputError(
            f"mkosi of the environment {provision.project.tools.name} does not take the project's configuration: "
            f"{printable(_reason(error))}",
            hint=_another(provision, words),
        ) from error
    stages = images.parse_summary(summary)
    main = stages[-1]
    supported.require(main)
    _require_uki(main)
    keys.require(main, _SOURCE, provision.project.mkosi)
    name = str(main["Output"])
    if not _FILE_NAME.fullmatch(name):
        raise TeekitError(f"the image is called '{printable(name[:80])}'", hint="Give it a plain name: Output=NAME.")
    return replace(
        unknown,
        definition=Image(name, name, (), ()),
        has_manifest="json" in (main.get("ManifestFormat") or ()),
        pins=tuple(pin for stage in stages for pin in _pins(stage)),
        from_suite=Suite(str(main["Release"]), _components(stages)),
        disk=_disk_ending(main),
        variables=supported.unset_variables(provision.project.root, words),
    )


def _reason(error: ToolFailedError) -> str:
    """What mkosi complains about: it begins that with a bullet, and its advice follows."""
    spoken = [line for line in error.output if line.strip()]
    complaints = [line for line in spoken if line.lstrip().startswith(_BULLET)]
    return (complaints or spoken or [error.problem])[-1].strip(f" {_BULLET}")


def _another(provision: Provision, words: Sequence[str]) -> str:
    """What to do about a configuration that mkosi does not take: another mkosi, where the project's files leave a choice."""
    project = provision.project
    locks = project.program.environments() if isinstance(project, StrangersProject) else {}
    others = wanted_mkosi.others(project.root, words, locks, project.tools)
    names = " or ".join(other.name for other in others)
    return f"{f'Try --environment {names}, or correct' if names else 'Correct'} the project's configuration."


def _require_uki(main: dict[str, Any]) -> None:
    """Raises UnsupportedInputError for a disk that boots in another way, or not at all."""
    for setting in ("Bootable", "Bootloader"):
        value = main.get(setting)
        if main.get("Format") == "disk" and value in _NO_UKI[setting]:
            raise UnsupportedInputError(
                f"the project makes a disk with {setting}={printable(str(value)[:80])}, and only one that boots a UKI can be measured",
                hint=f"Set it for this run with --mkosi-args {_BOOTS[setting]}, if the image allows it.",
            )


def _disk_ending(main: dict[str, Any]) -> str:
    """Of the disk's file, nothing for a UKI. mkosi(1), Format= and CompressOutput=."""
    if main.get("Format") != "disk":
        return ""
    compression = main.get("CompressOutput") or "none"
    if compression not in _COMPRESSED:
        raise TeekitError(
            f"the project has CompressOutput={printable(str(compression)[:80])}, which cannot be compared",
            hint="Leave the disk as it is for this run with --mkosi-args --compress-output=no.",
        )
    return _COMPRESSED[compression]


def _components(stages: Sequence[dict[str, Any]]) -> tuple[Component, ...]:
    """What `Repositories=` adds to main. Raises TeekitError for a name that is none of Debian's."""
    named = [name for stage in stages for name in stage["Repositories"]]
    for name in named:
        if name not in COMPONENTS:
            raise TeekitError(
                f"the project has Repositories={printable(name[:80])}, which Debian's archive does not have",
                hint=f"Name some of {', '.join(COMPONENTS)}.",
            )
    return tuple(name for name in COMPONENTS if name == MAIN or name in named)


def _pins(stage: dict[str, Any]) -> tuple[Pin, ...]:
    """Raises TeekitError for packages that would come from elsewhere than Debian's archive."""
    if stage.get("LocalMirror"):
        raise TeekitError(
            f"the project has LocalMirror={printable(str(stage['LocalMirror'])[:80])}, and its packages are not Debian's",
            hint="Remove it: packages are locked from Debian's archive.",
        )
    mirror, snapshot = stage.get("Mirror"), pins.of_snapshot(stage.get("Snapshot"))
    # Where there is a time apart, mkosi looks for the archives below the mirror's address itself.
    return (*snapshot, *(() if snapshot and _is_debians_own(mirror) else pins.of_mirror(mirror)))


def _is_debians_own(mirror: object) -> bool:
    return str(mirror).rstrip("/") in _DEBIANS_OWN


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


def prepare(root: Path, allowed: Collection[str] = (), arguments: str = "") -> Sources:
    """Let mkosi in the copy have the locked packages as its only source, as our own project does: visible files of the inputs. What
    its own sources asked for.

    Raises TeekitError for a source that is neither Debian's nor at one of the `allowed` addresses, and for one behind a link.
    """
    _own_sandbox(root)
    found = needs.take_sources(root, allowed, _words(arguments))
    _write_new(root, _SOURCES, _NO_SOURCES)
    return found


def _own_sandbox(root: Path) -> None:
    """A folder in the place of a link to one of the project's other folders: what is written into it is of mkosi's sandbox only."""
    link = root / _SANDBOX
    folder = resolved(link)
    if link.is_symlink() and folder.is_dir() and folder != root.resolve() and folder.is_relative_to(root.resolve()):
        link.unlink()
        shutil.copytree(folder, link, symlinks=True)


def with_backports(target: StrangersTarget, root: Path) -> StrangersTarget:
    """The target with the packages that its configuration asks for from backports by name; also in the words of apt_preferences(5)
    in the copy, where the lock looks for them.
    """
    names = requests.take_suites(root, target.suite)
    if names:
        _write_new(root, _PREFERENCES, backports.preferences(names, target.suite))
    return replace(target, from_backports=names)


def _write_new(root: Path, name: str, text: str) -> None:
    place = root / name
    if resolved(place.parent) != root.resolve() / place.parent.relative_to(root) or place.is_symlink():
        raise TeekitError(f"{name} of the project is behind a link", hint="Make it a plain file.")
    if place.exists():
        place.unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
