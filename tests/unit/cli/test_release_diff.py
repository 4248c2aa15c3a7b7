"""`release diff` and `compare` with two references: the states of registers, the inputs, and when nothing can be said."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents as sample
from builders.published_schemas import problems
from builders.sarif import results
from teekit_verify import api
from teekit_verify.cli.app import main
from teekit_verify.documents.create import dump_measurements, dump_reference
from teekit_verify.documents.model import AcceptableValue, Policy, Reference, ReferenceRegister, SourceKind
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.report import publications_report
from teekit_verify.report.console import Console

if TYPE_CHECKING:
    from teekit_verify.documents.model import RegisterValue

ROOT = Path(__file__).parents[3]
FORMATS = ROOT / "tests/assets/formats"
WITHOUT_INITRD = (sample.section_event(".linux"), sample.section_event(".cmdline"))
OTHER_CMDLINE = sample.complete(
    sample.section_event(".linux"), sample.section_event(".cmdline", "quiet"), sample.section_event(".initrd")
)


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def acceptable(*values: RegisterValue | tuple[str, RegisterValue, tuple[str, ...]]) -> ReferenceRegister:
    made = [one if isinstance(one, tuple) else (f"value {n}", one, ()) for n, one in enumerate(values)]
    policy = Policy.MATCH if len(made) == 1 else Policy.ANY_OF
    return ReferenceRegister(policy, "", tuple(AcceptableValue(*one) for one in made))


def with_register(reference: Reference, register: ReferenceRegister | None) -> Reference:
    """With another PCR11, or none."""
    registers = {key: value for key, value in reference.platforms["uefi-vtpm"].items() if key != pcr(11)}
    if register is not None:
        registers[pcr(11)] = register
    return replace(reference, platforms={**reference.platforms, "uefi-vtpm": registers})


def diffed(
    capsys: pytest.CaptureFixture[str], old: Reference | bytes, new: Reference | bytes, *, status: int
) -> dict[str, Any]:
    """What `--json` prints of the two, which fits the schema."""
    for name, one in (("old.json", old), ("new.json", new)):
        Path(name).write_bytes(one if isinstance(one, bytes) else dump_reference(one))
    capsys.readouterr()
    assert main(["release", "diff", "old.json", "new.json", "--json"]) == status
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("release-diff-v1", shown) == []
    assert shown["exit_status"] == status
    return shown


def states(shown: dict[str, Any]) -> dict[str, str]:
    return {f"{one['platform']} {one['register']}": one["state"] for one in shown["registers"]}


def test_the_same_values_are_equal_whatever_the_release_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    shown = diffed(capsys, sample.reference(), replace(sample.reference(), release="base-2"), status=0)
    assert states(shown) == {"tdx RTMR1": "open", "uefi-vtpm PCR4": "same", "uefi-vtpm PCR11": "same"}
    assert shown["inputs"]["is_same"]
    assert (shown["same_artifacts"], shown["artifacts"]) == (2, [])


def test_a_register_that_nobody_knows_is_not_equal_where_no_file_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    bare = replace(sample.reference(), artifacts=())
    assert states(diffed(capsys, bare, bare, status=2))["tdx RTMR1"] == "open"
    open_elsewhere = replace(sample.reference().platforms["tdx"][rtmr(1)].acceptable[0].register, missing="why not")
    other = replace(bare, platforms={**bare.platforms, "tdx": {rtmr(1): acceptable(open_elsewhere)}})
    assert states(diffed(capsys, sample.reference(), replace(other, artifacts=sample.reference().artifacts), status=2))


def test_measurements_without_files_that_are_known_whole_are_equal(capsys: pytest.CaptureFixture[str]) -> None:
    known = dump_measurements(sample.measurements(platforms={"uefi-vtpm": {pcr(4): sample.PCR4}}))
    assert states(diffed(capsys, known, known, status=0)) == {"uefi-vtpm PCR4": "same"}


def test_a_moved_register_names_its_events_and_what_they_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    new = with_register(sample.reference(), acceptable(OTHER_CMDLINE))
    shown = diffed(capsys, sample.reference(), new, status=1)
    moved = next(one for one in shown["registers"] if one["register"] == "PCR11")
    assert (moved["state"], moved["causes"]) == ("moved", ["UKI section .cmdline"])
    [event] = moved["moves"][0]["events"]
    assert (event["position"], event["cause"]) == (2, "UKI section .cmdline")
    assert (event["expected"], event["found"]) == (
        sample.sha256("bytes of .cmdline").hex,
        sample.sha256("quiet").hex,
    )
    assert shown["why"] == [{"cause": "UKI section .cmdline", "registers": ["uefi-vtpm PCR11"]}]


def test_known_events_that_differ_move_a_register_whose_value_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    new = sample.reference()
    moved = acceptable(sample.incomplete(sample.SEPARATOR, sample.ACTION))
    new = replace(new, platforms={**new.platforms, "tdx": {rtmr(1): moved}})
    assert states(diffed(capsys, sample.reference(), new, status=1))["tdx RTMR1"] == "moved"


PCR11, SHORT = sample.PCR11, sample.complete(*WITHOUT_INITRD)
STATES = [
    (acceptable(PCR11), acceptable(PCR11, SHORT), "values"),
    (acceptable(PCR11, SHORT), acceptable(SHORT), "values"),
    (acceptable(PCR11, SHORT), acceptable(SHORT, PCR11), "same"),
    (acceptable(("a", PCR11, ("x",)), ("b", SHORT, ("y",))), acceptable(("a", PCR11, ("y",)), ("b", SHORT, ("x",))), "groups"),
    (acceptable(PCR11), ReferenceRegister(Policy.IGNORE, "not known", ()), "policy"),
    (acceptable(PCR11), None, "gone"),
    (None, acceptable(PCR11), "new"),
    (None, ReferenceRegister(Policy.IGNORE, "not known", ()), "new"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "state"), STATES, ids=[f"{n}-{one[2]}" for n, one in enumerate(STATES)])
def test_what_became_of_a_register(
    old: ReferenceRegister | None, new: ReferenceRegister | None, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = (with_register(sample.reference(), one) for one in (old, new))
    shown = diffed(capsys, *sides, status=0 if state == "same" else 1)
    assert states(shown)["uefi-vtpm PCR11"] == state


def test_ignored_by_both_is_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (
        with_register(sample.reference(), ReferenceRegister(Policy.IGNORE, text, ())) for text in ("why", "because")
    )
    assert states(diffed(capsys, one, other, status=0))["uefi-vtpm PCR11"] == "ignored"


def test_a_bank_that_one_side_lacks_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    sha256 = replace(PCR11, values=(PCR11.values or ())[:1], events=())
    shown = diffed(capsys, sample.reference(), with_register(sample.reference(), acceptable(sha256)), status=2)
    assert states(shown)["uefi-vtpm PCR11"] == "banks"
    sha384 = replace(PCR11, values=(PCR11.values or ())[1:], events=())
    one, other = (with_register(sample.reference(), acceptable(value)) for value in (sha256, sha384))
    assert states(diffed(capsys, one, other, status=2))["uefi-vtpm PCR11"] == "open"


def test_inputs_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = sample.inputs(
        packages=(sample.package("bash", content="evil"), sample.package("systemd", "257.8-1"), sample.package("zsh")),
        source_files=(sample.source("mkosi/base/mkosi.conf", kind=SourceKind.EXECUTABLE),),
    )
    new = replace(sample.reference(), inputs=inputs, commit="b" * 40)
    found = diffed(capsys, sample.reference(), new, status=1)["inputs"]
    assert [(one["name"], one["change"], one["old"], one["new"]) for one in found["packages"]] == [
        ("bash", "other_bytes", ["1.0-1"], ["1.0-1"]),
        ("systemd", "older", ["257.9-1"], ["257.8-1"]),
        ("zsh", "new", [], ["1.0-1"]),
    ]
    assert found["source_files"] == [
        {"path": "mkosi/base/mkosi.conf", "change": "other_kind"},
        {"path": "mkosi/base/mkosi.finalize", "change": "gone"},
    ]
    capsys.readouterr()
    assert main(["compare", "old.json", "new.json"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "DIFFERENT: B publishes something else than A"
    assert f"commit {'a' * 40} -> {'b' * 40}" in lines
    assert "packages: 3 changed, 0 the same, under the same digest of the lock" in lines
    assert "  systemd  257.9-1 -> 257.8-1 (OLDER THAN BEFORE)" in lines


@pytest.mark.parametrize(
    "change",
    [
        {"commit": None},
        {"artifacts": (sample.UKI, replace(sample.MANIFEST, sha256=sample.sha256("other")))},
        {"artifacts": (sample.UKI,)},
        {"inputs": sample.inputs(lock_sha256=sample.sha256("other lock"))},
        {"inputs": sample.inputs(environment=replace(sample.ENVIRONMENT, lock_sha256=sample.sha256("other")))},
    ],
    ids=["commit", "other bytes", "artifact gone", "lock", "environment"],
)
def test_each_by_itself_is_a_difference(change: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    diffed(capsys, sample.reference(), replace(sample.reference(), **change), status=1)
    diffed(capsys, replace(sample.reference(), **change), sample.reference(), status=1)


NOT_COMPARABLE = [
    (dump_reference(sample.reference()), dump_reference(replace(sample.reference(), inputs=sample.inputs(image="other")))),
    (dump_reference(sample.reference()), dump_reference(replace(sample.reference(), inputs=sample.inputs(profiles=())))),
    ((FORMATS / "dstack-mr.json").read_bytes(), (FORMATS / "measured-boot.json").read_bytes()),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), NOT_COMPARABLE, ids=["image", "profiles", "platforms"])
def test_different_things_are_not_compared(old: bytes, new: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.json").write_bytes(old)
    Path("new.json").write_bytes(new)
    assert main(["release", "diff", "old.json", "new.json", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_comparable"


def test_other_peoples_formats(capsys: pytest.CaptureFixture[str]) -> None:
    published = (FORMATS / "dstack-mr.json").read_bytes()
    shown = diffed(capsys, published, published, status=0)
    assert set(states(shown).values()) == {"same"}
    assert shown["inputs"] is None
    lists = json.loads((FORMATS / "flashbots-measurements.json").read_text())
    shorter = json.dumps(lists[1:]).encode()
    found = diffed(capsys, json.dumps(lists).encode(), shorter, status=1)
    assert len(found["images"][0]) == 1
    assert found["images"][1] == []
    assert set(states(found).values()) == {"same"}


def test_what_a_file_states_besides_registers_is_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that is shown and never compared with an artifact is still published."""
    old = json.loads((FORMATS / "dstack-mr-gcp.json").read_text())
    new = json.loads(json.dumps(old))
    new["xfam"] = "ff" + old["xfam"][2:]
    assert new["xfam"] != old["xfam"]
    shown = diffed(capsys, json.dumps(old).encode(), json.dumps(new).encode(), status=1)
    assert [(one["name"], one["old"] != one["new"]) for one in shown["statements"]] == [("XFAM", True)]
    assert "moved" not in states(shown).values()


def test_releases_of_this_repository(capsys: pytest.CaptureFixture[str]) -> None:
    """Against the published values themselves, read as plain JSON."""
    names = ["tdx-debian-base-2026.11", "tdx-debian-base-2026.11.30"]
    assert main(["release", "diff", *names, "--source", str(ROOT), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert problems("release-diff-v1", shown) == []
    files = [json.loads((ROOT / "reference/releases" / name / "base.json").read_text()) for name in names]
    values = [
        {
            f"{platform} {register}": [one["register"]["values"] for one in content["acceptable"]]
            for platform, registers in file["platforms"].items()
            for register, content in registers.items()
        }
        for file in files
    ]
    for place, state in states(shown).items():
        if state == "same":
            assert values[0][place] == values[1][place]
        elif state == "moved" and values[0][place] != [None]:
            assert values[0][place] != values[1][place]
    assert shown["sides"][0]["withdrawn"].startswith("the host becomes root")
    assert [side["commit"] for side in shown["sides"]] == [file["commit"] for file in files]
    kernels = {one["name"]: one["change"] for one in shown["inputs"]["packages"] if "linux-image" in one["name"]}
    assert kernels == {
        "linux-image-6.12.117+deb13-cloud-amd64": "gone",
        "linux-image-6.12.118+deb13-cloud-amd64": "new",
        "linux-image-cloud-amd64": "newer",
    }


def test_it_fits_eighty_columns() -> None:
    folder = ROOT / "reference/releases"
    found = api.diff_publications(folder / "tdx-debian-gcp-2026.11.1", folder / "tdx-debian-gcp-2026.11.30")
    stream = io.StringIO()
    publications_report.show(found, Console(stream, width=80))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "DIFFERENT: B publishes something else than A"
    assert max(map(len, lines)) <= 80


def test_a_folder_that_is_no_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["release", "diff", "empty", "empty"]) == 2
    assert "empty is a folder without release.json" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["release diff", "compare"])
def test_findings_for_other_programs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One for each register that moved, about the newer file; what went in is only noted. None for what is equal."""
    old = sample.reference()
    new = with_register(old, acceptable(OTHER_CMDLINE))
    shown = diffed(capsys, old, new, status=1)
    assert main([*command.split(), "old.json", "new.json", "--sarif", "found.sarif"]) == 1
    found = results(Path("found.sarif").read_bytes())
    errors = [result["message"]["text"] for result in found if result["level"] == "error"]
    moved = {place for place, state in states(shown).items() if state == "moved"}
    assert moved == {"uefi-vtpm PCR11"}
    assert [text.split(": ")[0] for text in errors if "PCR" in text] == ["uefi-vtpm PCR11"]
    uris = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in found}
    assert {uri.rpartition("/")[2] for uri in uris} == {"new.json"}
    assert main([*command.split(), "old.json", "old.json", "--sarif", "found.sarif"]) in {0, 2}
    assert not [one for one in results(Path("found.sarif").read_bytes()) if one["level"] == "error"]
