"""The results of commands as plain values: what `terminal` and `json_report` present. Nothing here prints or decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from teekit_verify.appraisal.artifacts import ArtifactPair
from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import fields
from teekit_verify.documents.inputs import inputs_digest
from teekit_verify.documents.model import Environment, Inputs, Measurements, Reference
from teekit_verify.documents.rebuilt_packages import RebuiltInputs
from teekit_verify.explanation.tree import Explanation
from teekit_verify.inspection.host_inputs import UnmeasuredInput
from teekit_verify.inspection.space import MOST_SECTIONS, SectionSpace
from teekit_verify.rebuild.environments import EnvironmentChosen
from teekit_verify.rebuild.network.used import NetworkUsed
from teekit_verify.rebuild.origin import Origin
from teekit_verify.rebuild.repositories import MOST as MOST_REPOSITORIES
from teekit_verify.rebuild.repositories_used import RepositoryUsed
from teekit_verify.rebuild.sandbox import Seen
from teekit_verify.rebuild.smells import Smell
from teekit_verify.rebuild.todays import TodaysPackages
from teekit_verify.rebuild.vouching import EnvironmentFrom, ReferenceFrom
from teekit_verify.record.comparison import ReferenceUsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from teekit_verify.appraisal.rebuild.appraise import RebuildAppraisal
    from teekit_verify.core.progress import Timing
    from teekit_verify.documents.model import Build

Seconds = Annotated[float, Field(ge=0, le=1e7)]


@frozen
class Variation:
    """One condition that was different on purpose, or the `reason` why it was not: then both values are equal."""

    name: str
    value_a: str
    value_b: str
    reason: str = ""


def variations(
    conditions_a: Mapping[str, str], conditions_b: Mapping[str, str], off: Mapping[str, str]
) -> tuple[Variation, ...]:
    """Pair the conditions of both builds by name; `off` says why what is not varied is not (variation -> reason)."""
    names = dict.fromkeys((*conditions_a, *off))
    return tuple(
        Variation(name, conditions_a.get(name, ""), conditions_b.get(name, ""), off.get(name, "")) for name in names
    )


@frozen
class Step:
    """A step of the run. `begin_seconds` counts from its start."""

    name: str
    seconds: Seconds
    begin_seconds: Seconds = 0.0


def steps(timings: Iterable[Timing]) -> tuple[Step, ...]:
    return tuple(Step(timing.name, timing.seconds, timing.begin_seconds) for timing in timings)


@frozen
class InputsUsed:
    """SHA-256 of the input records (`reference.inputs.inputs_digest`), and how they differ."""

    sha256_a: fields.Sha256
    sha256_b: fields.Sha256
    sha256_reference: fields.Sha256 | None
    drift_between_builds: tuple[str, ...]
    drift_from_reference: tuple[str, ...]


@frozen
class RebuildReport:
    """One run of `rebuild`. A run that failed has a verdict, reasons, steps, and what was known by then.

    `command` is the command line that was given, `origin` where the source came from, `smells` what in it an auditor
    should look at. `consumed` are the inputs of build A, `published` is the whole reference: with them a report can be
    read on its own. `explanations` say why A and B differ, one for each artifact that does. `seen_by_a` and `seen_by_b`
    list all that the builds could see. `reasons` are for people: what they say is also there as values, in `checklist`,
    `inputs`, `artifacts`, `todays_packages` (other packages than the locked ones were built from), or in `failure`, which
    is what ended a run without a result. `environment_from` and `reference_from` say who vouches for the tools, and where
    the reference was taken from. `environment_chosen` names the pinned environment, and says why it was taken. `space` is what takes it in build A's UKI. `repositories` are not Debian's: the user allowed them, and their keys' owners
    decided what is in the packages from there.
    `network` is what scripts of the builds fetched, where they might: bytes that no lock pins, of servers that the project chose.
    `rebuilt_packages` is what rebuilders of the distribution say of `consumed`'s packages: it is told, and decides nothing.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    verdict: Verdict
    reasons: tuple[str, ...]
    tool_version: str
    image: str
    profiles: tuple[str, ...]
    directory: str
    reference: ReferenceUsed | None = None
    environment: Environment | None = None
    inputs: InputsUsed | None = None
    variations: tuple[Variation, ...] = ()
    artifacts: tuple[ArtifactPair, ...] = ()
    measurements: Measurements | None = None
    checklist: Checklist | None = None
    steps: tuple[Step, ...] = ()
    command: tuple[str, ...] = ()
    origin: Origin | None = None
    smells: tuple[Smell, ...] = ()
    consumed: Inputs | None = None
    published: Reference | None = None
    explanations: tuple[Explanation, ...] = ()
    seen_by_a: tuple[Seen, ...] = ()
    seen_by_b: tuple[Seen, ...] = ()
    failure: str = ""
    unmeasured_inputs: tuple[UnmeasuredInput, ...] = ()
    environment_from: EnvironmentFrom | None = None
    reference_from: ReferenceFrom | None = None
    todays_packages: TodaysPackages | None = None
    environment_chosen: EnvironmentChosen | None = None
    repositories: Annotated[tuple[RepositoryUsed, ...], Field(max_length=MOST_REPOSITORIES)] = ()
    space: Annotated[tuple[SectionSpace, ...], Field(max_length=MOST_SECTIONS)] = ()
    rebuilt_packages: RebuiltInputs | None = None
    network: NetworkUsed | None = None

    @property
    def may_be_stated(self) -> bool:
        """Whether a statement could tell all of it: it names a commit, and has no word for whom else a rebuild trusts."""
        return not self.repositories and self.network is None and (self.origin is None or not self.origin.changes)


def inputs_used(build_a: Build, build_b: Build, reference: Reference | None, appraisal: RebuildAppraisal) -> InputsUsed:
    return InputsUsed(
        inputs_digest(build_a.inputs),
        inputs_digest(build_b.inputs),
        None if reference is None else inputs_digest(reference.inputs),
        appraisal.drift_between_builds,
        appraisal.drift_from_reference,
    )
