"""What `rebuild` says on the terminal: one screen, the verdict and what speaks for it last. report.html has it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.outcome import Outcome
from teekit_verify.rebuild.step_names import BUILDS
from teekit_verify.record import json_report
from teekit_verify.report.console import Text
from teekit_verify.report.html.registers import WORST_FIRST, register_state, state_word
from teekit_verify.report.layout import STYLES, shortened, show_line, show_outcome, styled
from teekit_verify.report.provenance import provenance, trusting
from teekit_verify.report.rebuild import findings
from teekit_verify.report.rebuild.blocks import COLUMNS, ROWS, Block, allotted, brief, clipped, listed
from teekit_verify.wording.checks import open_words
from teekit_verify.wording.environments import environment_words
from teekit_verify.wording.host_inputs import HOST_INPUTS
from teekit_verify.wording.verdicts import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from teekit_verify.appraisal.artifacts import ArtifactPair
    from teekit_verify.documents.model import RegisterValue
    from teekit_verify.record.document import RebuildReport
    from teekit_verify.registers.registers import Register
    from teekit_verify.report.console import Console

_TITLE = 13
_INDENT = 2
_WIDTH = COLUMNS - _TITLE
_NAME = 60
_REASONS = "reasons"  # a title
_FEW_WARNINGS = 3
_WORDS: dict[Outcome | None, str] = {Outcome.MATCH: "as published", Outcome.MISMATCH: "not as published"}
_STATES: tuple[Outcome | None, ...] = (*WORST_FIRST, Outcome.IGNORED, None)
_EXPECTED = {Outcome.MATCH, Outcome.OPEN, Outcome.IGNORED, None}
_SERVED = (
    *("provenance", "reasons", "differences", "causes"),
    *("image", "source", "reference", "environment", "inputs", "varied", "time"),
    *("registers", "artifacts", "checks", "warnings"),
)
"""Who gets room first, when there is not enough for all."""


def render(report: RebuildReport) -> bytes:
    """What `rebuild --json` prints, which is report.json."""
    return json_report.render_rebuild(report)


def show(report: RebuildReport, out: Console) -> None:
    """Facts under their titles, the verdict, what speaks against a better one, and what to do next."""
    facts, reasons = _facts(report), _reasons(report)
    blocks = facts | reasons
    rows = allotted({title: blocks[title] for title in _SERVED}, ROWS - 4)  # folder, empty line, verdict, next step
    for title, block in facts.items():
        _show(title, block.shown(rows[title]), out)
    _show("report", [_folder(report, [title for title in facts if facts[title].lines and not rows[title]])], out)
    out.print()
    verdict = report.verdict
    meaning = VERDICTS[verdict] + open_words(report.checklist, verdict.exit_status) + trusting(report)
    show_outcome(out, verdict.exit_status, f"{verdict.value}: {meaning}")
    for title, block in reasons.items():
        for line in block.shown(rows[title]):
            show_line(out, clipped(line, COLUMNS - _INDENT), indent=_INDENT)
    show_line(out, clipped(styled(f"next: {findings.next_step(report)}"), COLUMNS - _INDENT), indent=_INDENT)


def _show(title: str, lines: Sequence[Text], out: Console) -> None:
    for number, line in enumerate(lines):
        show_line(out, ("" if number else title).ljust(_TITLE), clipped(line, _WIDTH), hanging=_TITLE)


def _facts(report: RebuildReport) -> dict[str, Block]:
    """By title, in order."""
    return {
        "image": Block([_image(report)]),
        "source": Block(list(_source(report)), least=2),
        "reference": Block(list(_reference(report))),
        "environment": Block(list(_environment(report)), least=0),
        "inputs": Block(list(_inputs(report)), least=0),
        "varied": Block(list(_varied(report)), least=0),
        "artifacts": _artifacts(report),
        "registers": _registers(report),
        "warnings": Block(list(_warnings(report)), "warnings", most=_FEW_WARNINGS + 1),
        "time": Block(list(_time(report)), least=0),
    }


def _reasons(report: RebuildReport) -> dict[str, Block]:
    """What speaks against a better verdict, the decisive first."""
    blocks = {
        "provenance": ([styled(line, "yellow") for line in provenance(report)], "notes"),
        _REASONS: (findings.other_reasons(report), "lines" if report.verdict is Verdict.FAILED else "reasons"),
        "differences": (findings.differences(report), "differences"),
        "causes": (findings.what_differs(report), "parts that differ"),
        "checks": (findings.checks(report), "findings"),
    }
    is_log = report.verdict is Verdict.FAILED
    return {
        title: Block(lines, what, weighty=len(lines), least=2, is_log=is_log and title == _REASONS)
        for title, (lines, what) in blocks.items()
    }


def _image(report: RebuildReport) -> Text:
    profiles = f" ({listed(report.profiles, _NAME, 'profiles')})" if report.profiles else ""
    return styled(f"{brief(report.image, _NAME)}{profiles}", "bold")


def _source(report: RebuildReport) -> Iterator[Text]:
    origin = report.origin
    if origin is None:
        return
    commit = f"commit {origin.commit}" if origin.commit else "in no git repository: no commit names it"
    signed = f", signed by {brief(origin.signed_by, _NAME // 2)}" if origin.signed_by else ""
    tag = f" (tag {brief(origin.tag, _NAME // 2)}{signed})" if origin.tag else ""
    yield styled(f"{commit}{tag}" + (f" of {origin.repository}" if origin.repository else ""))
    if origin.changes:
        more = f" and {len(origin.changes) - 1} more" if len(origin.changes) > 1 else ""
        yield styled(f"with changes that are in no commit: {brief(origin.changes[0], _NAME)}{more}", "yellow")


def _reference(report: RebuildReport) -> Iterator[Text]:
    if report.reference is not None:
        release = brief(report.reference.release, _NAME)
        yield styled(f"{release} ({brief(report.reference.path, _WIDTH - _NAME - len(' ()'))})")


def _environment(report: RebuildReport) -> Iterator[Text]:
    if report.environment_chosen is not None:
        yield styled(environment_words(report.environment_chosen))
    if report.environment is not None:
        yield styled(report.environment.store_path)


def _inputs(report: RebuildReport) -> Iterator[Text]:
    if report.inputs is not None:
        yield styled(report.inputs.sha256_a.hex)


def _varied(report: RebuildReport) -> Iterator[Text]:
    varied = [item.name for item in report.variations if item.value_a != item.value_b]
    same = [item.name for item in report.variations if item.value_a == item.value_b]
    if report.variations:
        yield styled(listed(varied, _WIDTH, "conditions") or "nothing")
    if same:
        yield styled(f"not varied: {listed(same, _NAME, 'conditions')}")


def _artifacts(report: RebuildReport) -> Block:
    """Those that are not as they should be first."""
    states = [(pair, *_state(report, pair)) for pair in report.artifacts]
    states.sort(key=lambda item: WORST_FIRST.index(item[2]))
    weighty = sum(outcome is Outcome.MISMATCH for _, _, outcome in states)
    return Block([_artifact(*state) for state in states], "artifacts", "different", weighty, least=2 if weighty else 1)


def _artifact(pair: ArtifactPair, words: str, outcome: Outcome) -> Text:
    made = next(item for item in (pair.a, pair.b) if item is not None)
    return Text.assemble(
        f"{brief(pair.name, _NAME)}: ",
        (words, STYLES[outcome]),
        f" (sha256 {shortened(made.sha256.hex)})",
    )


def _state(report: RebuildReport, pair: ArtifactPair) -> tuple[str, Outcome]:
    if not pair.same:
        return "A and B differ", Outcome.MISMATCH
    if report.published is None:
        return "A and B are identical", Outcome.MATCH
    published = [item for item in report.published.artifacts if item.name == pair.name]
    outcome = Outcome.MATCH if published == [pair.a] else Outcome.MISMATCH
    return f"A and B are identical, {_WORDS[outcome]}", outcome


def _registers(report: RebuildReport) -> Block:
    """A line for each platform: with a reference what came of each register, without one the values."""
    platforms = report.measurements.platforms if report.measurements is not None else {}
    if report.checklist is None:
        return Block([_values(*item) for item in platforms.items()], "platforms")
    states = [(platform, _by_state(report, platform, registers)) for platform, registers in platforms.items()]
    states.sort(key=lambda item: min(map(_STATES.index, item[1]), default=len(_STATES)))
    weighty = sum(not set(by_state) <= _EXPECTED for _, by_state in states)
    return Block([_platform(*item) for item in states], "platforms", "different", weighty, least=2 if weighty else 1)


def _values(platform: str, registers: Mapping[Register, RegisterValue]) -> Text:
    name = f"{brief(platform, _NAME)}: "
    values = [f"{register} {_value(value)}" for register, value in registers.items()]
    return styled(name + listed(values, _WIDTH - len(name), "registers"))


def _value(value: RegisterValue) -> str:
    if value.alternatives:
        return f"(one of {len(value.alternatives)})"
    return shortened(value.values[-1].hex) if value.values else "(not known)"


def _by_state(report: RebuildReport, platform: str, registers: Iterable[Register]) -> dict[Outcome | None, list[str]]:
    """Names of registers by what came of them, worst first."""
    by_state: dict[Outcome | None, list[str]] = {}
    for register in registers:
        by_state.setdefault(register_state(report, platform, register)[0], []).append(register.name)
    return {state: by_state[state] for state in _STATES if state in by_state}


def _platform(platform: str, by_state: Mapping[Outcome | None, Sequence[str]]) -> Text:
    """`tdx: RTMR1 not as published; RTMR2 as published`. The names of the worst have the most room."""
    text = styled(f"{brief(platform, _NAME // 2)}: ")
    words = {state: _WORDS.get(state, state_word(state)) for state in by_state}
    room = _WIDTH - len(text) - sum(len(word) + len(" ; ") for word in words.values())
    for number, (state, names) in enumerate(by_state.items()):
        style = "yellow" if state is None else STYLES[state]
        kept_free = len("30 registers") * (len(by_state) - number - 1)
        some = listed(names, room - kept_free, "registers")
        room -= len(some)
        text.append("; " if number else "").append(f"{some} {words[state]}", style)
    return text


def _warnings(report: RebuildReport) -> Iterator[Text]:
    """Places of the source to look at."""
    for item in report.unmeasured_inputs:
        yield styled(f"{brief(item.where, _NAME)}: {HOST_INPUTS[item.kind][0]}", "yellow")
    for smell in report.smells:
        place = brief(smell.path, _NAME) + (f":{smell.line}" if smell.line else "")
        yield styled(f"{place}: {smell.name}", "yellow")


def _time(report: RebuildReport) -> Iterator[Text]:
    builds = [step for step in report.steps if step.name in BUILDS] or report.steps
    if builds:
        whole = f", {max(step.begin_seconds + step.seconds for step in report.steps):.1f} s in all"
        yield styled(
            listed([f"{step.name} {step.seconds:.1f} s" for step in builds], _WIDTH - len(whole), "steps") + whole
        )


def _folder(report: RebuildReport, left_out: Sequence[str]) -> Text:
    """Where the whole is, and which titles are only there."""
    also = f", also {', '.join(left_out)}" if left_out else ""
    return styled(f"{brief(report.directory, _WIDTH // 2)} (report.html has it all{also})")
