"""What speaks against a better verdict of a rebuild, in short plain lines, and what to do next. report.json has the whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import conclude
from teekit_verify.appraisal.event_differences import causes, left_out
from teekit_verify.appraisal.facts import Check, Choice, RegisterCheck
from teekit_verify.appraisal.rebuild.verdict import Drift, DriftFrom, FromTodaysPackages, Lack, Verdict
from teekit_verify.core.outcome import Outcome
from teekit_verify.explanation.causes.known import UMASK
from teekit_verify.explanation.tree import culprits
from teekit_verify.rebuild.environments import Because
from teekit_verify.report.console import Text
from teekit_verify.report.layout import styled
from teekit_verify.report.rebuild.blocks import COLUMNS, brief, listed
from teekit_verify.wording.checks import detail_of, name_of, pair_words, reason_line
from teekit_verify.wording.meanings import more_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.appraisal.event_differences import Place
    from teekit_verify.record.document import RebuildReport

_NAME = 70
_ROOM = COLUMNS - 2


def other_reasons(report: RebuildReport) -> list[Text]:
    """Line by line what `differences`, `what_differs` and `checks` do not say: the drift of inputs, or why there is no result.

    A run of equal lines is one.
    """
    reasons: list[str] = report.failure.splitlines()
    if report.todays_packages is not None and report.artifacts:
        same = all(pair.same for pair in report.artifacts)
        reasons.append(reason_line(FromTodaysPackages(is_deterministic=same)))
    if report.inputs is not None:
        drifts = [Drift(DriftFrom.OTHER_BUILD, line) for line in report.inputs.drift_between_builds]
        drifts += [Drift(DriftFrom.REFERENCE, line) for line in report.inputs.drift_from_reference]
        reasons += [line for drift in drifts for line in reason_line(drift).splitlines()]
    if report.verdict is Verdict.UNREFERENCED:
        reasons.append(reason_line(Lack.REFERENCE))
    return [styled(line) for line, _ in groupby(reasons) if line.strip()]


def differences(report: RebuildReport) -> list[Text]:
    """Where A and B differ, and what usually causes it; then the files, where nobody looked into them."""
    leaves = [leaf for one in report.explanations for leaf in culprits(one.differences)]
    lines = [
        f"{brief(': '.join(leaf.path), _NAME)}: {leaf.difference.what}"
        + "".join(f" (usually: {cause.name})" for cause in leaf.difference.causes)
        for leaf in leaves
    ]
    return [*map(styled, lines), *(styled(pair_words(pair)) for pair in report.artifacts if not pair.same)]


def what_differs(report: RebuildReport) -> list[Text]:
    """From what was published: the parts of the image, with the registers they show in."""
    found = report.checklist.differences if report.checklist is not None else ()
    lines = [_cause(brief(cause or "unknown", _NAME), places) for cause, places in causes(found)]
    return [*lines, styled(more_events(more))] if (more := left_out(found)) else lines


def _cause(cause: str, places: Sequence[Place]) -> Text:
    text = Text.assemble("differs: ", (cause, "bold"), " (seen in ")
    shown = [(platform, str(register)) for platform, register in places]
    return text.append(f"{_listed(shown, _ROOM - text.cell_len - 1)})")


def _listed(places: Sequence[tuple[str, str]], columns: int) -> str:
    """`tdx RTMR1 RTMR2, uefi-vtpm PCR4` of `tdx`, `RTMR1` and so on."""
    platforms: dict[str, list[str]] = {}
    for place in places:
        platform, register = (brief(name, _NAME // 2) for name in place)
        platforms.setdefault(platform, [platform]).extend([register] if register else [])
    return listed([" ".join(names) for names in platforms.values()], columns, "platforms")


def checks(report: RebuildReport) -> list[Text]:
    """What did not match and is not in `what_differs`, then what was not compared. The same is said once, of all registers."""
    if report.checklist is None:
        return []
    explained = {(one.platform, str(one.register)) for one in report.checklist.differences if one.cause}
    places: dict[str, dict[tuple[str, str], None]] = {}
    for check in conclude(report.checklist).reasons:
        if isinstance(check, Check) and (text := _in_short(check, explained=_place(check) in explained)):
            places.setdefault(text, {})[_place(check)] = None
    return [styled(f"{_listed(list(names), _NAME)}: {text}") for text, names in places.items()]


def _place(check: Check) -> tuple[str, str]:
    """(`tdx`, `RTMR1`); (`artifact image.efi`, empty)."""
    subject = check.subject
    if isinstance(subject, RegisterCheck):
        return subject.platform, str(subject.register)
    return name_of(check), ""


def _in_short(check: Check, *, explained: bool) -> str:
    """Nothing, where `what_differs` says all."""
    if check.outcome is not Outcome.MISMATCH:
        return f"{check.outcome.value}: {detail_of(check)}"
    group = next((nearest.label for nearest in check.nearest if nearest.choice is Choice.GROUP), None)
    text = "" if explained else detail_of(replace(check, nearest=()), look_at=False)
    if group is None:
        return text
    return f"fits no published set of values; nearest is '{brief(group, 40)}'" + (f": {text}" if text else "")


def next_step(report: RebuildReport) -> str:
    """One thing to do. The page has more."""
    folder, command = brief(report.directory, 40), "teekit-verify"
    match report.verdict:
        case Verdict.REPRODUCED if not report.may_be_stated:
            return "to stand by this in public, publish the report: a statement cannot tell what the notes say"
        case Verdict.REPRODUCED:
            return f"to stand by this in public, sign it: `{command} attest create {folder} --key FILE --name YOU`"
        case Verdict.UNREFERENCED:
            return f"compare it with what was published: `--reference FILE`; or publish it: `{command} reference create {folder}`"
        case Verdict.MISMATCH:
            return _to_explain(report, f"{command} explain PUBLISHED {folder}/artifacts")
        case Verdict.NONDETERMINISTIC if _is_the_umask(report):
            return "rebuild with `--vary default,-umask`: modes that mkosi gives by its caller's umask are all that differs"
        case Verdict.NONDETERMINISTIC:
            return "fix what makes A and B differ in the image's source, and rebuild; report.html shows each difference"
        case Verdict.INPUT_DRIFT:
            return _to_the_same_inputs(report)
        case Verdict.FAILED:
            return (
                f"`{command} doctor` says what this host lacks; complete logs are in {folder}/logs; then run this again"
            )


def _is_the_umask(report: RebuildReport) -> bool:
    """Of somebody else's project, which is not to be changed for that."""
    leaves = [leaf for one in report.explanations for leaf in culprits(one.differences)]
    theirs = report.environment_chosen is not None and report.environment_chosen.because is not Because.OWN
    return theirs and bool(leaves) and all(leaf.difference.causes == (UMASK,) for leaf in leaves)


def _to_explain(report: RebuildReport, command: str) -> str:
    published = report.published.artifacts if report.published is not None else ()
    names = [pair.name for pair in report.artifacts if pair.a is not None and pair.a not in published]
    if report.artifacts and not names:
        return "the files are as published, their registers are not: send the report to whoever published the reference"
    words = "explain it before you trust a machine that boots the published image"
    return f"{words}: `{command}/{brief(names[0], 40) if names else 'FILE'}`"


def _to_the_same_inputs(report: RebuildReport) -> str:
    if report.todays_packages is not None:
        return (
            "for the published bytes, with a copy of their inputs: `teekit-verify rebuild --release NAME --inputs DIR`"
        )
    if report.inputs is not None and report.inputs.drift_between_builds:
        return "run this again; what the builds take from elsewhere must stay the same from A to B"
    commit = report.reference.commit if report.reference is not None else None
    if commit is None or (report.origin is not None and report.origin.commit == commit):
        return "rebuild with the files, the lock and the options that the reference was made with"
    return f"rebuild the commit that the reference was made from: add `--commit {commit}`"
