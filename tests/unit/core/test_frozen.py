"""`@frozen` against `@dataclass(frozen=True, slots=True)` of the same fields: what the one does the other does."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import KW_ONLY, FrozenInstanceError, dataclass, field
from typing import Any, ClassVar

import pytest
from pydantic import TypeAdapter, ValidationError

from teekit_verify.core.frozen import frozen


@frozen
class Ours:
    """A class with each kind of field."""

    KIND: ClassVar = "kind"
    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    cached: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    _: KW_ONLY
    last: bool
    lazy: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(self.size)

    @property
    def doubled(self) -> int:
        return 2 * self.size


@dataclass(frozen=True, slots=True)
class Theirs:
    """A class with each kind of field."""

    KIND: ClassVar = "kind"
    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    cached: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    _: KW_ONLY
    last: bool
    lazy: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(self.size)

    @property
    def doubled(self) -> int:
        return 2 * self.size


@frozen
class OurPair:
    first: Any
    second: Any = None


@dataclass(frozen=True, slots=True)
class TheirPair:
    first: Any
    second: Any = None


@frozen
class OurTriple(OurPair):
    third: int = 0


@dataclass(frozen=True, slots=True)
class TheirTriple(TheirPair):
    third: int = 0


BOTH: list[Any] = [Ours, Theirs]
PAIRS: list[Any] = [OurPair, TheirPair]


def test_it_is_made_from_the_same_arguments() -> None:
    ours, theirs = (inspect.signature(kind) for kind in BOTH)
    assert list(ours.parameters) == list(theirs.parameters)
    for mine, other in zip(ours.parameters.values(), theirs.parameters.values(), strict=True):
        assert (mine.kind, mine.annotation) == (other.kind, other.annotation)
        assert (mine.default is inspect.Parameter.empty) == (other.default is inspect.Parameter.empty)
    assert [one.name for one in dataclasses.fields(Ours)] == [one.name for one in dataclasses.fields(Theirs)]
    ours_, theirs_ = BOTH
    assert (ours_.__match_args__, ours_.__slots__) == (theirs_.__match_args__, theirs_.__slots__)


@pytest.mark.parametrize("kind", BOTH)
def test_its_fields_have_their_values_and_defaults(kind: Any) -> None:
    one, other = kind("a", last=True), kind("a", 3, [], {"x": 1}, last=True, lazy=())
    assert (one.name, one.size, one.parts, one.last, one.lazy, one.doubled, kind.KIND) == (
        "a",
        3,
        [],
        True,
        (),
        6,
        "kind",
    )
    assert one.parts is not kind("a", last=True).parts
    assert one == other  # `cached` is not compared
    assert repr(other) == f"{kind.__name__}(name='a', size=3, parts=[], last=True, lazy=())"
    assert dataclasses.replace(one, size=4).size == 4
    assert dataclasses.asdict(one) == {"name": "a", "size": 3, "parts": [], "cached": {}, "last": True, "lazy": ()}
    with pytest.raises(ValueError, match="-1"):
        kind("a", -1, last=True)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("arguments", [(), ("a", 1, [], {}, True), ("a", 1, [], {}, True, ())])
def test_missing_and_superfluous_arguments_are_refused(kind: Any, arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match=r"__init__\(\)"):
        kind(*arguments)


@pytest.mark.parametrize(
    ("kind", "name"), [(Ours, "size"), (Theirs, "size"), (Ours, "other")]
)  # Python's own trips over the last
def test_nothing_is_set_or_deleted(kind: Any, name: str) -> None:
    one = kind("a", last=True)
    with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(one, name, 1)
    with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(one, name)
    assert one.size == 3


@pytest.mark.parametrize("kind", PAIRS)
def test_equal_values_are_equal_and_have_one_digest(kind: Any) -> None:
    assert kind(1, "b") == kind(1, "b")
    assert hash(kind(1, "b")) == hash(kind(1, "b")) == hash((1, "b"))
    assert kind(1, "b") != kind(1, "c")
    assert kind(1) != (1, None)
    assert len({kind(1), kind(1), kind(2)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(kind([]))


def test_values_of_two_classes_are_not_equal() -> None:
    kinds: list[Any] = [OurPair, OurTriple, TheirPair, TheirTriple]
    assert [(one(1) == other(1)) for one in kinds for other in kinds] == [
        one is other for one in kinds for other in kinds
    ]
    assert [one.name for one in dataclasses.fields(OurTriple)] == [one.name for one in dataclasses.fields(TheirTriple)]
    assert repr(OurTriple(1, 2, 3)) == "OurTriple(first=1, second=2, third=3)"


@pytest.mark.parametrize("kind", PAIRS)
def test_a_copy_is_equal(kind: Any) -> None:
    one = kind([1], "b")
    assert copy.copy(one) == copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - its own bytes
    assert copy.deepcopy(one).first is not one.first


def test_what_a_class_defines_itself_is_kept() -> None:
    @frozen
    class One:
        name: str

        def __repr__(self) -> str:
            return "a name"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, One)

        def __hash__(self) -> int:
            return 7

    assert (repr(One("a")), One("a") == One("b"), hash(One("a"))) == ("a name", True, 7)


@pytest.mark.parametrize("kind", PAIRS)
def test_a_class_without_fields_of_its_own_works(kind: Any) -> None:
    decorate: Any = frozen if kind is OurPair else dataclass(frozen=True, slots=True)
    empty = decorate(type("Empty", (), {"__doc__": "", "__module__": __name__}))
    assert empty() == empty()
    assert hash(empty()) == hash(())


@pytest.mark.parametrize("kind", BOTH)
def test_pydantic_reads_it(kind: Any) -> None:
    adapter = TypeAdapter(kind)
    assert adapter.validate_python({"name": "a", "last": True, "parts": [1]}) == kind("a", 3, [1], last=True)
    with pytest.raises(ValidationError, match="size"):
        adapter.validate_python({"name": "a", "last": True, "size": "many"})
    schema = adapter.json_schema()
    assert schema["required"] == ["name", "last"]


def test_an_order_that_a_dataclass_refuses_is_refused() -> None:
    with pytest.raises((TypeError, SyntaxError), match="default"):
        frozen(
            type(
                "Wrong",
                (),
                {"__annotations__": {"a": "int", "b": "int"}, "a": 1, "__doc__": "", "__module__": __name__},
            )
        )
