"""Programs of other people that read what we write, and write what we read: cosign and repro-threshold, from Debian's packages.

Nobody has a network meanwhile.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from builders import keys
from builders import statements as sample
from builders.network import own_network
from builders.unpacked import unpack, with_own_library
from teekit_verify.appraisal.statements.create import signed_statement
from teekit_verify.appraisal.statements.statement import PROVENANCE_TYPE, VERDICT_TYPE
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
_COSIGN = """
cosign 3.1.1-2 c/cosign 17676136 d8622ebffce1d69197288fc030ff06a4c247af5507107f85c5a878870b686b23
"""
_REPRO_THRESHOLD = """
repro-threshold 0.1.2-1+b2 r/rust-repro-threshold 2440280 58bc8a1c79f144bc84aaf8da714d283bfef58fa110530b0486927d324cc782ce
libc6 2.43-7 g/glibc 1866392 5c71715c51103beb4fbba9fe9f8dff604af6610dfa71c70bff342f54a7860803
libgcc-s1 16.2.0-4 g/gcc-16 74120 d251ea642c3795e8723ac2b9eeebe511467ca04590ba70f3d555a7616787d7e3
liblzma5 5.8.4-1 x/xz-utils 354284 2dd166f61cb2a32c50f1a4dd3cd34f5f18a4ff97a6ff23665b9a57537fd60625
"""
_SECONDS = 600


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(unpack(_COSIGN, tmp_path_factory.mktemp("cosign")) / "usr/bin/cosign")


@pytest.fixture(scope="module")
def repro_threshold(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return with_own_library(unpack(_REPRO_THRESHOLD, tmp_path_factory.mktemp("repro-threshold")), "repro-threshold")


def _run(argv: list[str], folder: Path) -> bool:
    """Whether it ends well, in a home of its own."""
    environment = {**os.environ, "HOME": str(folder), "COSIGN_PASSWORD": "of a key for one test"}
    ended = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, check=False, timeout=_SECONDS)
    return ended.returncode == 0


def _state(folder: Path, name: str, kind: str = "ed25519") -> Path:
    """A statement about the artifact tdx-debian.efi, which is put beside it, and the public key NAME.pem."""
    (folder / "tdx-debian.efi").write_bytes(b"uki")
    (folder / "other.efi").write_bytes(b"another one")
    (folder / f"{name}.pem").write_bytes(keys.public_pem(name, kind))
    path = folder / f"{name}.intoto.jsonl"
    path.write_bytes(signed_statement(sample.rebuilt(), name, sample.COMMIT, keys.signing_key(name, kind)))
    return path


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
@pytest.mark.parametrize(
    ("suffix", "predicate"), [(".sigstore.json", VERDICT_TYPE), (".provenance.sigstore.json", PROVENANCE_TYPE)]
)
def test_cosign_verifies_our_bundles(cosign: str, tmp_path: Path, kind: str, suffix: str, predicate: str) -> None:
    statement = _state(tmp_path, "alice", kind)
    (tmp_path / "bob.pem").write_bytes(keys.public_pem("bob", kind))
    assert main(["attest", "export", str(statement), "--sigstore-bundle", str(tmp_path)]) == 0

    def verified(key: str, bundle: str, artifact: str) -> bool:
        options = ["--key", f"{key}.pem", "--insecure-ignore-tlog", "--bundle", bundle, "--type", predicate]
        return _run([cosign, "verify-blob-attestation", *options, artifact], tmp_path)

    assert verified("alice", f"alice{suffix}", "tdx-debian.efi")
    assert not verified("alice", f"alice{suffix}", "other.efi")
    assert not verified("bob", f"alice{suffix}", "tdx-debian.efi")
    fields = json.loads((tmp_path / f"alice{suffix}").read_text())
    payload = base64.b64decode(fields["dsseEnvelope"]["payload"]).replace(b"debian-kernel", b"debian-kerneL")
    fields["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (tmp_path / "changed.json").write_text(json.dumps(fields))
    assert not verified("alice", "changed.json", "tdx-debian.efi")


def test_what_cosign_signs_counts(cosign: str, tmp_path: Path) -> None:
    """As docs/statements.md says it: the key may be where only cosign reaches it."""
    report = sample.write_report(tmp_path / "report", sample.MISMATCH)
    waiting = tmp_path / "waiting"
    words = ["attest", "create", str(report), "--name", "alice", "--statement-only", "--output", str(waiting)]
    assert main(words) == 0
    assert _run([cosign, "generate-key-pair"], tmp_path)
    options = ["--key", "cosign.key", "--statement", str(waiting / "alice.verdict.payload")]
    options += ["--bundle", "alice.sigstore.json", "--use-signing-config=false", "--tlog-upload=false", "--yes"]
    assert _run([cosign, "attest-blob", *options], tmp_path)
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    (tmp_path / "cosign.pub").rename(trusted / "alice.pem")
    show = ["attest", "show", str(tmp_path / "alice.sigstore.json"), "--trusted-keys", str(trusted)]
    assert main(show) == 0
    assert main([*show[:-1], str(keys.pin(tmp_path / "others", "bob"))]) == 1


def test_repro_threshold_counts_our_links(repro_threshold: list[str], tmp_path: Path) -> None:
    for name in ("alice", "bob"):
        key = str(keys.write_private(tmp_path, name))
        export = ["attest", "export", str(_state(tmp_path, name)), "--rebuilderd-link", str(tmp_path), "--key", key]
        assert main(export) == 0

    def verified(artifact: str, threshold: int, *names: str) -> bool:
        options = [f"--signing-key={name}.in-toto.pub" for name in names]
        options += [f"--attestation={name}.in-toto.link" for name in ("alice", "bob")]
        return _run([*repro_threshold, "plumbing", "verify", *options, f"--threshold={threshold}", artifact], tmp_path)

    assert verified("tdx-debian.efi", 2, "alice", "bob")
    assert verified("tdx-debian.efi", 1, "bob")
    assert not verified("tdx-debian.efi", 2, "bob")
    assert not verified("other.efi", 1, "alice", "bob")
