"""Statements signed by keys as OpenSSH keeps them: files that ssh-keygen made, a real ssh-agent, and hostile ones."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

from builders import audits, rebuilds, reports, statements
from builders.tools import require
from teekit_verify.cli.app import main
from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.signing import keys

KINDS = {"ed25519": ("-t", "ed25519"), "p256": ("-t", "ecdsa", "-b", "256"), "rsa": ("-t", "rsa", "-b", "2048")}
_PAUSE_SECONDS = 0.05


def make_key(folder: Path, kind: str, passphrase: str = "") -> Path:
    """A private key, its .pub, and alice.pem as somebody else pins it."""
    path = folder / f"id_{kind}"
    keygen = [require("ssh-keygen"), "-q"]
    subprocess.run([*keygen, *KINDS[kind], "-N", passphrase, "-C", "alice's", "-f", path], check=True)
    public = load_ssh_public_key(Path(f"{path}.pub").read_bytes())
    (folder / "trusted").mkdir(exist_ok=True)
    (folder / "trusted/alice.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def listens(place: Path) -> bool:
    """A socket has its name a moment before anybody listens there."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(place)) == 0


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real agent. Its socket is in a short folder, as a name of one has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="agent"))
    place = folder / "socket"
    running = subprocess.Popen([require("ssh-agent"), "-D", "-a", place], stdout=subprocess.DEVNULL)
    while not listens(place):
        assert running.poll() is None
        time.sleep(_PAUSE_SECONDS)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
    yield place
    running.terminate()
    running.wait()
    shutil.rmtree(folder)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return statements.write_report(tmp_path / "report", reports.REBUILDS["reproduced"])


def create(report: Path, key: Path) -> int:
    place = report.parent
    return main(["attest", "create", str(report), "--name", "alice", "--key", str(key), "--output", str(place)])


def holds(report: Path) -> bool:
    """What `attest verify` says of it with the key that ssh-keygen exported."""
    place = report.parent
    argv = ["--threshold", "1", "--trusted-keys", str(place / "trusted"), str(place / "alice.intoto.jsonl")]
    return main(["attest", "verify", *argv]) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_in_an_agent(report: Path, tmp_path: Path, agent: Path, kind: str) -> None:
    """The file with the private half is gone, as it is where that is in hardware."""
    key = make_key(tmp_path, kind, "secret" if kind == "ed25519" else "")
    answers = tmp_path / "askpass"
    answers.write_text("#!/bin/sh\necho secret\n")
    answers.chmod(0o700)
    asking = os.environ | {"SSH_ASKPASS": str(answers), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run([require("ssh-add"), "-q", key], check=True, env=asking)
    key.unlink()
    assert create(report, Path(f"{key}.pub")) == 0
    assert holds(report)
    assert len((tmp_path / "alice.intoto.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_private_key_of_openssh(report: Path, tmp_path: Path, kind: str) -> None:
    assert create(report, make_key(tmp_path, kind)) == 0
    assert holds(report)


def test_one_with_a_passphrase_goes_through_an_agent(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(report, make_key(tmp_path, "ed25519", "secret")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "id_ed25519: is encrypted as OpenSSH does it" in said
    assert "Add it to an agent (ssh-add), and name its public half: FILE.pub." in said


def test_an_agent_without_the_key(
    report: Path, tmp_path: Path, agent: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    public = Path(f"{make_key(tmp_path, 'ed25519')}.pub")
    assert create(report, public) == 2
    assert f"the SSH agent does not sign with {public}" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("SSH_AUTH_SOCK", f"{agent}.gone")
    assert create(report, public) == 2
    assert "does not answer: [Errno 2]" in " ".join(capsys.readouterr().err.split())
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert create(report, public) == 2
    assert "is a public key, and there is no SSH agent that has the private one" in capsys.readouterr().err
    assert not (tmp_path / "alice.intoto.jsonl").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["", ".pub"])
def test_the_public_half_for_others(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, suffix: str) -> None:
    key = make_key(tmp_path, kind)
    assert main(["attest", "public-key", f"{key}{suffix}"]) == 0
    assert capsys.readouterr().out == (tmp_path / "trusted/alice.pem").read_text()


FIDO = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t a token"
P384 = "ecdsa-sha2-nistp384"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (FIDO, "is a key of a FIDO token"),
        ("ssh-ed25519 AAAA", "is not a public key of OpenSSH's: it cannot be decoded"),
        ("ssh-ed25519 ", "is not a public key of OpenSSH's: it cannot be decoded"),
        ("ssh-ed25519 Ünïcode", "is not a public key of OpenSSH's: it cannot be decoded"),
        (P384, "is a key on the curve secp384r1"),
    ],
)
def test_keys_that_no_statement_can_have(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "alice.pub"
    if line == P384:
        made = [require("ssh-keygen"), "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", str(tmp_path / "alice")]
        subprocess.run(made, check=True)
    else:
        path.write_text(line)
    with pytest.raises(TeekitError, match=message):
        keys.load_signing_key(path, agent=tmp_path / "none")


@contextmanager
def answering(answer: bytes) -> Iterator[Path]:
    """An agent that says this to whatever it is asked first, and hangs up."""
    folder = Path(tempfile.mkdtemp(prefix="agent"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(folder / "socket"))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield folder / "socket"
        thread.join()
    shutil.rmtree(folder)


def _string(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4) + part for part in parts)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_string(b"\x05"), "the SSH agent does not sign with"),
        (_string(b""), "the SSH agent does not sign with"),
        (_string(b"\x0e" + _string(_string(b"ssh-ed25519", b"\0" * 64))), "the SSH agent's signature is not by"),
        (_string(b"\x0e" + _string(_string(b"ssh-rsa", b"\0" * 64))), "signs by ssh-rsa, expected ssh-ed25519"),
        (_string(b"\x0e" + _string(b"\xff\xff\xff\xff")), "it has another length than it says"),
        (
            _string(b"\x0e" + _string(_string(b"ssh-ed25519", b"\0" * 64)) + b"more"),
            "it has another length than it says",
        ),
        (b"\xff\xff\xff\xff", "answers with 4294967295 bytes, expected at most 16384"),
        (b"\x00\x00\x00\x09\x0e", "does not answer: the answer was cut off"),
        (b"", "does not answer: "),
    ],
)
def test_hostile_agents(tmp_path: Path, answer: bytes, message: str) -> None:
    public = Path(f"{make_key(tmp_path, 'ed25519')}.pub")
    with answering(answer) as agent:
        key = keys.load_signing_key(public, agent=agent)
        with pytest.raises(TeekitError, match=message):
            key.sign(b"data")


def test_a_link_by_a_key_in_an_agent(report: Path, tmp_path: Path, agent: Path) -> None:
    key = make_key(tmp_path, "ed25519")
    subprocess.run([require("ssh-add"), "-q", key], check=True)
    assert create(report, Path(f"{key}.pub")) == 0
    place = tmp_path / "exported"
    given = ["--rebuilderd-link", str(place), "--key", f"{key}.pub"]
    assert main(["attest", "export", str(tmp_path / "alice.intoto.jsonl"), *given]) == 0
    (signature,) = json.loads((place / "alice.in-toto.link").read_text())["signatures"]
    assert len(signature["sig"]) == 2 * 64


def test_an_audit_by_a_key_in_an_agent(
    tmp_path: Path, tree: Path, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it signs is in order by the key that it published, and counts with the one that ssh-keygen wrote."""
    miniature = rebuilds.isolated(tmp_path / "miniature", tree, monkeypatch)
    audits.publish(miniature, "r1")
    key, place = make_key(tmp_path, "p256"), tmp_path / "statements"
    subprocess.run([require("ssh-add"), "-q", key], check=True)
    key.unlink()
    place.mkdir()
    options = audits.options(miniature, "alice", place, Path(f"{key}.pub"))
    assert main(miniature.argv(*options, command="audit")) == 0
    assert (place / "keys/alice.pem").read_bytes() == (tmp_path / "trusted/alice.pem").read_bytes()
    assert main(["attest", "check-repository", str(place)]) == 0
    count = ["attest", "verify", str(place / "r1"), "--threshold", "1"]
    assert main([*count, "--trusted-keys", str(tmp_path / "trusted")]) == 0
