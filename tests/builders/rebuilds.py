"""A checkout, a mirror and a build environment in miniature, so that a whole rebuild takes less than a second.

The environment is a tree with a few programs of this host and a `mkosi` that runs `build.sh` of the source, and
has `summary.json` for a summary.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builders.tools import require
from builders.uki import build_uki, default_sections
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.rebuild import archive, provision, run, vouching
from teekit_verify.rebuild.environment import Environment
from teekit_verify.rebuild.lock import EnvironmentIdentity, LockedPackage, PackageLock
from teekit_verify.rebuild.project import Project
from teekit_verify.record import judging

if TYPE_CHECKING:
    import pytest

PROGRAMS = (
    *(
        "sh",
        "taskset",
        "setarch",
        "cat",
        "chmod",
        "cp",
        "cut",
        "date",
        "env",
        "find",
        "head",
        "hostname",
        "id",
        "ln",
        "ls",
        "mkdir",
        "mknod",
    ),
    *("mount", "mv", "nproc", "rm", "sleep", "sort", "stat", "tar", "touch", "umount", "wc"),
)
MKOSI = """\
#!/bin/sh
set -eu
case "$*" in *summary) cat "$2/summary.json"; exit ;; esac
for argument; do case $argument in --output-directory=*) output=${argument#*=} ;; esac; done
cd "$2"
. ./build.sh
"""
BUILD = """\
cp image.efi "$output/tdx-debian-base.efi"
echo '{"packages": []}' >"$output/tdx-debian-base.manifest"
"""
IDENTITY = EnvironmentIdentity(
    store_path="/nix/store/" + "0" * 32 + "-teekit-build-env", nar_hash="sha256-" + "A" * 43 + "="
)
PACKAGE = b"not really a package, but nobody unpacks it"
TARGET = "base+debian-kernel"


@dataclass(frozen=True, slots=True)
class StandInEnvironment(Environment):
    """An environment that lies somewhere else than in the Nix store."""

    tree: Path = Path("/none")

    @property
    def root(self) -> Path:
        return self.tree


def make_tree(tree: Path) -> Path:
    """The environment: programs with their libraries, and `mkosi`."""
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "var/tmp"):
        (tree / folder).mkdir(parents=True)
    for name in PROGRAMS:
        program = Path(require(name)).resolve()
        shutil.copy(program, tree / "usr/bin" / name)
        libraries = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", libraries):
            place = tree / "usr" / library.removeprefix("/").removeprefix("usr/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)
    shutil.copytree("/usr/lib/locale/C.utf8", tree / "usr/lib/locale/C.utf8")
    estonian = tree / "usr/lib/locale/et_EE.utf8"  # as scripts/setup_deps.sh --tests brings its source
    subprocess.run(
        [require("localedef"), "--no-archive", "--inputfile=et_EE", "--charmap=UTF-8", str(estonian)], check=True
    )
    (tree / "usr/bin/mkosi").write_text(MKOSI)
    (tree / "usr/bin/mkosi").chmod(0o755)
    return tree


def environment(tree: Path) -> StandInEnvironment:
    return StandInEnvironment(IDENTITY, Digest.of(Algorithm.SHA256, b"the environment's lock"), tree)


def locked_package(content: bytes = PACKAGE, name: str = "hello", target: str = TARGET) -> LockedPackage:
    return LockedPackage(
        name=name,
        version="2.10-3",
        architecture="amd64",
        archive="debian",
        path=f"pool/main/h/{name}/{name}_2.10-3_amd64.deb",
        size_bytes=len(content),
        sha256=Digest.of(Algorithm.SHA256, content).hex,
        targets=(target,),
    )


def lock_of(*packages: LockedPackage, identity: EnvironmentIdentity | None = None) -> PackageLock:
    return PackageLock(
        schema_name="teekit-verify/package-lock/v1",
        suite="trixie",
        snapshot="20261121T081046Z",
        environment=identity,
        packages=packages,
    )


@dataclass(frozen=True, slots=True)
class Miniature:
    """Everything of a test in one folder: checkout, mirror, cache, workspace and report."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Miniature:
        made = cls(folder)
        project = made.project
        (project.root / "nix").mkdir(parents=True)
        project.mkosi.mkdir()
        project.references.mkdir()
        made.write_lock(locked_package())
        lock_of(locked_package(), identity=IDENTITY).write(project.environment_lock)
        made.serve(locked_package(), PACKAGE)
        made.write("image.efi", build_uki())
        made.write("build.sh", BUILD.encode())
        return made

    @property
    def project(self) -> Project:
        return Project(self.folder / "checkout")

    @property
    def mirror(self) -> str:
        return f"file://{self.folder}/mirror"

    @property
    def cache(self) -> Path:
        return self.folder / "cache" / "teekit-verify"

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def write(self, name: str, content: bytes) -> None:
        """A file of the image's source."""
        (self.project.mkosi / name).write_bytes(content)

    def build_with(self, script: str, *, before: bool = False) -> None:
        """Add lines to what mkosi does."""
        self.write("build.sh", (script + BUILD if before else BUILD + script).encode())

    def write_lock(self, *packages: LockedPackage) -> None:
        lock_of(*packages).write(self.project.image_lock)

    def serve(self, package: LockedPackage, content: bytes) -> None:
        """Put a package on the mirror."""
        place = self.folder / "mirror" / package.archive / package.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def argv(self, *arguments: str, command: str = "rebuild") -> list[str]:
        """The command line of a rebuild that needs nothing but this folder."""
        places = ("--source", str(self.project.root), "--mirror", self.mirror, "--snapshot-archive", "file:///none")
        if command != "rebuild":
            return [command, *places, *arguments]
        return [command, *places, "--output", str(self.report), "--workspace", str(self.workspace), *arguments]

    def script(self, tree: Path, *arguments: str, command: str = "rebuild") -> list[str]:
        """The same as a command for a process of its own, with the stand-in for the environment."""
        code = (
            "import sys, pathlib\n"
            f"sys.path[:0] = {sys.path!r}\n"
            "from builders import rebuilds\n"
            "from teekit_verify.cli.app import main\n"
            "from teekit_verify.rebuild import archive, host, limits, run, vouching\n"
            "from teekit_verify.rebuild.project import Project\n"
            "from teekit_verify.record import judging\n"
            f"vouching.own_project = judging.own_project = lambda: Project(pathlib.Path({str(self.project.root)!r}))\n"
            "from teekit_verify.rebuild.provision import Provision\n"
            "archive.host_mirrors = lambda: []\n"
            "run.NEEDED_BYTES = host.BUILD_MEMORY_BYTES = host.MEMORY_BYTES = 1\n"
            "limits.LEAST_FREE_BYTES = 0\n"  # disks of tests have less
            "run.hold = lambda environment, link: None\n"
            f"Provision.environment = lambda self: rebuilds.environment(pathlib.Path({str(tree)!r}))\n"
            "sys.exit(main(sys.argv[1:]))\n"
        )
        return [sys.executable, "-c", code, *self.argv(*arguments, command=command)]


def isolated(folder: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    """A miniature; commands see no cache, mirror, environment or lack of space but its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.delenv("TEEKIT_DEBIAN_MIRROR", raising=False)
    monkeypatch.delenv("TEEKIT_SNAPSHOT_ARCHIVE", raising=False)
    monkeypatch.setattr(archive, "host_mirrors", list)
    monkeypatch.setattr(run, "NEEDED_BYTES", 1)
    monkeypatch.setattr(vouching, "own_project", lambda: Project(folder / "checkout"))
    monkeypatch.setattr(judging, "own_project", lambda: Project(folder / "checkout"))
    monkeypatch.setattr(provision.Provision, "environment", lambda _: environment(tree))
    monkeypatch.setattr(run, "hold", lambda *_: None)  # that environment is no store path
    return Miniature.make(folder)


def other_image() -> bytes:
    """A UKI with another initrd than `image.efi`."""
    return build_uki(sections=[(name, b"other" if name == ".initrd" else data) for name, data in default_sections()])


def wait_for(path: Path, started: subprocess.Popen[bytes], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert started.poll() is None, started.stderr and started.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def no_processes_of(folder: Path, seconds: float = 600) -> None:
    """No process has the folder in its command line any more."""
    deadline = time.monotonic() + seconds
    while left := [process for process in Path("/proc").glob("[0-9]*") if _mentions(process, folder)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _mentions(process: Path, folder: Path) -> bool:
    try:
        return os.fsencode(folder) in (process / "cmdline").read_bytes() and process.name != str(os.getpid())
    except OSError:
        return False
