"""`env …` on a miniature checkout, with the real nix and apt and a signed archive of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import debian_archive, rebuilds
from builders.debian_archive import DebianArchive
from builders.published_schemas import problems
from builders.rebuilds import Miniature
from builders.tools import require
from teekit_verify.cli.app import main
from teekit_verify.rebuild import apt_root, archive, environment, lock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    yield from debian_archive.served(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def miniature(tmp_path: Path, mirror: DebianArchive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Miniature]:
    require("nix")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(archive, "host_mirrors", list)
    monkeypatch.setattr(apt_root, "KEYRING", mirror.keyring)
    monkeypatch.setattr(environment, "STORE_NAME", f"teekit-test-{os.getpid()}-cli")
    made = Miniature.make(tmp_path)
    made.project.environment_packages.write_text("# the tools\nbash\n")
    yield made
    for path in Path("/nix/store").glob(f"*-{environment.STORE_NAME}"):
        subprocess.run([require("nix-store"), "--delete", path], capture_output=True, check=False)


def env(miniature: Miniature, mirror: DebianArchive, *arguments: str) -> int:
    places = ("--source", str(miniature.project.root))
    network = ("--mirror", mirror.address, "--snapshot-archive", "file:///none")
    return int(main(["env", arguments[0], *places, *(() if arguments[0] == "show" else network), *arguments[1:]]))


def test_lock_build_and_show(miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]) -> None:
    assert env(miniature, mirror, "lock") == 0
    locked = lock.load(miniature.project.environment_lock)
    identity = locked.environment
    assert identity is not None
    assert [package.name for package in locked.packages] == ["libc6", "libtinfo6", "bash"]  # apt's order
    assert (Path(identity.store_path) / "usr/bin/bash").read_text() == "bash 5.2-1\n"
    lines = f"store path {identity.store_path}\nNAR hash   {identity.nar_hash}\n"
    shown = capsys.readouterr()
    assert shown.out == lines
    assert shown.err.endswith(f"wrote {miniature.project.environment_lock}\n")

    assert env(miniature, mirror, "build") == 0  # found in the store
    shown = capsys.readouterr()
    assert shown.out == lines
    assert "unpack the environment" not in shown.err
    subprocess.run([require("nix-store"), "--delete", identity.store_path], capture_output=True, check=True)
    assert env(miniature, mirror, "build", "--json") == 0  # built
    shown = capsys.readouterr()
    printed = json.loads(shown.out)
    assert problems("environment-v1", printed) == []
    assert (printed["store_path"], printed["nar_hash"]) == (identity.store_path, identity.nar_hash)
    assert "unpack the environment into the Nix store: done" in shown.err

    assert env(miniature, mirror, "show") == 0
    size_bytes = sum(package.size_bytes for package in locked.packages)
    assert capsys.readouterr().out == (
        "libc6 2.41-12+deb13u1\nlibtinfo6 6.5-2\nbash 5.2-1\n"
        f"snapshot 20261121T081046Z, 3 packages, {size_bytes} bytes\n{lines}"
    )
    assert env(miniature, mirror, "show", "--json") == 0
    assert capsys.readouterr().out.encode() == miniature.project.environment_lock.read_bytes()


def test_a_lock_for_somewhere_else(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    before = miniature.project.environment_lock.read_bytes()
    output = miniature.folder / "other.json"
    assert env(miniature, mirror, "lock", "--output", str(output), "--json") == 0
    identity = lock.load(output).environment
    assert identity is not None
    assert json.loads(capsys.readouterr().out).items() >= identity.model_dump().items()
    assert miniature.project.environment_lock.read_bytes() == before


def test_an_unknown_tool_is_named(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    miniature.project.environment_packages.write_text("nonesuch\n")
    before = miniature.project.environment_lock.read_bytes()
    assert env(miniature, mirror, "lock") == 2
    shown = capsys.readouterr().err
    assert "E: Unable to locate package nonesuch" in shown
    assert "hint: Correct the names in nix/build-env.packages" in shown
    assert miniature.project.environment_lock.read_bytes() == before


def test_a_tampered_mirror_makes_no_lock(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(mirror.root, tmp_path / "tampered")
    packages = tmp_path / "tampered/debian/dists/trixie/main/binary-amd64/Packages"
    packages.write_text(packages.read_text().replace("Version: 5.2-1", "Version: 9.9-1"))
    assert env(miniature, DebianArchive(tmp_path / "tampered", mirror.home), "lock") == 2
    shown = capsys.readouterr().err
    assert "error: the package index could not be fetched and checked: " in shown
    assert "hint: Check the mirror, or name another with --mirror URL." in shown


def test_a_lock_that_does_not_fit_is_refused(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert env(miniature, mirror, "lock") == 0
    path = miniature.project.environment_lock
    locked = lock.load(path)
    locked.with_environment(rebuilds.IDENTITY).write(path)
    assert env(miniature, mirror, "build") == 2
    assert f"but its lock says {rebuilds.IDENTITY.store_path} with {rebuilds.IDENTITY.nar_hash}" in (
        capsys.readouterr().err
    )
    locked.write(path)


def test_a_shell_is_the_environment_itself(miniature: Miniature, tmp_path: Path) -> None:
    """The command takes the place of this program: its output, its status, its arguments."""
    require("bwrap")
    tree = rebuilds.make_tree(tmp_path / "tree")
    (tree / "etc/resolv.conf").touch()
    code = (
        "import sys, pathlib\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from builders import rebuilds\n"
        "from teekit_verify.cli.app import main\n"
        "from teekit_verify.rebuild.provision import Provision\n"
        f"Provision.environment = lambda self: rebuilds.environment(pathlib.Path({str(tree)!r}))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "here").mkdir()
    argv = [sys.executable, "-c", code, "env", "shell", "--source", str(miniature.project.root)]
    completed = subprocess.run(
        [*argv, "--", "sh", "-c", 'echo "$0 $1"; env; exit 7', "-x", "--debug"],
        cwd=tmp_path / "here",
        env={**os.environ, "TEEKIT_SECRET": "s3cret"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.stderr == ""
    assert completed.returncode == 7
    assert completed.stdout.splitlines()[0] == "-x --debug"
    assert "s3cret" not in completed.stdout


def test_a_place_without_a_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "show", "--source", "/usr"]) == 2
    assert capsys.readouterr().err == (
        "error: /usr is not inside a checkout of this repository\n"
        "hint: Change into the checkout, or name it with --source DIR.\n"
    )
