"""The report of a rebuild of a small image, as `rebuild` leaves it: with a real (small) UKI, which can be measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builders import documents as sample
from builders import reports
from builders.uki import build_uki
from teekit_verify.documents import create, model
from teekit_verify.prediction.image import measure_rebuilt
from teekit_verify.record.json_report import render_rebuild

UKI = "tdx-debian-base.efi"
COMMIT = "c" * 40


def write_report(
    folder: Path,
    *,
    published: model.Reference | None = None,
    uki: bytes | None = None,
    inputs: model.Inputs | None = None,
) -> model.Reference:
    """The reference that follows from it. With `published`, the verdict says whether this is what was published."""
    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / UKI).write_bytes(build_uki() if uki is None else uki)
    measured = measure_rebuilt(artifacts / UKI, None, () if published is None else published.platforms)
    (artifacts / sample.MANIFEST.name).write_bytes(b"manifest")
    build = sample.build(artifacts=(measured.artifact, sample.MANIFEST), inputs=inputs or sample.inputs())
    report = replace(reports.rebuild(build, build, measured, published), directory=folder.name)
    (folder / "inputs.json").write_bytes(create.dump_inputs(build.inputs))
    (folder / "measurements.json").write_bytes(create.dump_measurements(measured))
    (folder / "report.json").write_bytes(render_rebuild(report))
    return create.create_reference(release="2026.11", commit=COMMIT, build=build, measurements=[measured])
