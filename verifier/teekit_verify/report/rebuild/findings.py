"""What speaks against a better verdict of a rebuild, in short plain lines, and what to do next. report.json has the whole."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from teekit_verify.appraisal.artifacts import difference_in_words
from teekit_verify.appraisal.checklist import in_words
from teekit_verify.appraisal.event_differences import causes
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import Outcome
from teekit_verify.explanation.tree import culprits
from teekit_verify.report.layout import styled
from teekit_verify.report.rebuild.blocks import COLUMNS, brief, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.outcome import Check
    from teekit_verify.record.document import RebuildReport

_NAME = 70
_ROOM = COLUMNS - 2
_GROUP = re.compile(r"^no group of values matches; against '(.*?)': ")
_NOTES = re.compile(r"^(of \d+ alternatives, '.*?': |none of \d+ acceptable values; against '.*?': )+")


def other_reasons(report: RebuildReport) -> list[Text]:
    """Line by line what `differences`, `what_differs` and `checks` do not say: the drift of inputs, or why there is no result.

    A run of equal lines is one.
    """
    known = {difference_in_words(pair) for pair in report.artifacts}
    if report.checklist is not None:
        known |= {in_words(check) for check in report.checklist.checks}
    lines = [line for reason in report.reasons if reason not in known for line in reason.splitlines()]
    return [styled(line) for line, _ in groupby(lines) if line.strip()]


def differences(report: RebuildReport) -> list[Text]:
    """Where A and B differ, and what usually causes it; then the files, where nobody looked into them."""
    leaves = [leaf for one in report.explanations for leaf in culprits(one.differences)]
    lines = [
        f"{brief(': '.join(leaf.path), _NAME)}: {leaf.difference.what}"
        + "".join(f" (usually: {cause.name})" for cause in leaf.difference.causes)
        for leaf in leaves
    ]
    return [*map(styled, lines), *(styled(difference_in_words(pair)) for pair in report.artifacts if not pair.same)]


def what_differs(report: RebuildReport) -> list[Text]:
    """From what was published: the parts of the image, with the registers they show in."""
    found = report.checklist.differences if report.checklist is not None else ()
    return [_cause(brief(cause, _NAME), registers) for cause, registers in causes(found)]


def _cause(cause: str, registers: Sequence[str]) -> Text:
    text = Text.assemble("differs: ", (cause, "bold"), " (seen in ")
    return text.append(f"{_listed(registers, _ROOM - text.cell_len - 1)})")


def _listed(places: Sequence[str], columns: int) -> str:
    """`tdx RTMR1 RTMR2, uefi-vtpm PCR4` of `tdx RTMR1` and so on."""
    platforms: dict[str, list[str]] = {}
    for place in places:
        platform, *register = (brief(name, _NAME // 2) for name in place.split(" ", 1))
        platforms.setdefault(platform, [platform]).extend(register)
    return listed([" ".join(names) for names in platforms.values()], columns, "platforms")


def checks(report: RebuildReport) -> list[Text]:
    """What did not match and is not in `what_differs`, then what was not compared. The same is said once, of all registers."""
    if report.checklist is None:
        return []
    explained = {f"{one.platform} {one.register}" for one in report.checklist.differences if one.cause}
    places: dict[str, dict[str, None]] = {}
    for outcomes in (Outcome.MISMATCH,), (Outcome.ERROR, Outcome.NOT_CHECKED):
        for check in report.checklist.of(*outcomes):
            place = _place(check)
            if text := _in_short(check, explained=place in explained):
                places.setdefault(text, {})[place] = None
    return [styled(f"{_listed(list(names), _NAME)}: {text}") for text, names in places.items()]


def _place(check: Check) -> str:
    """`tdx RTMR1` of `tdx RTMR1 sha384`."""
    for bank in Algorithm:
        if check.name.endswith(f" {bank.value}"):
            return check.name.removesuffix(f" {bank.value}")
    return check.name


def _in_short(check: Check, *, explained: bool) -> str:
    """Nothing, where `what_differs` says all."""
    if check.outcome is not Outcome.MISMATCH:
        return f"{check.outcome.value}: {check.detail}"
    group = _GROUP.match(check.detail)
    text = "" if explained else _NOTES.sub("", _GROUP.sub("", check.detail)).partition("; look at: ")[0]
    if group is None:
        return text
    return f"fits no published set of values; nearest is '{brief(group[1], 40)}'" + (f": {text}" if text else "")


def next_step(report: RebuildReport) -> str:
    """One thing to do. The page has more."""
    folder, command = brief(report.directory, 40), "teekit-verify"
    match report.verdict:
        case Verdict.REPRODUCED:
            return f"to stand by this in public, sign it: `{command} attest create {folder} --key FILE --name YOU`"
        case Verdict.UNREFERENCED:
            return f"compare it with what was published: `--reference FILE`; or publish it: `{command} reference create {folder}`"
        case Verdict.MISMATCH:
            return _to_explain(report, f"{command} explain PUBLISHED {folder}/artifacts")
        case Verdict.NONDETERMINISTIC:
            return (
                "mend in the image's source what makes A and B differ, and rebuild; report.html shows each difference"
            )
        case Verdict.INPUT_DRIFT:
            return _to_the_same_inputs(report)
        case Verdict.FAILED:
            return f"`{command} doctor` says what this host lacks; whole logs are in {folder}/logs; then run this again"


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
