"""What rebuilderd 0.28 does with a job and a backend, by worker/src/rebuild.rs, download.rs and proc.rs; and releases with published artifacts."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from builders import audits
from builders.rebuilds import Miniature
from builders.repositories import Repository
from builders.tools import require
from teekit_verify.cli.app import main

UKI, MANIFEST = "tdx-debian-base.efi", "tdx-debian-base.manifest"
# What was published lies beside the job while the build runs: a build that finds it need make nothing.
CHEATS = (
    audits.MAKES
    + 'find / -path "*/inputs/*.manifest" -exec cp {} "$output/tdx-debian-base.manifest" \\; 2>/dev/null || :\n'
)
Backend = Callable[[Path, Path], tuple[int, str]]
"""Is given the job and the output folder; its exit status, and what it printed."""


@dataclass(frozen=True)
class Rebuilt:
    """`artifacts`: name -> GOOD or BAD; `put` is all that the backend left. `log` is what it printed, `exit_status` what rebuilderd passes over."""

    status: str
    artifacts: dict[str, str]
    put: tuple[str, ...]
    log: str
    exit_status: int


def publish(miniature: Miniature, served: Path, *names: str, build: str = audits.MAKES) -> None:
    """Releases as `audits.publish` makes them; the published artifacts are in `served`/artifacts/NAME."""
    git = Repository.make(miniature.project.root)
    miniature.write("build.sh", build.encode())
    for name in names:
        miniature.write("release.txt", name.encode())
        commit = git.commit(name)
        assert main(miniature.argv("--no-reference", "--vary", "none")) == 1
        folder = miniature.project.references / "releases" / name
        folder.mkdir(parents=True)
        argv = ["reference", "create", str(miniature.report), "--release", name, "--output", str(folder / "image.json")]
        assert main(argv) == 0
        audits.declare(folder, commit=commit)
        shutil.copytree(miniature.report / "artifacts", served / "artifacts" / name)
    git.commit("the releases")


def publish_falsely(miniature: Miniature, served: Path, name: str) -> None:
    """The published manifest is another than the source gives, and the reference file agrees with it."""
    published = served / "artifacts" / name / MANIFEST
    published.write_text("not what the source gives")
    digest = subprocess.run(
        [require("sha256sum"), str(published)], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    path = miniature.project.references / "releases" / name / "image.json"
    document = json.loads(path.read_text())
    (manifest,) = (item for item in document["artifacts"] if item["name"] == MANIFEST)
    manifest |= {"sha256": digest, "size_bytes": published.stat().st_size}
    path.write_text(json.dumps(document))


def work(backend: Backend, package: dict[str, Any], served: Path, folder: Path) -> Rebuilt:
    """One job as a worker does it: everything published into inputs/, the job too, then the backend, then bytes are compared."""
    with tempfile.TemporaryDirectory(prefix="rebuilderd", dir=folder) as name:
        inputs, out = Path(name) / "inputs", Path(name) / "out"
        inputs.mkdir()
        out.mkdir()
        files = [_downloaded(item["url"], served, inputs) for item in package["artifacts"]]
        exit_status, log = backend(_downloaded(package["url"], served, inputs), out)
        found = {file.name: _compared(file, out / file.name) for file in files}
        status = "GOOD" if set(found.values()) <= {"GOOD"} else "BAD"
        return Rebuilt(status, found, tuple(sorted(path.name for path in out.iterdir())), log, exit_status)


def _downloaded(url: str, served: Path, inputs: Path) -> Path:
    """By the last part of the address's path."""
    path = urlsplit(url).path
    return Path(shutil.copy(served / path.lstrip("/"), inputs / path.rpartition("/")[2]))


def _compared(published: Path, made: Path) -> str:
    return "GOOD" if made.exists() and made.read_bytes() == published.read_bytes() else "BAD"


def report_in(log: str) -> dict[str, Any]:
    """The report.json in a log, as docs/fleet.md takes it out."""
    (line,) = [line for line in log.splitlines() if line.startswith("report.json: ")]
    found: dict[str, Any] = json.loads(line.removeprefix("report.json: "))
    return found
