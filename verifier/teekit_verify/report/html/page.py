"""`report.html`: one page that needs nothing else, from a report alone. No scripts; all text is foreign and is escaped."""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from teekit_verify.appraisal.facts import ArtifactCheck, RegisterCheck
from teekit_verify.core.errors import printable
from teekit_verify.documents import fields
from teekit_verify.report.html import glossary, why
from teekit_verify.report.html.drawing import drawings
from teekit_verify.report.html.next_steps import next_commands
from teekit_verify.report.html.registers import blocks, register_views
from teekit_verify.report.html.section_map import section_map
from teekit_verify.report.html.treemap import HEIGHT, WIDTH, treemap
from teekit_verify.report.html.treemap import WORDS as SPACE_WORDS
from teekit_verify.report.html.verdict_words import LIMITS, WORDS, headline, next_steps
from teekit_verify.report.network_words import why_words
from teekit_verify.report.provenance import provenance
from teekit_verify.wording.checks import detail_of, name_of
from teekit_verify.wording.environments import environment_words
from teekit_verify.wording.host_inputs import HOST_INPUTS
from teekit_verify.wording.packages import rebuilders_say
from teekit_verify.wording.statements import packages_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.explanation.tree import Difference
    from teekit_verify.record.document import RebuildReport, Step
    from teekit_verify.report.html.registers import Block, RegisterView

_CHUNK = 8
_FEW_DIFFERENCES = 40
_FEW_FINDINGS = 12
_WHOLE_CHARACTERS = 30
"""What a telephone has room for in one line."""


def render(report: RebuildReport) -> bytes:
    """The same report gives the same bytes: there is no time of day, no address and no folder of this host in it."""
    page = templates().get_template("report.html.j2")
    registers = register_views(report)
    links = list(why.chain(report, registers))
    grouped = blocks(registers)
    found, sections = why.findings(report), section_map(registers)
    return page.render(
        report=report,
        words=WORDS[report.verdict],
        running_head=_running_head(report),
        headline=headline(report),
        provenance=provenance(report),
        environment_words=environment_words,
        why_words=why_words,
        links=links,
        drawings=drawings(report, links),
        next_steps=next_steps(report),
        next_commands=next_commands(report),
        findings=found[:_FEW_FINDINGS],
        left_out=len(found[_FEW_FINDINGS:]),
        some=why.some,
        counted=why.counted,
        blocks=grouped,
        section_map=sections,
        space=treemap(report, sections),
        space_words=SPACE_WORDS,
        space_width=WIDTH,
        space_height=HEIGHT,
        overview=_overview(grouped),
        other_checks=_other_checks(report, registers),
        published={item.name: item for item in report.published.artifacts} if report.published is not None else {},
        host_inputs=[(item, *HOST_INPUTS[item.kind]) for item in report.unmeasured_inputs],
        trees=[(one, list(_tokens(one.differences))) for one in report.explanations],
        timeline=list(_timeline(report.steps)),
        commands=list(_commands(report)),
        glossary=glossary,
        limits=LIMITS,
        rebuilders_say=rebuilders_say,
        packages_words=packages_words,
    ).encode()


def templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("teekit_verify.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(digest=_digest, command=_command, code=_with_code, size=_size)
    return templates


def _running_head(report: RebuildReport) -> str:
    names = (report.image, *report.profiles, *((report.reference.release,) if report.reference is not None else ()))
    return running_head(names)


def running_head(words: Iterable[str]) -> str:
    """What stands on every printed page: plain letters only, as it is part of a style sheet."""
    return " ".join(re.sub(r"[^A-Za-z0-9._+-]", "", word)[:60] for word in words)


def _visible(value: object) -> object:
    """Control characters and what turns the direction of text become escapes; Markup is ours."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _digest(text: str) -> Markup:
    """A digest that may be broken between groups of digits; copied, it is in one piece."""
    pieces = [escape(printable(text[at : at + _CHUNK])) for at in range(0, len(text), _CHUNK)]
    return Markup("<code>{}</code>").format(Markup("<wbr>").join(pieces))


def _command(line: str) -> Markup:
    """A command line that is broken between its words, and not after the dashes of an option."""
    words = [printable(word) for word in line.split(" ")]
    whole = Markup('<span class="whole">{}</span>')
    is_option = [word.startswith("-") and len(word) <= _WHOLE_CHARACTERS for word in words]
    return Markup(" ").join(
        whole.format(word) if option else escape(word) for word, option in zip(words, is_option, strict=True)
    )


def _size(size_bytes: int) -> str:
    """In the unit that leaves one to four digits before the point: `10.4 MiB`."""
    for unit, unit_bytes in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= unit_bytes:
            return f"{size_bytes / unit_bytes:.1f} {unit}"
    return f"{size_bytes} bytes"


def _with_code(text: str) -> Markup:
    """Our own sentences: what stands in `backquotes` is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def _overview(grouped: Sequence[Block]) -> dict[str, dict[str, tuple[int, RegisterView]]]:
    """Platform -> register -> (number of its place on the page, register). Alternatives have one state: the first stands for all."""
    table: dict[str, dict[str, tuple[int, RegisterView]]] = {}
    for number, block in enumerate(grouped, start=1):
        for platform in block.platforms:
            table.setdefault(platform, {}).setdefault(block.view.register, (number, block.view))
    return {
        platform: dict(sorted(table[platform].items(), key=lambda item: fields.natural(item[0])))
        for platform in sorted(table, key=fields.natural)
    }


def _other_checks(report: RebuildReport, registers: Sequence[RegisterView]) -> list[tuple[str, str, str]]:
    """(name, outcome, detail) of checks and ignored ones that belong to no artifact and no register of the page."""
    if report.checklist is None:
        return []
    shown = {(view.platform, view.register) for view in registers}
    left = (*report.checklist.checks, *report.checklist.ignored)
    return [(name_of(check), check.outcome.value, detail_of(check)) for check in left if not _is_shown(check, shown)]


def _is_shown(check: Check, shown: set[tuple[str, str]]) -> bool:
    match check.subject:
        case ArtifactCheck():
            return True
        case RegisterCheck(platform=platform, register=register):
            return (platform, str(register)) in shown
        case _:
            return False


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
