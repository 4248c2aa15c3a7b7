"""`reference add --manifest`, and a reference with apps from the rebuild to the running guest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders import azure, given, live_guest, machine_tpm, quotes, released
from builders.uki import build_uki, default_sections
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

HELD, DIFFERS, OPEN = ExitStatus.HOLDS, ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT
FIRST, SECOND, THIRD = (given.Given((given.manifest(app),)) for app in (b"first", b"second", b"third"))
BOTH = given.Given((*FIRST.manifests, *SECOND.manifests))


@dataclass(frozen=True)
class Folder:
    path: Path
    capsys: pytest.CaptureFixture[str]

    def add(self, *options: str, ref: str = "ref.json", output: str = "ref.json") -> tuple[ExitStatus, str]:
        words = ["reference", "add", str(self.path / ref), *options, "--output", str(self.path / output)]
        return main(words), self.capsys.readouterr().err

    def manifest(self, made: given.Given) -> list[str]:
        words = []
        for number, content in enumerate(made.manifests):
            file = self.path / f"manifest-{number}.json"
            file.write_bytes(content)
            words += ["--manifest", str(file)]
        return words

    def sets(self) -> list[tuple[str, int, Any]]:
        document = json.loads((self.path / "ref.json").read_bytes())
        return [(it["label"], len(it["manifests"]), it["hostnames"]) for it in document["apps"]["acceptable"]]


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    """With ref.json, of an image that measures what it runs, which accepts the first app."""
    made = Folder(tmp_path, capsys)
    create(made, *made.manifest(FIRST), mark=given.MARK)
    return made


def create(folder: Folder, *options: str, mark: bytes) -> None:
    sections = [(name, text + mark if name == ".osrel" else text) for name, text in default_sections()]
    released.write_report(folder.path / "report", uki=build_uki(sections=sections))
    words = ["reference", "create", str(folder.path / "report"), "--release", "2026.12"]
    assert main([*words, "--output", str(folder.path / "ref.json"), *options]) is HELD
    folder.capsys.readouterr()


def test_more_apps(folder: Folder) -> None:
    assert folder.add("--label", "second", *folder.manifest(SECOND))[0] is HELD
    assert folder.add("--label", "named", *folder.manifest(SECOND), "--hostname", "A.example.org")[0] is HELD
    assert folder.add("--label", "both", *folder.manifest(BOTH))[0] is HELD
    assert folder.sets() == [
        ("2026.12", 1, None),
        ("second", 1, None),
        ("named", 1, ["a.example.org"]),
        ("both", 2, None),
    ]
    assert main(["reference", "check", str(folder.path / "ref.json")]) is HELD


def test_what_is_refused(folder: Folder) -> None:
    before = (folder.path / "ref.json").read_bytes()
    for options, words in (
        (["--label", "2026.12", *folder.manifest(SECOND)], "has a set of apps '2026.12' already"),
        (["--label", "again", *folder.manifest(FIRST)], "accepts these apps already, as '2026.12'"),
        (["--label", "none"], "there is nothing to add"),
        (["--label", "names", "--hostname", "a.example.org"], "--hostname goes with --manifest"),
    ):
        status, err = folder.add(*options)
        assert (status, words in err) == (OPEN, True), err
    assert (folder.path / "ref.json").read_bytes() == before


def test_an_image_that_does_not_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Folder(tmp_path, capsys)
    create(made, mark=b"")
    status, err = made.add("--label", "apps", *made.manifest(FIRST))
    assert (status, "this image does not measure what it runs" in err) == (OPEN, True)


def test_values_and_apps_at_once(folder: Folder) -> None:
    (image,) = (folder.path / "report" / "artifacts").glob("*.efi")
    measured = folder.path / "measured.json"
    assert main(["measure", str(image), "--machine", "c3-standard-4", "--output", str(measured)]) is HELD
    status, err = folder.add(str(measured), "--label", "more", *folder.manifest(SECOND))
    assert (status, err.count("wrote")) == (HELD, 1)
    document = json.loads((folder.path / "ref.json").read_bytes())
    assert any(name.endswith("/c3-standard-4") for name in document["platforms"])
    assert [label for label, _, _ in folder.sets()] == ["2026.12", "more"]


def test_from_the_rebuild_to_the_guest(folder: Folder) -> None:
    """The file itself, then a live machine of Azure, against one reference that accepts two sets of apps."""
    (image,) = (folder.path / "report" / "artifacts").glob("*.efi")
    measured, ref = folder.path / "measured.json", folder.path / "ref.json"
    assert main(["measure", str(image), "--platform", "azure", "--output", str(measured)]) is HELD
    assert folder.add(str(measured), "--label", "second", *folder.manifest(SECOND))[0] is HELD
    assert main(["compare", str(ref), str(image)]) is HELD
    registers = json.loads(ref.read_bytes())["platforms"]["azure"]
    booted = {
        n: bytes.fromhex(registers[f"PCR{n}"]["acceptable"][0]["register"]["values"]["sha256"]) for n in (4, 9, 11)
    }
    key = machine_tpm.key()
    claims = azure.claims(key.public_key())
    with live_guest.machine(folder.path, tls=live_guest.tls_key(folder.path)) as made:

        def mend(fields: dict[str, Any]) -> None:
            asked = live_guest.report_data(made.asked[-1], made.key)
            part = machine_tpm.part(asked, {**booted, 15: made.given.value("sha256")})
            part["hcl_report"] = live_guest.b64(azure.hcl_report(claims))
            body = quotes.body(report_data=azure.report_data(claims), rtmrs=(bytes(48),) * 4)
            td = {"quote": live_guest.b64(quotes.quote(made.authority, report=body)), "ccel": None}
            fields.update(tdx=td, tpm=part, runtime_log=made.given.log(rtmr=False, pcr=True).decode())

        made.mend = mend
        options = ["--reference", str(ref), *made.trust(), "--mrtd", "0d" * 48]
        for one, expected in ((FIRST, HELD), (SECOND, HELD), (THIRD, DIFFERS), (BOTH, DIFFERS)):
            made.given = one
            assert main(["guest", made.address(), *options]) is expected
