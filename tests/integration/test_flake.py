"""The flake, evaluated and its build-env really built, with a stand-in for nixpkgs: it must give the lock's store path."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from builders.quotes import REAL
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.cli.options.shared import cache_directory
from teekit_verify.rebuild import lock

from .conftest import CHECKOUT, UsableProject

pytestmark = pytest.mark.slow

SYSTEM = "x86_64-linux"
QUOTE = REAL["gcp"]


@pytest.fixture(scope="module")
def flake(usable_project: UsableProject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the flake reads, with the lock that can be fetched here."""
    root = tmp_path_factory.mktemp("flake")
    for name in ("flake.nix", "flake.lock", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(CHECKOUT / name, root / name)
    for name in ("reference/platforms", "mkosi/mkosi.profiles"):  # the program has links into them
        shutil.copytree(CHECKOUT / name, root / name, symlinks=True)
    shutil.copytree(usable_project.project.root / "nix", root / "nix")
    shutil.copytree(
        CHECKOUT / "verifier",
        root / "verifier",
        symlinks=True,
        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
    )
    shutil.copytree(CHECKOUT / "tests" / "standin-nixpkgs", root / "standin-nixpkgs")
    (root / "standin-nixpkgs" / "python.json").write_text(json.dumps(this_python()))
    return root


def this_python() -> dict[str, Any]:
    """The Python that runs the tests, as the stand-in's own: it has what the wheel requires."""
    names = (re.sub(r"[-_.]+", "-", package.name).lower() for package in distributions())
    return {
        "program": sys.executable,
        "version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "packages": sorted(set(names)),
    }


def nix(flake: Path, verb: str, attribute: str, *arguments: str) -> Any:
    settings = [
        "experimental-features = nix-command flakes",
        "substituters =",
        "sandbox = false",
        "build-users-group =",
    ]
    environment = {
        **os.environ,
        "NIX_CONFIG": "\n".join(settings),
        "TEEKIT_STANDIN_DOWNLOADS": str(cache_directory() / "downloads"),
    }
    command = [
        *(require("nix"), verb, f"path:{flake}{attribute}", "--no-write-lock-file", "--json"),
        *("--override-input", "nixpkgs", f"path:{flake}/standin-nixpkgs"),
        *arguments,
    ]
    completed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert completed.returncode == 0, completed.stderr.decode()
    return json.loads(completed.stdout)


def test_every_output_evaluates(flake: Path) -> None:
    expected = {
        "packages": {"default": "drvPath", "build-env": "drvPath", "build-env-mkosi-27": "drvPath"},
        "apps": {"default": "program"},
        "devShells": {"default": "drvPath"},
        "checks": {"cli": "drvPath", "build-env": "drvPath", "build-env-mkosi-27": "drvPath"},
    }
    for kind, names in expected.items():
        assert set(nix(flake, "eval", f"#{kind}.{SYSTEM}", "--apply", "builtins.attrNames")) == set(names)
        for name, field in names.items():
            assert nix(flake, "eval", f"#{kind}.{SYSTEM}.{name}.{field}").startswith("/nix/store/")


def test_the_program_of_the_flake_runs(flake: Path, tmp_path: Path) -> None:
    (built,) = nix(flake, "build", "", "--no-link")
    program = str(Path(built["outputs"]["out"]) / "bin" / "teekit-verify")

    def run(*arguments: object) -> str:
        argv = [program, *map(str, arguments)]
        return subprocess.run(argv, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False).stdout

    uki = tmp_path / "image.efi"
    uki.write_bytes(build_uki())
    assert "Build an image twice" in run("rebuild", "--help")
    assert "gcp/c3-standard-4" in run("measure", uki, "--machine", "c3-standard-4")
    assert "authentic" in run("quote", QUOTE)


def test_a_requirement_that_nixpkgs_has_too_old_is_refused(flake: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(flake, newer, symlinks=True)
    project = newer / "pyproject.toml"
    project.write_text(re.sub(r'"pefile>=[^"]*"', '"pefile>=9999"', project.read_text()))
    with pytest.raises(AssertionError, match="pefile>=9999: there is"):
        nix(newer, "build", "", "--no-link")


def test_build_env_is_the_environment_of_the_lock(flake: Path) -> None:
    locked = lock.load(flake / "nix" / "build-env.lock.json")
    assert locked.environment is not None
    store_path = locked.environment.store_path
    built = nix(
        flake, "build", "#build-env", "--no-link", "--rebuild"
    )  # builds it again, and compares with the store's
    assert built[0]["outputs"]["out"] == store_path
    assert (Path(store_path) / "usr/bin/mkosi").exists()


def test_build_env_refuses_another_package(flake: Path, tmp_path: Path) -> None:
    """The same lock with one package left out: Nix must not accept the tree."""
    broken = tmp_path / "broken"
    shutil.copytree(flake, broken, symlinks=True)
    path = broken / "nix" / "build-env.lock.json"
    document = json.loads(path.read_text())
    document["packages"] = [row for row in document["packages"] if row["name"] != "mkosi"]
    document["environment"]["nar_hash"] = "sha256-" + "A" * 43 + "="
    path.write_text(json.dumps(document))
    with pytest.raises(AssertionError, match="hash mismatch"):
        nix(broken, "build", "#build-env", "--no-link")
