"""A rebuild that is repeated gives the same report, byte for byte, but for the seconds that it took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from builders import rebuilds
from builders.tools import require
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _without_seconds(report: dict[str, Any]) -> bytes:
    for step in report["steps"]:
        step.update(seconds=0, begin_seconds=0)
    return json.dumps(report, indent=2).encode()


def test_only_the_seconds_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("bwrap")
    miniature = rebuilds.isolated(tmp_path, rebuilds.make_tree(tmp_path / "tree"), monkeypatch)
    miniature.build_with('hostname >>"$output/tdx-debian-base.manifest"')
    found = []
    for _ in range(2):
        assert main(miniature.argv("--clean")) == 1
        found.append(_without_seconds(json.loads((miniature.report / "report.json").read_text())))
    assert b'"verdict": "NONDETERMINISTIC"' in found[0]
    assert found[0] == found[1]
