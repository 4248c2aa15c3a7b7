"""`rebuilderd sync` and `rebuilderd backend`, with a stand-in that does what rebuilderd's worker does with them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from builders import audits, rebuilderd, rebuilds
from builders.published_schemas import problems
from builders.rebuilderd import MANIFEST, UKI
from builders.rebuilds import Miniature
from builders.tools import require
from teekit_verify.cli.app import main

JOBS, ARTIFACTS = "http://127.0.0.1:9/jobs", "http://127.0.0.1:9/artifacts"


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    monkeypatch.chdir(tmp_path)
    return rebuilds.isolated(tmp_path, tree, monkeypatch)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


def sync(miniature: Miniature, served: Path, capsys: pytest.CaptureFixture[str], *, status: int = 0) -> dict[str, Any]:
    """By release: what rebuilderd is told of it."""
    capsys.readouterr()
    words = ["--source", str(miniature.project.root), "-o", str(served / "jobs")]
    assert main(["rebuilderd", "sync", *words, "--jobs-url", JOBS, "--artifacts-url", ARTIFACTS]) == status
    listed = json.loads(capsys.readouterr().out or '{"packages": []}')
    return {package["name"]: package for package in listed["packages"]}


def works(
    miniature: Miniature, served: Path, package: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> rebuilderd.Rebuilt:
    def backend(job: Path, out: Path) -> tuple[int, str]:
        capsys.readouterr()
        argv = miniature.argv(command="rebuilderd")[1:]
        words = ["rebuilderd", "backend", *argv, "--vary", "none", "--outdir", str(out), str(job)]
        status = main(words)
        return status, "".join(capsys.readouterr())

    return rebuilderd.work(backend, package, served, miniature.folder)


def test_what_rebuilderd_is_told(miniature: Miniature, served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The fields of common/src/api/v1/models/package.rs, rebuilderd 0.28. Withdrawn releases are not to be rebuilt."""
    rebuilderd.publish(miniature, served, "r1", "r2")
    releases = miniature.project.references / "releases"
    audits.declare(releases / "r2", withdrawn="do not accept it")
    told = sync(miniature, served, capsys)
    commit = json.loads((releases / "r1/release.json").read_text())["commit"]
    assert list(told) == ["r1"]
    assert told["r1"] == {
        "name": "r1",
        "version": commit,
        "url": f"{JOBS}/r1.job.json",
        "artifacts": [
            {
                "name": name,
                "version": commit,
                "component": "r1",
                "architecture": "x86_64",
                "url": f"{ARTIFACTS}/r1/{name}",
            }
            for name in (UKI, MANIFEST)
        ],
    }
    job = json.loads((served / "jobs/r1.job.json").read_text())
    assert problems("rebuilderd-job-v1", job) == []
    assert job["reference"].encode() == (releases / "r1/image.json").read_bytes()
    assert [path.name for path in (served / "jobs").iterdir()] == ["r1.job.json"]
    (releases / "r2/image.json").write_text("{}")
    sync(miniature, served, capsys, status=2)


def test_good_bad_and_undecided(miniature: Miniature, served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rebuilderd.publish(miniature, served, "r1", "r2", "r3")
    rebuilderd.publish_falsely(miniature, served, "r2")
    told = sync(miniature, served, capsys)
    good = works(miniature, served, told["r1"], capsys)
    assert (good.status, good.exit_status, good.put) == ("GOOD", 0, (UKI, MANIFEST))
    report = rebuilderd.report_in(good.log)
    assert (report["verdict"], report["reference"]["release"]) == ("REPRODUCED", "r1")
    kept = miniature.folder / "teekit-verify/r1/report/report.json"
    assert report == json.loads(kept.read_text())

    bad = works(miniature, served, told["r2"], capsys)
    assert (bad.status, bad.exit_status) == ("BAD", 1)
    assert bad.artifacts == {UKI: "BAD", MANIFEST: "BAD"}, "none of a release that is not reproduced is good"
    assert bad.put == (MANIFEST,), "what differs is there for diffoscope"
    assert rebuilderd.report_in(bad.log)["verdict"] == "MISMATCH"

    job = served / "jobs/r3.job.json"
    job.write_text(job.read_text().replace(told["r3"]["version"], "0" * 40))
    undecided = works(miniature, served, told["r3"], capsys)
    assert (undecided.status, undecided.exit_status, undecided.put) == ("BAD", 2, ())
    assert "error: " in undecided.log


def test_what_was_served_beside_a_false_reference_is_not_good(
    miniature: Miniature, served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """rebuilderd compares with what is served: the very bytes that the source gives, which the reference file denies."""
    rebuilderd.publish(miniature, served, "r1")
    manifest = served / "artifacts/r1" / MANIFEST
    made = manifest.read_bytes()
    rebuilderd.publish_falsely(miniature, served, "r1")
    manifest.write_bytes(made)
    bad = works(miniature, served, sync(miniature, served, capsys)["r1"], capsys)
    assert rebuilderd.report_in(bad.log)["verdict"] == "MISMATCH"
    assert (bad.artifacts, bad.put) == ({UKI: "BAD", MANIFEST: "BAD"}, ())


def test_a_build_that_looks_for_what_was_published_finds_nothing(
    miniature: Miniature, served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuilderd.publish(miniature, served, "r1", build=rebuilderd.CHEATS)
    rebuilderd.publish_falsely(miniature, served, "r1")
    told = sync(miniature, served, capsys)
    seen_by_host: list[str] = []

    def looks(job: Path, out: Path) -> tuple[int, str]:
        """What the build looks for is there, for whoever is not in the sandbox."""
        argv = [require("find"), str(miniature.folder), "-path", "*/inputs/*.manifest"]
        seen_by_host.extend(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())
        return 0, ""

    rebuilderd.work(looks, told["r1"], served, miniature.folder)
    assert len(seen_by_host) == 1
    found = works(miniature, served, told["r1"], capsys)
    assert (found.status, found.exit_status) == ("BAD", 1)
    assert rebuilderd.report_in(found.log)["verdict"] == "MISMATCH"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "../../x", "name: expected text that matches"),
        ("reference", "{}", "is not a document of this tool"),
        ("release", {}, "missing field"),
        ("schema", "teekit-verify/release/v1", "expected 'teekit-verify/rebuilderd-job/v1'"),
        ("more", 1, "unknown field"),
    ],
)
def test_a_job_that_is_none_puts_nothing(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], field: str, value: object, message: str
) -> None:
    job = {
        "schema": "teekit-verify/rebuilderd-job/v1",
        "name": "r1",
        "release": {
            "schema": "teekit-verify/release/v1",
            "repository": None,
            "commit": "0" * 40,
            "tag": None,
            "image": "base",
            "profiles": ["debian-kernel"],
            "reference": "image.json",
        },
        "reference": "{}",
    }
    out = miniature.folder / "out"
    out.mkdir()
    path = miniature.folder / "x.job.json"
    path.write_text(json.dumps(job | {field: value}))
    argv = miniature.argv(command="rebuilderd")[1:]
    capsys.readouterr()
    assert main(["rebuilderd", "backend", *argv, "--outdir", str(out), str(path)]) == 2
    assert message in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_the_output_folder_is_the_workers(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    (miniature.folder / "out").mkdir()
    (miniature.folder / "out/there").write_text("")
    argv = miniature.argv(command="rebuilderd")[1:]
    assert main(["rebuilderd", "backend", *argv, "--outdir", str(miniature.folder / "out"), "x.job.json"]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
