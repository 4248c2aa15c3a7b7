"""What a machine will measure of what it is given: against the document's formula, computed with hashlib (builders.given)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import given
from builders.uki import build_uki, default_sections
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.load import load_measurements

TWO = given.Given(
    (given.manifest(), given.manifest(b"another app", "file:///usr/lib/kettle/app.js")),
    ("a.example.org", "b.example.org"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image that measures what it runs, one that does not, and two manifests with their apps."""
    sections = [(name, text + given.MARK if name == ".osrel" else text) for name, text in default_sections()]
    (tmp_path / "image.efi").write_bytes(build_uki(sections=sections))
    (tmp_path / "older.efi").write_bytes(build_uki())
    for number, text in enumerate(TWO.manifests):
        (tmp_path / f"{number}.json").write_bytes(text)
    (tmp_path / "app.js").write_bytes(given.APP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(*options: str, image: str = "image.efi") -> Any:
    assert main(["measure", image, "--output", "measured.json", *options]) is ExitStatus.HOLDS
    return json.loads(Path("measured.json").read_bytes())


def registers(document: Any, name: str) -> dict[str, Any]:
    """By platform."""
    return {platform: values[name]["values"] for platform, values in document["platforms"].items() if values.get(name)}


def test_without_a_manifest_the_registers_are_open_and_said_to_be(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = measured("--platform", "gcp", "--platform", "azure", "--platform", "qemu")
    assert registers(document, "RTMR3").items() >= {"gcp": None, "gcp-no-vtpm": None, "qemu": None}.items()
    assert registers(document, "PCR15") == {"gcp": None, "azure": None}
    assert document["apps"] == {"format": "teekit measured v1", "acceptable": []}
    out = capsys.readouterr().out
    assert "not known: decided by what the machine is given to run: give --manifest" in out
    assert "apps: not given" in out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--manifest", "0.json"), given.Given()),
        (
            ("--manifest", "0.json", "--app", "app.js", "--hostname", "A.example.org"),
            given.Given(hostnames=("a.example.org",)),
        ),
        (
            (
                "--manifest",
                "0.json",
                "--manifest",
                "1.json",
                "--hostname",
                "a.example.org",
                "--hostname",
                "b.example.org",
            ),
            TWO,
        ),
    ],
)
def test_what_the_documents_formula_gives(place: Path, options: tuple[str, ...], expected: given.Given) -> None:
    document = measured("--platform", "gcp", "--platform", "azure", *options)
    value = {"sha256": expected.value("sha256").hex(), "sha384": expected.value().hex()}
    assert registers(document, "PCR15") == {"azure": value, "gcp": value}
    assert registers(document, "RTMR3")["gcp"] == {"sha384": expected.value().hex()}
    events = document["platforms"]["gcp"]["RTMR3"]["events"]
    assert [event["digests"]["sha384"] for event in events] == [
        given.digest(kind, content, "sha384").hex() for kind, content in expected.events
    ]
    assert load_measurements(Path("measured.json")).apps is not None


def test_on_azure_the_td_is_not_the_guests(place: Path) -> None:
    document = measured("--platform", "azure", "--manifest", "0.json")
    assert registers(document, "RTMR3") == {"azure": None}
    assert "paravisor" in document["platforms"]["azure"]["RTMR3"]["missing"]


def test_of_an_image_that_does_not_measure_nothing_is_predicted(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its apps could extend RTMR3 as they like."""
    document = measured("--platform", "gcp", image="older.efi")
    assert "apps" not in document
    assert registers(document, "RTMR3")["gcp"] == {"sha384": "00" * 48}
    assert registers(document, "PCR15") == {}
    capsys.readouterr()
    assert main(["measure", "older.efi", "--manifest", "0.json"]) is ExitStatus.NO_VERDICT
    assert "older.efi: this image does not measure what it runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b'{"app": "https://a/", "sha256": "00"}', (), "sha256: expected 64 hexadecimal digits"),
        (b'{"app": "https://a/", "app": "https://b/", "sha256": ""}', (), "occurs twice"),
        (b'{"app": "ftp://a/", "sha256": "%s"}' % (b"0" * 64), (), "expected a file, http or https address"),
        (b'{"app": "https://a/", "sha256": "%s", "env": {}}' % (b"0" * 64), (), "the fields app and sha256 alone"),
        (b"[" * 5000, (), "has more than 4 KiB"),
        (b"[" * 4000, (), "is not JSON"),
        (given.manifest(b"another"), ("--app", "app.js"), "and the manifest names"),
        (given.manifest(), ("--hostname", "127.0.0.1"), "is not a hostname"),
    ],
)
def test_what_the_guest_would_refuse(
    content: bytes, options: tuple[str, ...], words: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "0.json").write_bytes(content)
    assert main(["measure", "image.efi", "--manifest", "0.json", *options]) is ExitStatus.NO_VERDICT
    assert words in capsys.readouterr().err


def test_hostnames_and_apps_go_with_a_manifest(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "image.efi", "--hostname", "a.example.org"]) is ExitStatus.NO_VERDICT
    assert "--app and --hostname go with --manifest" in capsys.readouterr().err
