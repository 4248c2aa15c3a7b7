"""What people see: everything that matters, no control characters of strangers, no colour codes in a pipe."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from builders import documents as sample
from builders import reports
from teekit_verify.documents import model
from teekit_verify.inspection.uki import SectionFacts, UkiFacts
from teekit_verify.reference.published import values_of
from teekit_verify.registers.registers import pcr
from teekit_verify.report import layout, registers_screen, terminal
from teekit_verify.report.inspect.uki import show_uki

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from teekit_verify.report.console import Console


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _shown(show: Callable[[Console], None], stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    show(layout.console(stream))
    return stream.getvalue()


def test_measurements_show_whole_digests_and_what_is_missing() -> None:
    text = _shown(lambda out: registers_screen.show_measurements(sample.measurements(), out, events=False))
    assert sample.PCR4_SHA256 in text
    assert sample.PCR4_SHA384 in text
    assert "not known: the GPT of the disk is not known" in text
    assert "tdx-debian.efi, 1000 bytes, systemd-stub 257.9-1" in text
    assert "EV_SEPARATOR" not in text


def test_a_register_that_is_the_same_on_several_platforms_is_shown_once() -> None:
    platforms = {
        "uefi-vtpm": {pcr(4): sample.PCR4, pcr(11): sample.PCR11},
        "tdx-vtpm": {pcr(11): sample.PCR11},
        "azure": {pcr(4): sample.PCR4, pcr(11): sample.PCR11},
    }
    text = _shown(
        lambda out: registers_screen.show_measurements(sample.measurements(platforms=platforms), out, events=False)
    )
    assert text.count(sample.PCR4_SHA256) == 1
    assert f"\n\nuefi-vtpm, azure\nPCR4  sha256  {sample.PCR4_SHA256}\n" in text
    assert "\n\nuefi-vtpm, tdx-vtpm, azure\nPCR11  sha256  " in text
    assert text.count("PCR11") == 2  # one for each bank


def test_events_are_shown_when_asked_for() -> None:
    text = _shown(lambda out: registers_screen.show_measurements(sample.measurements(), out, events=True))
    assert "EV_SEPARATOR" in text
    assert "UKI section .cmdline" in text
    assert sample.SEPARATOR_SHA256 in text


def test_on_a_terminal_digests_of_events_are_short() -> None:
    stream = io.StringIO()
    registers_screen.show_measurements(sample.measurements(), layout.Console(stream, width=200), events=True)
    assert sample.SEPARATOR_SHA256[:16] + "..." in stream.getvalue()
    assert sample.SEPARATOR_SHA256 not in stream.getvalue()


def test_comparison_ends_with_the_conclusion_and_the_reason() -> None:
    text = _shown(lambda out: terminal.show_comparison(reports.comparison(reports.EVIL), out))
    last = text.splitlines()[-4:]
    assert last[0] == "MISMATCH: this is not what was published"
    assert last[1] == "  differs: UKI section .cmdline (seen in uefi-vtpm PCR11)"
    assert "first difference at event 2: section .cmdline (EV_IPL)" in last[2]
    assert last[2].endswith("look at: UKI section .cmdline")
    assert last[3].strip() == "uefi-vtpm PCR11 sha384: mismatch: at the same event as in sha256"


def test_comparison_that_matches_says_what_was_compared() -> None:
    text = _shown(lambda out: terminal.show_comparison(reports.comparison(sample.measurements()), out))
    assert text.splitlines()[-1] == (
        "MATCH: every byte is as published, and so are the registers whose values are known; "
        "1 register is open: its value is not known"
    )
    assert "tdx RTMR1 sha384: the value is not known, its known events agree: the GPT of the disk is not known" in text
    assert "uefi-vtpm PCR4 sha256" in text


def test_comparison_with_something_open_is_no_verdict() -> None:
    measured = sample.measurements(platforms={"tdx": sample.measurements().platforms["tdx"]})
    text = _shown(lambda out: terminal.show_comparison(reports.comparison(measured), out))
    assert "NO VERDICT: not everything the reference asks for could be compared" in text
    assert "uefi-vtpm PCR4 sha256: not checked: published, but not among the measurements" in text


def test_ignored_registers_are_shown_with_the_reason() -> None:
    ignored = model.ReferenceRegister(model.Policy.IGNORE, "changes with every boot", ())
    platforms = {**sample.reference().platforms, "uefi-vtpm": {pcr(4): ignored, pcr(11): ignored}}
    reference = replace(sample.reference(), platforms=platforms)
    text = _shown(lambda out: terminal.show_comparison(reports.comparison(sample.measurements(), reference), out))
    assert "uefi-vtpm PCR4: ignored, as the reference says: changes with every boot" in text


def test_events_side_by_side() -> None:
    reference = sample.reference()
    text = _shown(
        lambda out: terminal.show_comparison(reports.comparison(reports.EVIL), out, reference=values_of(reference))
    )
    marks = {
        line.split()[2]: line.split()[-1] for line in text.splitlines() if re.search(r"UKI section.*[0-9a-f]{64}", line)
    }
    assert marks == {".linux": "=", ".cmdline": "differs", ".initrd": "="}


def test_events_side_by_side_show_missing_and_additional_ones() -> None:
    pcr11 = sample.complete(sample.section_event(".linux"))
    longer = sample.complete(*sample.PCR4.events, sample.section_event(".new"))
    registers = {pcr(4): longer, pcr(11): pcr11}
    measured = sample.measurements(platforms={"uefi-vtpm": registers})
    text = _shown(
        lambda out: terminal.show_comparison(reports.comparison(measured), out, reference=values_of(sample.reference()))
    )
    events = [line.split() for line in text.splitlines() if line[:1].isdigit()]
    rows = {words[2]: words[-3:] for words in events}
    # printf 'bytes of .new' | sha256sum; printf 'bytes of .cmdline' | sha256sum
    assert rows[".new"] == ["-", "72b705222ae3b6e0086c80771ea0b3a54f6ea82d2df7bacfa6cbbc499a7afe1c", "differs"]
    assert rows[".cmdline"] == ["62933ce148a49a1a1af6b722451986b3befbbc7d09a210e5ee35d205ddfda847", "-", "differs"]


HOSTILE = "evil\x1b]0;title\x07\x1b[2J\r\n\u202e[red]"


def test_foreign_text_is_escaped_and_is_no_markup() -> None:
    event = replace(sample.section_event(".linux"), description=HOSTILE, cause=HOSTILE)
    measured = sample.measurements(
        artifact=replace(sample.UKI, name=HOSTILE),
        stub_version=HOSTILE,
        platforms={HOSTILE: {pcr(11): model.RegisterValue(None, HOSTILE, (event,))}},
    )
    digest = sample.sha256("x")
    facts = UkiFacts(
        HOSTILE,
        1,
        digest,
        digest,
        digest,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        (SectionFacts(HOSTILE, 1, digest),),
    )
    comparison = reports.comparison(measured)
    for text in (
        _shown(lambda out: registers_screen.show_measurements(measured, out, events=True)),
        _shown(lambda out: show_uki(facts, out)),
        _shown(lambda out: terminal.show_comparison(comparison, out)),
    ):
        assert set(text) - {"\n"} == {character for character in text if character.isprintable()}
        assert r"evil\x1b]0;title\x07\x1b[2J" in text
        assert "[red]" in text


def test_inspection_shows_facts_and_no_judgement() -> None:
    digest = sample.sha256("x")
    facts = UkiFacts(
        "a.efi",
        5,
        digest,
        digest,
        sample.sha384("x"),
        "257.9-1",
        None,
        None,
        None,
        (SectionFacts(".osrel", 7, digest),),
    )
    text = _shown(lambda out: show_uki(facts, out))
    assert "systemd-stub         257.9-1" in text
    assert "command line         (none)" in text
    assert f".osrel   7      {digest.hex}" in text
    for word in ("ok", "valid", "match", "good"):
        assert word not in text.lower().split()


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    report = reports.comparison(sample.measurements())
    assert "\x1b[" in _shown(lambda out: terminal.show_comparison(report, out), _Terminal())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" not in _shown(lambda out: terminal.show_comparison(report, out))
