"""What `rebuild` says on the terminal: one screen, the verdict and what speaks for it last. report.html has the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import Outcome
from teekit_verify.explanation.tree import culprits
from teekit_verify.report.layout import STATUS_STYLES, STYLES, shortened, show_line, show_lines, styled
from teekit_verify.report.register_view import register_state
from teekit_verify.report.terminal import show_causes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from teekit_verify.appraisal.artifacts import ArtifactPair
    from teekit_verify.reference.model import RegisterValue
    from teekit_verify.report.document import RebuildReport

_INDENT = 13
_FEW_SMELLS = 3
_WORDS = {Outcome.MATCH.value: "as published", Outcome.MISMATCH.value: "not as published"}


def show(report: RebuildReport, out: Console) -> None:
    for title, lines in (
        ("image", _image(report)),
        ("source", _source(report)),
        ("reference", _reference(report)),
        ("environment", _environment(report)),
        ("inputs", _inputs(report)),
        ("varied", _varied(report)),
        ("artifacts", (_artifact(report, pair) for pair in report.artifacts)),
        ("registers", _registers(report)),
        ("warnings", _warnings(report)),
        ("time", _time(report)),
        ("report", [styled(report.directory)]),
    ):
        _show(title, lines, out)
    if report.explanations:
        out.print()
        show_line(out, styled("where A and B differ", "bold"))
        show_lines(_differences(report), out)
    out.print()
    show_line(
        out, styled(f"{report.verdict.value}: {report.verdict.meaning}", STATUS_STYLES[report.verdict.exit_status])
    )
    if report.checklist is not None:
        show_causes(report.checklist, out)
    show_lines(report.reasons, out)


def _show(title: str, lines: Iterator[Text] | list[Text], out: Console) -> None:
    for number, line in enumerate(lines):
        show_line(out, ("" if number else title).ljust(_INDENT), line)


def _image(report: RebuildReport) -> Iterator[Text]:
    profiles = f" ({', '.join(report.profiles)})" if report.profiles else ""
    yield styled(f"{report.image}{profiles}", "bold")


def _source(report: RebuildReport) -> Iterator[Text]:
    origin = report.origin
    if origin is None:
        return
    commit = f"commit {origin.commit}" if origin.commit else "in no git repository: no commit names it"
    tag = f" (tag {origin.tag}{f', signed by {origin.signed_by}' if origin.signed_by else ''})" if origin.tag else ""
    yield styled(f"{commit}{tag}" + (f" of {origin.repository}" if origin.repository else ""))
    if origin.changes:
        more = f" and {len(origin.changes) - 1} more" if len(origin.changes) > 1 else ""
        yield styled(f"with changes that are in no commit: {origin.changes[0]}{more}", "yellow")


def _reference(report: RebuildReport) -> Iterator[Text]:
    if report.reference is not None:
        yield styled(f"{report.reference.release} ({report.reference.path})")


def _environment(report: RebuildReport) -> Iterator[Text]:
    if report.environment is not None:
        yield styled(report.environment.store_path)


def _inputs(report: RebuildReport) -> Iterator[Text]:
    if report.inputs is not None:
        yield styled(report.inputs.sha256_a.hex)


def _varied(report: RebuildReport) -> Iterator[Text]:
    varied = [item.name for item in report.variations if item.value_a != item.value_b]
    same = [item.name for item in report.variations if item.value_a == item.value_b]
    if report.variations:
        yield styled(", ".join(varied) or "nothing")
    if same:
        yield styled(f"not: {', '.join(same)}")


def _artifact(report: RebuildReport, pair: ArtifactPair) -> Text:
    made = next(item for item in (pair.a, pair.b) if item is not None)
    text = styled(f"{pair.name}, {made.size_bytes} bytes, sha256 {shortened(made.sha256.hex)} ")
    if not pair.same:
        return text.append_text(styled("A and B differ", STYLES[Outcome.MISMATCH]))
    published = [item for item in report.published.artifacts if item.name == pair.name] if report.published else []
    if report.published is None:
        return text.append_text(styled("A and B are equal", STYLES[Outcome.MATCH]))
    outcome = Outcome.MATCH if published == [pair.a] else Outcome.MISMATCH
    return text.append_text(styled(f"A and B are equal, {_WORDS[outcome.value]}", STYLES[outcome]))


def _registers(report: RebuildReport) -> Iterator[Text]:
    """A line for each platform: with a reference what came of each register, without one the values."""
    if report.measurements is None:
        return
    for platform, registers in report.measurements.platforms.items():
        if report.checklist is None:
            values = (f"{register} {_value(value)}" for register, value in registers.items())
            yield styled(f"{platform}: {', '.join(values)}")
            continue
        by_state: dict[str, list[str]] = {}
        for register in registers:
            by_state.setdefault(register_state(report, f"{platform} {register}")[0], []).append(register.name)
        text = styled(f"{platform}: ")
        for number, (state, names) in enumerate(by_state.items()):
            style = next((style for outcome, style in STYLES.items() if outcome.value == state), "yellow")
            text.append("; " if number else "").append_text(
                styled(f"{', '.join(names)} {_WORDS.get(state, state)}", style)
            )
        yield text


def _value(value: RegisterValue) -> str:
    if value.alternatives:
        return f"(one of {len(value.alternatives)})"
    return shortened(value.values[-1].hex) if value.values else "(not known)"


def _warnings(report: RebuildReport) -> Iterator[Text]:
    """Places of the source to look at."""
    for smell in report.smells[:_FEW_SMELLS]:
        place = f"{smell.path}:{smell.line}" if smell.line else smell.path
        yield styled(f"{place}: {smell.name}", "yellow")
    if len(report.smells) > _FEW_SMELLS:
        yield styled(f"and {len(report.smells) - _FEW_SMELLS} more: see the report", "yellow")


def _time(report: RebuildReport) -> Iterator[Text]:
    builds = [step for step in report.steps if step.name.startswith("build ")] or report.steps
    if builds:
        whole = max(step.begin_seconds + step.seconds for step in report.steps)
        parts = ", ".join(f"{printable(step.name)} {step.seconds:.1f} s" for step in builds)
        yield styled(f"{parts}, {whole:.1f} s in all")


def _differences(report: RebuildReport) -> list[str]:
    leaves = [leaf for one in report.explanations for leaf in culprits(one.differences)]
    return [
        f"{': '.join(leaf.path)}: {leaf.difference.what}"
        + "".join(f" (usually: {cause.name})" for cause in leaf.difference.causes)
        for leaf in leaves
    ]
