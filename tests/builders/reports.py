"""Reports of rebuilds and comparisons, made from the sample documents by the code that makes them in earnest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from builders import documents as sample
from teekit_verify.appraisal.artifact import compare_with_published
from teekit_verify.appraisal.rebuild.appraise import appraise_rebuild
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.download.upstream import Why
from teekit_verify.documents import model
from teekit_verify.documents.load import load_reference
from teekit_verify.explanation.tree import Cause, Difference, Explanation, Kind
from teekit_verify.rebuild.environments import Because, EnvironmentChosen, Wanted
from teekit_verify.rebuild.network.used import FetchedFile, Missed, NetworkUsed, NotFetched
from teekit_verify.rebuild.origin import Origin
from teekit_verify.rebuild.repositories import KeyFrom
from teekit_verify.rebuild.repositories_used import RepositoryUsed
from teekit_verify.rebuild.smells import Smell
from teekit_verify.record.comparison import ComparisonReport, ReferenceUsed
from teekit_verify.record.document import RebuildReport, Step, inputs_used, variations
from teekit_verify.reference.groups import reference_groups
from teekit_verify.reference.published import values_of
from teekit_verify.registers.registers import pcr
from teekit_verify.wording.checks import reason_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from teekit_verify.registers.registers import Register

USED = ReferenceUsed("reference/base.json", "base-1", "a" * 40, sample.sha256("reference"))
_EVIL_PCR11 = sample.complete(
    sample.section_event(".linux"), sample.section_event(".cmdline", "init=/bin/sh"), sample.section_event(".initrd")
)
EVIL = sample.measurements(
    platforms={**sample.measurements().platforms, "uefi-vtpm": {pcr(4): sample.PCR4, pcr(11): _EVIL_PCR11}}
)
"""Measurements with another command line in PCR 11."""


def comparison(measured: model.Measurements, reference: model.Reference | None = None) -> ComparisonReport:
    _, checklist, conclusion = compare_with_published((values_of(reference or sample.reference()),), measured)
    return ComparisonReport(USED, measured, checklist, conclusion, "0.1.0")


def rebuild(
    build: model.Build,
    other: model.Build,
    measured: model.Measurements,
    reference: model.Reference | None,
    **changes: Any,
) -> RebuildReport:
    """A report as `rebuild` makes it of two builds, the measurements of the first, and a reference."""
    appraisal = appraise_rebuild(build, other, measured, reference)
    report = RebuildReport(
        verdict=appraisal.decision.verdict,
        reasons=reason_lines(appraisal.decision.reasons),
        tool_version="0.1.0",
        image=build.inputs.image,
        profiles=build.inputs.profiles,
        directory="report",
        reference=None if reference is None else replace(USED, release=reference.release, commit=reference.commit),
        environment=build.inputs.environment,
        inputs=inputs_used(build, other, reference, appraisal),
        variations=variations(
            {"umask": "0022", "num_cpus": "1"},
            {"umask": "0002", "num_cpus": "1"},
            {"num_cpus": "there is only one processor"},
        ),
        artifacts=appraisal.artifacts,
        measurements=measured,
        checklist=appraisal.checklist,
        steps=(Step("build A", 61.21), Step("build B", 59.99, 61.3)),
        command=("teekit-verify", "rebuild", "--kernel", "debian"),
        origin=Origin(None, "b" * 40),
        consumed=build.inputs,
        published=reference,
    )
    return replace(report, **changes)


def _rebuild(
    other: model.Build,
    reference: model.Reference | None,
    measured: model.Measurements | None = None,
    **changes: Any,
) -> RebuildReport:
    return rebuild(sample.build(), other, measured or sample.measurements(), reference, **changes)


_OTHER = sample.build(artifacts=(replace(sample.UKI, sha256=sample.sha256("evil")), sample.MANIFEST))
EXPLANATION = Explanation(
    "A/tdx-debian.efi",
    "B/tdx-debian.efi",
    (
        Difference(
            "UKI section .initrd",
            Kind.CONTENT,
            "2 of 6814 files differ",
            children=(
                Difference(
                    "etc/build-info",
                    Kind.CONTENT,
                    "line 2 differs",
                    a="41 bytes, sha256 5f1d8c3c1a2b",
                    b="41 bytes, sha256 9ac83e770db1",
                    causes=(
                        Cause(
                            "time stamp", "the build writes down when it ran", "Use SOURCE_DATE_EPOCH, or leave it out."
                        ),
                    ),
                    excerpt=(
                        " image=base",
                        "-built=Mon Nov 23 05:01:12 UTC 2026",
                        "+built=Mon Nov 23 05:02:19 UTC 2026",
                    ),
                ),
                Difference("var/log/alternatives.log", Kind.PRESENCE, "in B only", b="120 bytes"),
                Difference("usr/bin/tool", Kind.METADATA, "mode", a="0755", b="0775"),
            ),
        ),
    ),
    ("diffoscope is not installed, so it was not asked",),
)
SMELL = Smell(
    "download without a digest",
    "mkosi.postinst",
    7,
    "curl -L https://example.org/tool.deb -o tool.deb",
    "whoever serves the address decides what goes into the image",
)

KEY = "0123456789ABCDEF0123456789ABCDEF01234567"
REPOSITORY = RepositoryUsed(
    "https://packages.example.org/apt",
    "stable",
    ("main",),
    KeyFrom.PROJECT,
    sample.sha256("key"),
    (KEY,),
    (KEY,),
    sample.sha256("InRelease"),
    (sample.package("agent", "3.1-1"), sample.package("base-files", "99")),
    ("base-files",),
)
FETCHED_URL = "https://files.example.org/tool.tar.gz?token=secret"
_FETCHED = FetchedFile("GET", FETCHED_URL, 200, sample.sha256("tool"), 5)
NETWORK = NetworkUsed(
    is_replayed=False,
    recording_sha256=sample.sha256("recording"),
    fetched=(
        _FETCHED,
        FetchedFile("GET", "https://files.example.org/moved", 302, sample.sha256("moved"), 7),
        FetchedFile("GET", "https://files.example.org/none", 404, sample.sha256("none"), 7),
    ),
    not_fetched=(NotFetched("CONNECT host.example.org:22", Why.PORT),),
    missed=(Missed("B", "GET", "https://files.example.org/now"),),
)
CHOSEN = EnvironmentChosen("mkosi-27", Because.WANTED, Wanted("26", "mkosi.conf", "MinimumVersion=26"))

REBUILDS = {
    "reproduced": _rebuild(sample.build(), sample.reference()),
    "unreferenced": _rebuild(sample.build(), None, smells=(SMELL,)),
    "mismatch": _rebuild(sample.build(), sample.reference(), EVIL),
    "nondeterministic": _rebuild(_OTHER, sample.reference(), explanations=(EXPLANATION,)),
    "input drift": _rebuild(
        sample.build(), replace(sample.reference(), inputs=sample.inputs(packages=(sample.package("bash", "5.2-1"),)))
    ),
    "failed": RebuildReport(
        verdict=Verdict.FAILED,
        reasons=("mkosi failed; its last lines were:\n  | bad\x07",),
        failure="mkosi failed; its last lines were:\n  | bad\x07",
        tool_version="0.1.0",
        image="base",
        profiles=(),
        directory="report",
    ),
}
"""One report for each verdict."""


def of_reference(path: Path, **changes: Any) -> RebuildReport:
    """The report of a rebuild that gives what a committed reference says: as long as real ones are."""
    reference = load_reference(path)
    return rebuild(*_as_published(reference), reference, **changes)


def _as_published(reference: model.Reference) -> tuple[model.Build, model.Build, model.Measurements]:
    platforms = {platform: _one_group(registers) for platform, registers in reference.platforms.items()}
    build = model.Build(reference.inputs, reference.artifacts)
    uki = next(item for item in reference.artifacts if item.name.endswith(".efi"))
    return build, build, sample.measurements(artifact=uki, platforms=platforms)


def _one_group(registers: Mapping[Register, model.ReferenceRegister]) -> dict[Register, model.RegisterValue]:
    """What a machine of the first group that has a value for every register holds: values of one firmware."""
    groups = [
        {register: item for register, item in group.items() if item.policy is not model.Policy.IGNORE}
        for _, group in reference_groups(registers)
    ]
    whole = next(group for group in groups if all(item.acceptable for item in group.values()))
    return {register: item.acceptable[0].register for register, item in whole.items()}
