"""What to know first about a rebuild: the links of its chain, and the few findings that explain its verdict."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.event_differences import causes, left_out
from teekit_verify.appraisal.facts import ArtifactCheck
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents import fields
from teekit_verify.explanation.tree import culprits
from teekit_verify.prediction.causes import cause_of
from teekit_verify.report.html.glossary import gloss
from teekit_verify.wording.checks import detail_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.explanation.tree import Leaf
    from teekit_verify.record.document import RebuildReport
    from teekit_verify.report.html.registers import RegisterView

FEW = 6


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain from source to published measurements. `state` is good, bad or open."""

    title: str
    state: str
    text: str


def chain(report: RebuildReport, registers: Sequence[RegisterView]) -> Iterator[Link]:
    yield _same_inputs(report)
    yield _builds_equal(report)
    yield _files(_artifact_checks(report))
    yield _registers(report, registers)


def _same_inputs(report: RebuildReport) -> Link:
    title, inputs = "Same inputs", report.inputs
    if inputs is None:
        return Link(title, "open", "not known")
    if drift := len(inputs.drift_between_builds) + len(inputs.drift_from_reference):
        return Link(title, "bad", f"{counted(drift, 'input')} other than expected")
    if inputs.sha256_reference is None:
        return Link(title, "good", "A and B consumed the same; none are published")
    return Link(title, "good", "A, B and the publisher consumed the same")


def _builds_equal(report: RebuildReport) -> Link:
    title, different = "Both builds equal", sum(not pair.same for pair in report.artifacts)
    if not report.artifacts:
        return Link(title, "open", "not compared")
    if different:
        return Link(title, "bad", f"{different} of {counted(len(report.artifacts), 'file')} differ between A and B")
    return Link(title, "good", f"{counted(len(report.artifacts), 'file')}, bit for bit")


def _files(checks: Sequence[Check]) -> Link:
    title, different = "Files as published", sum(check.outcome is Outcome.MISMATCH for check in checks)
    if different:
        return Link(title, "bad", f"{different} of {counted(len(checks), 'file')} not as published")
    if checks and all(check.outcome is Outcome.MATCH for check in checks):
        return Link(title, "good", "build A is bit for bit as published")
    return Link(title, "open", "not compared" if not checks else "not all could be compared")


def _registers(report: RebuildReport, registers: Sequence[RegisterView]) -> Link:
    title = "Registers as published"
    checks = (
        [check for check in report.checklist.checks if _artifact(check) is None] if report.checklist is not None else []
    )
    outcomes = {check.outcome for check in checks}
    if Outcome.MISMATCH in outcomes:
        names = sorted({view.register for view in registers if view.differs}, key=fields.natural)
        return Link(title, "bad", f"not as published: {', '.join(names)}" if names else "not as published")
    if outcomes == {Outcome.MATCH}:
        return Link(title, "good", "all that are compared")
    if report.checklist is not None and outcomes == {Outcome.MATCH, Outcome.OPEN}:
        count = len(report.checklist.open_registers)
        return Link(title, "open", f"{counted(count, 'register')} open: value not known; all others as published")
    return Link(title, "open", "not compared" if not outcomes else "not all could be compared")


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` is what to look at, `text` goes on from there; `examples` are lines of their own."""

    name: str
    text: str
    examples: tuple[str, ...] = ()


def findings(report: RebuildReport) -> list[Finding]:
    """The inputs that differ, the culprits by what usually causes them, the parts and files that are not as published."""
    return [*_drift(report), *_culprits(report), *_parts(report), *_unpublished_files(report)]


def _drift(report: RebuildReport) -> Iterator[Finding]:
    if report.inputs is None:
        return
    for lines, text in (
        (report.inputs.drift_between_builds, "not the same in build A and build B:"),
        (report.inputs.drift_from_reference, "not what the reference was made from (reference → this build):"),
    ):
        if lines:
            name = counted(len(lines), "input")
            yield Finding(
                name,
                f" {'is' if len(lines) == 1 else 'are'} {text}",
                tuple(line.replace(" -> ", " → ") for line in some(lines)),
            )


def _culprits(report: RebuildReport) -> Iterator[Finding]:
    """One for all that has the same causes: the first file by name, the others by number."""
    alike: dict[tuple[str, ...], list[Leaf]] = defaultdict(list)
    for one in report.explanations:
        for leaf in culprits(one.differences):
            alike[tuple(cause.name for cause in leaf.difference.causes)].append(leaf)
    for leaves in alike.values():
        first = leaves[0].difference
        usually = "; ".join(f"{cause.name}: {cause.usually}" for cause in first.causes)
        more = f" {len(leaves) - 1} more like it." if usually else f" {len(leaves) - 1} more:"
        *outer, name = leaves[0].path
        place = f" in {': '.join(outer)}" if outer else ""
        yield Finding(
            name,
            f"{place}: {first.what}."
            + (f" Usual cause: {usually}." if usually else "")
            + (more if len(leaves) > 1 else ""),
            tuple(f"{leaf.path[-1]}: {leaf.difference.what}" for leaf in leaves[1:4]) if not usually else (),
        )


def _parts(report: RebuildReport) -> Iterator[Finding]:
    """What of the image the differing events come from, without the names of platforms: the registers' section has those."""
    if report.checklist is None:
        return
    for cause, places in causes(report.checklist.differences):
        names = sorted({str(register) for _, register in places}, key=fields.natural)
        words = gloss(cause_of(cause))
        yield Finding(
            cause or "An unknown part",
            (f" ({words})" if words else "") + f" is not what was published. It shows in {', '.join(names)}.",
        )
    if more := left_out(report.checklist.differences):
        yield Finding(counted(more, "more event"), " differ from what was published, and are not listed.")


def _unpublished_files(report: RebuildReport) -> Iterator[Finding]:
    for check in _artifact_checks(report):
        artifact = _artifact(check)
        if artifact is not None and check.outcome is Outcome.MISMATCH:
            yield Finding(artifact.name, f" is not the published file: {detail_of(check)}.")


def _artifact_checks(report: RebuildReport) -> list[Check]:
    checks = report.checklist.checks if report.checklist is not None else ()
    return [check for check in checks if _artifact(check) is not None]


def _artifact(check: Check) -> ArtifactCheck | None:
    return check.subject if isinstance(check.subject, ArtifactCheck) else None


def some(lines: Sequence[str]) -> tuple[str, ...]:
    """The first ones, the rest by number."""
    few = lines if len(lines) <= FEW + 1 else (*lines[:FEW], f"and {len(lines) - FEW} more")
    return tuple(few)


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
