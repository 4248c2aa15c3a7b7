"""However much there is to say, and however long strangers' names are: a screen, and what matters to the verdict on it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from builders import documents as sample
from builders import reports
from teekit_verify.appraisal.artifacts import ArtifactPair
from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.facts import Check, EventDifference, RegisterCheck, Said
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents import model
from teekit_verify.evidence.meaning import Meaning, MeaningKind
from teekit_verify.explanation.tree import Cause, Difference, Explanation, Kind
from teekit_verify.rebuild.origin import Origin
from teekit_verify.record.document import RebuildReport, Step, Variation
from teekit_verify.registers.registers import pcr
from teekit_verify.report import layout
from teekit_verify.report.rebuild import screen as rebuild_report
from teekit_verify.wording.verdicts import VERDICTS

WORDS = {Outcome.MATCH: "as published", Outcome.MISMATCH: "not as published", Outcome.ERROR: "error"}
FACTS = ("environment", "inputs", "varied", "time")
LONG = "very-long-name-" * 20
TRICKS = "\x1b[2J\u202e\r\n[red]{{ 7 }}'>漢字e\u0301\udcff"


def large(
    verdict: Verdict, outcomes: list[Outcome], name: str, *, registers: int, artifacts: int, many: int
) -> RebuildReport:
    """`outcomes`: of the first register of each platform. Every text of strangers is, or ends in, `name`."""
    measured = {pcr(number): sample.PCR4 for number in range(registers)}
    platforms = {f"p{number}{name}": measured for number in range(len(outcomes))}
    checks = [
        Check(
            RegisterCheck(platform, register, Algorithm.SHA256),
            outcome if register == pcr(0) else Outcome.MATCH,
            reason=Said(f"{name}{platform}"),
        )
        for (platform, registers_), outcome in zip(platforms.items(), outcomes, strict=True)
        for register in registers_
    ]
    wrong = [platform for platform, outcome in zip(platforms, outcomes, strict=True) if outcome is Outcome.MISMATCH]
    causes = [
        EventDifference(
            platform,
            pcr(0),
            Algorithm.SHA256,
            1,
            "",
            "",
            f"cause {number} {name}",
            means=Meaning(MeaningKind.SAID, (name,)),
        )
        for number in range(many)
        for platform in wrong
    ]
    leaf = Difference(name, Kind.CONTENT, name, causes=(Cause(name, name),))
    made = [model.Artifact(f"a{number}{name}", 1, sample.sha256(str(number))) for number in range(artifacts)]
    changes: dict[str, Any] = {
        "verdict": verdict,
        "image": name,
        "profiles": (name,) * many,
        "directory": name,
        "failure": "\n".join(f"reason {number} {name}" for number in range(many)),
        "reference": replace(reports.USED, path=name, release=name),
        "origin": Origin(name, "b" * 40, name, name, (name,) * many),
        "variations": tuple(Variation(f"{number}{name}", name, "") for number in range(many)),
        "artifacts": tuple(
            ArtifactPair(item.name, item, None if number % 2 else item) for number, item in enumerate(made)
        ),
        "measurements": sample.measurements(platforms=platforms),
        "published": replace(sample.reference(), artifacts=tuple(made)),
        "checklist": Checklist(tuple(checks), (), tuple(causes)),
        "smells": tuple(replace(reports.SMELL, path=name, name=name) for _ in range(many * 2)),
        "explanations": (Explanation(name, name, (leaf,) * many),),
        "steps": tuple(Step(f"{number}{name}", 1) for number in range(many)),
    }
    return replace(reports.REBUILDS["reproduced"], **changes)


def lines_of(report: RebuildReport) -> list[str]:
    stream = io.StringIO()
    rebuild_report.show(report, layout.console(stream))
    return stream.getvalue().splitlines()


def require_a_screen(report: RebuildReport, lines: list[str]) -> None:
    assert len(lines) <= 24
    assert all(max(len(line), cell_len(line)) <= 160 for line in lines)
    assert all(line.isprintable() for line in lines)
    assert lines.count(f"{report.verdict.value}: {VERDICTS[report.verdict]}") == 1
    assert lines[-1].startswith("  next: ")


def block(lines: list[str], title: str) -> list[str]:
    """What stands under a title."""
    begin = next((number for number, line in enumerate(lines) if line.startswith(title.ljust(13))), None)
    if begin is None:
        return []
    end = next(number for number in range(begin + 1, len(lines)) if not lines[number].startswith(" " * 13))
    return [line[13:] for line in lines[begin:end]]


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("name", ["", LONG, TRICKS * 9, "\u0301" * 300])
def test_too_much_of_everything(verdict: Verdict, name: str) -> None:
    outcomes = [Outcome.MATCH] * 4 + [Outcome.MISMATCH] * 3 + [Outcome.ERROR] + [Outcome.MATCH] * 4
    report = large(verdict, outcomes, name, registers=24, artifacts=20, many=60)
    lines = lines_of(report)
    require_a_screen(report, lines)
    after = lines[lines.index(f"{verdict.value}: {VERDICTS[verdict]}") + 1 :]
    assert after[0].startswith("  reason 0")
    assert any(line.startswith("  differs: cause 0 ") for line in after)
    assert block(lines, "registers")[0].startswith("p4")
    assert block(lines, "registers")[-1] == "and 11 more platforms, 3 of them different: see the report"
    assert "A and B differ" in block(lines, "artifacts")[0]
    assert block(lines, "artifacts")[-1] == "and 19 more artifacts, 9 of them different: see the report"
    assert block(lines, "warnings") == ["120 warnings: see the report"]
    assert any(line.startswith("  and 59 more parts that differ: see the report") for line in after)
    assert not any(block(lines, title) for title in FACTS)
    assert block(lines, "report")[0].endswith("(report.html has it all, also environment, inputs, varied, time)")


@settings(max_examples=40)
@given(
    verdict=st.sampled_from(Verdict),
    outcomes=st.lists(st.sampled_from([*WORDS]), max_size=12),
    name=st.text(st.sampled_from("ab -:'\x1b\n\u202e\u0301漢\udcff"), max_size=300),
    registers=st.integers(0, 12),
    artifacts=st.integers(0, 20),
    many=st.integers(0, 60),
)
def test_what_matters_is_not_cut_before_what_does_not(
    *, verdict: Verdict, outcomes: list[Outcome], name: str, registers: int, artifacts: int, many: int
) -> None:
    report = large(verdict, outcomes, name, registers=registers, artifacts=artifacts, many=many)
    lines = lines_of(report)
    require_a_screen(report, lines)
    platforms = block(lines, "registers")
    counted = [line for line in platforms if line.endswith(": see the report")]
    shown = [line for line in platforms if line not in counted]
    good = [line for line in shown if not ("not as published" in line or " error" in line)]
    bad = [outcome for outcome in outcomes if outcome is not Outcome.MATCH and registers]
    assert shown == [*(line for line in shown if line not in good), *good]
    if len(shown) - len(good) < len(bad):
        assert not good
        assert f"{len(bad) - len(shown)} of them different" in counted[0]
    if counted:
        assert f"{len(outcomes) - len(shown)} " in counted[0]
    else:
        assert len(shown) == len(outcomes)
    after = lines[lines.index(f"{verdict.value}: {VERDICTS[verdict]}") + 1 :]
    if any(line.startswith("  and ") and line.endswith(": see the report") for line in after):
        assert not any(block(lines, title) for title in FACTS)
    if many:
        assert after[0].startswith("  reason 0")
        assert any(line.startswith("  differs: cause 0") for line in after) == (Outcome.MISMATCH in outcomes)
