"""A rebuild on the terminal: one screen, the verdict last, and no control characters of strangers."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents as sample
from builders import reports
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.documents import model
from teekit_verify.rebuild.origin import Origin
from teekit_verify.record.document import Step, Variation
from teekit_verify.report import layout
from teekit_verify.report.rebuild import screen as rebuild_report
from teekit_verify.wording.verdicts import VERDICTS

if TYPE_CHECKING:
    from teekit_verify.record.document import RebuildReport

REFERENCE = Path(__file__).parents[4] / "reference"
REFERENCES = sorted(
    path for path in (*REFERENCE.glob("*.json"), *REFERENCE.glob("releases/*/*.json")) if path.name != "release.json"
)
HOSTILE = "evil\x1b]0;title\x07\x1b[2J\r\n\u202e[red]"


def shown(report: RebuildReport) -> str:
    stream = io.StringIO()
    rebuild_report.show(report, layout.console(stream))
    return stream.getvalue()


def named(name: str) -> str:
    return shown(reports.REBUILDS[name])


@pytest.mark.parametrize("name", reports.REBUILDS)
def test_it_fits_a_screen_and_ends_with_the_verdict(name: str) -> None:
    lines = named(name).splitlines()
    assert len(lines) <= 24
    report = reports.REBUILDS[name]
    more = "; 1 register is open: its value is not known" if report.verdict is Verdict.REPRODUCED else ""
    verdict = lines.index(f"{report.verdict.value}: {VERDICTS[report.verdict]}{more}")
    assert lines[verdict - 1] == ""
    assert all(line.startswith("  ") for line in lines[verdict + 1 :])
    assert lines[-1].startswith("  next: ")


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_rebuild_of_what_was_published_is_reproduced(path: Path) -> None:
    """The sample is no mixture of values that do not belong together."""
    assert reports.of_reference(path).verdict is Verdict.REPRODUCED
    text = shown(reports.of_reference(path))
    assert re.search(
        "REPRODUCED: A and B are identical, and match what was published; [0-9]+ registers are open: ", text
    )
    assert "not as published" not in text


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: f"{path.parent.name}/{path.name}")
@pytest.mark.parametrize("compared", [True, False])
def test_a_rebuild_of_full_size_fits_a_screen(path: Path, *, compared: bool) -> None:
    changes: dict[str, Any] = {} if compared else {"checklist": None, "published": None, "reference": None}
    report = replace(reports.of_reference(path), smells=(reports.SMELL,) * 9, **changes)
    lines = shown(report).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 160


def test_a_reproduced_rebuild_shows_what_it_rests_on() -> None:
    assert named("reproduced").splitlines() == [
        "image        base (debian-kernel)",
        f"source       commit {'b' * 40}",
        "reference    base-1 (reference/base.json)",
        "environment  /nix/store/00000000000000000000000000000000-teekit-build-env",
        f"inputs       {reports.REBUILDS['reproduced'].inputs.sha256_a.hex}",  # type: ignore[union-attr]
        "varied       umask",
        "             not varied: num_cpus",
        # printf uki | sha256sum; printf manifest | sha256sum
        "artifacts    tdx-debian.efi: A and B are identical, as published (sha256 80fb8ca44e023de8...)",
        "             tdx-debian.manifest: A and B are identical, as published (sha256 05b3abf2579a5eb6...)",
        "registers    tdx: RTMR1 open",
        "             uefi-vtpm: PCR11, PCR4 as published",
        "time         build A 61.2 s, build B 60.0 s, 121.3 s in all",
        "report       report (report.html has it all)",
        "",
        "REPRODUCED: A and B are identical, and match what was published; 1 register is open: its value is not known",
        "  next: to stand by this in public, sign it: `teekit-verify attest create report --key FILE --name YOU`",
    ]


def test_what_differs_from_the_reference_is_named() -> None:
    text = named("mismatch")
    assert "registers    uefi-vtpm: PCR11 not as published; PCR4 as published\n" in text
    assert text.splitlines()[-3:-1] == [
        "MISMATCH: A and B are identical, but do not match what was published",
        "  differs: UKI section .cmdline (seen in uefi-vtpm PCR11)",
    ]
    assert text.endswith(
        "  next: the files are as published, their registers are not: send the report to whoever published the reference\n"
    )


def test_a_file_that_is_not_the_published_one() -> None:
    other = sample.build(artifacts=(replace(sample.UKI, sha256=sample.sha256("x")), sample.MANIFEST))
    text = shown(reports.rebuild(other, other, sample.measurements(), sample.reference()))
    assert "artifacts    tdx-debian.efi: A and B are identical, not as published (sha256 " in text
    assert "\n  artifact tdx-debian.efi: same size, other bytes\n" in text
    assert text.endswith(": `teekit-verify explain PUBLISHED report/artifacts/tdx-debian.efi`\n")


def test_differing_builds_show_where_and_what_usually_causes_it() -> None:
    text = named("nondeterministic")
    assert "tdx-debian.efi: A and B differ (sha256 80fb8ca44e023de8...)" in text
    assert text.splitlines()[-6:-1] == [
        "NONDETERMINISTIC: builds A and B differ",
        "  UKI section .initrd: etc/build-info: line 2 differs (usually: time stamp)",
        "  UKI section .initrd: var/log/alternatives.log: in B only",
        "  UKI section .initrd: usr/bin/tool: mode",
        "  tdx-debian.efi: same size, other bytes",
    ]


def test_without_a_reference_the_measured_registers_are_shown() -> None:
    text = named("unreferenced")
    assert f"PCR4 {sample.PCR4_SHA384[:16]}..." in text
    assert "tdx: RTMR1 (not known)" in text
    assert "no reference was given" in text


def test_alternatives_are_counted() -> None:
    either = model.RegisterValue(
        None, "x", (), (model.AcceptableValue("a", sample.PCR4), model.AcceptableValue("b", sample.PCR11))
    )
    register = next(iter(sample.measurements().platforms["tdx"]))
    measured = sample.measurements(platforms={"tdx": {register: either}})
    assert "tdx: RTMR1 (one of 2)" in shown(reports.rebuild(sample.build(), sample.build(), measured, None))


def test_a_failed_build_shows_the_reason_line_by_line() -> None:
    assert named("failed").splitlines()[-4:] == [
        "FAILED: there is no result to judge",
        "  mkosi failed; its last lines were:",
        r"    | bad\x07",
        "  next: `teekit-verify doctor` says what this host lacks; complete logs are in report/logs; then run this again",
    ]


def test_of_a_long_log_the_end_is_shown() -> None:
    log = "\n".join(f"line {number}" for number in range(50))
    lines = shown(replace(reports.REBUILDS["failed"], failure=f"its last lines were:\n{log}")).splitlines()
    assert len(lines) == 24
    assert lines[4:6] == ["  its last lines were:", "  and 33 more lines: see the report"]
    assert lines[-3:-1] == ["  line 48", "  line 49"]


def test_long_lists_of_reasons_are_cut_with_a_count() -> None:
    report = reports.REBUILDS["input drift"]
    assert report.inputs is not None
    drift = tuple(f"package {number}" for number in range(50))
    lines = shown(replace(report, inputs=replace(report.inputs, drift_from_reference=drift))).splitlines()
    assert len(lines) == 24
    verdict = lines.index("INPUT_DRIFT: the builds did not use the inputs that they should have")
    assert lines[verdict + 1] == "  not the reference's input: package 0"
    shown_here = len(lines) - verdict - 3  # beside the count and the next step
    assert lines[-2] == f"  and {50 - shown_here} more reasons: see the report"
    assert "report       report (report.html has it all, also environment, inputs, varied, time)" in lines


@pytest.mark.parametrize(
    ("origin", "lines"),
    [
        (Origin(None, None), ["source       in no git repository: no commit names it"]),
        (
            Origin(None, "a" * 40, changes=("changed mkosi/a", "added mkosi/b")),
            [
                f"source       commit {'a' * 40}",
                "             with changes that are in no commit: changed mkosi/a and 1 more",
            ],
        ),
        (
            Origin("https://git.example.org/x", "a" * 40, "v1", "alice"),
            [f"source       commit {'a' * 40} (tag v1, signed by alice) of https://git.example.org/x"],
        ),
    ],
)
def test_the_source_is_named(origin: Origin, lines: list[str]) -> None:
    found = shown(replace(reports.REBUILDS["failed"], origin=origin)).splitlines()
    assert found[1 : 1 + len(lines)] == lines


def test_warnings_are_few() -> None:
    text = shown(replace(reports.REBUILDS["unreferenced"], smells=(reports.SMELL,) * 5))
    assert text.count("mkosi.postinst:7: download without a digest") == 3
    assert "             and 2 more warnings: see the report" in text


def test_foreign_text_is_escaped_and_is_no_markup() -> None:
    report = replace(
        reports.REBUILDS["reproduced"],
        image=HOSTILE,
        directory=HOSTILE,
        reasons=(HOSTILE,),
        steps=(Step(HOSTILE, 1),),
        reference=replace(reports.USED, path=HOSTILE, release=HOSTILE),
        origin=Origin(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)),
        smells=(replace(reports.SMELL, name=HOSTILE, path=HOSTILE),),
        variations=(Variation(HOSTILE, HOSTILE, HOSTILE),),
        explanations=(replace(reports.EXPLANATION, differences=reports.EXPLANATION.differences),),
    )
    text = shown(report)
    assert set(text) - {"\n"} == {character for character in text if character.isprintable()}
    assert text.count(r"evil\x1b]0;title\x07\x1b[2J") >= 10
    assert "[red]" in text
