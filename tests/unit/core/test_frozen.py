"""The decorator beside the standard library's, which says what each class has to do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import operator
import pickle
import sys
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_type_hints

import pytest

from teekit_verify.core import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

OURS, STANDARD = "ours", "standard"


def both(**options: bool) -> Callable[[Callable[[Any], type]], dict[str, Any]]:
    """The same class made twice, once by each decorator."""

    def make(define: Callable[[Any], type]) -> dict[str, Any]:
        decorators = {OURS: frozen.dataclass, STANDARD: dataclasses.dataclass}
        return {name: define(decorate(frozen=True, slots=True, **options)) for name, decorate in decorators.items()}

    return make


@both()
def empty(decorate: Any) -> type:
    @decorate
    class Value:
        """Nothing in it."""

    return Value


@both()
def one(decorate: Any) -> type:
    @decorate
    class Value:
        """One field."""

        a: int

    return Value


@both()
def many(decorate: Any) -> type:
    @decorate
    class Value:
        """All kinds of fields, and methods."""

        KNOWN: ClassVar[int] = 7
        kind: Literal["value"] = field(default="value", kw_only=True)
        a: int
        b: Annotated[str, "marked"] = "b"
        c: list[int] = field(default_factory=list, compare=False)
        d: tuple[int, ...] = field(default=(), repr=False)
        e: int = field(default=0, hash=False)

        @property
        def double(self) -> int:
            return self.a * 2

        def __str__(self) -> str:
            return f"a value of {self.a}"

    return Value


@both()
def checked(decorate: Any) -> type:
    @decorate
    class Value:
        """Looks at what it is given."""

        a: int

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ValueError("below zero")

    return Value


@both()
def own(decorate: Any) -> type:
    @decorate
    class Value:
        """Has an equality of its own."""

        a: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

    return Value


@both(order=True)
def ordered(decorate: Any) -> type:
    @decorate
    class Value:
        """Can be sorted."""

        a: int

    return Value


@both()
def child(decorate: Any) -> type:
    @decorate
    class Base:
        """What the other has, too."""

        a: int

    @decorate
    class Value(Base):
        """More than its base."""

        b: int = 2

    return Value


SHAPES: list[tuple[dict[str, Any], list[tuple[tuple[Any, ...], dict[str, Any]]]]] = [
    (empty, [((), {}), ((1,), {})]),
    (one, [((1,), {}), ((2,), {}), ((), {"a": 1}), ((), {}), ((1, 2), {}), ((), {"z": 1}), ((float("nan"),), {}), (([],), {})]),
    (
        many,
        [
            ((1,), {}),
            ((1, "x", [2], (3,), 4), {"kind": "other"}),
            ((1, "b", [9]), {}),
            ((1,), {"e": 5}),
            ((1, "b", [], (), 0, "value"), {}),
            ((), {"kind": "value"}),
        ],
    ),
    (checked, [((1,), {}), ((-1,), {})]),
    (own, [((1,), {}), ((2,), {})]),
    (ordered, [((1,), {}), ((2,), {})]),
    (child, [((1,), {}), ((1, 3), {}), ((), {})]),
]  # fmt: skip
IDS = ["empty", "one", "many", "checked", "own", "ordered", "child"]


def outcome(act: Callable[[], object]) -> object:
    """What an act gives, or how it fails."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - any failure is an outcome
        return type(error), str(error)


@pytest.mark.parametrize(("made", "calls"), SHAPES, ids=IDS)
def test_values_behave_as_the_standard_librarys(made: dict[str, Any], calls: list[Any]) -> None:
    def behaviour(kind: type) -> list[object]:
        values: list[Any] = [outcome(partial(kind, *args, **more)) for args, more in calls]
        found: list[object] = [value if isinstance(value, tuple) else repr(value) for value in values]
        for one in values:
            found += [one == other for other in (*values, None)]
            found += [outcome(partial(hash, one)), str(one), outcome(partial(operator.lt, one, copy.copy(one)))]
        return [_without_address(text) for text in found]

    assert behaviour(made[OURS]) == behaviour(made[STANDARD])


def _without_address(found: object) -> object:
    """A hash of a NaN, and what an unordered class says, are of one object: only their kinds are compared."""
    return found if not isinstance(found, str) else found.split(" object at ")[0]


@pytest.mark.parametrize(("made", "calls"), SHAPES, ids=IDS)
def test_classes_are_described_as_the_standard_librarys(made: dict[str, Any], calls: list[Any]) -> None:
    ours, standard = made[OURS], made[STANDARD]
    assert str(inspect.signature(ours)) == str(inspect.signature(standard))
    assert ours.__init__.__annotations__ == standard.__init__.__annotations__
    assert get_type_hints(ours.__init__) == get_type_hints(standard.__init__)
    assert ours.__match_args__ == standard.__match_args__
    assert ours.__slots__ == standard.__slots__
    assert repr(ours.__dataclass_params__) == repr(standard.__dataclass_params__)
    assert (ours.__doc__, ours.__qualname__, ours.__module__) == (standard.__doc__, standard.__qualname__, __name__)
    assert vars(ours).keys() == vars(standard).keys()
    assert ours.__init__.__qualname__ == standard.__init__.__qualname__
    del calls


@pytest.mark.parametrize(("made", "calls"), SHAPES, ids=IDS)
def test_nothing_of_a_value_can_be_changed(made: dict[str, Any], calls: list[Any]) -> None:
    args, more = calls[0]

    def refusals(kind: type, name: str) -> list[Any]:
        value = kind(*args, **more)
        return [outcome(lambda: setattr(value, name, 9)), outcome(lambda: delattr(value, name))]

    for field_name in made[STANDARD].__match_args__:
        found = refusals(made[OURS], field_name)
        assert found == refusals(made[STANDARD], field_name)
        assert {kind for kind, _ in found} == {dataclasses.FrozenInstanceError}
    # The standard library of 3.11 raises a TypeError here, by mistake.
    assert {kind for kind, _ in refusals(made[OURS], "unknown")} <= {dataclasses.FrozenInstanceError, TypeError}


@dataclasses.dataclass(frozen=True, slots=True)
class OfTheStandard:
    """For pickle, which wants classes of a module."""

    a: int


@frozen.dataclass(frozen=True, slots=True)
class OfOurs:
    """For pickle, which wants classes of a module."""

    a: int
    b: tuple[int, ...] = ()


def test_values_can_be_replaced_copied_and_pickled() -> None:
    value = OfOurs(1, (2,))
    for copied in (
        copy.copy(value),
        copy.deepcopy(value),
        pickle.loads(pickle.dumps(value)),  # noqa: S301 - of this test
        dataclasses.replace(value),
    ):
        assert copied == value
    assert dataclasses.replace(value, a=2) == OfOurs(2, (2,))
    assert dataclasses.asdict(value) == {"a": 1, "b": (2,)}
    other: object = OfTheStandard(1)
    assert OfOurs(1) != other


def test_a_class_of_the_standard_library_may_inherit_from_one() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Child(OfOurs):
        """More."""

        c: int = 3

    assert Child(1, (2,)) == Child(1, (2,), 3)
    assert Child(1) != OfOurs(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'a'"):
        Child(1).a = 2  # type: ignore[misc]


def test_values_are_matched_by_position() -> None:
    match OfOurs(1, (2,)):
        case OfOurs(1, (second,)):
            assert second == 2
        case _:
            pytest.fail("the positions are not the fields'")


def test_a_class_without_a_docstring_has_its_fields_for_one() -> None:
    @frozen.dataclass(frozen=True, slots=True)
    class Value:
        a: int
        b: int = 2

    names = [part.split(":")[0].strip() for part in str(Value.__doc__).removeprefix("Value(").rstrip(")").split(",")]
    assert names == ["a", "b"]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the standard library's is taken there")
def test_one_function_is_compiled_for_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(dataclasses, "_create_fn", lambda name, *_args, **_more: compiled.append(name))

    @frozen.dataclass(frozen=True, slots=True)
    class Value:
        """Nothing of it is compiled by the standard library."""

        a: int

    assert Value(1) == Value(1)
    assert compiled == []
