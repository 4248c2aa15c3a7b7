"""More values that a published reference accepts: the same artifact on machines with another firmware, or on more machines.

The values of one firmware belong together. So what was acceptable before becomes one group (or stays in its groups), what is
added is in others, and a value that is the same in all of them stays in every one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.documents.create import LABEL, published_platforms
from teekit_verify.documents.model import AcceptableValue, Policy, ReferenceRegister

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from teekit_verify.documents.model import Measurements, Reference
    from teekit_verify.registers.registers import Register

    Registers = Mapping[Register, ReferenceRegister]


@frozen
class _Groups:
    """The names of the groups before, and of those that are added; none of the latter if nothing is tied together."""

    before: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.before + self.added))


def add_values(reference: Reference, measurements: Measurements, label: str) -> Reference:
    """The reference that accepts these measurements too. `label` names them where they have no alternatives.

    Raises TeekitError for measurements of another artifact, for a label that is taken, and for registers of which the
    measurements do not know what the reference asks for.
    """
    _require_artifact(reference, measurements)
    platforms = dict(reference.platforms)
    for name, registers in published_platforms([measurements]).items():
        known = platforms.get(name)
        platforms[name] = registers if known is None else _extended(name, known, registers, label)
    return replace(reference, platforms=platforms)


def _require_artifact(reference: Reference, measurements: Measurements) -> None:
    digests = {artifact.sha256 for artifact in reference.artifacts}
    found = [measurements.artifact.sha256]
    if measurements.disk is not None and measurements.disk.sha256 is not None:
        found.append(measurements.disk.sha256)
    if not digests & set(found):
        raise TeekitError(
            f"the measurements are about another artifact: {measurements.artifact.name}, sha256 {found[0].hex}",
            hint="Measure a file that the reference lists.",
        )


def _extended(platform: str, before: Registers, added: Registers, label: str) -> dict[Register, ReferenceRegister]:
    changed = {register: item for register, item in before.items() if item.policy is not Policy.IGNORE}
    for register in changed:
        if register not in added or added[register].policy is Policy.IGNORE:
            reason = added[register].reason if register in added else "they do not mention it"
            raise TeekitError(
                f"{platform} {register}: the measurements do not know it: {reason}",
                hint="Measure with the options that the reference was made with.",
            )
    groups = _groups(changed, {register: added[register] for register in changed}, label)
    return {
        register: _merged(f"{platform} {register}", item, added[register], label, groups)
        if register in changed
        else item
        for register, item in before.items()
    }


def _groups(before: Registers, added: Registers, label: str) -> _Groups:
    names = _names(before) or (LABEL,)
    if not _names(added) and label in names:
        raise TeekitError(f"the reference has a group of values '{label}' already", hint="Choose another --label.")
    return _Groups(names, _names(added) or (label,))


def _names(registers: Registers) -> tuple[str, ...]:
    values = (value for register in registers.values() for value in register.acceptable)
    return tuple(dict.fromkeys(name for value in values for name in value.groups))


def _merged(
    place: str, before: ReferenceRegister, added: ReferenceRegister, label: str, groups: _Groups
) -> ReferenceRegister:
    values = [replace(value, groups=value.groups or groups.before) for value in before.acceptable]
    for value in added.acceptable:
        name = value.label if added.policy is Policy.ANY_OF else label
        new = replace(value, label=name, groups=value.groups or groups.added)
        same = _position(values, new, any_label=added.policy is Policy.MATCH)
        if same is None and name in {item.label for item in values}:
            raise TeekitError(f"{place}: has another value with the label '{name}'", hint="Choose another --label.")
        if same is None:
            values.append(new)
        else:
            values[same] = replace(values[same], groups=_union(values[same].groups, new.groups))
    everywhere = [replace(value, groups=()) if set(value.groups) == set(groups.all) else value for value in values]
    return ReferenceRegister(Policy.MATCH if len(values) == 1 else Policy.ANY_OF, "", tuple(everywhere))


def _position(values: list[AcceptableValue], new: AcceptableValue, *, any_label: bool) -> int | None:
    """Where a value of the same content is. Alternatives of equal values stay apart by label: each has a log that explains it."""
    for position, value in enumerate(values):
        if value.register == new.register and (any_label or value.label == new.label):
            return position
    return None


def _union(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))
