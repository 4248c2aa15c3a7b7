"""A rebuild on the terminal: one screen, the verdict last, and no control characters of strangers."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents as sample
from builders import reports
from teekit_verify.rebuild.origin import Origin
from teekit_verify.reference import model
from teekit_verify.report import layout, rebuild_report
from teekit_verify.report.document import Step, Variation

if TYPE_CHECKING:
    from teekit_verify.report.document import RebuildReport

REFERENCES = sorted((Path(__file__).parents[3] / "reference").glob("*.json"))
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
    verdict = next(line for line in lines if line.startswith(f"{report.verdict.value}: "))
    after = [line for line in lines[lines.index(verdict) + 1 :] if not line.startswith("  differs: ")]
    assert len(after) == len(report.reasons)


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.name)
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
        "             not: num_cpus",
        # printf uki | sha256sum; printf manifest | sha256sum
        "artifacts    tdx-debian.efi, 1000 bytes, sha256 80fb8ca44e023de8... A and B are equal, as published",
        "             tdx-debian.manifest, 20 bytes, sha256 05b3abf2579a5eb6... A and B are equal, as published",
        "registers    uefi-vtpm: PCR11, PCR4 as published",
        "             tdx: RTMR1 as published",
        "time         build A 61.2 s, build B 60.0 s, 121.3 s in all",
        "report       report",
        "",
        "REPRODUCED: A and B are equal, and what was published",
    ]


def test_what_differs_from_the_reference_is_named() -> None:
    text = named("mismatch")
    assert "registers    uefi-vtpm: PCR4 as published; PCR11 not as published" in text
    assert "MISMATCH: A and B are equal, but not what was published\n  differs: UKI section .cmdline (seen in" in text


def test_a_file_that_is_not_the_published_one() -> None:
    other = sample.build(artifacts=(replace(sample.UKI, sha256=sample.sha256("x")), sample.MANIFEST))
    text = shown(reports.rebuild(other, other, sample.measurements(), sample.reference()))
    assert "A and B are equal, not as published\n" in text


def test_differing_builds_show_where_and_what_usually_causes_it() -> None:
    text = named("nondeterministic")
    assert "tdx-debian.efi, 1000 bytes, sha256 80fb8ca44e023de8... A and B differ" in text
    assert "where A and B differ\n  UKI section .initrd: etc/build-info: line 2 differs (usually: time stamp)\n" in text


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
    assert named("failed").splitlines()[-3:] == [
        "FAILED: there is no result to judge",
        "  mkosi failed; its last lines were:",
        r"    | bad\x07",
    ]


def test_long_lists_of_reasons_are_cut_with_a_count() -> None:
    many = replace(reports.REBUILDS["failed"], reasons=tuple(f"reason {number}" for number in range(50)))
    text = shown(many)
    assert "reason 11" in text
    assert "reason 12" not in text
    assert text.splitlines()[-1] == "  and 38 more: see report.json or --json"


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
    assert "             and 2 more: see the report" in text


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
