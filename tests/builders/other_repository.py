"""An apt repository that is not Debian's, on loopback: made by apt-ftparchive, signed by a key of its own, changed as a test asks."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builders.debian_archive import make_deb, run
from builders.tools import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from builders.debian_archive import DebianArchive
    from builders.http import Server

OWNER = "vendor@example.org"
_DATE = "Sat, 21 Nov 2026 09:00:00 UTC"


@dataclass(frozen=True, slots=True)
class OtherRepository:
    """`root` is what is served, at `/apt/` of the server. `signer` has the keys, OWNER's among them."""

    root: Path
    signer: DebianArchive
    server: Server

    @classmethod
    def make(cls, folder: Path, signer: DebianArchive, server: Server) -> OtherRepository:
        (folder / "pool").mkdir(parents=True)
        return cls(folder, signer, server)

    @property
    def address(self) -> str:
        return self.server.address("/apt")

    def add(self, name: str, version: str, **options: str) -> Path:
        """`options` are make_deb's."""
        files = {f"usr/lib/{name}": f"{name} {version}\n"}
        return make_deb(self.root / "pool", name, version, files, **options)  # type: ignore[arg-type]

    def key(self, owner: str = OWNER) -> bytes:
        """Armored, as owners publish it."""
        argv = [require("gpg"), "--homedir", str(self.signer.home), "--batch", "--armor", "--export", owner]
        return subprocess.run(argv, capture_output=True, check=True).stdout

    def fingerprint(self, owner: str = OWNER) -> str:
        """As gpg says it."""
        argv = [require("gpg"), "--homedir", str(self.signer.home), "--batch", "--with-colons", "--list-keys", owner]
        listed = subprocess.run(argv, capture_output=True, check=True).stdout.decode()
        return next(line for line in listed.splitlines() if line.startswith("fpr:")).split(":")[9]

    def publish(self, suite: str = "stable", *, key: str = OWNER, valid_until: str = "") -> None:
        """With one component, `main`; a suite that is `/` is flat."""
        flat = suite == "/"
        dists = self.root if flat else self.root / "dists" / suite
        binary = dists if flat else dists / "main/binary-amd64"
        binary.mkdir(parents=True, exist_ok=True)
        (binary / "Packages").write_bytes(
            run(require("apt-ftparchive"), "packages", "./pool" if flat else "pool", cwd=self.root)
        )
        self.sign(suite, key=key, valid_until=valid_until)
        self.serve()

    def sign(
        self,
        suite: str = "stable",
        *,
        key: str = OWNER,
        valid_until: str = "",
        more: str = "",
        digests: Sequence[str] = ("MD5", "SHA1", "SHA256", "SHA512"),
    ) -> None:
        """`more` are lines of the index, `digests` the kinds that it has of each file."""
        dists = self.root if suite == "/" else self.root / "dists" / suite
        for name in ("InRelease", "Release"):
            (dists / name).unlink(missing_ok=True)
        named = {"Codename": suite, "Architectures": "amd64", "Components": "main"} if suite != "/" else {}
        settings = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in named.items()]
        kinds = ("MD5", "SHA1", "SHA256", "SHA512")
        settings += [f"-oAPT::FTPArchive::Release::{kind}={'true' if kind in digests else 'false'}" for kind in kinds]
        content = run(require("apt-ftparchive"), *settings, "release", dists).decode()
        lines = [line for line in content.splitlines() if not line.startswith(("Date:", "Valid-Until:"))]
        lines[:0] = [f"Date: {_DATE}", *([f"Valid-Until: {valid_until}"] if valid_until else []), *more.splitlines()]
        (dists / "Release").write_text("\n".join(lines) + "\n")
        self.signer.gpg("--local-user", key, "--output", dists / "InRelease", "--clearsign", dists / "Release")
        (dists / "Release").unlink()

    def serve(self) -> None:
        self.server.files.clear()
        for path in self.root.rglob("*"):
            if path.is_file():
                self.server.files[f"/apt/{path.relative_to(self.root).as_posix()}"] = path.read_bytes()
