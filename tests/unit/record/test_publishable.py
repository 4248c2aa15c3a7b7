"""What `reference create` and `attest create` refuse: a report says which commit gave what, and whether anything else did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import released
from teekit_verify.cli.app import main
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents.load import load_reference
from teekit_verify.record.attestable import load_rebuilt
from teekit_verify.record.publishable import load_publishable

COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def report(tmp_path: Path) -> Path:
    released.write_report(tmp_path / "report")
    change(tmp_path / "report", origin=origin(COMMIT))
    return tmp_path / "report"


def origin(commit: str | None, *changes: str) -> dict[str, Any]:
    return {"repository": None, "commit": commit, "tag": None, "signed_by": "", "changes": list(changes)}


def change(report: Path, **fields: Any) -> None:
    path = report / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def create(report: Path, *arguments: str) -> int:
    output = str(report.with_name("ref.json"))
    return int(main(["reference", "create", str(report), "--release", "r1", "--output", output, *arguments]))


def test_the_commit_is_that_of_the_report(report: Path) -> None:
    assert create(report) == 0
    assert load_reference(report.with_name("ref.json")).commit == COMMIT
    assert create(report, "--commit", COMMIT) == 0


def test_another_commit_than_that_of_the_report_is_refused(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(report, "--commit", OTHER) == 2
    assert f"the source was {COMMIT}, not {OTHER}" in capsys.readouterr().err
    change(report, origin=origin(None))
    assert create(report, "--commit", OTHER) == 2
    assert f"the source was in no commit that git knows, not {OTHER}" in capsys.readouterr().err
    assert not report.with_name("ref.json").exists()
    assert create(report) == 0
    assert load_reference(report.with_name("ref.json")).commit is None


@pytest.mark.parametrize("verdict", ["INPUT_DRIFT", "MISMATCH"])
def test_no_other_verdict_is_published(report: Path, verdict: str) -> None:
    change(report, verdict=verdict, exit_status=1)
    with pytest.raises(TeekitError, match=f"a rebuild with the verdict {verdict} cannot be published"):
        load_publishable(report, None)


def test_a_source_with_changes_is_neither_published_nor_attested(report: Path) -> None:
    change(report, origin=origin(COMMIT, "changed mkosi/base.conf", "new mkosi/x"))
    for read in (lambda: load_publishable(report, None), lambda: load_rebuilt(report)):
        with pytest.raises(TeekitError, match=r"changes that are in no commit: changed mkosi/base\.conf and 1 more"):
            read()


def test_the_image_is_that_of_the_inputs(report: Path) -> None:
    change(report, image="another")
    with pytest.raises(TeekitError, match=r"inputs\.json is not what the report is about"):
        load_publishable(report, None)
