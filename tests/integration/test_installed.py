"""The wheel, in a virtual environment of its own, outside any checkout: every command starts, and the data is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from builders.commands import commands
from builders.quotes import REAL
from builders.uki import build_uki
from teekit_verify import __version__

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
PIP = ("-I", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dependencies are the tests' own, by a path; the package itself is only in the new environment."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        shutil.copyfile(CHECKOUT / name, source / name)
    for name in ("verifier", "reference/platforms", "mkosi/mkosi.profiles"):  # the first has links into the others
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(CHECKOUT / name, source / name, symlinks=True, ignore=ignored)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    subprocess.run([sys.executable, *PIP, "wheel", *options], check=True)
    shutil.rmtree(source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (site,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    (wheel,) = folder.glob("teekit_verify-*.whl")
    subprocess.run(
        [sys.executable, *PIP, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    start = folder / "venv" / "bin" / "teekit-verify"
    start.write_text(f"#!{folder}/venv/bin/python3 -I\nfrom teekit_verify.cli.app import entry_point\nentry_point()\n")
    start.chmod(0o755)
    return start


def run(program: Path, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [str(program), *map(str, arguments)]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def test_it_is_the_installed_package(program: Path, tmp_path: Path) -> None:
    code = "import teekit_verify; print(teekit_verify.__file__)"
    where = run(program.with_name("python3"), tmp_path, "-I", "-c", code).stdout
    assert where.startswith(str(program.parents[1]))
    assert run(program, tmp_path, "--version").stdout == f"teekit-verify {__version__}\n"


def test_every_command_starts(program: Path, tmp_path: Path) -> None:
    for words in commands().keys() - {("env", "mkosi")}:  # which hands every argument on to mkosi
        shown = run(program, tmp_path, *words, "--help")
        assert (shown.returncode, shown.stderr) == (0, ""), words
        assert shown.stdout.startswith("Usage: teekit-verify"), words


def test_the_wheel_has_its_data(program: Path, tmp_path: Path) -> None:
    uki = tmp_path / "image.efi"
    uki.write_bytes(build_uki())
    measured = run(program, tmp_path, "measure", uki, "--machine", "c3-standard-4")
    assert measured.returncode == 0, measured.stderr
    assert "gcp/c3-standard-4" in measured.stdout
    assert "authentic" in run(program, tmp_path, "quote", REAL["gcp"]).stdout


@pytest.mark.parametrize("command", [("rebuild",), ("lock",), ("fetch",), ("env", "show")])
def test_what_needs_a_checkout_says_so(program: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = run(program, tmp_path, *command)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        f"error: {tmp_path} is not inside a checkout of this repository",
        "hint: Change into the checkout, or name it with --source DIR.",
    ]
