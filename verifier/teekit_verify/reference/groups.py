"""Values of several registers that belong together: MRTD, RTMR0 and RTMR1 of one firmware release.

Each value names the groups it is in; one without groups is in every one. Registers hold together only if one group has all
their values, so that each group by itself is a platform's registers with fewer values to choose from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.documents.model import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from teekit_verify.documents.model import AcceptableValue, ReferenceRegister, RegisterValue
    from teekit_verify.registers.registers import Register


def reference_groups(
    published: Mapping[Register, ReferenceRegister],
) -> Iterator[tuple[str, Mapping[Register, ReferenceRegister]]]:
    """Group by group, its name and the registers with their acceptable values in it: none, where the group has none.

    Who matches every register of one group matches the platform. Without groups, all as it is, under an empty name.
    """
    names = _names(value for register in published.values() for value in register.acceptable)
    for name in names:
        yield (
            name,
            {
                item: replace(register, acceptable=_in(name, register.acceptable))
                for item, register in published.items()
            },
        )
    if not names:
        yield "", published


def measured_groups(
    measured: Mapping[Register, RegisterValue], published: Mapping[Register, ReferenceRegister]
) -> Iterator[tuple[str, Mapping[Register, RegisterValue]]]:
    """The same of predicted registers and their alternatives. A group that has none for a register that was published
    predicts nothing, and is left out; if all are, the registers come as they are.
    """
    asked = [item for item, register in published.items() if register.policy is not Policy.IGNORE]
    whole = False
    for name in _names(value for register in measured.values() for value in register.alternatives):
        found = {
            item: replace(value, alternatives=_in(name, value.alternatives)) if value.alternatives else value
            for item, value in measured.items()
        }
        if all(found[item].alternatives or not measured[item].alternatives for item in asked if item in measured):
            whole = True
            yield name, found
    if not whole:
        yield "", measured


def _names(values: Iterable[AcceptableValue]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for value in values for name in value.groups))


def _in(name: str, values: Iterable[AcceptableValue]) -> tuple[AcceptableValue, ...]:
    return tuple(value for value in values if not value.groups or name in value.groups)
