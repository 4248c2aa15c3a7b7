"""For each variation a build that takes just that into its image: only this variation exposes it, and the leak is named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from builders import rebuilds
from builders.progress import Recorder
from teekit_verify.explanation.causes.find import Condition
from teekit_verify.explanation.explain import explain
from teekit_verify.explanation.tree import culprits
from teekit_verify.rebuild import run
from teekit_verify.rebuild.build import Plan
from teekit_verify.rebuild.images import find_target
from teekit_verify.rebuild.variation import NAMES, conditions
from teekit_verify.rebuild.workspace import Workspace

LEAK = Path(__file__).parents[2] / "assets" / "images" / "small" / "leak.sh"
# What `explain` calls the cause.
CAUSES = {
    "build_path": "build path",
    "domain_host": "host name",
    "timezone": "time zone",
    "locales": "locale or sort order",
    "umask": "umask",
    "num_cpus": "number of CPUs",
    "home": "home directory",
    "exec_path": "search path",
    "environment": "environment value",
    "aslr": "address",
    "fileordering": "file or hash order",
    "user_group": "user name",
}


def leaking(tmp_path: Path, tree: Path, name: str) -> Plan:
    """A project whose build writes into the manifest what leak.sh has for the variation."""
    miniature = rebuilds.Miniature.make(tmp_path)
    shutil.copy(LEAK, miniature.project.mkosi)
    (miniature.project.mkosi / "files").mkdir()
    for file in ("one", "two", "three", "four"):
        miniature.write(f"files/{file}", b"")
    miniature.build_with(f'sh ./leak.sh {name} >"$output/tdx-debian-base.manifest"\n')
    package = rebuilds.locked_package()
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / package.file_name).write_bytes(rebuilds.PACKAGE)
    return Plan(
        miniature.project,
        find_target("base", ["debian-kernel"]),
        rebuilds.environment(tree),
        rebuilds.lock_of(package),
        (package,),
        packages,
    )


def test_every_variation_has_its_leak() -> None:
    assert set(NAMES) == {line.split(")")[0].strip() for line in LEAK.read_text().splitlines() if ")" in line} & set(
        NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_leak_is_exposed_by_its_variation_and_by_no_other(name: str, tmp_path: Path, tree: Path) -> None:
    if reason := conditions().off.get(name):
        if "CI" in os.environ and os.geteuid() == 0:
            pytest.fail(f"{name} must be varied in CI: {reason}")
        pytest.skip(reason)
    plan, workspace = leaking(tmp_path, tree, name), Workspace(tmp_path / "workspace")
    without = run.build_twice(plan, conditions(f"-{name}"), workspace, Recorder())
    assert without.explanations == ()
    two = run.build_twice(plan, conditions(f"none,+{name}"), workspace, Recorder())
    assert [one.a for one in two.explanations] == ["build A: tdx-debian-base.manifest"]
    first, second = (attempt.output / "tdx-debian-base.manifest" for attempt in two.attempts)
    first_values, second_values = two.varied.first.recorded(), two.varied.second.recorded()
    varied = [Condition(key, values, second_values[key]) for key, values in first_values.items()]
    explained = explain(first, second, folder=tmp_path, conditions=varied, with_diffoscope=False)
    named = [cause.name for leaf in culprits(explained.differences) for cause in leaf.difference.causes]
    assert CAUSES[name] in named
