"""Makes docs/report.png, the picture of the README: scripts/report_picture.py (needs chromium, and the tests' packages)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "verifier"), str(ROOT / "tests")]

from builders import reports  # noqa: E402
from teekit_verify.rebuild.vouching import EnvironmentFrom, ReferenceFrom  # noqa: E402
from teekit_verify.report.html import page  # noqa: E402


def main() -> None:
    """Of a report that says what the committed reference of the base image says."""
    report = reports.of_reference(ROOT / "reference/base+debian-kernel.json")
    vouched = replace(report, environment_from=EnvironmentFrom.PROGRAM, reference_from=ReferenceFrom.PROGRAM)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_bytes(page.render(vouched))
        chromium = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1080,640",
        ]
        subprocess.run([*chromium, f"--screenshot={ROOT / 'docs/report.png'}", file.as_uri()], check=True)  # noqa: S603


if __name__ == "__main__":
    main()
