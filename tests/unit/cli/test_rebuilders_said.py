"""What Debian's rebuilders say of the packages that went in: in reports, statements and on the site, and in no verdict."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import audits, documents, keys, rebuilds, sites
from builders.published_schemas import problems
from builders.rebuilds import Miniature
from teekit_verify.cli.app import main
from teekit_verify.documents import model


def listed(name: str, version: str, status: str, architecture: str = "amd64", file: str = "") -> dict[str, object]:
    """A package as version 0 of rebuilderd's interface lists it."""
    url = f"https://deb.example/pool/{file or f'{name}_{version}_{architecture}.deb'}"
    about = {"name": name, "version": version, "status": status, "architecture": architecture, "artifact_url": url}
    return about | {"distro": "debian", "suite": "main", "build_id": 7, "built_at": None}


def answer(folder: Path, *packages: dict[str, object], name: str = "amd64.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(packages))
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    return rebuilds.isolated(tmp_path, tree, monkeypatch)


@pytest.mark.parametrize(("status", "share"), [("GOOD", "100.0 %"), ("BAD", "0.0 %")])
def test_in_a_report_and_in_the_statement_made_of_it(
    miniature: Miniature, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str, share: str
) -> None:
    """A package that nobody can reproduce is told, and is no reason for another verdict; neither is a good one."""
    said = answer(tmp_path, listed("hello", "2.10-3", status))
    assert main(miniature.argv("--no-reference", "--vary", "none", "--rebuilders-said", str(said))) == 1
    report = json.loads((miniature.report / "report.json").read_text())
    assert (report["verdict"], report["reasons"]) == ("UNREFERENCED", _without(miniature, tmp_path))
    counts: dict[str, Any] = {"good": 0, "bad": 0, "unknown": 0, "not_listed": 0} | {status.lower(): 1}
    counts |= {"answers": [{"name": "amd64.json", "sha256": _sha256(said)}]}
    assert report["rebuilt_packages"]["counts"] == counts
    page = (miniature.report / "report.html").read_text()
    assert "Are the packages reproducible themselves?" in page
    assert f"{share} of 1 packages were reproduced by others" in page
    assert f"<td>{status}</td>" in page
    key = ["--key", str(keys.write_private(tmp_path, "alice")), "--output", str(tmp_path)]
    assert main(["attest", "create", str(miniature.report), "--name", "alice", *key]) == 0
    capsys.readouterr()
    assert main(["attest", "show", str(tmp_path / "alice.intoto.jsonl"), "--json"]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("statement-v1", shown) == []
    assert shown["packages"] == counts
    assert main(["attest", "show", str(tmp_path / "alice.intoto.jsonl")]) == 0
    assert f"packages: {share} of 1 packages were reproduced by others" in capsys.readouterr().out


def _without(miniature: Miniature, tmp_path: Path) -> list[str]:
    """The reasons of the same rebuild when nobody was asked."""
    kept = tmp_path / "kept"
    shutil.move(miniature.report, kept)
    assert main(miniature.argv("--no-reference", "--vary", "none")) == 1
    report = json.loads((miniature.report / "report.json").read_text())
    assert report["rebuilt_packages"] is None
    assert "reproducible themselves" not in (miniature.report / "report.html").read_text()
    shutil.rmtree(miniature.report)
    shutil.move(kept, miniature.report)
    reasons: list[str] = report["reasons"]
    return reasons


def test_a_report_that_counts_other_packages_is_not_signed_for(
    miniature: Miniature, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = answer(tmp_path, listed("hello", "2.10-3", "BAD"))
    assert main(miniature.argv("--no-reference", "--vary", "none", "--rebuilders-said", str(said))) == 1
    path = miniature.report / "report.json"
    report = json.loads(path.read_text())
    report["rebuilt_packages"]["counts"]["good"] = 99
    path.write_text(json.dumps(report))
    capsys.readouterr()
    key = str(keys.write_private(tmp_path, "alice"))
    assert main(["attest", "create", str(miniature.report), "--name", "alice", "--key", key]) == 2
    assert "counts other packages than inputs.json has" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("text", ["[", "{}", '[{"name": 3}]'])
def test_what_is_no_answer_ends_a_rebuild_before_it_begins(
    miniature: Miniature, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "answer.json"
    path.write_text(text)
    assert main(miniature.argv("--no-reference", "--rebuilders-said", str(path))) == 2
    assert str(path) in capsys.readouterr().err
    assert not miniature.report.exists()


def test_in_an_audit(miniature: Miniature, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audits.publish(miniature, "r1")
    statements, key = tmp_path / "statements", audits.make_key(tmp_path / "keys", "alice")
    statements.mkdir()
    said = answer(tmp_path, listed("hello", "2.10-3", "BAD"))
    options = [*audits.options(miniature, "alice", statements, key), "--rebuilders-said", str(said)]
    assert main(miniature.argv(*options, command="audit")) == 0, "it is reproduced all the same"
    capsys.readouterr()
    assert main(["attest", "show", str(statements / "r1/alice.intoto.jsonl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["packages"]["bad"] == 1


def test_on_the_site(tmp_path: Path) -> None:
    """Each release's packages against what is said now; an epoch is in no file name, and another architecture is another package."""
    place = sites.make(tmp_path / "data", "alice")
    packages = tuple(
        model.Package(name, version, architecture, documents.sha256(name))
        for name, version, architecture in [
            ("bash", "5.2-1", "amd64"),
            ("dash", "1:0.5.12-12", "amd64"),
            ("hello", "2.10-3", "amd64"),
            ("tzdata", "2025b-4", "all"),
            ("zlib1g", "1:1.3-1", "amd64"),
        ]
    )
    reference = documents.reference()
    inputs = documents.inputs(packages=packages)
    place.release("v1", reference=replace(reference, inputs=inputs))
    place.release("v2")
    said = answer(
        tmp_path,
        listed("bash", "5.2-1", "GOOD"),
        listed("dash", "1:0.5.12-12", "GOOD", file="dash_0.5.12-12_amd64.deb"),
        listed("hello", "2.10-3", "BAD"),
        listed("tzdata", "2025b-4", "UNKWN", "all"),
        listed("zlib1g", "1:1.3-1", "GOOD", "arm64", file="zlib1g_1.3-1_arm64.deb"),
    )
    public = tmp_path / "public"
    words = ["site", place.reference, "--trusted-keys", place.keys, "-o", public, "--rebuilders-said", said]
    assert main(list(map(str, words))) == 0
    page = " ".join((public / "releases/v1.html").read_text().split())
    told = "40.0 % of 5 packages were reproduced by others (2, 1 could not be, 1 not rebuilt yet, 1 not listed)"
    assert f"<p>{told}, by amd64.json" in page
    assert _sha256(said) in page.replace("<wbr>", "")
    rows = [row for row in page.split("<tr>") if '<th scope="row">' in row and "<code>" in row and "amd64" in row]
    assert any("hello" in row and "<td>BAD</td>" in row for row in rows)
    assert any("dash" in row and "<td>GOOD</td>" in row for row in rows)
    again = tmp_path / "again"
    assert main([*map(str, words[:4]), "-o", str(again)]) == 0
    assert "reproducible themselves" not in (again / "releases/v1.html").read_text()
