"""`release sbom` through main(argv). The judges are the schema of CycloneDX and the reader of cyclonedx-python-lib, and packageurl-python."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.reference.cyclonedx import Ingredient

CHECKOUT = Path(__file__).parents[3]
RELEASES = CHECKOUT / "reference/releases"
GCP = "tdx-debian-gcp-2026.11.30.2"


def _oracle(name: str) -> ModuleType:
    """Missing in an environment from before it was among the locked requirements; in CI it is there."""
    return __import__(name, fromlist=["*"]) if os.environ.get("CI") else pytest.importorskip(name)


@cache
def _validator() -> Any:
    folder = resources.files(_oracle("cyclonedx.schema")) / "_res"
    schemas = [
        json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()) for name in ("bom-1.6", "spdx", "jsf-0.82")
    ]
    found = [(schema["$id"], Resource.from_contents(schema)) for schema in schemas]
    return jsonschema.Draft7Validator(schemas[0], registry=Registry().with_resources(found))


def _made(capsys: pytest.CaptureFixture[str], name: str = GCP, *more: object) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["release", "sbom", name, *map(str, more)]) == ExitStatus.HOLDS
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("name", sorted(path.parent.name for path in RELEASES.glob("*/release.json")))
def test_every_release_has_a_valid_bill(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = _made(capsys, name)
    assert [error.message for error in _validator().iter_errors(document)] == []
    bom = _oracle("cyclonedx.model.bom").Bom.from_json(document)
    assert bom.validate()
    refs = [item["bom-ref"] for item in document["components"]]
    assert len(refs) == len(set(refs))
    packages = {str(item.purl) for item in bom.components if item.purl}
    assert packages == {item["purl"] for item in document["components"] if "purl" in item}


def test_the_schema_judges(capsys: pytest.CaptureFixture[str]) -> None:
    document = _made(capsys)
    document["components"][0]["hashes"][0]["content"] = "abc"
    document["serialNumber"] = "1"
    assert len(list(_validator().iter_errors(document))) == 2


def test_it_has_all_that_the_reference_names(capsys: pytest.CaptureFixture[str]) -> None:
    document = _made(capsys)
    reference = json.loads((RELEASES / GCP / "gcp.json").read_text())
    release = document["metadata"]["component"]
    named = {item["name"]: item["hashes"][0]["content"] for item in release["components"]}
    assert named == {item["name"]: item["sha256"] for item in reference["artifacts"]}
    properties = {item["name"]: item["value"] for item in release["properties"]}
    assert properties["teekit-verify:commit"] == reference["commit"]
    depends = {item["ref"]: set(item["dependsOn"]) for item in document["dependencies"]}
    inputs = {
        (item["name"], item.get("version"), item["hashes"][0]["content"])
        for item in document["components"]
        if item["bom-ref"] in depends["release"]
    }
    assert inputs == {
        *((item["name"], item["version"], item["sha256"]) for item in reference["inputs"]["packages"]),
        *((item["path"], None, item["sha256"]) for item in reference["inputs"]["source_files"]),
    }
    lock = json.loads((CHECKOUT / "nix/build-env.lock.json").read_text())
    tools = [item for item in document["components"] if item["bom-ref"] in depends["environment"]]
    assert {item["hashes"][0]["content"] for item in tools} == {item["sha256"] for item in lock["packages"]}
    assert {item["scope"] for item in tools} == {"excluded"}
    assert "pkg:npm/%40esbuild/linux-x64@0.28.2" in {item.get("purl") for item in document["components"]}


def test_it_is_the_same_every_time_and_another_for_another_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for file in (first, second):
        assert main(["release", "sbom", GCP, "-o", str(file)]) == ExitStatus.HOLDS
    assert f"wrote {second}" in capsys.readouterr().err
    assert first.read_bytes() == second.read_bytes()
    folder = tmp_path / "releases"
    shutil.copytree(RELEASES / GCP, folder / GCP)
    reference = folder / GCP / "gcp.json"
    reference.write_bytes(reference.read_bytes() + b"\n")
    serials = {_made(capsys, GCP, *more)["serialNumber"] for more in ((), ("--folder", folder))}
    assert len(serials) == 2, "it is of the bytes of the reference file"


def test_an_environment_that_is_not_here_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "releases"
    shutil.copytree(RELEASES / GCP, folder / GCP)
    reference = json.loads((folder / GCP / "gcp.json").read_text())
    reference["inputs"]["environment"]["lock_sha256"] = "0" * 64
    (folder / GCP / "gcp.json").write_text(json.dumps(reference))
    assert main(["release", "sbom", GCP, "--folder", str(folder)]) == ExitStatus.HOLDS
    out, err = capsys.readouterr()
    assert "the checkout has no lock of this release's build environment: its packages are left out" in err
    environment = next(item for item in json.loads(out)["dependencies"] if item["ref"] == "environment")
    assert environment["dependsOn"] == []
    assert [error.message for error in _validator().iter_errors(json.loads(out))] == []


def test_a_release_that_disagrees_with_itself_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "releases"
    shutil.copytree(RELEASES / GCP, folder / GCP)
    release = json.loads((folder / GCP / "release.json").read_text())
    (folder / GCP / "release.json").write_text(json.dumps(release | {"commit": "0" * 40}))
    assert main(["release", "sbom", GCP, "--folder", str(folder)]) == ExitStatus.NO_VERDICT
    assert f"the release {GCP} and its reference file disagree: commit" in capsys.readouterr().err
    assert main(["release", "sbom", "no-such"]) == ExitStatus.NO_VERDICT
    assert "there is no release 'no-such'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "version", "kind"),
    [
        ("libstdc++6", "14.2.0-19", "deb"),
        ("dash", "1:0.5.12-12", "deb"),
        ("openssl", "3.5.1-1~deb13u1+b2", "deb"),
        ("@esbuild/linux-x64", "0.28.2", "npm"),
        ("left_pad", "1.0.0-pre.42", "npm"),
    ],
)
def test_package_urls_are_spelt_as_their_specification_says(name: str, version: str, kind: str) -> None:
    scope, _, last = name.rpartition("/")
    namespace, qualifiers = ("debian", {"arch": "amd64"}) if kind == "deb" else (scope, {})
    expected = _oracle("packageurl").PackageURL(kind, namespace, last, version, qualifiers).to_string()
    assert Ingredient(name, version, "amd64", "0" * 64, kind == "npm").purl == expected
