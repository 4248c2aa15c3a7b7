"""Runs the commands of a document: every block that is marked `sh`, as a reader's shell would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def blocks(name: str) -> list[str]:
    """The blocks of docs/`name`, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def install_program(place: Path, code: str = "") -> None:
    """`teekit-verify` in the folder `bin` of `place`, of this checkout and this Python; `code` is another way to start it."""
    program = place / "bin/teekit-verify"
    program.parent.mkdir()
    code = (
        code or f"import sys\nsys.path[:0] = {sys.path!r}\nfrom teekit_verify.cli.app import entry_point\nentry_point()"
    )
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)


def run(place: Path, script: str, *, status: int = 0, **environment: str) -> tuple[str, str]:
    """Standard output and standard error; any failure in the script, but the expected exit status, is one of the test."""
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=place,
        env={"PATH": f"{place}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(place), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, done.stderr
