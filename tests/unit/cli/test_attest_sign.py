"""`attest create --statement-only` and `attest sign`: the signature comes from elsewhere. Here: OpenSSL, and securesystemslib's signers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signer, SSlibKey  # type: ignore[attr-defined]

from builders import audits, docs, keys
from builders import statements as sample
from builders.published_schemas import problems
from builders.reports import REBUILDS
from builders.tools import require
from teekit_verify.cli.app import main

PARTS = ("alice.provenance", "alice.verdict")
TYPE = "application/vnd.in-toto+json"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return sample.write_report(tmp_path / "report", REBUILDS["reproduced"])


@pytest.fixture
def waiting(report: Path, tmp_path: Path) -> Path:
    """What is to be signed, as alice."""
    folder = tmp_path / "waiting"
    assert main(["attest", "create", str(report), "--name", "alice", "--statement-only", "--output", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{part}{ending}" for part in PARTS for ending in (".payload", ".tbs")
    )
    return folder


def sign(waiting: Path, public: Path) -> int:
    out = waiting.parent / "signed"
    return int(main(["attest", "sign", str(waiting), "--public-key", str(public), "--output", str(out)]))


def counts(waiting: Path, public: Path) -> bool:
    trusted = waiting.parent / "trusted"
    trusted.mkdir()
    shutil.copy(public, trusted / "alice.pem")
    argv = ["attest", "verify", str(waiting.parent / "signed"), "--threshold", "1", "--trusted-keys", str(trusted)]
    return main(argv) == 0


def by_openssl(waiting: Path, key: Path, *options: str) -> None:
    for part in PARTS:
        argv = [require("openssl"), "pkeyutl", "-sign", "-inkey", str(key), "-rawin", *options]
        files = ["-in", str(waiting / f"{part}.tbs"), "-out", str(waiting / f"{part}.sig")]
        subprocess.run([*argv, *files], check=True)


def test_it_is_the_statement_that_our_own_key_makes(report: Path, waiting: Path, tmp_path: Path) -> None:
    key = audits.make_key(tmp_path / "keys", "alice")
    by_openssl(waiting, key)
    assert sign(waiting, key.with_suffix(".pem")) == 0
    own = ["attest", "create", str(report), "--name", "alice", "--key", str(key), "--output", str(tmp_path / "own")]
    assert main(own) == 0
    name = "alice.intoto.jsonl"
    assert (tmp_path / "signed" / name).read_bytes() == (tmp_path / "own" / name).read_bytes()


@pytest.mark.parametrize("name", audits.KINDS)
def test_signers_of_securesystemslib(waiting: Path, tmp_path: Path, name: str) -> None:
    """As its documentation has it; `file2:` stands for `hsm:`, `awskms:`, `gcpkms:`, `azurekms:`, ... RSA is padded by PSS there."""
    key = audits.make_key(tmp_path / "keys", name)
    public = SSlibKey.from_crypto(load_pem_public_key(key.with_suffix(".pem").read_bytes()))
    signer = Signer.from_priv_key_uri(f"file2:{key}", public)
    for part in PARTS:
        envelope = Envelope((waiting / f"{part}.payload").read_bytes(), TYPE, {})
        envelope.sign(signer)
        (waiting / f"{part}.dsse.json").write_text(json.dumps(envelope.to_dict(), indent=1))
    assert sign(waiting, key.with_suffix(".pem")) == 0
    assert counts(waiting, key.with_suffix(".pem"))


def test_the_documents_program(waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key in a file in the place of one of a service."""
    key = audits.make_key(tmp_path, "alice")
    (program,) = re.findall(r"```python\n(.*?)```", (docs.DOCS / "statements.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(program.replace("awskms:alias/alice", f"file2:{key}"), {})  # noqa: S102 - the document's own example
    assert sign(waiting, key.with_suffix(".pem")) == 0
    assert counts(waiting, key.with_suffix(".pem"))


@pytest.mark.parametrize("form", ["DER", "two numbers"])
def test_both_forms_of_an_ecdsa_signature(waiting: Path, tmp_path: Path, form: str) -> None:
    """PKCS #11 3.1, section 6.3.1: r and s, each as long as the order of the curve."""
    key = audits.make_key(tmp_path / "keys", "bob")
    by_openssl(waiting, key, "-digest", "sha256")
    if form == "two numbers":
        for part in PARTS:
            numbers = decode_dss_signature((waiting / f"{part}.sig").read_bytes())
            (waiting / f"{part}.sig").write_bytes(b"".join(number.to_bytes(32) for number in numbers))
    assert sign(waiting, key.with_suffix(".pem")) == 0
    assert counts(waiting, key.with_suffix(".pem"))


def test_a_verdict_alone_is_a_statement(waiting: Path, tmp_path: Path) -> None:
    key = audits.make_key(tmp_path / "keys", "alice")
    by_openssl(waiting, key)
    for path in waiting.glob("alice.provenance.*"):
        path.unlink()
    assert sign(waiting, key.with_suffix(".pem")) == 0
    assert counts(waiting, key.with_suffix(".pem"))


def _unsigned(waiting: Path) -> None:
    (waiting / "alice.provenance.sig").unlink()


def _twice(waiting: Path) -> None:
    (waiting / "alice.verdict.dsse.json").write_text("{}")


def _changed(waiting: Path) -> None:
    path = waiting / "alice.verdict.payload"
    path.write_bytes(path.read_bytes().replace(b"REPRODUCED", b"MISMATCHED"))


def _renamed(waiting: Path) -> None:
    for path in list(waiting.iterdir()):
        path.rename(path.with_name(path.name.replace("alice", "bob")))


def _two(waiting: Path) -> None:
    shutil.copy(waiting / "alice.verdict.payload", waiting / "bob.verdict.payload")


def _swapped(waiting: Path) -> None:
    shutil.copy(waiting / "alice.provenance.payload", waiting / "alice.verdict.payload")
    shutil.copy(waiting / "alice.provenance.sig", waiting / "alice.verdict.sig")


def _other_envelope(waiting: Path) -> None:
    (waiting / "alice.verdict.sig").unlink()
    (waiting / "alice.verdict.dsse.json").write_bytes(sample.statement_of("alice").splitlines()[0])


REFUSED = {
    "unsigned": (_unsigned, "expected one of alice.provenance.sig and alice.provenance.dsse.json, found neither"),
    "signed twice": (_twice, "expected one of alice.verdict.sig and alice.verdict.dsse.json, found both"),
    "changed": (_changed, "alice.verdict.tbs: its signature is not by the key"),
    "renamed": (_renamed, "bob.verdict.payload names its auditor alice"),
    "two auditors": (_two, "expected one file NAME.verdict.payload, found 2"),
    "two provenances": (_swapped, "expected the verdict of one rebuild, found 0"),
    "another statement": (_other_envelope, "alice.verdict.dsse.json: is not about alice.verdict.payload"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_written_of_what_does_not_fit(
    waiting: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, message = REFUSED[name]
    key = audits.make_key(tmp_path / "keys", "alice")
    by_openssl(waiting, key)
    change(waiting)
    capsys.readouterr()
    assert sign(waiting, key.with_suffix(".pem")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "signed").exists()


def test_the_signature_of_somebody_else(waiting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_openssl(waiting, audits.make_key(tmp_path / "keys", "alice"))
    (tmp_path / "other.pem").write_bytes(keys.public_pem("mallory"))
    assert sign(waiting, tmp_path / "other.pem") == 2
    assert "its signature is not by the key" in capsys.readouterr().err


@pytest.mark.parametrize("options", [(), ("--statement-only", "--key", "none")])
def test_a_key_or_none(report: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attest", "create", str(report), "--name", "alice", *options]) == 2
    assert "name --key FILE, or --statement-only" in capsys.readouterr().err


def test_a_folder_is_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, trusted = tmp_path / "r1", keys.pin(tmp_path / "trusted", "alice")
    folder.mkdir()
    for name in ("alice", "bob"):
        (folder / f"{name}.intoto.jsonl").write_bytes(sample.statement_of(name))
    show = ["attest", "show", str(folder)]
    assert main(show) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "states" in line] == [
        "REPRODUCED states alice",
        "REPRODUCED states bob",
    ]
    assert main([*show, "--trusted-keys", str(trusted), "--json"]) == 1
    fields = json.loads(capsys.readouterr().out)
    assert problems("statements-v1", fields) == []
    assert [(one["auditor"], one["signature"]) for one in fields["statements"]] == [
        ("alice", "good"),
        ("bob", "no key"),
    ]
    (folder / "carol.intoto.jsonl").write_text("{}")
    assert main(show) == 2
