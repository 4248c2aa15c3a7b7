"""Whether any guest can match what a reference asks for. A guest presents a value for every register, and knows no other."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen
from teekit_verify.documents.model import Policy
from teekit_verify.reference.groups import reference_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.reference.published import ReferenceValues, Registers
    from teekit_verify.registers.registers import Register


class Obstacle(Enum):
    """Why no guest can match: none of the acceptable values is known, or no group has a value for every register."""

    NO_VALUE = "no value"
    NO_GROUP = "no group"


@frozen
class Unmatchable:
    """`missing` is why the value is not known, in the reference's words."""

    platform: str
    register: Register
    obstacle: Obstacle
    missing: str = ""


def unmatchable(values: ReferenceValues) -> tuple[Unmatchable, ...]:
    """The registers that leave no verdict about any guest, or speak against every one, in the order of the reference.

    Formats of others that ask for events alone are met by a guest's event log: of them nothing is said.
    """
    if values.unmentioned:
        return ()
    return tuple(
        found for platform, registers in values.platforms.items() for found in _of_platform(platform, registers)
    )


def _of_platform(platform: str, registers: Registers) -> Iterator[Unmatchable]:
    asked = {name: item for name, item in registers.items() if item.policy is not Policy.IGNORE}
    for register, item in asked.items():
        if all(value.register.values is None for value in item.acceptable):
            yield Unmatchable(platform, register, Obstacle.NO_VALUE, item.acceptable[0].register.missing)
    lacking = [[name for name, item in group.items() if not item.acceptable] for _, group in reference_groups(asked)]
    if lacking and all(lacking):
        yield Unmatchable(platform, min(lacking, key=len)[0], Obstacle.NO_GROUP)
