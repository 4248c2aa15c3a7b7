"""What buildPythonApplication does in nixpkgs, in small: makes the wheel, installs it, checks what it requires, wraps its programs.

Runs as a Nix builder. `src`, `out`, `pname`, `version`, `dependencies` (names) and `path` (search path of the programs)
come as environment variables.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def main() -> None:
    out = Path(os.environ["out"])
    library = out / "lib" / "python"
    _install(library)
    (installed,) = distributions(path=[str(library)])
    if (installed.name, installed.version) != (os.environ["pname"], os.environ["version"]):
        sys.exit(f"the wheel is {installed.name} {installed.version}")
    _check_requirements(installed)
    (out / "bin").mkdir()
    for entry in installed.entry_points.select(group="console_scripts"):
        _write_program(out / "bin" / entry.name, library, entry.module, entry.attr)


def _install(library: Path) -> None:
    pip = [sys.executable, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        shutil.copytree(os.environ["src"], source, symlinks=True)
        subprocess.run(["chmod", "-R", "u+w", str(source)], check=True)  # the store's files are read-only
        options = ["--no-deps", "--no-index"]
        subprocess.run(
            [*pip, "wheel", *options, "--no-build-isolation", "--wheel-dir", folder, str(source)], check=True
        )
        (wheel,) = Path(folder).glob("*.whl")
        subprocess.run([*pip, "install", *options, "--no-compile", "--target", str(library), str(wheel)], check=True)


def _check_requirements(installed: Distribution) -> None:
    named = {canonicalize_name(name) for name in os.environ["dependencies"].split()}
    for line in installed.requires or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if canonicalize_name(requirement.name) not in named:
            sys.exit(f"{line}: not among the dependencies")
        if not requirement.specifier.contains(version(requirement.name), prereleases=True):
            sys.exit(f"{line}: there is {version(requirement.name)}")


def _write_program(program: Path, library: Path, module: str, function: str) -> None:
    program.write_text(
        f"#!{sys.executable} -I\n"
        "import os, sys\n"
        f"sys.path.insert(0, {str(library)!r})\n"
        f"os.environ['PATH'] = {os.environ['path']!r} + ':' + os.environ.get('PATH', '')\n"
        f"from {module} import {function}\n"
        f"sys.exit({function}())\n"
    )
    program.chmod(0o755)


main()
