"""The page: complete, on its own, the same bytes every time, and nothing that a stranger wrote is more than text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from builders import reports
from teekit_verify.documents import model
from teekit_verify.explanation.tree import Cause, Difference, Explanation, Kind
from teekit_verify.rebuild.origin import Origin
from teekit_verify.rebuild.smells import Smell
from teekit_verify.record.document import InputsUsed, Step, Variation
from teekit_verify.registers.registers import pcr
from teekit_verify.report.html import page as html_report

if TYPE_CHECKING:
    from teekit_verify.record.document import RebuildReport

SECTIONS = [
    "why",
    "next",
    "artifacts",
    "differences",
    "registers",
    "inputs",
    "environment",
    "variations",
    "warnings",
    "timeline",
    "reproduce",
    "words",
    "limits",
]
VOID = {"meta", "br", "wbr"}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=y>\x1b[31m\u202e\x00{{ 7 * 7 }}"


class Page(HTMLParser):
    """What a browser would make of it: tags, attributes and the text, with tags that are not closed as errors."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"wbr", "b", "code", "span"}:
            self.text.append(" ")
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.text))


def page(report: RebuildReport) -> Page:
    made = Page(html_report.render(report))
    assert made.open == []
    return made


@pytest.mark.parametrize("name", reports.REBUILDS)
def test_every_section_is_there_and_the_verdict_comes_first(name: str) -> None:
    report = reports.REBUILDS[name]
    made = page(report)
    places = [value for key, value in made.attributes if key == "id"]
    assert [place for place in places if not place.startswith("register-") and place != "map"] == SECTIONS
    assert len(set(places)) == len(places)
    links = [value.removeprefix("#") for key, value in made.attributes if key == "href"]
    assert links[16 : 16 + len(SECTIONS)] == SECTIONS  # the drawing comes first, in its two arrangements
    assert set(links) <= set(places)
    words = made.words
    assert words.index(report.verdict.value) < words.index("What to do next") < words.index("Timeline")


@pytest.mark.parametrize("name", reports.REBUILDS)
def test_it_needs_nothing_else_and_runs_nothing(name: str) -> None:
    data = html_report.render(reports.REBUILDS[name])
    made = page(reports.REBUILDS[name])
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(made.tags)
    assert not [key for key, _ in made.attributes if key.startswith("on") or key == "src"]
    assert not [value for _, value in made.attributes if "//" in value]
    assert not re.findall(rb"url\(|@import", data)
    assert b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'" in data


def test_the_same_report_is_the_same_page() -> None:
    report = reports.REBUILDS["mismatch"]
    assert html_report.render(report) == html_report.render(replace(report))


def _hostile() -> RebuildReport:
    """Every text of a report is a stranger's."""
    event = replace(sample.section_event(".linux"), description=HOSTILE, cause=HOSTILE)
    register = sample.complete(event)
    artifact = replace(sample.UKI, name=HOSTILE)
    measured = sample.measurements(platforms={HOSTILE: {pcr(11): register}}, artifact=artifact)
    inputs = sample.inputs(
        image=HOSTILE,
        profiles=(HOSTILE,),
        packages=(sample.package(HOSTILE, HOSTILE),),
        source_files=(sample.source(HOSTILE),),
    )
    build = model.Build(inputs, (artifact,))
    difference = Difference(
        HOSTILE, Kind.ORDER, HOSTILE, HOSTILE, HOSTILE, (Cause(HOSTILE, HOSTILE, HOSTILE),), (HOSTILE,), (HOSTILE,)
    )
    report = reports.rebuild(build, build, measured, None)
    return replace(
        report,
        reasons=(HOSTILE, f"-{HOSTILE}\n+{HOSTILE}"),
        tool_version=HOSTILE,
        directory=HOSTILE,
        reference=replace(reports.USED, path=HOSTILE, release=HOSTILE, commit=HOSTILE),
        inputs=InputsUsed(sample.sha256("a"), sample.sha256("b"), None, (HOSTILE,), (HOSTILE,)),
        environment=replace(sample.ENVIRONMENT, nar_hash=HOSTILE, store_path=HOSTILE),
        variations=(Variation(HOSTILE, HOSTILE, HOSTILE + "b"),),
        steps=(Step(HOSTILE, 1),),
        command=(HOSTILE, HOSTILE),
        origin=Origin(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)),
        smells=(Smell(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE),),
        explanations=(Explanation(HOSTILE, HOSTILE, (replace(difference, children=(difference,)),), (HOSTILE,)),),
    )


def test_foreign_text_is_only_text() -> None:
    made = page(_hostile())
    assert not {"script", "img"} & set(made.tags)
    assert {key for key, _ in made.attributes} <= {
        *("lang", "charset", "http-equiv", "content", "name", "class", "href", "id", "open", "style", "colspan"),
        *("scope", "aria-label", "aria-labelledby", "role", "tabindex"),
        *("viewbox", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "rx"),
    }
    words = "".join(made.text)
    assert set(words) - {"\n"} == {character for character in words if character.isprintable()}
    shown = r"""\"'><script>alert(1)</script><img src=x onerror=y>\x1b[31m\u202e\x00{{ 7 * 7 }}"""[1:]
    assert words.count(shown) >= 40


def test_styles_hold_no_foreign_text() -> None:
    styles = [value for key, value in page(_hostile()).attributes if key == "style"]
    assert styles
    assert all(re.fullmatch(r"left:[0-9.]+%;width:[0-9.]+%", style) for style in styles)
    sheet = html_report.render(_hostile()).decode().partition("<style>")[2].partition("</style>")[0]
    assert '@top-right { content: "scriptalert1scriptimgsrcxonerrory31m7' in sheet
    assert not re.search("[<>\\\\]", sheet.partition("@top-left")[2])


def test_a_mismatch_shows_both_logs_with_the_first_divergence_marked() -> None:
    made = page(reports.REBUILDS["mismatch"])
    words = made.words
    assert "No: this is not the published image." in words
    assert "UKI section .cmdline (the kernel's command line) is not what was published. It shows in PCR11." in words
    assert "✗ Registers as published not as published: PCR11" in words
    row = words[words.index("section .cmdline EV_IPL first difference") :]
    # printf 'bytes of .cmdline' | sha256sum; printf 'init=/bin/sh' | sha256sum
    assert re.search("published ?62933ce148a49a1a[0-9a-f]{48} ?predicted ?[0-9a-f]{64}", row)
    assert sum(value.split() == ["differs", "joined", "first"] for key, value in made.attributes if key == "class") == 1


def test_an_overview_of_all_registers_leads_to_each() -> None:
    made = page(reports.REBUILDS["mismatch"])
    words = made.words
    assert "tdx ○ RTMR1 uefi-vtpm ✓ PCR4 ✗ PCR11 ✓ as published · ✗ not as published" in words
    links = [value for key, value in made.attributes if key == "href"]
    assert links[16 + len(SECTIONS) :] == ["#register-1", "#register-2", "#register-3"]


def test_a_register_that_is_the_same_on_several_kinds_of_machine_is_shown_once() -> None:
    platforms = {name: {pcr(11): sample.PCR11} for name in ("uefi-vtpm", "tdx-vtpm", "azure")}
    build = sample.build()
    made = page(reports.rebuild(build, build, sample.measurements(platforms=platforms), None))
    assert "azure, tdx-vtpm, uefi-vtpm PCR11 3 events predicted" in made.words
    links = [value for key, value in made.attributes if key == "href" and value.startswith("#register-")]
    assert links == ["#register-1"] * 3


def test_the_map_says_which_part_is_measured_where() -> None:
    words = page(reports.REBUILDS["mismatch"]).words
    table = words[words.index("What is measured where") :]
    assert "part of the image PCR4 PCR11 RTMR1 firmware ✓ as published ✓ as published .cmdline the kernel" in table
    assert "the kernel's command line ✗ differs .initrd the files that the system runs from ✓ as published" in table


DRAWN = {
    "reproduced": "✓ Source one commit ✓ Inputs as published ○ Environment not known ✓ Build A A and B equal "
    "✓ Build B A and B equal ✓ Files as published ○ Registers open ○ Quote ask the machine",
    "unreferenced": "✓ Inputs A and B equal ○ Environment not known ✓ Build A A and B equal",
    "nondeterministic": "✗ Build A differs ✗ Build B differs ✓ Files as published ○ Registers open",
    "mismatch": "✓ Files as published ✗ Registers differs ○ Quote ask the machine",
    "input drift": "✗ Inputs differs",
    "failed": "○ Source not known ○ Inputs open ○ Environment not known ○ Build A open ○ Build B open ○ Files open",
}


@pytest.mark.parametrize("name", DRAWN)
def test_the_chain_is_drawn_twice_for_wide_and_narrow_pages(name: str) -> None:
    assert page(reports.REBUILDS[name]).words.count(DRAWN[name]) == 2


def test_an_open_register_leaves_the_others_as_published() -> None:
    assert "1 register open: value not known; all others as published" in page(reports.REBUILDS["reproduced"]).words


def test_a_failed_rebuild_shows_what_the_tool_printed_and_claims_no_builds() -> None:
    made = html_report.render(reports.REBUILDS["failed"]).decode()
    assert re.search(r"<li>mkosi failed; its last lines were:<pre>  \| bad\\x07\s*</pre></li>", made)
    assert "was built twice" not in made
    assert "was built twice" in html_report.render(reports.REBUILDS["mismatch"]).decode()


def test_an_option_is_not_broken_after_its_dashes() -> None:
    made = html_report.render(reports.REBUILDS["unreferenced"]).decode()
    assert '<span class="whole">--reference</span> REFERENCE.json</pre>' in made


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("reproduced", "Check a machine: ./scripts/teekit-verify compare reference/base.json --quote QUOTE"),
        ("mismatch", "./scripts/teekit-verify explain PUBLISHED report/artifacts/tdx-debian.efi"),
        ("nondeterministic", "explain report/artifacts/tdx-debian.efi report/artifacts/B/tdx-debian.efi"),
        ("input drift", f"./scripts/teekit-verify rebuild --commit {'a' * 40}"),
        ("unreferenced", "./scripts/teekit-verify rebuild --kernel debian --reference REFERENCE.json"),
        ("failed", "./scripts/teekit-verify doctor"),
    ],
)
def test_what_to_type_next_is_said_for_this_report(name: str, command: str) -> None:
    assert command in page(reports.REBUILDS[name]).words


def luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    whole = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(whole[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_text_can_be_read_on_every_ground() -> None:
    """WCAG 2.2, success criterion 1.4.3: a contrast of at least 4.5 to 1, on light and on dark pages and on paper."""
    sheet = html_report.render(reports.REBUILDS["failed"]).decode()
    themes = [
        dict(re.findall(r"--(\w+(?:-wash)?): (#[0-9a-f]+);", one))
        for one in re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        pairs = [
            (ink, ground)
            for ink in ("ink", "soft")
            for ground in ("paper", "wash", "good-wash", "bad-wash", "open-wash")
        ]
        pairs += [(ink, ground) for ink in ("good", "bad", "open") for ground in ("paper", f"{ink}-wash")]
        for ink, ground in pairs:
            dark, light = sorted((luminance(theme[ink]), luminance(theme[ground])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground, theme)


def test_files_that_are_not_the_published_ones_are_named_with_both_digests() -> None:
    build = sample.build(
        artifacts=(replace(sample.UKI, sha256=sample.sha256("evil"), size_bytes=1200), sample.MANIFEST)
    )
    measured = sample.measurements(artifact=build.artifacts[0])
    words = page(reports.rebuild(build, build, measured, sample.reference())).words
    assert "✗ Files as published 1 of 2 files not as published" in words
    assert "tdx-debian.efi is not the published file: has 1200 bytes, published: 1000." in words
    # printf evil | sha256sum; printf uki | sha256sum
    assert re.search(
        "tdx-debian.efi not as published A and B ?b5c1fb2e[0-9a-f]{56} 1,200 bytes ?published ?80fb8ca4[0-9a-f]{56} 1,000",
        words,
    )
    assert re.search("tdx-debian.manifest as published A, B, published ?[0-9a-f]{64} 20 bytes", words)


def test_an_event_that_only_one_side_has_is_said_to_be_so() -> None:
    longer = sample.complete(*sample.PCR4.events, sample.section_event(".new"))
    platforms = {"uefi-vtpm": {pcr(4): longer, pcr(11): sample.PCR11}, "tdx": sample.measurements().platforms["tdx"]}
    build = sample.build()
    report = reports.rebuild(build, build, sample.measurements(platforms=platforms), sample.reference())
    assert (
        "section .new EV_IPL first difference UKI section .new only predicted published none predicted"
        in page(report).words
    )


def test_a_register_that_only_the_reference_has_is_shown() -> None:
    build = sample.build()
    measured = sample.measurements(platforms={"tdx": sample.measurements().platforms["tdx"]})
    words = page(reports.rebuild(build, build, measured, sample.reference())).words
    assert "uefi-vtpm PCR4 2 events not checked" in words
    assert re.search(f"published sha256 ?{sample.PCR4_SHA256}", words)
    assert "published, but not among the measurements" in words


def test_alternatives_are_shown_under_their_labels_beside_what_was_published_under_the_same() -> None:
    one, other = sample.complete(sample.section_event(".a")), sample.complete(sample.section_event(".b"))
    either = model.RegisterValue(
        None, "one of two", (), (model.AcceptableValue("slot 1", one), model.AcceptableValue("slot 2", other))
    )
    build = sample.build()
    measured = sample.measurements(platforms={"uefi-vtpm": {pcr(4): either}})
    published = replace(
        sample.reference(),
        platforms={"uefi-vtpm": {pcr(4): model.ReferenceRegister(model.Policy.ANY_OF, "", either.alternatives)}},
    )
    words = page(reports.rebuild(build, build, measured, published)).words
    assert "uefi-vtpm PCR4 slot 1 1 event as published" in words
    assert "uefi-vtpm PCR4 slot 2 1 event as published" in words
    assert "first difference" not in words


def test_ignored_registers_and_checks_of_no_register_are_shown() -> None:
    ignored = model.ReferenceRegister(model.Policy.IGNORE, "changes with every boot", ())
    build = sample.build()
    reference = replace(sample.reference(), platforms={"uefi-vtpm": {pcr(4): ignored}})
    words = page(reports.rebuild(build, build, sample.measurements(), reference)).words
    assert "uefi-vtpm PCR4 2 events ignored" in words
    assert "ignored, as the reference says: changes with every boot" in words
    assert "tdx: ignored: the reference says nothing about this platform" in words


def test_the_tree_of_differences_names_culprit_and_cause_first() -> None:
    words = page(reports.REBUILDS["nondeterministic"]).words
    why = words[words.rindex(" Why ", 0, words.index("Files that the builds made")) :]
    why = why[: why.index("Files that the builds made")]
    assert (
        "etc/build-info in UKI section .initrd: line 2 differs. Usual cause: time stamp: the build writes down when it ran."
        in why
    )
    assert "var/log/alternatives.log in UKI section .initrd: in B only. 1 more: usr/bin/tool: mode" in why
    assert "Use SOURCE_DATE_EPOCH, or leave it out." in words
    assert "diffoscope is not installed, so it was not asked" in words


def test_a_deep_tree_is_no_problem() -> None:
    leaf = Difference("leaf", Kind.CONTENT, "differs")
    for _ in range(200):
        leaf = Difference("level", Kind.CONTENT, "differs", children=(leaf,))
    made = page(replace(reports.REBUILDS["nondeterministic"], explanations=(Explanation("A", "B", (leaf,)),)))
    assert made.words.count("level content differs") == 200


def test_long_event_logs_are_cut() -> None:
    events = sample.complete(*(sample.section_event(f".s{number}") for number in range(250)))
    build = sample.build()
    measured = sample.measurements(platforms={"uefi-vtpm": {pcr(11): events}})
    words = page(reports.rebuild(build, build, measured, None)).words
    assert "uefi-vtpm PCR11 250 events" in words
    assert "50 more events are in report.json." in words


def test_many_reasons_are_shown_by_the_first_ones() -> None:
    report = replace(reports.REBUILDS["failed"], reasons=tuple(f"reason {number};" for number in range(50)))
    words = page(report).words
    assert "reason 5; and 44 more All 50 reasons in full" in words


def test_the_log_of_a_failure_is_there_to_its_last_line() -> None:
    log = "\n".join(["mkosi failed; its last lines were:", *(f"  | line {number}" for number in range(40))])
    made = page(replace(reports.REBUILDS["failed"], reasons=(log,)))
    assert "mkosi failed; its last lines were: | line 0" in made.words
    assert "| line 39 What to do next" in made.words
    assert "was asked to rebuild base FAILED" in made.words


def test_files_with_the_same_usual_cause_are_one_finding() -> None:
    stamp = Cause("time stamp", "the build writes down when it ran")
    files = tuple(Difference(f"file {number}", Kind.CONTENT, "differs", causes=(stamp,)) for number in range(500))
    words = page(replace(reports.REBUILDS["nondeterministic"], explanations=(Explanation("A", "B", files),))).words
    cause = "Usual cause: time stamp: the build writes down when it ran."
    assert f"file 0: differs. {cause} 499 more like it. The reason in full" in words


def test_many_findings_are_cut() -> None:
    files = tuple(
        Difference(f"file {number}", Kind.CONTENT, "differs", causes=(Cause(f"cause {number}", "x"),))
        for number in range(15)
    )
    words = page(replace(reports.REBUILDS["nondeterministic"], explanations=(Explanation("A", "B", files),))).words
    assert "file 11: differs. Usual cause: cause 11: x. And 3 more." in words


def test_drift_is_counted_and_its_whole_list_is_among_the_inputs() -> None:
    lines = tuple(f"package p{number} 1 -> 2" for number in range(201))
    report = reports.REBUILDS["input drift"]
    assert report.inputs is not None
    words = page(replace(report, inputs=replace(report.inputs, drift_from_reference=lines))).words
    assert "✗ Same inputs 201 inputs other than expected" in words
    assert "201 inputs are not what the reference was made from (reference → this build): package p0 1 → 2" in words
    assert "package p5 1 → 2 and 195 more" in words
    assert "package p19 1 → 2 and 181 more package p20" in words
    assert "package p200 1 → 2" in words


def test_the_run_can_be_repeated_from_what_the_page_says() -> None:
    words = page(reports.REBUILDS["reproduced"]).words
    assert f"git checkout {'b' * 40} ./scripts/teekit-verify rebuild --kernel debian" in words
    release = replace(
        reports.REBUILDS["reproduced"],
        command=("teekit-verify", "rebuild", "--release", "r 1"),
        origin=Origin("https://git.example.org/images", "c" * 40, "v1", "alice@example.org"),
    )
    words = page(release).words
    assert "clone of the repository: ./scripts/teekit-verify rebuild --release 'r 1' The same" in words
    assert f"source https://git.example.org/images commit {'c' * 40} tag v1, signed by alice@example.org" in words


def test_what_to_type_next_is_no_usage_mistake() -> None:
    """`rebuild` refuses --reference beside --no-reference."""
    command = ("teekit-verify", "rebuild", "--no-reference", "--profile", "gcp")
    words = page(replace(reports.REBUILDS["unreferenced"], command=command)).words
    assert "Compare it: ./scripts/teekit-verify rebuild --profile gcp --reference REFERENCE.json" in words


def test_the_commit_of_a_strangers_project_is_checked_out_there() -> None:
    command = ("teekit-verify", "rebuild", "--source", "/their project", "--mkosi-args", "")
    words = page(replace(reports.REBUILDS["unreferenced"], command=command)).words
    assert f"repository: git -C '/their project' checkout {'b' * 40} ./scripts/teekit-verify rebuild --source" in words
    assert "--mkosi-args '' The same" in words


def test_uncommitted_changes_and_smells_are_warned_of() -> None:
    origin = Origin(None, "b" * 40, changes=("changed mkosi/base.conf",))
    words = page(replace(reports.REBUILDS["unreferenced"], origin=origin)).words
    assert "The source has changes that are in no commit, so nobody else can get it: changed mkosi/base.conf" in words
    assert "mkosi.postinst:7" in words
    assert "curl -L https" in words


def test_builds_at_the_same_time_are_bars_beside_each_other() -> None:
    report = replace(reports.REBUILDS["reproduced"], steps=(Step("b", 30, 10), Step("a", 40, 0)))
    styles = [value for key, value in page(report).attributes if key == "style"]
    assert styles == ["left:0.00%;width:100.00%", "left:25.00%;width:75.00%"]
