"""Two publications of one image, side by side: what went in, what came out, and which registers moved because of what.

Rules. They are equal only if everything that both state is: commit, inputs, artifacts, registers, apps, statements, withdrawal. One thing that
differs decides. A register that cannot be told to be equal leaves no verdict, unless nobody knows its value and all files are the same.
Non-rules: names of releases and events that moved decide nothing: events only explain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal import published_registers
from teekit_verify.appraisal.published_registers import DIFFERENT, UNDECIDED, Place, RegisterChange, State
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import fields  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.documents.model import Artifact  # noqa: TC001
from teekit_verify.rebuild import input_changes
from teekit_verify.rebuild.input_changes import InputChanges  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.documents.model import Reference
    from teekit_verify.documents.release import Release
    from teekit_verify.reference.published import PublishedFile, ReferenceValues


class NotComparableError(TeekitError):
    """The two are about different things: other images, or no platform that both know."""


@dataclass(frozen=True, slots=True)
class Publication:
    """`given` is what the user named. `own` and `release` are None where the file is none of this project's."""

    given: str
    file: PublishedFile
    own: Reference | None
    release: Release | None


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two is. `withdrawn` is why it must not be accepted any more."""

    given: str
    format: str
    name: str
    image: str
    commit: str | None
    tag: str | None
    withdrawn: str | None
    sha256: fields.Sha256


@dataclass(frozen=True, slots=True)
class ArtifactChange:
    """A file that differs; None on the side that has none of that name."""

    name: str
    old: Artifact | None
    new: Artifact | None


@dataclass(frozen=True, slots=True)
class StatementChange:
    """What a file says besides registers (XFAM, a policy), which no artifact is compared with; empty on the side that does not say it."""

    image: str
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """What the events that moved come from (a section of the UKI, say), and the registers in which it shows."""

    cause: str
    registers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublicationDiff:
    """`inputs` is None where a side does not say what went in. `images` are those that one file alone has, old and new."""

    sides: tuple[Side, Side]
    inputs: InputChanges | None
    same_artifacts: int
    artifacts: tuple[ArtifactChange, ...]
    images: tuple[tuple[str, ...], tuple[str, ...]]
    registers: tuple[RegisterChange, ...]
    why: tuple[Why, ...]
    apps_changed: bool
    statements: tuple[StatementChange, ...]

    @property
    def commit_changed(self) -> bool:
        """Also from or to none; formats that have none say nothing."""
        return self.inputs is not None and self.sides[0].commit != self.sides[1].commit

    @property
    def differs(self) -> bool:
        return (
            self.commit_changed
            or (self.inputs is not None and not self.inputs.is_same)
            or bool(self.artifacts)
            or any(self.images)
            or self.apps_changed
            or bool(self.statements)
            or (self.sides[0].withdrawn is None) != (self.sides[1].withdrawn is None)
            or any(item.state in DIFFERENT for item in self.registers)
        )

    @property
    def undecided(self) -> tuple[RegisterChange, ...]:
        """Registers of which nobody can say whether they are equal. A value that no file knows is equal where all files are."""
        return tuple(item for item in self.registers if item.state in UNDECIDED and not self._is_settled(item))

    def _is_settled(self, item: RegisterChange) -> bool:
        return item.state is State.OPEN and item.identical and self.same_artifacts > 0 and not self.artifacts

    @property
    def status(self) -> ExitStatus:
        """HOLDS only where everything that either of them asks for was compared, and matches."""
        if self.differs:
            return ExitStatus.DOES_NOT_HOLD
        compared = any(item.state is State.SAME for item in self.registers) or self.same_artifacts
        return ExitStatus.HOLDS if compared and not self.undecided else ExitStatus.NO_VERDICT


def compare(old: Publication, new: Publication) -> PublicationDiff:
    """Raises NotComparableError for different images, and where no platform is in both."""
    inputs = None
    if old.own is not None and new.own is not None:
        _require_one_image(old, new)
        inputs = input_changes.compare(old.own.inputs, new.own.inputs)
    pairs = list(_pairs(old.file.values, new.file.values))
    registers = tuple(change for one, other in pairs for change in _registers(one, other, named=len(pairs) > 1))
    names = [{values.name for values in file.values} for file in (old.file, new.file)]
    alone = [
        tuple(sorted(names[i] - names[1 - i])) if len(pairs) > 1 or not _are_single(old, new) else () for i in (0, 1)
    ]
    _require_common_platform(old, new, pairs)
    return PublicationDiff(
        (_side(old), _side(new)),
        inputs,
        len({_bytes(a) for a in old.file.artifacts} & {_bytes(a) for a in new.file.artifacts}),
        tuple(_artifacts(old.file.artifacts, new.file.artifacts)),
        (alone[0], alone[1]),
        registers,
        tuple(_why(registers)),
        any(one.apps != other.apps for one, other in pairs),
        tuple(change for one, other in pairs for change in _statements(one, other, named=len(pairs) > 1)),
    )


def _require_one_image(old: Publication, new: Publication) -> None:
    images = [_image(side) for side in (old, new)]
    if images[0] != images[1]:
        raise NotComparableError(
            f"{old.given} is about the image {images[0]}, {new.given} about {images[1]}",
            hint="Name two releases of one image.",
        )


def _image(side: Publication) -> str:
    return side.file.values[0].image


def _are_single(old: Publication, new: Publication) -> bool:
    return len(old.file.values) == len(new.file.values) == 1


def _pairs(
    old: Sequence[ReferenceValues], new: Sequence[ReferenceValues]
) -> Iterator[tuple[ReferenceValues, ReferenceValues]]:
    """The images of both, by name; of one each, whatever they are called, as a release has another name each time."""
    if len(old) == len(new) == 1:
        yield old[0], new[0]
        return
    by_name = {values.name: values for values in new}
    if len(by_name) != len(new) or len({values.name for values in old}) != len(old):
        raise NotComparableError("several images have the same name", hint="Name files with one image each.")
    for values in old:
        if values.name in by_name:
            yield values, by_name[values.name]


def _require_common_platform(
    old: Publication, new: Publication, pairs: Sequence[tuple[ReferenceValues, ReferenceValues]]
) -> None:
    if any(one.platforms.keys() & other.platforms.keys() for one, other in pairs):
        return
    names = [", ".join(sorted(side.file.platforms)) or "none" for side in (old, new)]
    raise NotComparableError(
        f"{old.given} and {new.given} have no platform in common: {printable(names[0])}; {printable(names[1])}",
        hint="Name files about one kind of machine.",
    )


def _registers(old: ReferenceValues, new: ReferenceValues, *, named: bool) -> Iterator[RegisterChange]:
    image, silent = old.name if named else "", (bool(old.unmentioned), bool(new.unmentioned))
    for platform in sorted(old.platforms.keys() | new.platforms.keys()):
        before, after = old.platforms.get(platform, {}), new.platforms.get(platform, {})
        for register in sorted(before.keys() | after.keys(), key=lambda one: (one.kind.value, one.index)):
            place = Place(image, platform, register, silent)
            yield published_registers.compare(place, before.get(register), after.get(register))


def _statements(old: ReferenceValues, new: ReferenceValues, *, named: bool) -> Iterator[StatementChange]:
    before, after = _said(old), _said(new)
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name, ()), after.get(name, ())
        if one != other:
            yield StatementChange(old.name if named else "", name, one, other)


def _said(values: ReferenceValues) -> dict[str, tuple[str, ...]]:
    """By name, which may stand several times."""
    said: dict[str, tuple[str, ...]] = {}
    for name, value in values.not_compared:
        said[name] = (*said.get(name, ()), value)
    return said


def _side(publication: Publication) -> Side:
    values, release = publication.file.values, publication.release
    return Side(
        publication.given,
        publication.file.format,
        values[0].name if len(values) == 1 else f"{len(values)} images",
        values[0].image if len(values) == 1 else "",
        values[0].commit if len(values) == 1 else None,
        None if release is None else release.tag,
        None if release is None else release.withdrawn,
        publication.file.sha256,
    )


def _bytes(artifact: Artifact) -> tuple[str, object]:
    return artifact.name, artifact.sha256


def _artifacts(old: Sequence[Artifact], new: Sequence[Artifact]) -> Iterator[ArtifactChange]:
    before, after = ({_bytes(item): item for item in side} for side in (old, new))
    left = [item for key, item in before.items() if key not in after]
    right = [item for key, item in after.items() if key not in before]
    for name in sorted({item.name for item in (*left, *right)}):
        ones, others = ([item for item in side if item.name == name] for side in (left, right))
        for number in range(max(len(ones), len(others))):
            yield ArtifactChange(name, *(side[number] if number < len(side) else None for side in (ones, others)))


def _why(registers: Sequence[RegisterChange]) -> Iterator[Why]:
    """In the order in which the causes show first."""
    found: dict[str, dict[str, None]] = {}
    for item in registers:
        if item.state in DIFFERENT:
            for cause in item.causes:
                found.setdefault(cause, {})[f"{item.platform} {item.register}"] = None
    for cause, places in found.items():
        yield Why(cause, tuple(places))
