"""What a refresh did to an image: which registers moved and why, and which package each changed file comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import attribution, carried, image_files, images
from teekit_verify.rebuild.attribution import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.documents.model import Artifact, Inputs, Package, RegisterValue
    from teekit_verify.rebuild.attribution import ChangedPart
    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.registers.registers import Register

Values = dict[str, dict["Register", "tuple[RegisterValue, ...]"]]
"""By platform and register: the one value, or those of which it has one."""


@dataclass(frozen=True, slots=True)
class Side:
    """One image, before or after. `given` is what the user named; `uki` is None for a reference, which has no files."""

    given: str
    inputs: Inputs
    registers: Values
    artifacts: tuple[Artifact, ...]
    uki: Path | None


_LIST_OF_PACKAGES = ".manifest"


class Move(Enum):
    """What became of a register. OPEN: its value is not known on one side. The value is for programs."""

    SAME = "same"
    CHANGED = "changed"
    OPEN = "open"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class RegisterMove:
    """`causes` are what the events that differ come from (a UKI section, say), in their order."""

    platform: str
    register: Register
    move: Move
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """`parts` are all changes of the image; None where an image is not there to look into. `source_files` and
    `environment_changed` say what else than packages was different. `other_artifacts` differ though the UKI does not.
    """

    image: str
    registers: tuple[RegisterMove, ...]
    source_files: tuple[str, ...]
    environment_changed: bool
    parts: tuple[ChangedPart, ...] | None
    not_fetched: tuple[str, ...]
    other_artifacts: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether everything was looked at that could hide a change."""
        return self.parts is not None and not (self.not_fetched and self.unexplained)

    @property
    def unexplained(self) -> tuple[ChangedPart, ...]:
        return tuple(part for part in self.parts or () if part.reason is Reason.UNEXPLAINED)


def require_locks(locks: tuple[PackageLock, PackageLock], sides: tuple[Side, Side]) -> None:
    """Raises TeekitError unless each side was made with its lock, and both are the same image."""
    if (sides[0].inputs.image, sides[0].inputs.profiles) != (sides[1].inputs.image, sides[1].inputs.profiles):
        raise TeekitError(
            f"{sides[0].given} and {sides[1].given} are about different images", hint="Name two reports of one image."
        )
    for locked, side in zip(locks, sides, strict=True):
        if _lock_digest(locked, side.inputs) != _used_digest(locked, side.inputs):
            raise TeekitError(
                f"{side.given} was not made with the lock that it is to explain",
                hint="Name the report that `rebuild --lock LOCK` gave, in the order of the locks.",
            )


def _lock_digest(locked: PackageLock, inputs: Inputs) -> object:
    if locked.environment is not None:
        return locked.digest()
    return locked.digest_for(images.find_target(inputs.image, inputs.profiles).key)


def _used_digest(locked: PackageLock, inputs: Inputs) -> object:
    return inputs.environment.lock_sha256 if locked.environment is not None else inputs.lock_sha256


def compare(old: Side, new: Side, store: DownloadStore) -> Effect:
    """Raises TeekitError for images or packages that cannot be read."""
    parts, missing = _parts(old, new, store)
    return Effect(
        image="+".join((new.inputs.image, *new.inputs.profiles)),
        registers=tuple(_moves(old.registers, new.registers)),
        source_files=tuple(sorted({item.path for item in {*old.inputs.source_files} ^ {*new.inputs.source_files}})),
        environment_changed=old.inputs.environment != new.inputs.environment,
        parts=parts,
        not_fetched=tuple(missing),
        other_artifacts=() if parts or parts is None else _other_artifacts(old, new),
    )


def changed_packages(old: Inputs, new: Inputs) -> tuple[list[Package], list[Package]]:
    """Those that only one of the two consumed."""
    one, other = set(old.packages), set(new.packages)
    return [item for item in old.packages if item not in other], [item for item in new.packages if item not in one]


def _parts(old: Side, new: Side, store: DownloadStore) -> tuple[tuple[ChangedPart, ...] | None, list[str]]:
    if _by_name(old) == _by_name(new):
        return (), []
    if old.uki is None or new.uki is None:
        return None, []
    before, after = (carried.read(packages, store) for packages in changed_packages(old.inputs, new.inputs))
    parts = attribution.attribute(image_files.read(old.uki), image_files.read(new.uki), before, after)
    return parts, [*before.missing, *after.missing]


def _by_name(side: Side) -> dict[str, object]:
    return {artifact.name: artifact.sha256 for artifact in side.artifacts}


def _other_artifacts(old: Side, new: Side) -> tuple[str, ...]:
    one, other = _by_name(old), _by_name(new)
    return tuple(
        name
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name) and not name.endswith(_LIST_OF_PACKAGES)
    )


def _moves(old: Values, new: Values) -> Iterable[RegisterMove]:
    for platform in sorted(old.keys() | new.keys()):
        before, after = old.get(platform, {}), new.get(platform, {})
        for register in sorted(before.keys() | after.keys(), key=str):
            one, other = before.get(register), after.get(register)
            yield RegisterMove(platform, register, _move(one, other), _causes(one or (), other or ()))


def _move(one: tuple[RegisterValue, ...] | None, other: tuple[RegisterValue, ...] | None) -> Move:
    if one is None or other is None:
        return Move.NEW if one is None else Move.GONE
    if any(value.values is None for value in (*one, *other)):
        return Move.OPEN
    return Move.SAME if {value.values for value in one} == {value.values for value in other} else Move.CHANGED


def _causes(one: Iterable[RegisterValue], other: Iterable[RegisterValue]) -> tuple[str, ...]:
    """Of the events that only one side has."""
    before, after = _events(one), _events(other)
    return tuple(
        dict.fromkeys(
            cause
            for side, rest in ((after, before), (before, after))
            for event, cause in side.items()
            if event not in rest and cause
        )
    )


def _events(values: Iterable[RegisterValue]) -> Mapping[object, str]:
    return {(event.type, event.digests): event.cause for value in values for event in value.events}
