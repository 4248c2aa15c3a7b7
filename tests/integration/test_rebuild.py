"""The main job on real input: the base image, twice, with the real mkosi, apt, Nix store and bubblewrap."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from builders.tools import require
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.explanation.tree import culprits
from teekit_verify.prediction.platforms import IMAGE_PLATFORMS
from teekit_verify.rebuild import environment, lock
from teekit_verify.rebuild.workspace import Workspace
from teekit_verify.record.read import load_rebuild

from .conftest import FinishedRebuild, UsableProject, run_rebuild

pytestmark = pytest.mark.slow


def test_base_image_is_reproduced(finished_rebuild: FinishedRebuild, usable_project: UsableProject) -> None:
    report = finished_rebuild.report
    if usable_project.relocked:
        assert report["verdict"] == "INPUT_DRIFT"
        assert any("package" in reason or "lock" in reason for reason in report["reasons"])
        assert finished_rebuild.status == ExitStatus.DOES_NOT_HOLD
    else:
        assert report["verdict"] == "REPRODUCED", report["reasons"]
        assert finished_rebuild.status == ExitStatus.HOLDS
    for artifact in report["artifacts"]:
        assert artifact["a"] == artifact["b"]


def test_report_directory_holds_what_the_report_names(finished_rebuild: FinishedRebuild) -> None:
    for artifact in finished_rebuild.report["artifacts"]:
        path = finished_rebuild.directory / "artifacts" / artifact["name"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact["a"]["sha256"]
    for name in ("measurements.json", "inputs.json", "logs/build-A.log", "logs/build-B.log"):
        assert (finished_rebuild.directory / name).stat().st_size > 0


def test_builds_were_varied(finished_rebuild: FinishedRebuild) -> None:
    different = {row["name"] for row in finished_rebuild.report["variations"] if row["value_a"] != row["value_b"]}
    assert different >= {"build_path", "domain_host", "timezone", "locales", "umask", "home", "environment"}


def test_manifest_lists_the_locked_packages(finished_rebuild: FinishedRebuild, usable_project: UsableProject) -> None:
    manifest = json.loads((finished_rebuild.directory / "artifacts" / "tdx-debian-base.manifest").read_text())
    installed = {(package["name"], package["version"]) for package in manifest["packages"]}
    locked = json.loads(usable_project.project.image_lock.read_text())["packages"]
    assert installed
    assert installed <= {(package["name"], package["version"]) for package in locked}


def test_measurements_agree_with_measure(finished_rebuild: FinishedRebuild, built_uki: Path, tmp_path: Path) -> None:
    output = tmp_path / "measurements.json"
    platforms = [argument for platform in IMAGE_PLATFORMS for argument in ("--platform", platform.name)]
    assert main(["measure", str(built_uki), *platforms, "--output", str(output)]) == ExitStatus.HOLDS
    assert output.read_bytes() == (finished_rebuild.directory / "measurements.json").read_bytes()


def test_one_changed_source_byte_makes_another_build_and_is_named(
    usable_project: UsableProject, tmp_path: Path
) -> None:
    """A build script that is not deterministic: the verdict and the place of the difference."""
    source = tmp_path / "checkout"
    shutil.copytree(usable_project.project.root, source, symlinks=True)
    script = source / "mkosi" / "mkosi.images" / "base" / "mkosi.finalize"
    script.write_text(script.read_text() + '\ncat /proc/sys/kernel/hostname >"$BUILDROOT/etc/built-on"\n')
    result = run_rebuild(source, tmp_path)
    assert result.status == ExitStatus.DOES_NOT_HOLD
    reasons = "\n".join(result.report["reasons"])
    assert "mkosi/mkosi.images/base/mkosi.finalize" in reasons
    explained = next(one for one in load_rebuild(result.directory / "report.json").explanations if ".efi" in one.a)
    found = [leaf.difference for leaf in culprits(explained.differences) if leaf.path[-1] == "etc/built-on"]
    assert [cause.name for difference in found for cause in difference.causes] == ["host name"]
    assert result.report["verdict"] == "INPUT_DRIFT"
    assert (result.directory / "artifacts" / "B" / "tdx-debian-base.efi").exists()


def test_a_failing_build_is_no_verdict(
    usable_project: UsableProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "checkout"
    shutil.copytree(usable_project.project.root, source, symlinks=True)
    (source / "mkosi" / "mkosi.images" / "base" / "mkosi.sync").write_text(
        "#!/bin/sh\necho the planted failure >&2\nexit 3\n"
    )
    (source / "mkosi" / "mkosi.images" / "base" / "mkosi.sync").chmod(0o755)
    result = run_rebuild(source, tmp_path)
    assert result.status == ExitStatus.NO_VERDICT
    assert result.report["verdict"] == "FAILED"
    assert "the planted failure" in capsys.readouterr().err
    assert "the planted failure" in (result.directory / "logs" / "build-A.log").read_text()


def test_a_workspace_in_use_is_refused(usable_project: UsableProject, tmp_path: Path) -> None:
    with Workspace(tmp_path / "workspace").locked():
        result = run_rebuild(usable_project.project.root, tmp_path)
    assert result.status == ExitStatus.NO_VERDICT
    assert result.report == {}


def test_the_environment_cannot_be_collected_while_it_is_in_use(usable_project: UsableProject, tmp_path: Path) -> None:
    pinned = environment.existing(lock.load(usable_project.project.environment_lock))
    assert pinned is not None
    environment.hold(pinned, tmp_path / "environment")
    delete = [require("nix-store"), "--delete", pinned.identity.store_path]
    refused = subprocess.run(delete, capture_output=True, check=False, env=environment.nix_environment())
    assert refused.returncode != 0
    assert pinned.root.is_dir()


def test_tools_are_there() -> None:
    """Under CI a missing tool fails, it does not skip."""
    for program in ("nix", "bwrap", "dpkg-deb"):
        require(program)
