"""`reference create --manifest`: of an image that measures what it runs, and of one that does not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from builders import given, released
from builders.uki import build_uki, default_sections
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    import pytest


def create(folder: Path, *options: str, marked: bool = True) -> ExitStatus:
    sections = [(name, text + given.MARK if marked and name == ".osrel" else text) for name, text in default_sections()]
    (folder / "manifest.json").write_bytes(given.manifest())
    if not (folder / "report").exists():
        released.write_report(folder / "report", uki=build_uki(sections=sections))
    output = ["--release", "2026.12", "--output", str(folder / "ref.json")]
    return main(["reference", "create", str(folder / "report"), *output, *options])


def test_what_machines_may_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = ["--manifest", str(tmp_path / "manifest.json")]
    assert create(tmp_path) is ExitStatus.HOLDS
    document = json.loads((tmp_path / "ref.json").read_bytes())
    assert document["apps"] == {"format": "teekit measured v1", "acceptable": []}
    assert document["platforms"]["tdx"]["RTMR3"]["policy"] == "ignore"
    for options, hostnames in (([], None), (["--hostname", "A.example.org"], ["a.example.org"])):
        assert create(tmp_path, *manifest, *options) is ExitStatus.HOLDS
        document = json.loads((tmp_path / "ref.json").read_bytes())
        encoded = base64.b64encode(given.manifest()).decode()
        assert document["apps"]["acceptable"] == [{"label": "2026.12", "manifests": [encoded], "hostnames": hostnames}]
    capsys.readouterr()
    assert main(["reference", "check", str(tmp_path / "ref.json")]) is ExitStatus.HOLDS
    assert "1 set of apps" in capsys.readouterr().out


def test_an_image_that_does_not_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(tmp_path, marked=False) is ExitStatus.HOLDS
    assert "apps" not in json.loads((tmp_path / "ref.json").read_bytes())
    capsys.readouterr()
    assert create(tmp_path, "--manifest", str(tmp_path / "manifest.json")) is ExitStatus.NO_VERDICT
    assert "this image does not measure what it runs" in capsys.readouterr().err
