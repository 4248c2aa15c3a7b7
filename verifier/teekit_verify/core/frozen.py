"""`dataclasses.dataclass` for values that are frozen and have slots, defined in a tenth of the time on Python 3.11 and 3.12.

Those compile six functions for each class, which was a quarter of what a short command costs; here it is one, `__init__`, and the
others are shared closures. Python 3.13 compiles all six at once and is used as it is, as is anything this does not know.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - so that it may be imported from here
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """Decorate a class as `dataclasses.dataclass` does, with the same result to whoever uses it."""

        def decorate(cls: type) -> type:
            known = sys.version_info < (3, 13) and options == {"frozen": True, "slots": True} and _is_plain(cls)
            return _define(cls) if known else dataclasses.dataclass(cls, **options)

        return decorate if cls is None else decorate(cls)


_MADE_HERE = {
    "__init__",
    "__repr__",
    "__eq__",
    "__hash__",
    "__setattr__",
    "__delattr__",
    "__getstate__",
    "__setstate__",
}


def _is_plain(cls: type) -> bool:
    """Nothing is inherited but methods, none of the functions is the class's own, and every field is an argument."""
    inherits = any(hasattr(base, dataclasses._FIELDS) for base in cls.__bases__)  # type: ignore[attr-defined]  # noqa: SLF001
    own = cls.__dict__
    fields = (value for value in own.values() if isinstance(value, dataclasses.Field))
    texts = (str(kind) for kind in inspect.get_annotations(cls).values())
    return (
        not inherits
        and own.keys().isdisjoint(_MADE_HERE)
        and all(field.init for field in fields)
        and not any("InitVar" in text or "KW_ONLY" in text for text in texts)
    )


def _define(cls: type) -> type:
    """The class with its slots, and every function that a frozen dataclass has."""
    # The standard library's text for a missing docstring has the types as well, and costs as much as all the rest.
    cls.__doc__ = cls.__doc__ or f"{cls.__name__}({', '.join(inspect.get_annotations(cls))})"
    made: Any = dataclasses.dataclass(cls, slots=True, init=False, repr=False, eq=False)
    for what in ("init", "repr", "eq", "frozen"):
        setattr(made.__dataclass_params__, what, True)
    fields = dataclasses.fields(made)
    for function in (*_comparing(fields), _repr(fields), *_freezing(made, fields), *_pickling(fields)):
        function.__qualname__ = f"{made.__qualname__}.{function.__name__}"
        setattr(made, function.__name__, function)
    made.__init__ = _init(made, fields)
    return made  # type: ignore[no-any-return]


def _init(made: type, fields: Sequence[dataclasses.Field[Any]]) -> Callable[..., None]:
    """Compiled: a closure that takes any argument would be slow wherever many values are made."""
    names: dict[str, Any] = {"_missing": dataclasses._HAS_DEFAULT_FACTORY}  # type: ignore[attr-defined]  # noqa: SLF001
    positional, by_name, lines = ["self"], ["*"], []
    for field in fields:
        name, value = field.name, field.name
        arguments = by_name if field.kw_only else positional
        names[f"_set_{name}"] = made.__dict__[name].__set__
        if field.default is not dataclasses.MISSING:
            names[f"_of_{name}"] = field.default
            arguments.append(f"{name}=_of_{name}")
        elif field.default_factory is not dataclasses.MISSING:
            names[f"_of_{name}"] = field.default_factory
            arguments.append(f"{name}=_missing")
            value = f"_of_{name}() if {name} is _missing else {name}"
        else:
            arguments.append(name)
        lines.append(f"  _set_{name}(self, {value})\n")
    if hasattr(made, "__post_init__"):
        lines.append("  self.__post_init__()\n")
    arguments = positional + by_name * (len(by_name) > 1)
    head = f"def make({', '.join(names)}):\n def __init__({', '.join(arguments)}):\n"
    found: dict[str, Any] = {}  # the globals are the module's, for whoever evaluates the annotations
    exec(f"{head}{''.join(lines) or '  pass'}\n return __init__", sys.modules[made.__module__].__dict__, found)  # noqa: S102 - of names only
    function = found["make"](**names)
    function.__qualname__ = f"{made.__qualname__}.__init__"
    function.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    return function  # type: ignore[no-any-return]


def _values(fields: Sequence[dataclasses.Field[Any]]) -> Callable[[object], tuple[object, ...]]:
    names = [field.name for field in fields]
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda self: (getattr(self, names[0]),)) if names else lambda _self: ()


def _comparing(fields: Sequence[dataclasses.Field[Any]]) -> tuple[Callable[..., object], ...]:
    compared = _values([field for field in fields if field.compare])
    hashed = _values([field for field in fields if (field.compare if field.hash is None else field.hash)])

    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807
        return hash(hashed(self))

    return __eq__, __hash__


def _repr(fields: Sequence[dataclasses.Field[Any]]) -> Callable[..., str]:
    names = [field.name for field in fields if field.repr]

    @recursive_repr()
    def __repr__(self: object) -> str:  # noqa: N807
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({values})"

    return __repr__


def _freezing(made: Any, fields: Sequence[dataclasses.Field[Any]]) -> tuple[Callable[..., None], ...]:
    names = {field.name for field in fields}

    def __setattr__(self: object, name: str, value: object) -> None:  # noqa: N807
        if type(self) is made or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(made, self).__setattr__(name, value)

    def __delattr__(self: object, name: str) -> None:  # noqa: N807
        if type(self) is made or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(made, self).__delattr__(name)

    return __setattr__, __delattr__


def _pickling(fields: Sequence[dataclasses.Field[Any]]) -> tuple[Callable[..., object], ...]:
    names = [field.name for field in fields]

    def __getstate__(self: object) -> list[object]:  # noqa: N807
        return [getattr(self, name) for name in names]

    def __setstate__(self: object, state: list[object]) -> None:  # noqa: N807
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return __getstate__, __setstate__
