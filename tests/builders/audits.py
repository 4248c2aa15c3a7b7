"""Releases of a miniature, each published from a build of its own, and auditors with keys as OpenSSL makes them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

from builders.rebuilds import BUILD, Miniature
from builders.repositories import Repository
from builders.tools import require
from teekit_verify.cli.app import main

PASSPHRASE = "correct horse"  # noqa: S105 - of keys made for one test
KINDS: dict[str, tuple[str, ...]] = {
    "alice": ("-algorithm", "ed25519"),
    "bob": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "carol": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
}
# The manifest says what the image is made of, so that each release has artifacts of its own: a function of the inputs.
MAKES = BUILD + 'cat release.txt build.sh >>"$output/tdx-debian-base.manifest"\n'


_PUBLISHED: dict[tuple[str, ...], bytes] = {}
"""Checkouts that were made before in this process, as tar archives: publishing takes seconds, and gives the same every time."""


def publish(miniature: Miniature, *names: str, build: str = MAKES) -> Repository:
    """What an honest publisher does for each name: commit, build, declare; the artifacts are those of that commit."""
    root = miniature.project.root
    made = _PUBLISHED.get((build, *names))
    if made is None:
        _publish(miniature, names, build)
        kept = io.BytesIO()
        with tarfile.open(fileobj=kept, mode="w") as archive:
            archive.add(root, arcname=".")
        _PUBLISHED[build, *names] = kept.getvalue()
    else:
        shutil.rmtree(root)
        with tarfile.open(fileobj=io.BytesIO(made)) as archive:
            archive.extractall(root, filter="fully_trusted")  # noqa: S202 - made by this process
    return Repository(root)


def _publish(miniature: Miniature, names: tuple[str, ...], build: str) -> None:
    git = Repository.make(miniature.project.root)
    miniature.write("build.sh", build.encode())
    for name in names:
        miniature.write("release.txt", name.encode())
        commit = git.commit(name)
        assert main(miniature.argv("--no-reference", "--vary", "none")) == 1
        folder = miniature.project.references / "releases" / name
        argv = ["reference", "create", str(miniature.report), "--release", name, "--output", str(folder / "image.json")]
        folder.mkdir(parents=True)
        assert main(argv) == 0
        declare(folder, commit=commit)
    git.commit("the releases")


def declare(folder: Path, **changes: object) -> None:
    release = {
        "schema": "teekit-verify/release/v1",
        "repository": None,
        "tag": None,
        "image": "base",
        "profiles": ["debian-kernel"],
        "reference": "image.json",
    }
    path = folder / "release.json"
    if path.exists():
        release = json.loads(path.read_text())
    path.write_text(json.dumps(release | changes))


def falsify(miniature: Miniature, name: str) -> None:
    """What was published is something else than what the commit gives."""
    path = miniature.project.references / "releases" / name / "image.json"
    document = json.loads(path.read_text())
    (manifest,) = (item for item in document["artifacts"] if item["name"].endswith(".manifest"))
    manifest["sha256"] = manifest["sha256"][::-1]
    path.write_text(json.dumps(document))


def make_key(folder: Path, name: str, *, encrypted: bool = False) -> Path:
    """NAME.key, of the kind that the auditor has, and NAME.pem."""
    folder.mkdir(exist_ok=True)
    path, openssl = folder / f"{name}.key", require("openssl")
    secret = ("-aes256", "-pass", f"pass:{PASSPHRASE}") if encrypted else ()
    subprocess.run([openssl, "genpkey", *KINDS[name], *secret, "-out", str(path)], check=True, capture_output=True)
    path.chmod(0o600)
    opening = ("-passin", f"pass:{PASSPHRASE}") if encrypted else ()
    public = ["pkey", "-in", str(path), *opening, "-pubout", "-out", str(folder / f"{name}.pem")]
    subprocess.run([openssl, *public], check=True, capture_output=True)
    return path


def options(miniature: Miniature, name: str, statements: Path, key: Path) -> list[str]:
    """Of an audit that has reports of its own."""
    place = ("--statements", str(statements), "--name", name, "--key", str(key))
    return [*place, "--output", str(miniature.folder / f"audit-{name}"), "--vary", "none"]
