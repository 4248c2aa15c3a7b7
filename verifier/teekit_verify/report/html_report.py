"""`report.html`: one page that needs nothing else, from a report alone. No scripts; all text is foreign and is escaped."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from teekit_verify.appraisal.explain import causes
from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import Outcome
from teekit_verify.explanation.tree import culprits
from teekit_verify.report.register_view import register_views
from teekit_verify.report.verdict_words import LIMITS, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.explanation.tree import Difference
    from teekit_verify.report.document import RebuildReport, Step

_CHUNK = 8
_FEW_DIFFERENCES = 40
_FEW_REASONS = 6


def render(report: RebuildReport) -> bytes:
    """The same report gives the same bytes: there is no time of day, no address and no folder of this host in it."""
    page = _templates().get_template("report.html.j2")
    return page.render(
        report=report,
        words=WORDS[report.verdict],
        links=_chain(report),
        highlights=_highlights(report),
        registers=register_views(report),
        other_checks=_other_checks(report),
        published={item.name: item for item in report.published.artifacts} if report.published is not None else {},
        trees=[(one, list(_tokens(one.differences))) for one in report.explanations],
        timeline=list(_timeline(report.steps)),
        commands=list(_commands(report)),
        limits=LIMITS,
    ).encode()


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("teekit_verify.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(digest=_digest, code=_with_code)
    return templates


def _visible(value: object) -> object:
    """Control characters and what turns the direction of text become escapes; Markup is ours."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _digest(text: str) -> Markup:
    """A digest that may be broken between groups of digits; copied, it is in one piece."""
    pieces = [escape(printable(text[at : at + _CHUNK])) for at in range(0, len(text), _CHUNK)]
    return Markup("<code>{}</code>").format(Markup("<wbr>").join(pieces))


def _with_code(text: str) -> Markup:
    """Our own sentences: what stands in `backquotes` is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def _highlights(report: RebuildReport) -> list[tuple[str, str]]:
    """What to know first, as (name in bold, text): the culprits by name, else the first of many reasons."""
    found: list[tuple[str, str]] = []
    for one in report.explanations:
        for leaf in culprits(one.differences)[:_FEW_REASONS]:
            usually = "; ".join(f"{cause.name}: {cause.usually}" for cause in leaf.difference.causes)
            found.append((": ".join(leaf.path), f": {leaf.difference.what}" + (f" ({usually})" if usually else "")))
    if report.checklist is not None:
        for cause, places in causes(report.checklist.differences):
            found.append((cause, f" is not what was published. It shows in {', '.join(places)}."))
    lines = [line for reason in report.reasons for line in reason.splitlines()]
    if not found and len(lines) > 2 * _FEW_REASONS:
        found = [("", line) for line in lines[:_FEW_REASONS]] + [("", f"and {len(lines) - _FEW_REASONS} more.")]
    return found


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain from source to published measurements. `state` is good, bad or open."""

    title: str
    state: str
    text: str


def _chain(report: RebuildReport) -> Iterator[Link]:
    inputs, checklist = report.inputs, report.checklist
    if inputs is None:
        yield Link("Same inputs", "open", "not known")
    elif inputs.drift_between_builds or inputs.drift_from_reference:
        yield Link("Same inputs", "bad", "other inputs than expected")
    elif inputs.sha256_reference is None:
        yield Link("Same inputs", "good", "A and B consumed the same; nothing published to compare with")
    else:
        yield Link("Same inputs", "good", "A, B and the publisher consumed the same")
    if not report.artifacts:
        yield Link("A = B", "open", "not compared")
    elif all(pair.same for pair in report.artifacts):
        yield Link("A = B", "good", f"{len(report.artifacts)} files, bit for bit the same")
    else:
        yield Link("A = B", "bad", "the two builds differ")
    checks = checklist.checks if checklist is not None else ()
    files = [check.outcome for check in checks if check.name.startswith("artifact ")]
    registers = [check.outcome for check in checks if not check.name.startswith("artifact ")]
    yield _compared("Published files", files, "build A is bit for bit as published", "not the published bytes")
    yield _compared("Published measurements", registers, "every compared register", "a register differs")


def _compared(title: str, outcomes: list[Outcome], equal: str, different: str) -> Link:
    if Outcome.MISMATCH in outcomes:
        return Link(title, "bad", different)
    if outcomes and set(outcomes) == {Outcome.MATCH}:
        return Link(title, "good", equal)
    return Link(title, "open", "not compared" if not outcomes else "not everything could be compared")


def _other_checks(report: RebuildReport) -> list[tuple[str, str, str]]:
    """(name, outcome, detail) of checks and ignored ones that belong to no artifact and no register of the page."""
    if report.checklist is None:
        return []
    shown = {f"{view.platform} {view.register}" for view in register_views(report)}
    left = [check for check in report.checklist.checks if not check.name.startswith("artifact ")]
    return [
        (check.name, outcome, check.detail)
        for outcome, checks in (("", left), ("ignored", report.checklist.ignored))
        for check in checks
        if " ".join(check.name.split(" ")[:2]) not in shown
        for outcome in (outcome or check.outcome.value,)
    ]


@dataclass(frozen=True, slots=True)
class Token:
    """Opening (a difference) or closing (None) of a level of the tree: trees of strangers may be deep, templates not."""

    difference: Difference | None
    is_open: bool = True


def _tokens(differences: Iterable[Difference]) -> Iterator[Token]:
    stack: list[Difference | None] = list(reversed(tuple(differences)))
    count = 0
    while stack:
        difference = stack.pop()
        if difference is None:
            yield Token(None)
            continue
        count += 1
        yield Token(difference, is_open=count <= _FEW_DIFFERENCES)
        stack.append(None)
        stack.extend(reversed(difference.children))


@dataclass(frozen=True, slots=True)
class Bar:
    """A step on the timeline; `left` and `width` in percent of the whole run."""

    step: Step
    left: str
    width: str


def _timeline(steps: tuple[Step, ...]) -> Iterator[Bar]:
    whole = max((step.begin_seconds + step.seconds for step in steps), default=0) or 1
    for step in sorted(steps, key=lambda item: (item.begin_seconds, -item.seconds)):
        left, width = 100 * step.begin_seconds / whole, max(100 * step.seconds / whole, 0.2)
        yield Bar(step, f"{min(left, 99.8):.2f}", f"{width:.2f}")


def _commands(report: RebuildReport) -> Iterator[str]:
    """What to type, in a clone of this repository, to make this run again."""
    words, origin = report.command, report.origin
    names_its_source = any(option in words for option in ("--release", "--commit"))
    if origin is not None and origin.commit is not None and not names_its_source:
        stranger = dict(itertools.pairwise(words)).get("--source") if "--mkosi-args" in words else None
        yield shlex.join(("git", *(("-C", stranger) if stranger else ()), "checkout", origin.commit))
    if words:
        yield shlex.join(("./scripts/teekit-verify", *words[1:]))
