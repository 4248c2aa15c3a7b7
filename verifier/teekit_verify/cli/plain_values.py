"""Plain values of the command line, taken without Pydantic.

Typer 0.27 and newer turn each value into what its parameter takes with a schema of Pydantic, and import it for that: half
of the time that a command takes to start. Words, names of files, numbers and choices need no schema. What is not plainly
right goes Typer's way, which has the words for what is wrong with it, except with a number.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import typer

from teekit_verify.core.errors import printable

if TYPE_CHECKING:
    Command = Any
    Parameter = Any
    """Typer's own classes, which it does not publish."""

_MAX_DIGITS = 18
_SHOWN_CHARACTERS = 40


class _NotPlain(Exception):  # noqa: N818 - it is none: Typer decides
    pass


class _Plain:
    """Stands for Typer's own coercion of a parameter, which it asks where a value is not plain."""

    def __init__(self, parameter: Parameter) -> None:
        self._typer = parameter.get_runtime_param

    def itself(self) -> _Plain:
        return self

    def coerce(self, value: Any, param: Parameter, ctx: Any) -> Any:
        try:
            return _plain(value, param)
        except _NotPlain:
            pass
        try:
            return self._typer().coerce(value, param=param, ctx=ctx)
        except typer.BadParameter as error:
            if param.type_descriptor.annotation is not int:
                raise
            raise _no_number(value, param, ctx) from error


def _no_number(value: Any, parameter: Parameter, context: Any) -> typer.BadParameter:
    """In the words that errors about files have; Typer's are Pydantic's."""
    about = parameter.type_descriptor.parameter_info
    limits = "".join(
        f" {word} {limit}" for word, limit in (("from", about.min), ("up to", about.max)) if limit is not None
    )
    found = printable(str(value)[:_SHOWN_CHARACTERS])
    return typer.BadParameter(f"expected a whole number{limits}, found '{found}'", ctx=context, param=parameter)


def take_plain_values(command: Command) -> None:
    """Of a command, or of all in a group. Does nothing with a Typer that has no coercion of its own."""
    take_own_plain_values(command)
    for inner in getattr(command, "commands", {}).values():
        take_plain_values(inner)


def take_own_plain_values(command: Command) -> None:
    """Of a command, and of its option for help, which is made when it is run; not of a group's commands."""
    for parameter in command.params:
        _take(parameter)
    make_help = command.get_help_option

    def get_help_option(context: Any) -> Any:
        option = make_help(context)
        if option is not None:
            _take(option)
        return option

    command.get_help_option = get_help_option


def _take(parameter: Parameter) -> None:
    if hasattr(parameter, "get_runtime_param") and hasattr(parameter, "type_descriptor"):
        plain = _Plain(parameter)
        parameter.get_runtime_param = plain.itself


def _plain(value: Any, parameter: Parameter) -> Any:
    several = parameter.multiple or parameter.nargs == -1
    if value is None:
        return () if several else None
    kind = parameter.type_descriptor.annotation
    if not several:
        return _one(value, kind, parameter)
    if get_origin(kind) is not list or not isinstance(value, list | tuple):
        raise _NotPlain
    return [_one(item, get_args(kind)[0], parameter) for item in value]


def _one(value: Any, kind: Any, parameter: Parameter) -> Any:
    about = parameter.type_descriptor.parameter_info
    if getattr(about, "parser", None) is not None:
        raise _NotPlain
    if kind is str and isinstance(value, str):
        return value
    if kind is int and _in_range(value, about):
        return int(value)
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member(value, kind)
    if kind is Path and isinstance(value, str | Path) and _is_right_path(value, about):
        return Path(value)
    raise _NotPlain


def _member(value: Any, kind: type[Enum]) -> Enum:
    for member in kind:
        if value is member or value == str(member.value):
            return member
    raise _NotPlain


def _in_range(value: Any, about: Any) -> bool:
    if isinstance(value, str):
        if not (value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS):
            return False
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return (about.min is None or value >= about.min) and (about.max is None or value <= about.max)


def _is_right_path(value: str | Path, about: Any) -> bool:
    if about.resolve_path or about.path_type is not None or about.writable or not about.readable or "\0" in str(value):
        return False
    if str(value) == "-" and about.allow_dash:  # Typer 0.29 takes it for a name here: it compares a Path with a text
        return True
    if about.file_okay and about.dir_okay and not about.exists:
        return True
    if not os.path.lexists(value):
        return not about.exists
    is_folder = os.path.isdir(value)  # noqa: PTH112 - a Path would be made of it for nothing
    return os.access(value, os.R_OK) and (about.dir_okay if is_folder else about.file_okay)
