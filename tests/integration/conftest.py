"""One pinned environment, one set of packages and one rebuild for all integration tests of a session.

Everything works on a copy of the checkout's `mkosi/`, `nix/` and `reference/`. When the mirror has moved on and a locked
package cannot be had any more, the copy gets a fresh lock, which is said; the committed lock is never touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from teekit_verify.cli.app import main
from teekit_verify.cli.options import shared
from teekit_verify.cli.options.shared import SNAPSHOT_ARCHIVE, cache_directory
from teekit_verify.core.download import DownloadError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.rebuild import lock
from teekit_verify.rebuild.environments import ENVIRONMENTS
from teekit_verify.rebuild.images import DEBIAN_KERNEL, TARGETS, find_target
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from teekit_verify.rebuild.environment import Environment

CHECKOUT = Path(__file__).parents[2]
KETTLES = find_target("tdx-kettle", ["gcp", DEBIAN_KERNEL])


@dataclass(frozen=True)
class UsableProject:
    """A copy of the checkout whose locks can be fetched here. `relocked` says that they are not the committed ones."""

    project: Project
    relocked: bool


@dataclass(frozen=True)
class FinishedRebuild:
    status: ExitStatus
    report: dict[str, Any]
    directory: Path


@pytest.fixture(scope="session")
def usable_project(tmp_path_factory: pytest.TempPathFactory) -> UsableProject:
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("mkosi", "nix", "reference"):
        shutil.copytree(CHECKOUT / folder, root / folder, symlinks=True)
    # As the commands have it: with the npm registry of this host.
    provision = shared.provision(root, None, SNAPSHOT_ARCHIVE, os.environ.get("TEEKIT_NPM_REGISTRY") or None)
    project = provision.project
    relocked = False
    try:
        provision.environment()
    except DownloadError as error:
        say(f"the environment's committed lock cannot be fetched any more, this run uses a fresh one: {error}")
        provision.new_environment_lock().write(project.environment_lock)
        relocked = True
    locked = lock.load(project.image_lock)
    try:
        for target in (TARGETS[0], KETTLES):
            provision.fetch(locked, locked.for_target(target.key))
    except DownloadError as error:
        say(f"the image's committed lock cannot be fetched any more, this run uses a fresh one: {error}")
        provision.new_image_lock().write(project.image_lock)
        relocked = True
    return UsableProject(project, relocked)


@pytest.fixture(scope="session")
def newer_environment(usable_project: UsableProject) -> Environment:
    """The one with the newer mkosi. Its packages are of Debian's testing, which mirrors do not keep for long."""
    project = usable_project.project.with_environment(ENVIRONMENTS[-1])
    provision = Provision(project, cache_directory(), StderrProgress(), None, SNAPSHOT_ARCHIVE)
    try:
        return provision.environment()
    except DownloadError as error:
        say(f"the newer environment's committed lock cannot be fetched any more, this run uses a fresh one: {error}")
        provision.new_environment_lock().write(project.environment_lock)
        return provision.environment()


@pytest.fixture(scope="session")
def finished_rebuild(usable_project: UsableProject, tmp_path_factory: pytest.TempPathFactory) -> FinishedRebuild:
    """The main job, run once as a user runs it."""
    directory = tmp_path_factory.mktemp("rebuild")
    return run_rebuild(usable_project.project.root, directory)


@pytest.fixture(scope="session")
def kettle_rebuild(usable_project: UsableProject, tmp_path_factory: pytest.TempPathFactory) -> FinishedRebuild:
    """The image with kettles for Google Cloud, with Debian's kernel."""
    directory = tmp_path_factory.mktemp("kettles")
    return run_rebuild(usable_project.project.root, directory, "--image", KETTLES.image, "--profile", "gcp")


@pytest.fixture(scope="session")
def built_uki(finished_rebuild: FinishedRebuild) -> Path:
    return finished_rebuild.directory / "artifacts" / "tdx-debian-base.efi"


@pytest.fixture(scope="session")
def kettle_uki(kettle_rebuild: FinishedRebuild) -> Path:
    return kettle_rebuild.directory / "artifacts" / "tdx-debian.efi"


@pytest.fixture(scope="session")
def devtools_image(usable_project: UsableProject) -> Path:
    """The image with kettles and a shell: one build, by the command line that the seed gives."""
    root = usable_project.project.root
    command = ["-c", "import sys; from teekit_verify.cli.app import main; sys.exit(main(sys.argv[1:]))", "env", "mkosi"]
    options = ["--force", "--profile=devtools", "--profile=debian-kernel", "-I", "tdx-kettle.conf"]
    subprocess.run([sys.executable, *command, "--", *options], cwd=root, check=True, timeout=3600)
    return root / "build" / "tdx-debian-devtools.efi"


def run_rebuild(source: Path, directory: Path, *arguments: str) -> FinishedRebuild:
    """`teekit-verify rebuild` of a checkout; the report goes to `directory`/report."""
    report, workspace = directory / "report", directory / "workspace"
    status = main(
        [
            "rebuild",
            *("--source", str(source), "--output", str(report), "--workspace", str(workspace)),
            *arguments,
        ]
    )
    content = json.loads((report / "report.json").read_text()) if (report / "report.json").exists() else {}
    return FinishedRebuild(status, content, report)


def say(text: str) -> None:
    sys.__stderr__.write(f"\n{text}\n") if sys.__stderr__ else None
