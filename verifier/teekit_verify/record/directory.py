"""The report directory of a rebuild: everything somebody else needs to check the verdict.

report.json        the verdict and all that led to it
report.html        the same for people
measurements.json  the predicted registers with their event logs
packages.lock.json the lock of the packages, if it was made for this run: for --lock
build-env.lock.json the environment's, if that was made for this run too
inputs.json        what build A consumed (inputs-B.json, if B consumed something else)
artifacts/         build A's files (artifacts/B/: those of build B that differ)
fetched/           what scripts of the builds fetched, if they may: for --fetched
logs/              the builds' logs
"""

from __future__ import annotations

import json
import shutil
from pathlib import PurePath
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.digest import digest_file
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.documents.create import dump_inputs, dump_measurements
from teekit_verify.documents.load import load_inputs, load_measurements
from teekit_verify.documents.model import Artifact, Build, Measurements
from teekit_verify.rebuild import todays
from teekit_verify.rebuild.network import fetching
from teekit_verify.rebuild.workspace import Workspace
from teekit_verify.record.fitting import fitting
from teekit_verify.record.json_report import render_rebuild
from teekit_verify.record.read import parse_rebuild
from teekit_verify.record.replacing import REPORT, replacement
from teekit_verify.record.schema_names import REBUILD_SCHEMA, REBUILD_SCHEMA_V1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from teekit_verify.rebuild.run import TwoBuilds
    from teekit_verify.record.document import RebuildReport

    Page = Callable[[RebuildReport], bytes]

_ARTIFACT = TypeAdapter(Artifact)


def write_failure(directory: Path, report: RebuildReport, logs: tuple[Path, ...], page: Page | None) -> None:
    """A rebuild that failed leaves its report and whatever logs there are. `page` makes report.html; None leaves it out."""
    with replacement(directory, has_verdict=False) as folder:
        _copy_logs(logs, folder)
        _write_report(report, folder, page)


def write(directory: Path, report: RebuildReport, two: TwoBuilds, page: Page | None) -> None:
    """Write the report directory whole, or leave what was there. `page` makes report.html; None leaves it out."""
    with replacement(directory, has_verdict=report.verdict is not Verdict.FAILED) as folder:
        _copy_logs(tuple(attempt.log for attempt in two.attempts), folder)
        _copy_artifacts(two, folder)
        first, second = two.builds
        (folder / "inputs.json").write_bytes(dump_inputs(first.inputs, two.plan.served))
        if first.inputs != second.inputs:
            (folder / "inputs-B.json").write_bytes(dump_inputs(second.inputs, two.plan.served))
        if not two.plan.project.image_lock.exists() or report.todays_packages is not None:  # made for this run
            (folder / "packages.lock.json").write_bytes(two.plan.lock.dump())
        if report.todays_packages is not None:
            locks = todays.project_in(Workspace(two.plan.package_folder.parent), two.plan.project)
            shutil.copyfile(locks.environment_lock, folder / "build-env.lock.json")
        if two.fetched is not None:
            fetching.save(two.fetched, folder / "fetched")
        if report.measurements is not None:
            (folder / "measurements.json").write_bytes(dump_measurements(report.measurements))
        _write_report(report, folder, page)


def _write_report(report: RebuildReport, folder: Path, page: Page | None) -> None:
    """The page is made of the very bytes of report.json, so that anybody can make it again."""
    data = render_rebuild(fitting(report))
    if page is not None:
        (folder / "report.html").write_bytes(page(parse_rebuild(data, REPORT)))
    (folder / REPORT).write_bytes(data)


def _copy_logs(logs: tuple[Path, ...], folder: Path) -> None:
    (folder / "logs").mkdir()
    for log in logs:
        if log.is_file():
            shutil.copyfile(log, folder / "logs" / f"build-{log.parent.name}.log")


def _copy_artifacts(two: TwoBuilds, folder: Path) -> None:
    artifacts = folder / "artifacts"
    artifacts.mkdir()
    first, second = ({artifact.name: artifact for artifact in build.artifacts} for build in two.builds)
    for name in two.plan.target.artifacts:
        shutil.copyfile(two.attempts[0].output / name, artifacts / name)
        if first[name] != second[name]:
            (artifacts / "B").mkdir(exist_ok=True)
            shutil.copyfile(two.attempts[1].output / name, artifacts / "B" / name)


def load_reproduced(directory: Path) -> tuple[Build, Measurements]:
    """The build and measurements of a report in which A and B are identical. The artifacts are hashed again.

    Raises TeekitError when the report is another kind of document, A and B differ, or a file is not what it says.
    """
    report = codec.plain_json(codec.read_bounded(directory / REPORT), str(directory / REPORT))
    artifacts = tuple(_recorded_artifacts(report, directory))
    _require_locked_packages(report, directory)
    inputs = load_inputs(directory / "inputs.json")
    measurements = load_measurements(directory / "measurements.json")
    for artifact in artifacts:
        path = directory / "artifacts" / artifact.name
        if not path.is_file() or digest_file(path) != artifact.sha256:
            raise TeekitError(f"{path} is not the file the report is about", hint="Run the rebuild again.")
    # By its bytes: on a disk the UKI has another name.
    if measurements.artifact.sha256 not in {artifact.sha256 for artifact in artifacts}:
        raise TeekitError(f"{directory}: measurements.json is about another artifact", hint="Run the rebuild again.")
    return Build(inputs, artifacts), measurements


def _require_locked_packages(report: object, directory: Path) -> None:
    """What was built from today's packages is nobody's release, whatever else the report says."""
    if isinstance(report, dict) and report.get("todays_packages") is not None:
        raise TeekitError(
            f"{directory}: was built from today's packages, not from the locked ones",
            hint="Rebuild with --locked; or make new locks, commit them, and rebuild.",
        )


def _recorded_artifacts(report: object, directory: Path) -> Iterator[Artifact]:
    """The report's artifacts; every one must be the same in A and B."""
    unusable = TeekitError(f"{directory / REPORT} is not the report of a rebuild with artifacts")
    known = {REBUILD_SCHEMA, REBUILD_SCHEMA_V1}
    if not isinstance(report, dict) or report.get("schema") not in known or not report.get("artifacts"):
        raise unusable
    try:
        for pair in report["artifacts"]:
            if not pair["a"] or pair["a"] != pair["b"]:
                raise TeekitError(
                    f"{directory}: build A and B differ, so there is nothing to publish", hint="See its `explanations`."
                )
            artifact = _ARTIFACT.validate_json(json.dumps(pair["a"]))
            if PurePath(artifact.name).name != artifact.name:
                raise unusable
            yield artifact
    except (TypeError, LookupError, ValueError) as error:
        raise unusable from error
