"""Words of the trade in plain words; and the links of the chain, which say how far a rebuild came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import documents as sample
from builders import reports
from teekit_verify.documents import model
from teekit_verify.prediction.causes import cause_of
from teekit_verify.prediction.platforms import PLATFORMS
from teekit_verify.registers.registers import pcr
from teekit_verify.report.html import glossary, why
from teekit_verify.report.html.registers import register_views
from teekit_verify.report.html.verdict_words import WORDS


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("UKI section .cmdline", "the kernel's command line"),
        ("UKI sections .initrd, .osrel", "the files that the system runs from and the image's name and version"),
        ("UKI", "the boot file as a whole"),
        ("GPT of the disk", "the partition table of the disk"),
        ("firmware", ""),
        ("computed from: memory of c3-standard-4", ""),
        ("MYUKI .linuxes x.linux", ""),
    ],
)
def test_causes_in_plain_words(cause: str, words: str) -> None:
    assert glossary.gloss(cause_of(cause)) == words


def test_every_register_of_every_platform_has_its_words() -> None:
    assert {register.name for platform in PLATFORMS for register in platform.rules} <= glossary.REGISTERS.keys()


def test_what_to_do_next_needs_no_other_reading() -> None:
    assert all(words.next_steps and words.accent in {"good", "bad", "open"} for words in WORDS.values())


CHAINS = {
    "reproduced": ["good", "good", "good", "open"],
    "unreferenced": ["good", "good", "open", "open"],
    "mismatch": ["good", "good", "good", "bad"],
    "nondeterministic": ["good", "bad", "good", "open"],
    "input drift": ["bad", "good", "good", "open"],
    "failed": ["open", "open", "open", "open"],
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_chain_says_where_it_broke(name: str) -> None:
    report = reports.REBUILDS[name]
    assert [link.state for link in why.chain(report, register_views(report))] == CHAINS[name]


def test_what_could_not_be_compared_is_neither_good_nor_bad() -> None:
    build = sample.build()
    measured = sample.measurements(platforms={"tdx": sample.measurements().platforms["tdx"]})
    report = reports.rebuild(build, build, measured, sample.reference())
    *_, registers = why.chain(report, register_views(report))
    assert (registers.state, registers.text) == ("open", "not all could be compared")


def test_a_difference_without_a_cause_is_of_an_unknown_part() -> None:
    one, other = (sample.complete(replace(sample.section_event(name), cause="")) for name in (".x", ".y"))
    published = model.ReferenceRegister(model.Policy.MATCH, "", (model.AcceptableValue("rebuild", other),))
    reference = replace(sample.reference(), platforms={"uefi-vtpm": {pcr(11): published}})
    measured = sample.measurements(platforms={"uefi-vtpm": {pcr(11): one}})
    report = reports.rebuild(sample.build(), sample.build(), measured, reference)
    (finding,) = why.findings(report)
    assert (finding.name, finding.text) == ("An unknown part", " is not what was published. It shows in PCR11.")
