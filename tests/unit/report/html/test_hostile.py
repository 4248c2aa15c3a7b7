"""Every text that a report.json may hold, hostile at once: found by walking the document, checked against its schema."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import count
from typing import TYPE_CHECKING, Any

from builders import documents as sample
from builders import given, reports
from teekit_verify.appraisal import facts
from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents import model
from teekit_verify.documents.rebuilt_packages import Answer, NotGood, PackageStanding, RebuiltCounts, RebuiltInputs
from teekit_verify.evidence.meaning import Meaning, MeaningKind
from teekit_verify.inspection.host_inputs import HostInput, UnmeasuredInput
from teekit_verify.inspection.space import FolderSpace, SectionSpace
from teekit_verify.prediction.causes import Cause, CauseKind
from teekit_verify.rebuild.origin import Origin
from teekit_verify.rebuild.sandbox import Seen
from teekit_verify.rebuild.todays import TodaysPackages
from teekit_verify.record import json_report
from teekit_verify.record.document import InputsUsed, Variation
from teekit_verify.record.read import parse_rebuild
from teekit_verify.record.schema import report_schema
from teekit_verify.registers.registers import pcr
from teekit_verify.report.html import page as html_report

if TYPE_CHECKING:
    from teekit_verify.record.document import RebuildReport

HOSTILE = (
    "</style></title></pre>--><script>alert(1)</script><img src=//x.example onerror=y>\"'` onload=z {{7*7}}{% raw %}"
    "\x1b]0;x\x07\u202egnp.exe\u2066\u200f\x00\r\n\ufeff\ue000"
)
"""Shorter than 255 characters: fits every field that is not restricted to a pattern."""
RESTRICTED = {"pattern", "enum", "const"}


def full_report() -> RebuildReport:
    """Nothing in it is empty."""
    build, other = (
        sample.build(),
        sample.build(artifacts=(replace(sample.UKI, sha256=sample.sha256("b")), sample.MANIFEST)),
    )
    two = (
        model.AcceptableValue("one", sample.PCR4, ("group",)),
        model.AcceptableValue("other", sample.PCR11, ("group",)),
    )
    measured = sample.measurements(
        platforms={
            **reports.EVIL.platforms,
            "gcp/c3": {pcr(4): model.RegisterValue(None, "not known", (), two)},
        },
        disk=model.Disk("disk.raw", model.DiskFormat.RAW, 4096, sample.sha256("disk")),
        apps=model.Apps("teekit measured v1", (model.GivenSet("given", (given.manifest(),), ("a.example.org",)),)),
    )
    ignored = model.ReferenceRegister(model.Policy.IGNORE, "a reason", two)
    published = replace(
        sample.reference(),
        platforms={**sample.reference().platforms, "gcp/c3": {pcr(4): ignored}},
        inputs=sample.inputs(packages=(sample.package("zsh"),)),
    )
    report = reports.rebuild(
        build, other, measured, published, explanations=(reports.EXPLANATION,), smells=(reports.SMELL,)
    )
    leaf = reports.EXPLANATION.differences[0].children[0]
    assert report.checklist is not None
    return replace(
        report,
        failure="a log",
        checklist=report.checklist + Checklist(every_kind_of_check()),
        explanations=(
            replace(
                reports.EXPLANATION,
                differences=(replace(leaf, diffoscope=("-a", "+b"), children=(leaf,), section=".initrd"),),
            ),
        ),
        inputs=InputsUsed(sample.sha256("a"), sample.sha256("b"), sample.sha256("c"), ("drift",), ("drift",)),
        variations=(Variation("umask", "0022", "0002"), Variation("time", "now", "now", "a reason")),
        origin=Origin("https://git.example.org/x", "b" * 40, "v1", "alice", ("changed x",)),
        seen_by_a=(Seen("/usr", "tools"),),
        seen_by_b=(Seen("/usr", "tools"),),
        environment_chosen=reports.CHOSEN,
        repositories=(reports.REPOSITORY,),
        network=reports.NETWORK,
        todays_packages=TodaysPackages(("package bash 5.2",)),
        unmeasured_inputs=(UnmeasuredInput(HostInput.EFI_OPTIONS, "usr/lib/x", "efivarfs.ko"),),
        space=(
            SectionSpace(".initrd", 1000, (FolderSpace("usr/lib", 3000),)),
            SectionSpace(".other", 500, (FolderSpace("srv", 100),)),  # of which nothing is known
        ),
        rebuilt_packages=RebuiltInputs(
            RebuiltCounts(1, 1, 0, 0, (Answer("amd64.json", sample.sha256("answer")),)),
            (NotGood("bash", "5.2", "amd64", PackageStanding.BAD),),
        ),
    )


def every_kind_of_check() -> tuple[facts.Check, ...]:
    """Of registers that no platform of the page has: each is shown."""
    subject = facts.RegisterCheck("rover", pcr(4), Algorithm.SHA256)
    event, origin = facts.EventName("an event", 0xD), Cause(CauseKind.OTHER, ("cause",))
    difference = facts.EventDifference(
        "rover",
        pcr(4),
        Algorithm.SHA256,
        1,
        "",
        "",
        "cause",
        origin,
        event,
        event,
        Meaning(MeaningKind.SAID, ("meaning",)),
    )
    reasons: tuple[facts.Reason, ...] = (
        facts.Because(facts.Why.NOT_MEASURED),
        facts.OtherSize(1, 2),
        facts.ValueNotKnown(facts.Side.BOTH, "missing"),
        facts.Ignored("ignored"),
        facts.NoValueInGroup("group"),
        facts.FirstDifference(difference),
        facts.SameEventAs(Algorithm.SHA256),
        facts.StrayEvent(facts.Side.REFERENCE, "stray", "cause"),
        facts.ForgedText(event),
        facts.LaterState(facts.StateKind.PHASES, ("phase",)),
        facts.LogsPart(facts.DivergenceKindName.EXTRA, 1),
        facts.SeveralFit(("one", "two")),
        facts.AsRequested(facts.Requested.NONCE),
        facts.Refused("code", "message"),
        facts.Said("said"),
    )
    nearest = (facts.Nearest(facts.Choice.GROUP, "label", 1),)
    subjects = (
        facts.QuestionCheck(facts.Question.FIRMWARE, "platform", (pcr(4),)),
        facts.FactCheck(facts.Fact.CHAIN_ROOT),
        facts.StatedCheck("stated"),
        facts.EventTextCheck(pcr(4), 1),
    )
    return (
        *(facts.Check(subject, Outcome.NOT_CHECKED, "a", "b", reason, nearest) for reason in reasons),
        *(facts.Check(other, Outcome.NOT_CHECKED, "a", "b", reasons[0]) for other in subjects),
    )


class Walk:
    """Makes every text of a document hostile that its schema does not restrict, and notes which fields it came by."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.kinds = schema["$defs"]
        self.fields: set[str] = set()
        self._numbers = count(1)

    def hostile(self, value: Any, schema: dict[str, Any], field: str = "") -> Any:
        """`field` is the kind of object and the name of its property that `value` stands in: `Artifact.name`."""
        if "$ref" in schema:
            kind = schema["$ref"].removeprefix("#/$defs/")
            return self.hostile(value, self.kinds[kind], kind)
        if "oneOf" in schema:
            kinds = schema["discriminator"]["mapping"]
            return self.hostile(value, {"$ref": kinds[value["kind"]]}, field)
        if "anyOf" in schema:
            return value if value is None else self.hostile(value, schema["anyOf"][0], field)
        if isinstance(value, dict):
            names, others = schema.get("properties", {}), [*schema.get("patternProperties", {}).values()]
            kind = field.partition(".")[0]
            return {
                name: self.hostile(item, names[name] if names else others[0], f"{kind}.{name}" if names else field)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.hostile(item, schema["items"], field) for item in value]
        if not isinstance(value, str) or not value or RESTRICTED & schema.keys():
            return value
        self.fields.add(field)
        return f"{value[0]}{next(self._numbers)}{HOSTILE}"  # what a line of a diff is depends on its beginning

    def free_fields(self) -> set[str]:
        """Every field of the schema that may hold any text, or any list of texts."""
        return {
            f"{kind}.{name}"
            for kind, schema in self.kinds.items()
            for name, item in schema.get("properties", {}).items()
            if self._is_free(item)
        }

    def _is_free(self, schema: dict[str, Any]) -> bool:
        kind: dict[str, Any] = next(
            (kind for kind in (schema, *schema.get("anyOf", ()), schema.get("items", {})) if "type" in kind), {}
        )
        kind = kind.get("items", kind)
        return kind.get("type") == "string" and not RESTRICTED & kind.keys()


def hostile_report() -> tuple[RebuildReport, Walk, int]:
    """With the number of its hostile texts."""
    schema = report_schema()
    walk = Walk({"$defs": schema["$defs"] | {"Report": schema}})
    document = walk.hostile(json.loads(json_report.render_rebuild(full_report())), schema, "Report")
    data = json.dumps(document)
    return parse_rebuild(data.encode(), "report.json"), walk, data.count("<script>")


class Page(HTMLParser):
    """The tags, attributes and texts that a browser would see."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.texts: list[str] = []
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_every_field_that_may_hold_any_text_is_made_hostile() -> None:
    _, walk, _ = hostile_report()
    assert walk.fields == walk.free_fields()


def test_hostile_texts_add_no_tag_and_no_attribute() -> None:
    report, _, texts = hostile_report()
    page = Page(html_report.render(report))
    harmless = [Page(html_report.render(one)) for one in (full_report(), *reports.REBUILDS.values())]
    assert texts > len(page.tags)
    assert page.tags == harmless[0].tags
    styles = {value for name, value in page.attributes if name == "style"}
    assert page.attributes - {("style", style) for style in styles} <= set().union(
        *(one.attributes for one in harmless)
    )
    assert all(re.fullmatch("left:[0-9.]+%;width:[0-9.]+%", style) for style in styles)


def test_what_would_hide_turn_or_run_is_shown_as_its_escape() -> None:
    report, _, _ = hostile_report()
    shown = "".join(Page(html_report.render(report)).texts)
    assert [character for character in set(shown) if not character.isprintable() and character != "\n"] == []
    assert r"\x1b]0;x\x07\u202egnp.exe\u2066\u200f\x00" in shown
    assert "{{7*7}}{% raw %}" in shown
