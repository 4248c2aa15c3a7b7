"""docs/statements.md: every command in it is run, in its order, by a shell."""

from __future__ import annotations

import dataclasses
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from builders import docs, released
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.appraisal.statements.create import BUILD_TYPE, BUILDER_ID
from teekit_verify.appraisal.statements.statement import PROVENANCE_TYPE, SCOPE, VERDICT_TYPE, Predicate
from teekit_verify.documents import create
from teekit_verify.documents.load import load_reference
from teekit_verify.reference.signing import detached

if TYPE_CHECKING:
    from pathlib import Path

DOC = (docs.DOCS / "statements.md").read_text(encoding="utf-8")
BLOCKS = docs.blocks("statements.md")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a report, a reference and the program."""
    require("openssl")
    published = released.write_report(tmp_path / "unpublished")
    released.write_report(tmp_path / "report", published=published)
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference/base.json").write_bytes(create.dump_reference(published))
    docs.install_program(tmp_path)
    return tmp_path


def _commands(block: str) -> list[str]:
    return block.splitlines()


def test_every_command_works_as_written(place: Path) -> None:
    signing, counting, key_id, artifact, showing, expiry, reference, looking, exporting, by_openssl = BLOCKS
    assert len(_commands(signing)) == len(_commands(counting)) == 3, "three commands each"
    by_alice = ""
    for auditor in ("alice", "bob", "carol"):
        if auditor == "carol":
            shutil.move(place / "report", place / "first")
            published = load_reference(place / "reference/base.json")
            other = build_uki().replace(b"stub code", b"evil code")
            released.write_report(place / "report", published=published, uki=other)
        _, errors = docs.run(place, signing.replace("alice", auditor))
        assert f"wrote {auditor}.intoto.jsonl: {'MISMATCH' if auditor == 'carol' else 'REPRODUCED'}" in errors
        by_alice = by_alice or errors
        assert "warning" not in errors, "openssl keeps private keys private"
    shutil.rmtree(place / "report")
    shutil.move(place / "first", place / "report")
    shown, _ = docs.run(place, counting)
    assert shown.splitlines()[-1] == "INDEPENDENTLY REPRODUCED: 2 trusted auditors agree, 2 were asked for"
    told, _ = docs.run(place, key_id)
    assert f"signed by key {told.split()[0]}" in by_alice
    assert "INDEPENDENTLY REPRODUCED" in docs.run(place, artifact)[0]
    assert "REPRODUCED states bob" in docs.run(place, showing)[0]
    docs.run(place, expiry)
    assert "INDEPENDENTLY REPRODUCED: 2" in docs.run(place, artifact)[0]
    assert "SIGNED: by a trusted key: reference/base.json" in docs.run(place, reference)[0]
    assert "2026.11" in docs.run(place, looking)[0]
    docs.run(place, exporting)
    names = sorted(path.name for path in (place / "exported").iterdir())
    links = ["alice.in-toto.link", "alice.in-toto.pub"]
    assert names == [*links, "alice.provenance.sigstore.json", "alice.sigstore.json", "alice.vsa.json"]
    assert "Signature Verified Successfully" in docs.run(place, by_openssl)[0]


def test_ecdsa_as_the_text_says(place: Path) -> None:
    options = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"
    assert f"`{options}`" in DOC
    docs.run(place, BLOCKS[0].replace("-algorithm ed25519", options))
    docs.run(place, "mkdir trusted && cp alice.pem trusted")
    docs.run(place, "teekit-verify attest verify --threshold 1 --trusted-keys trusted alice.intoto.jsonl")
    check = BLOCKS[-1].replace("-rawin", "-rawin -digest sha256")
    assert "Signature Verified Successfully" in docs.run(place, check)[0]


@pytest.mark.parametrize("text", [BUILD_TYPE, BUILDER_ID, PROVENANCE_TYPE, SCOPE, VERDICT_TYPE, detached.PAYLOAD_TYPE])
def test_names_and_texts_are_those_of_the_program(text: str) -> None:
    assert text in DOC


def test_every_field_of_the_verdict_is_described() -> None:
    table = DOC[DOC.index("### The verdict") :]
    described = [name for line in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in line.split(", ")]
    assert [name.strip("`") for name in described] == [field.name for field in dataclasses.fields(Predicate)]
