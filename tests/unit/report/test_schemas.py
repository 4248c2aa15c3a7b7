"""What commands print with `--json` fits the committed schemas, which are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

import teekit_verify
from builders import azure, fat, guests, tdvf
from builders import documents as sample
from builders.published_schemas import FOLDER, problems
from builders.uki import build_uki
from teekit_verify.cli.app import main
from teekit_verify.documents import create
from teekit_verify.documents.schema import as_text
from teekit_verify.report.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Sequence

ASSETS = Path(__file__).parents[2] / "assets"
PACKAGE = Path(teekit_verify.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "teekit-verify/" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", schemas())
def test_committed_schemas_are_those_of_the_code(name: str) -> None:
    again = "python -m teekit_verify.report.schemas reference/schema"
    assert (FOLDER / name).read_text() == as_text(schemas()[name]), f"write them again: {again}"
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_document_has_a_schema(path: Path) -> None:
    """Also what no command prints: a job for rebuilderd, the recording of what scripts fetched."""
    named = re.findall(r"[\"']teekit-verify/([a-z0-9-]+)/(v[0-9]+)[\"']", path.read_text(encoding="utf-8"))
    kinds = {kind for kind, _ in named} - {"finished-build", "gcp-facts"}  # of a workspace; nothing writes the other
    there = {name.name for name in FOLDER.iterdir()}
    assert {f"{kind}-{version}.schema.json" for kind, version in named if kind in kinds} <= there


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Names in `PRINTED` to paths."""
    for name, data in {
        "ref": create.dump_reference(sample.reference()),
        "guest": guests.reference(gcp_c3=guests.published(*guests.cos())),
        "claims": create.dump_measurements(sample.measurements()),
        "uki": build_uki(),
        "other": build_uki("252.39-1~deb12u2"),
        "ovmf": tdvf.build_tdvf(),
        "forged": guests.COS_LOG.read_bytes().replace(b"grub", b"GRUB"),
    }.items():
        (tmp_path / name).write_bytes(data)
    made = {name: str(tmp_path / name) for name in ("ref", "guest", "claims", "uki", "other", "ovmf", "forged")}
    made["disk"] = str(fat.make_disk(tmp_path / "disk.raw", {"EFI/BOOT/BOOTX64.EFI": build_uki()}))
    made["folder"], made["dstack-mr"] = str(tmp_path), str(ASSETS / "formats/dstack-mr.json")
    made["hcl"] = str(azure.REAL["flashbots"])
    return made | {"cos": str(guests.COS_QUOTE), "log": str(guests.COS_LOG), "azure": str(azure.REAL["flashbots"])}


AT = ("--at", "2026-02-03")
PRINTED = [
    ("quote-v1", ("quote", "cos", *AT)),
    ("quote-v1", ("quote", "cos", *AT, "--report-data", "01", "--allow-unchecked", "tcb")),
    ("quote-v1", ("quote", "cos", "--at", "2031-07-03")),
    ("presented-v1", ("compare", "guest", "--quote", "cos", "--eventlog", "log", *AT)),
    ("presented-v1", ("compare", "ref", "--quote", "azure", "--at", "2026-06-08T13:00:00Z")),
    ("presented-v1", ("compare", "guest", "--quote", "cos", "--at", "2031-07-03")),
    ("comparison-v1", ("compare", "ref", "uki")),
    ("comparison-v1", ("compare", "ref", "--claims", "claims")),
    ("explanation-v1", ("explain", "uki", "other")),
    ("release-diff-v1", ("compare", "ref", "ref")),
    ("release-diff-v1", ("release", "diff", "dstack-mr", "dstack-mr")),
    ("measurements-v1", ("measure", "uki")),
    ("replay-v1", ("replay", "log")),
    ("replay-v1", ("replay", "log", "--events", "--quote", "cos", "--against", "forged")),
    ("evidence-v1", ("inspect", "log", "--events")),
    ("evidence-v1", ("inspect", "cos")),
    ("evidence-v1", ("inspect", "hcl")),
    ("inspection-v1", ("inspect", "uki")),
    ("inspection-v1", ("inspect", "disk")),
    ("inspection-v1", ("inspect", "ovmf")),
    ("inspection-v1", ("inspect", "claims")),
    ("inspection-v1", ("inspect", "dstack-mr")),
    ("firmware-v1", ("measure", "ovmf")),
    ("published-v1", ("reference", "show", "dstack-mr")),
    ("reference-list-v1", ("reference", "list", "folder")),
    ("reference-v1", ("reference", "show", "ref")),
    ("doctor-v1", ("doctor",)),
    ("error-v1", ("compare", "ref", "claims")),
    ("error-v1", ("quote", "uki")),
    ("error-v1", ("quote", "--no-such-option")),
]


@pytest.mark.parametrize(("name", "words"), PRINTED)
def test_what_is_printed_fits(
    name: str, words: Sequence[str], files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([files.get(word, word) for word in words] + ["--json"])
    assert problems(name, json.loads(capsys.readouterr().out)) == []


def test_every_committed_schema_has_a_document_held_against_it() -> None:
    """Here, or in the tests of the command that prints it."""
    tests = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("*.py"))
    names = {path.name.removesuffix(".schema.json") for path in FOLDER.iterdir()}
    assert {name for name in names if not re.search(rf'"{name}"|{name}\.schema', tests)} == set()


def test_what_is_allowed_to_stay_unchecked_fits(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    names = "report-data,tcb,revocation,app,channel,tdx"
    main(["quote", files["cos"], *AT, "--allow-unchecked", names, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["allowed_unchecked"] == sorted(names.split(","))
    assert problems("quote-v1", document) == []


def test_a_record_of_inputs_fits() -> None:
    assert problems("inputs-v1", json.loads(create.dump_inputs(sample.inputs()))) == []


def test_the_schemas_refuse(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["quote", files["cos"], *AT, "--json"])
    document = json.loads(capsys.readouterr().out)
    document["authentic"]["checks"][0]["subject"]["fact"] = "unheard_of"
    assert problems("quote-v1", document) != []
