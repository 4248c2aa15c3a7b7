"""A small Debian archive: real packages made by dpkg-deb, indexed by apt-ftparchive, signed by a key of its own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builders.tools import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUITES = {"debian": ("trixie", "trixie-updates", "trixie-backports"), "debian-security": ("trixie-security",)}
DATE = "Sat, 21 Nov 2026 02:10:46 UTC"


def make_deb(
    pool: Path,
    name: str,
    version: str,
    files: dict[str, str],
    *,
    depends: str = "",
    essential: bool = False,
    architecture: str = "amd64",
    section: str = "misc",
    priority: str = "optional",
) -> Path:
    """Build a package of these files (path -> content) into a folder of the pool. An empty `section` or `priority` is left out."""
    tree = pool.parent / f".{name}"
    (tree / "DEBIAN").mkdir(parents=True)
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": "Nobody <nobody@example.org>",
        **({"Section": section} if section else {}),
        **({"Priority": priority} if priority else {}),
        **({"Depends": depends} if depends else {}),
        **({"Essential": "yes"} if essential else {}),
        "Description": f"the package {name}",
    }
    (tree / "DEBIAN" / "control").write_text("".join(f"{field}: {value}\n" for field, value in fields.items()))
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)
    pool.mkdir(parents=True, exist_ok=True)
    deb = pool / f"{name}_{version.partition(':')[2] or version}_{architecture}.deb"
    run(require("dpkg-deb"), "--root-owner-group", "-Znone", "--build", tree, deb)
    run("rm", "-r", tree)
    return deb


@dataclass(frozen=True, slots=True)
class DebianArchive:
    """`root` is what --mirror names: the folder of `debian` and `debian-security`. `home` keeps the signing key."""

    root: Path
    home: Path

    @classmethod
    def make(cls, folder: Path) -> DebianArchive:
        made = cls(folder / "mirror", folder / "gnupg")
        made.home.mkdir(mode=0o700)
        made.new_key("archive@example.org")
        made.gpg("--output", made.keyring, "--export", "archive@example.org")
        for archive, suites in SUITES.items():
            for suite in suites:
                made.pool(archive, suite).mkdir(parents=True)
        return made

    @property
    def address(self) -> str:
        return f"file://{self.root}"

    @property
    def keyring(self) -> Path:
        return self.home / "keyring.gpg"

    def pool(self, archive: str, suite: str) -> Path:
        """Where a suite's packages are; one folder each, so that apt-ftparchive can tell them apart."""
        return self.root / archive / "pool" / ("updates" if archive == "debian-security" else "main") / suite

    def add(
        self, name: str, version: str, *, archive: str = "debian", suite: str = "trixie", depends: str = ""
    ) -> Path:
        files = {f"{place}/{name}": f"{name} {version}\n" for place in ("usr/bin", "etc")}
        return make_deb(self.pool(archive, suite) / name, name, version, files, depends=depends)

    def dists(self, suite: str) -> Path:
        archive = next(archive for archive, suites in SUITES.items() if suite in suites)
        return self.root / archive / "dists" / suite

    def publish(self, *, key: str = "archive@example.org", valid_until: str = "") -> None:
        """Index and sign all suites."""
        for suites in SUITES.values():
            for suite in suites:
                self.index(suite)
                self.sign(suite, key=key, valid_until=valid_until)

    def index(self, suite: str) -> None:
        binary = self.dists(suite) / "main" / "binary-amd64"
        binary.mkdir(parents=True, exist_ok=True)
        archive = self.dists(suite).parents[1]
        pool = self.pool(archive.name, suite).relative_to(archive)
        (binary / "Packages").write_bytes(run(require("apt-ftparchive"), "packages", pool, cwd=archive))

    def sign(self, suite: str, *, key: str = "archive@example.org", valid_until: str = "") -> None:
        dists = self.dists(suite)
        (dists / "InRelease").unlink(missing_ok=True)
        options = {"Suite": suite, "Codename": suite, "Architectures": "amd64", "Components": "main"}
        if suite.endswith("-backports"):  # nobody gets a package from there without asking
            options |= {"NotAutomatic": "yes", "ButAutomaticUpgrades": "yes"}
        settings = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in options.items()]
        content = run(require("apt-ftparchive"), *settings, "release", dists).decode()
        lines = [line for line in content.splitlines() if not line.startswith(("Date:", "Valid-Until:"))]
        lines[:0] = [f"Date: {DATE}", *([f"Valid-Until: {valid_until}"] if valid_until else [])]
        (dists / "Release").write_text("\n".join(lines) + "\n")
        self.gpg("--local-user", key, "--output", dists / "InRelease", "--clearsign", dists / "Release")
        (dists / "Release").unlink()

    def new_key(self, name: str) -> None:
        self.gpg("--quick-generate-key", name, "ed25519", "sign", "never")

    def gpg(self, *arguments: str | Path) -> None:
        settings = ("--homedir", self.home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback")
        run(require("gpg"), *settings, "--passphrase", "", *arguments)

    def close(self) -> None:
        """End gpg's agent."""
        run(require("gpgconf"), "--homedir", self.home, "--kill", "all")


def run(*argv: str | Path, cwd: Path | None = None) -> bytes:
    completed = subprocess.run(
        argv, cwd=cwd, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    )
    assert completed.returncode == 0, completed.stderr.decode()
    return completed.stdout


def served(folder: Path) -> Iterator[DebianArchive]:
    """For a fixture: an archive with a few packages, one of them updated and one with a security update."""
    archive = DebianArchive.make(folder)
    try:
        archive.add("bash", "5.2-1", depends="libc6 (>= 2.30), libtinfo6")
        archive.add("libc6", "2.41-12")
        archive.add("libtinfo6", "6.5-1")
        archive.add("libtinfo6", "6.5-2", suite="trixie-updates")
        archive.add("libc6", "2.41-12+deb13u1", archive="debian-security", suite="trixie-security")
        archive.add("hello", "1:2.10~rc1+dfsg-3")
        archive.publish()
        yield archive
    finally:
        archive.close()
