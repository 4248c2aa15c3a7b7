"""Signed tags, signed by git itself with keys that gpg and ssh-keygen make."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders.repositories import Repository
from builders.tools import require
from teekit_verify.rebuild import git, tag_signature
from teekit_verify.rebuild.tag_signature import TagSignatureError


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody with a key: the options with which git signs, the public part, and who that says it is."""

    options: tuple[str, ...]
    public: Path
    name: str


def ssh_signer(folder: Path, name: str = "alice@example.org") -> Signer:
    folder.mkdir()
    key = folder / "key"
    subprocess.run([require("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = folder / "allowed"
    allowed.write_text(f"{name} {key.with_suffix('.pub').read_text()}")
    return Signer(("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}"), allowed, name)


def pgp_signer(folder: Path, name: str = "Alice <alice@example.org>") -> Signer:
    folder.mkdir()
    home = folder / "h"
    home.mkdir(mode=0o700)
    environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home)}
    gpg = [require("gpg"), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run(
        [*gpg, "--quick-generate-key", name, "ed25519", "sign", "never"],
        env=environment,
        check=True,
        capture_output=True,
    )
    public = folder / "public.asc"
    public.write_bytes(
        subprocess.run([*gpg, "--armor", "--export"], env=environment, check=True, capture_output=True).stdout
    )
    program = folder / "gpg"
    program.write_text(f'#!/bin/sh\nGNUPGHOME={home} exec gpg "$@"\n')
    program.chmod(0o755)
    return Signer(("-c", f"gpg.program={program}", "-c", f"user.signingKey={name}"), public, name)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path / "source")
    made.write("file")
    made.commit()
    return made


@pytest.fixture(params=["ssh", "pgp"])
def signer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    folder = tmp_path_factory.mktemp("k") / "s"  # short: gpg-agent's socket has to fit
    yield ssh_signer(folder) if request.param == "ssh" else pgp_signer(folder)
    subprocess.run(["gpgconf", "--homedir", str(folder / "h"), "--kill", "all"], check=False, capture_output=True)


def sign(repository: Repository, signer: Signer, tag: str) -> None:
    repository.git(*signer.options, "tag", "--sign", "--message", "release", tag)


def verify(repository: Repository, tag: str, key: Path) -> str:
    """As `rebuild.release` does it."""
    commit = repository.git("rev-parse", f"{tag}^{{commit}}")
    content = git.Repository(repository.folder / ".git", "").tag_object(tag)
    return tag_signature.verify(tag, commit, content, key)


def refused(repository: Repository, tag: str, key: Path) -> str:
    with pytest.raises(TagSignatureError) as caught:
        verify(repository, tag, key)
    return caught.value.message


def test_a_good_signature_names_who_made_it(repository: Repository, signer: Signer) -> None:
    sign(repository, signer, "v1")
    assert verify(repository, "v1", signer.public).startswith(signer.name)


def test_a_signature_of_somebody_else_is_none(repository: Repository, signer: Signer, tmp_path: Path) -> None:
    sign(repository, signer, "v1")
    is_ssh = "gpg.format=ssh" in signer.options
    other = (ssh_signer if is_ssh else pgp_signer)(tmp_path / "o")
    message = refused(repository, "v1", other.public)
    assert message.startswith(f"the tag v1 has no good signature of a key in {other.public}: ")
    the_other_kind = tmp_path / "key"
    the_other_kind.write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n" if is_ssh else "alice ssh-ed25519 AAAA\n")
    kind = "ssh" if is_ssh else "OpenPGP"
    assert refused(repository, "v1", the_other_kind) == (
        f"the tag v1 has an {kind} signature, but {the_other_kind} is a key of the other kind"
    )


def test_what_was_changed_after_signing_is_not_signed(repository: Repository, signer: Signer) -> None:
    sign(repository, signer, "v1")
    content = repository.git("cat-file", "tag", "v1").replace("release", "relaese") + "\n"
    changed = repository.git("mktag", stdin=content.encode())
    repository.git("update-ref", "refs/tags/v1", changed)
    assert "has no good signature" in refused(repository, "v1", signer.public)


def test_a_signed_tag_under_another_name_or_of_another_commit_is_refused(
    repository: Repository, signer: Signer
) -> None:
    """An attacker cannot sign, but can show an older signed tag as the newest one."""
    sign(repository, signer, "v1")
    repository.git("update-ref", "refs/tags/v2", repository.git("rev-parse", "v1"))
    commit = repository.git("rev-parse", "v1^{commit}")
    assert refused(repository, "v2", signer.public) == f"what is signed is not the tag v2 of the commit {commit}"
    content = git.Repository(repository.folder / ".git", "").tag_object("v1")
    with pytest.raises(TagSignatureError, match=f"what is signed is not the tag v1 of the commit {'0' * 40}"):
        tag_signature.verify("v1", "0" * 40, content, signer.public)


def test_a_tag_without_signature_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.git("tag", "plain")
    repository.git("tag", "--annotate", "--message", "x", "annotated")
    (tmp_path / "key").write_text("x")
    for tag in ("plain", "annotated"):
        assert refused(repository, tag, tmp_path / "key") == f"the tag {tag} is not signed"


def test_the_users_own_key_ring_plays_no_part(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, other = pgp_signer(tmp_path / "a"), pgp_signer(tmp_path / "b")
    sign(repository, signer, "v1")
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "a" / "h"))
    assert "has no good signature" in refused(repository, "v1", other.public)
    for name in "ab":
        subprocess.run(["gpgconf", "--homedir", str(tmp_path / name / "h"), "--kill", "all"], check=False)
