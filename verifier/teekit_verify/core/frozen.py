"""`@frozen`: the same class as `@dataclass(frozen=True, slots=True)` makes, in a quarter of the time.

`dataclass` (of Python 3.11 and 3.12) compiles six or more functions for each class, which takes 1.0 ms. A command imports 30 to
80 classes of values: that was a quarter of the time that it took to start. Here `__init__` alone is compiled; what compares,
prints and refuses is shared.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """A class of values. `fields`, `replace` and `asdict` of `dataclasses` take it, as does Pydantic."""
    own = vars(cls)
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    made.__init__ = _init(made)
    made.__setattr__, made.__delattr__ = _refuse_to_set, _refuse_to_delete
    made.__getstate__, made.__setstate__ = _state, _set_state
    if "__repr__" not in own:
        made.__repr__ = _repr
    equal, digest = _comparison(tuple(one.name for one in fields(made) if one.compare))
    if "__eq__" not in own:
        made.__eq__ = equal
    if own.get("__hash__") is None:
        made.__hash__ = digest
    return made  # type: ignore[no-any-return]


def _init(made: Any) -> Callable[..., None]:
    """Its fields are its parameters, in their order; those that only have names come last."""
    known: dict[str, Any] = {"__name__": made.__module__, "_set": object.__setattr__, "_MISSING": MISSING}
    parameters: tuple[list[str], list[str]] = ["self"], []
    body = []
    for one in fields(made):
        value, default = one.name, ""
        if one.default_factory is not MISSING:
            known[f"_make_{one.name}"], default = one.default_factory, "=_MISSING"
            value = f"_make_{one.name}() if {one.name} is _MISSING else {one.name}"
        elif one.default is not MISSING:
            known[f"_default_{one.name}"], default = one.default, f"=_default_{one.name}"
        parameters[one.kw_only is True].append(one.name + default)
        body.append(f"_set(self, {one.name!r}, {value})")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    positional, named = map(", ".join, parameters)
    head = f"def __init__({positional}{', *, ' if named else ''}{named}): "
    exec(head + ("; ".join(body) or "pass"), known)  # noqa: S102 - names of fields, as in `dataclasses`
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    init.__annotations__ = {one.name: one.type for one in fields(made)} | {"return": None}
    return init


def _comparison(names: tuple[str, ...]) -> tuple[Callable[[Any, Any], bool], Callable[[Any], int]]:
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807 - what it is called in a traceback
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __eq__, __hash__


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_to_set(_self: object, name: str, _value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
