"""Sigsum's own programs, from Debian's packages unpacked into a folder: a log and witnesses on loopback, its submitter and its verifier."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from builders import keys
from builders.debian import fetch_known_or_current
from builders.tools import require
from teekit_verify.rebuild.lock import LockedPackage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PACKAGES = (
    LockedPackage(
        name="sigsum-go",
        version="0.14.1-2",
        architecture="amd64",
        archive="debian",
        path="pool/main/s/sigsum-go/sigsum-go_0.14.1-2_amd64.deb",
        size_bytes=6472580,
        sha256="0c9e3650d215cbdd710169fab0a166237f44714c7b5a13097f1d884dbf76d997",
    ),
    LockedPackage(
        name="sigsum-log-go",
        version="0.15.2-2+b1",
        architecture="amd64",
        archive="debian",
        path="pool/main/s/sigsum-log-go/sigsum-log-go_0.15.2-2+b1_amd64.deb",
        size_bytes=9658408,
        sha256="1bc61c59be14dfa3a08e94721c325f61b4873948dcfabd9b3fc5f87c8118d979",
    ),
)
LOG = "log"
_LOG_PORT, _FIRST_WITNESS_PORT = 6965, 7777
_SECONDS = 600


def fetch_programs(folder: Path) -> Path:
    """The folder with the programs. They are Go's, and need nothing of their suite (sid)."""
    for package in _PACKAGES:
        deb, _ = fetch_known_or_current(package, "sid", folder / package.name)
        subprocess.run([require("dpkg-deb"), "-x", deb, folder / "tree"], check=True)
    return folder / "tree/usr/bin"


def public_bytes(name: str) -> bytes:
    return keys.private_key(name).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def write_key(folder: Path, name: str) -> Path:
    """The private key of that name as OpenSSH keeps it, with its public half beside it."""
    path = folder / f"{name}.ssh"
    private = keys.private_key(name)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    path.with_name(f"{name}.ssh.pub").write_bytes(public + b"\n")
    return path


def policy(witnesses: Sequence[str], quorum: str, log: str = LOG) -> bytes:
    """One log, these witnesses, a group G of them that wants `quorum` (any, all, or a number)."""
    lines = [f"log {public_bytes(log).hex()} http://localhost:{_LOG_PORT}"]
    for port, name in enumerate(witnesses, start=_FIRST_WITNESS_PORT):
        lines.append(f"witness {name} {public_bytes(name).hex()} http://localhost:{port}")
    lines.append(f"group G {quorum} {' '.join(witnesses)}")
    return "".join(f"{line}\n" for line in [*lines, "quorum G"]).encode()


def proof_of(file: bytes, submitter: str, witnesses: Sequence[str], log: str = LOG) -> bytes:
    """In a log with this file alone, put together from Sigsum's specification; of several leaves see tests/assets/sigsum."""

    def signed(name: str, data: bytes) -> bytes:
        private = keys.private_key(name)
        assert isinstance(private, Ed25519PrivateKey)
        return private.sign(data)

    checksum = sha256(sha256(file).digest()).digest()
    key_hash = sha256(public_bytes(submitter))
    signature = signed(submitter, b"sigsum.org/v1/tree-leaf\0" + checksum)
    root = sha256(b"\0" + checksum + signature + key_hash.digest())
    log_hash = sha256(public_bytes(log)).hexdigest()
    head = f"sigsum.org/v1/tree/{log_hash}\n1\n{b64encode(root.digest()).decode()}\n".encode()
    lines = ["version=2", f"log={log_hash}", f"leaf={key_hash.hexdigest()} {signature.hex()}", ""]
    lines += ["size=1", f"root_hash={root.hexdigest()}", f"signature={signed(log, head).hex()}"]
    for name in witnesses:
        cosignature = signed(name, b"cosignature/v1\ntime 1796029117\n" + head)
        lines.append(f"cosignature={sha256(public_bytes(name)).hexdigest()} 1796029117 {cosignature.hex()}")
    return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True)
class RunningLog:
    programs: Path
    folder: Path
    policy: Path

    def submit(self, file: Path, key: str, proof: Path) -> None:
        """As an auditor does it; `key` is the name of the key."""
        argv: list[str | Path] = [
            self.programs / "sigsum-submit",
            "--diagnostics=warning",
            "--timeout=600s",
            "-o",
            proof,
        ]
        argv += ["-k", write_key(self.folder, key), "-p", self.policy, file]
        subprocess.run(argv, check=True, timeout=_SECONDS)


def accepted(programs: Path, file: Path, proof: Path, submitter: Path, log_policy: Path) -> bool:
    """What sigsum-verify says."""
    argv: list[str | Path] = [programs / "sigsum-verify", "-k", submitter, "-p", log_policy, proof]
    return (
        subprocess.run(argv, input=file.read_bytes(), capture_output=True, check=False, timeout=_SECONDS).returncode
        == 0
    )


@contextmanager
def running_log(programs: Path, folder: Path, witnesses: Sequence[str]) -> Iterator[RunningLog]:
    """A log and its witnesses, all of which run. The ports are given: enter `own_network()` first."""
    log_key = write_key(folder, LOG)
    (folder / "policy").write_bytes(policy(witnesses, "all"))
    (folder / "sth.startup").write_text("startup=empty")
    # Debian builds the log as for Go 1.20, whose HTTP server takes the "GET " of a path's pattern for the path.
    environment = {**os.environ, "GODEBUG": "httpmuxgo121=0"}
    with ExitStack() as stack:
        for port, name in enumerate(witnesses, start=_FIRST_WITNESS_PORT):
            argv: list[str | Path] = [
                programs / "sigsum-witness",
                "-k",
                write_key(folder, name),
                "--state-file",
                folder / f"{name}.cth",
            ]
            argv += ["--log-key", log_key.with_suffix(".ssh.pub"), f"localhost:{port}"]
            stack.callback(stack.enter_context(subprocess.Popen(argv, env=environment)).kill)
        argv = [programs / "sigsum-log-primary", "--key-file", log_key, "--policy-file", folder / "policy"]
        argv += ["--interval=1s", "--log-level=error", "--backend=ephemeral", "--sth-file", folder / "sth"]
        stack.callback(stack.enter_context(subprocess.Popen(argv, env=environment)).kill)
        for port in (*range(_FIRST_WITNESS_PORT, _FIRST_WITNESS_PORT + len(witnesses)), _LOG_PORT):
            _wait_for(port)
        yield RunningLog(programs, folder, folder / "policy")


def _wait_for(port: int) -> None:
    for _ in range(10 * _SECONDS):
        try:
            socket.create_connection(("localhost", port), timeout=_SECONDS).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")
