"""Small images through the real mkosi in the pinned environment: one that cheats, and one that leaks its conditions."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from builders.progress import Recorder
from builders.tools import require
from teekit_verify.explanation.explain import explain
from teekit_verify.explanation.tree import Kind, leaves
from teekit_verify.rebuild import environment as pinned
from teekit_verify.rebuild import lock, run
from teekit_verify.rebuild.build import Plan
from teekit_verify.rebuild.images import PLAIN, Image, Target
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.sandbox import Sandbox
from teekit_verify.rebuild.variation import NAMES, conditions
from teekit_verify.rebuild.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.conftest import UsableProject
    from teekit_verify.rebuild.environment import Environment
    from teekit_verify.rebuild.run import TwoBuilds

pytestmark = pytest.mark.slow

SMALL = Path(__file__).parents[2] / "assets" / "images" / "small"
WORDS = ("not for ", "builds")
# What mkosi keeps from the scripts of an image: it gives them an environment and folders of its own.
KEPT_BY_MKOSI = {"build_path", "timezone", "locales", "home", "exec_path", "environment"}


class SmallTarget(Target):
    """The small image; with the kernel "none", its cheat runs in place of mkosi, which would hold it back further."""

    __slots__ = ()

    @property
    def artifacts(self) -> tuple[str, ...]:
        return ("small.cpio",)

    def mkosi(self, directory: str, *arguments: str) -> list[str]:
        if not self.kernel:
            return super().mkosi(directory, *arguments)
        script = 'cd "$1" && python3 cheat.py targets.json >/work/output/small.cpio'
        return ["sh", "-c", script, "sh", directory]


@dataclass(frozen=True)
class Host:
    """A folder with things that a build must not find, and what a build is told of them."""

    folder: Path
    targets: dict[str, object]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    for name in ("reference/base.json", "secrets/key", "workspace/.teekit-workspace"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(WORDS))
    device = Path("/").stat().st_dev
    with (
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.create_server(("127.0.0.1", 0)) as port,
        subprocess.Popen(["sleep", "600"], env={"SECRET": "".join(WORDS)}) as process,
    ):
        abstract_name = f"teekit-test-{os.getpid()}"
        unix.bind(str(tmp_path / "socket"))
        abstract.bind(f"\0{abstract_name}")
        unix.listen()
        abstract.listen()
        yield Host(
            tmp_path,
            {
                "files": [
                    *(str(tmp_path / name) for name in ("reference/base.json", "secrets/key")),
                    *(str(tmp_path / "workspace" / name) for name in ("A/source", "B/source", ".teekit-workspace")),
                    str(Path(__file__).parents[3] / "reference"),
                ],
                "words": WORDS,
                "unix": str(tmp_path / "socket"),
                "abstract": abstract_name,
                "port": port.getsockname()[1],
                "disk": [os.major(device), os.minor(device)],
            },
        )
        process.kill()


@pytest.fixture(scope="module")
def environment(usable_project: UsableProject) -> Environment:
    found = pinned.existing(lock.load(usable_project.project.environment_lock))
    assert found is not None
    return found


def build_twice(host: Host, environment: Environment, kernel: str) -> TwoBuilds:
    require("bwrap")
    project = Project(host.folder / "checkout")
    shutil.copytree(SMALL, project.mkosi)
    (project.mkosi / "targets.json").write_text(json.dumps(host.targets))
    (project.mkosi / "files").mkdir()
    for name in ("one", "two", "three", "four"):
        (project.mkosi / "files" / name).touch()
    (host.folder / "packages").mkdir()
    target = SmallTarget(Image("small", "small", (), (PLAIN,)), PLAIN, kernel)
    locked = rebuilds.lock_of(rebuilds.locked_package(target=target.key))
    plan = Plan(project, target, environment, locked, (), host.folder / "packages")
    return run.build_twice(plan, conditions(), Workspace(host.folder / "workspace"), Recorder())


def test_where_nothing_hinders_it_the_cheat_finds_what_there_is(host: Host) -> None:
    (host.folder / "workspace/A/source").mkdir(parents=True)
    (host.folder / "workspace/B/source").mkdir(parents=True)
    targets = host.folder / "targets.json"
    targets.write_text(json.dumps(host.targets))
    argv = [sys.executable, str(SMALL / "cheat.py"), str(targets), "--harmless"]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    files = host.targets["files"]
    assert isinstance(files, list)
    assert set(found) == {*files, "a process", "unix", "abstract", "port"}


def test_a_build_that_cheats_gets_nothing(host: Host, environment: Environment) -> None:
    two = build_twice(host, environment, "none")
    for attempt in two.attempts:
        assert json.loads((attempt.output / "small.cpio").read_text()) == {}, attempt.log.read_text()


@pytest.mark.parametrize(
    ("name", "kept"), [("environment", KEPT_BY_MKOSI), ("newer_environment", KEPT_BY_MKOSI - {"exec_path"})]
)
def test_through_mkosi_the_cheat_gets_nothing_and_leaks_are_named(
    host: Host, name: str, kept: set[str], request: pytest.FixtureRequest
) -> None:
    two = build_twice(host, request.getfixturevalue(name), "")
    first, second = (attempt.output / "small.cpio" for attempt in two.attempts)
    explained = explain(first, second, folder=host.folder, with_diffoscope=False)
    found = {leaf.path[-1] for leaf in leaves(explained.differences) if leaf.difference.kind is not Kind.METADATA}
    assert found == {f"leaks/{leak}" for leak in NAMES if leak not in kept and leak not in two.varied.off}
    for archive in (first, second):
        argv = [require("cpio"), "--extract", "--quiet", "--to-stdout", "cheat.json"]
        assert subprocess.run(argv, input=archive.read_bytes(), capture_output=True, check=True).stdout == b"{}"


def test_in_the_locale_of_build_b_letters_have_another_order(environment: Environment) -> None:
    require("bwrap")
    varied = conditions()
    orders = [
        Sandbox(root=environment.root, environment=one.variables())
        .run(["sh", "-c", "printf 's\\nt\\nz\\n' | sort"], timeout_seconds=600)
        .stdout.split()
        for one in (varied.first, varied.second)
    ]
    assert orders == [[b"s", b"t", b"z"], [b"s", b"z", b"t"]]  # the Estonian alphabet has z after s
