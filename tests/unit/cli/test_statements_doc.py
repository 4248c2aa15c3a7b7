"""docs/statements.md: every command in it is run, in its order, by a shell."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builders import documents, reports
from builders import statements as sample
from builders.tools import require
from teekit_verify.appraisal.statement import BUILD_TYPE, BUILDER_ID, PROVENANCE_TYPE, SCOPE, VERDICT_TYPE, Predicate
from teekit_verify.reference import create, sign

DOC = (Path(__file__).parents[3] / "docs/statements.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a report, a reference and the program."""
    require("openssl")
    sample.write_report(tmp_path / "report", reports.REBUILDS["reproduced"])
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference/base.json").write_bytes(create.dump_reference(documents.reference()))
    program = tmp_path / "bin/teekit-verify"
    program.parent.mkdir()
    code = f"import sys; sys.path[:0] = {sys.path!r}; from teekit_verify.cli.app import entry_point; entry_point()"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)
    return tmp_path


def _run(place: Path, script: str) -> tuple[str, str]:
    """Standard output and standard error; any failure in the script is one of the test."""
    environment = {"PATH": f"{place}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def _commands(block: str) -> list[str]:
    return block.splitlines()


def test_every_command_works_as_written(place: Path) -> None:
    signing, counting, key_id, artifact, expiry, reference, looking, by_openssl = BLOCKS
    assert len(_commands(signing)) == len(_commands(counting)) == 3, "three commands each"
    for auditor in ("alice", "bob", "carol"):
        if auditor == "carol":
            shutil.move(place / "report", place / "first")
            sample.write_report(place / "report", sample.MISMATCH)
        _, errors = _run(place, signing.replace("alice", auditor))
        assert f"wrote {auditor}.intoto.jsonl: {'MISMATCH' if auditor == 'carol' else 'REPRODUCED'}" in errors
        assert "warning" not in errors, "openssl keeps private keys private"
    shown, _ = _run(place, counting)
    assert shown.splitlines()[-1] == "INDEPENDENTLY REPRODUCED: 2 trusted auditors agree, 2 were asked for"
    told, _ = _run(place, key_id)
    assert f'"keyid":"{told.split()[0]}"' in (place / "alice.intoto.jsonl").read_text()
    assert "INDEPENDENTLY REPRODUCED" in _run(place, artifact)[0]
    _run(place, expiry)
    assert "INDEPENDENTLY REPRODUCED: 2" in _run(place, artifact)[0]
    assert "SIGNED: by a trusted key: reference/base.json" in _run(place, reference)[0]
    assert "base-1" in _run(place, looking)[0]
    assert "Signature Verified Successfully" in _run(place, by_openssl)[0]


def test_ecdsa_as_the_text_says(place: Path) -> None:
    options = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"
    assert f"`{options}`" in DOC
    _run(place, BLOCKS[0].replace("-algorithm ed25519", options))
    _run(place, "mkdir trusted && cp alice.pem trusted")
    _run(place, "teekit-verify attest verify --threshold 1 --trusted-keys trusted alice.intoto.jsonl")
    check = BLOCKS[-1].replace("-rawin", "-rawin -digest sha256")
    assert "Signature Verified Successfully" in _run(place, check)[0]


@pytest.mark.parametrize("text", [BUILD_TYPE, BUILDER_ID, PROVENANCE_TYPE, SCOPE, VERDICT_TYPE, sign.PAYLOAD_TYPE])
def test_names_and_texts_are_those_of_the_program(text: str) -> None:
    assert text in DOC


def test_every_field_of_the_verdict_is_described() -> None:
    table = DOC[DOC.index("### The verdict") :]
    described = [name for line in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in line.split(", ")]
    assert [name.strip("`") for name in described] == [field.name for field in dataclasses.fields(Predicate)]
