"""From places where A and B differ to what that usually comes from: by the tables of known culprits, and by the conditions
of the two builds where they are known: a host name or path of one build that shows up in its artifact gives itself away.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import Field
from teekit_verify.core.frozen import frozen
from teekit_verify.explanation.causes.known import ADDED, BYTES, FIELDS, TEXTS
from teekit_verify.explanation.causes.known_files import FILES, RANDOM
from teekit_verify.explanation.causes.tokens import changed_tokens
from teekit_verify.explanation.tree import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from teekit_verify.explanation.causes.sighting import Culprit, Sighting

_MAX_CAUSES = 3
_MIN_TEXT = 3
_EPOCH = re.compile(r"[0-9]{9,10}")


@frozen
class Condition:
    """What was different on purpose between two builds: a variation by reprotest's name, and the values that each build
    could have recorded; none where it has no value of its own, as where nothing was added to its environment.
    """

    name: str
    a: tuple[str, ...]
    b: tuple[str, ...]


def causes_of(sightings: Iterable[Sighting], conditions: Sequence[Condition] = ()) -> tuple[Cause, ...]:
    """What the sightings in one place usually come from, the most telling first; empty if that is not known.

    For each sighting, what its file or field is known for, and what changed in it. Changed bytes alone say little: what
    they look like must be so in half of the sightings.
    """
    seen = list(sightings)
    found: dict[Cause, None] = {}
    looks: Counter[Cause] = Counter()
    for sighting in seen:
        field, file = (_first(table, sighting) for table in (FIELDS, FILES))
        varied = _varied(sighting, conditions)
        is_open = (
            not (field or varied) and sighting.where is not Field.PARTITION_TYPE
        )  # a name out of a list, not drawn
        text = _first(TEXTS, sighting) if is_open else None
        if sighting.is_text and bool(sighting.a) != bool(sighting.b):
            lone = _of_lone_line(sighting.a or sighting.b) if not (field or varied) else ()
            text = None
        else:
            lone = ()
        if file and text is RANDOM:  # the file says what it is that was drawn at random
            text = None
        for cause in (field, file, *varied, text, *lone):
            if cause is not None and all(cause.name != other.name for other in found):
                found[cause] = None
        if not text and (look := _first(BYTES, sighting)):
            looks[look] += 1
    found |= {cause: None for cause, count in looks.items() if 2 * count >= len(seen)}
    return tuple(found)[:_MAX_CAUSES]


def _of_lone_line(line: str) -> tuple[Cause, ...]:
    """No other line stands beside it, which would show what of it changed."""
    return next((causes for holds, causes in ADDED if holds(line)), ())


def _first(table: tuple[Culprit, ...], sighting: Sighting) -> Cause | None:
    return next((row.cause for row in table if row.recognise(sighting)), None)


def _varied(sighting: Sighting, conditions: Sequence[Condition]) -> list[Cause]:
    """The variations whose own values of A and B are what A and B have there."""
    return [
        Cause(
            _VARIED[condition.name],
            f"the build environment: the builds had different values of {condition.name}, and they show up here",
            "Keep the build from recording it.",
        )
        for condition in conditions
        if _shows(condition, sighting)
    ]


_VARIED = {
    "build_path": "build path",
    "domain_host": "host name",
    "timezone": "time zone",
    "locales": "locale",
    "num_cpus": "number of CPUs",
    "home": "home directory",
    "environment": "environment value",
    "exec_path": "search path",
    "user_group": "user name",
}


def _shows(condition: Condition, sighting: Sighting) -> bool:
    """Whether A has a value of its own and B too, or only B where A had none."""
    if condition.name not in _VARIED or condition.a == condition.b:
        return False
    if condition.name == "num_cpus":
        return list(changed_tokens(sighting.a, sighting.b)) == list(zip(condition.a, condition.b, strict=True))
    values_a, values_b = set(condition.a), set(condition.b)
    own_a, own_b = _forms(values_a - values_b), _forms(values_b - values_a)
    seen_a = any(_is_own(value, sighting.a, sighting.b, own_b) for value in own_a)
    seen_b = any(_is_own(value, sighting.b, sighting.a, own_a) for value in own_b)
    return (seen_a or not own_a) and (seen_b or not own_b) and (seen_a or seen_b)


def _is_own(value: str, text: str, other_text: str, other_values: Sequence[str]) -> bool:
    """Whether a value is in one text alone; in the other one it may be a part of that one's own value."""
    if value not in text:
        return False
    return value not in other_text or any(value in other and other in other_text for other in other_values)


def _as_time(seconds: int) -> tuple[str, str]:
    """SOURCE_DATE_EPOCH as date(1) shows it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}"


def _forms(values: set[str]) -> list[str]:
    """As they may be recorded: a time also as a date. What is short stands in many texts by chance."""
    found = [*values, *(form for value in values if _EPOCH.fullmatch(value) for form in _as_time(int(value)))]
    return [value for value in found if len(value) > _MIN_TEXT]
