"""What rebuilderd takes: the list of what is to be rebuilt, as `rebuildctl pkgs sync-stdin` reads it (common/src/api/v1/models/package.rs, 0.28)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.record.json_report import render_rebuild
from teekit_verify.record.rebuilderd import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.record.document import RebuildReport
    from teekit_verify.record.rebuilderd import MadeJob

DISTRIBUTION, RELEASE, ARCHITECTURE = "teekit-verify", "published", "x86_64"
"""The first is also the backend's name in a worker's configuration; the last is what a worker supports that says nothing of it."""
REPORT_LINE = "report.json: "
"""How the last line of a worker's log begins."""


def package_report(made: Sequence[MadeJob], jobs_url: str, artifacts_url: str) -> bytes:
    """Jobs are at `jobs_url`/NAME.job.json, published artifacts at `artifacts_url`/NAME/FILE."""
    packages = [
        {
            "name": job.name,
            "version": job.version,
            "url": f"{jobs_url}/{job.name}{SUFFIX}",
            "artifacts": [
                {
                    "name": artifact.name,
                    "version": job.version,
                    "component": job.name,
                    "architecture": ARCHITECTURE,
                    "url": f"{artifacts_url}/{job.name}/{artifact.name}",
                }
                for artifact in job.artifacts
            ],
        }
        for job in made
    ]
    listed = {"distribution": DISTRIBUTION, "release": RELEASE, "architecture": ARCHITECTURE, "packages": packages}
    return json.dumps(listed, indent=2).encode() + b"\n"


def report_line(report: RebuildReport) -> str:
    """report.json in one line: rebuilderd keeps a worker's output, and nothing else of what it wrote."""
    return REPORT_LINE + json.dumps(json.loads(render_rebuild(report)), separators=(",", ":"))
