"""Options in groups: a dataclass for each, whose fields are options and whose HEADING stands over them in the help.

A command takes the groups as its parameters; Typer, which knows only parameters, is shown the fields in their place.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from typer.core import TyperCommand
from typer.models import ParameterInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed import DataclassInstance

    from teekit_verify.core.outcome import ExitStatus

_ARGUMENTS, _OPTIONS = "Arguments", "Options"
_UNBROKEN = "\N{NON-BREAKING HYPHEN}"
"""In place of a hyphen while lines are filled, which would end at one."""
_SEVERAL = re.compile(r"<list\[(\w+)\]>")
"""How Typer names the kind of an argument that may be given several times: Python's name of its type."""


def grouped(command: Callable[..., ExitStatus]) -> Callable[..., ExitStatus]:
    """A command for Typer: each parameter of `command` that is a dataclass becomes that class's fields.

    Fields of two groups must have different names.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}

    @functools.wraps(command)
    def flat(**values: Any) -> ExitStatus:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        return command(**made, **values)

    parameters = [
        item for one in inspect.signature(command).parameters.values() for item in _flattened(one, hints[one.name])
    ]
    vars(flat)["__signature__"] = inspect.Signature(parameters)  # what inspect.signature looks for
    flat.__annotations__ = {item.name: item.annotation for item in parameters}
    return flat


def any_given(*groups: DataclassInstance) -> bool:
    """Whether an option of these groups has a value; a flag that is off has none."""
    values = [getattr(group, field.name) for group in groups for field in dataclasses.fields(group)]
    return any(value is not None and value is not False for value in values)


def _flattened(parameter: inspect.Parameter, hint: Any) -> Iterator[inspect.Parameter]:
    if not dataclasses.is_dataclass(hint):
        yield parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(hint, include_extras=True)
    for field in dataclasses.fields(hint):
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_under(getattr(hint, "HEADING", None), hints[field.name]),
        )


def _under(heading: str | None, hint: Any) -> Any:
    """The same option, in the help under `heading`."""
    if get_origin(hint) is not Annotated or heading is None:
        return hint
    kind, *extras = get_args(hint)
    placed = []
    for extra in map(copy.copy, extras):
        if isinstance(extra, ParameterInfo):
            extra.rich_help_panel = heading
        placed.append(extra)
    return Annotated[kind, *placed]


class GroupedCommand(TyperCommand):
    """A command whose help has its options under headings, what belongs to all commands last.

    Of an option with several long names the help shows the first: the others are what it was called before. No line ends within
    a word with hyphens, as the name of an option is.
    """

    def get_help(self, ctx: Any) -> str:
        return super().get_help(ctx).replace(_UNBROKEN, "-")

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        shown = copy.copy(self)
        shown.help = self.help and self.help.replace("-", _UNBROKEN)
        super(GroupedCommand, shown).format_help_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {_ARGUMENTS: []}
        for parameter in self.get_params(ctx):
            record = help_record(parameter, ctx)
            if record is not None:
                names, text = record
                sections.setdefault(_heading(parameter), []).append((names, text.replace("-", _UNBROKEN)))
        sections[_OPTIONS] = sections.pop(_OPTIONS, [])
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _heading(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _ARGUMENTS
    return getattr(parameter, "rich_help_panel", None) or _OPTIONS


def help_record(parameter: Any, context: Any) -> tuple[str, str] | None:
    """The row of a parameter in the help: its names, and what it is for. None if it has none."""
    shown = copy.copy(parameter)
    older = [name for name in parameter.opts if name.startswith("--")][1:]
    shown.opts = [name for name in parameter.opts if name not in older]
    record: tuple[str, str] | None = shown.get_help_record(context)
    return record and (_SEVERAL.sub(lambda kind: f"<{kind[1].lower()}>", record[0]), record[1])
