"""Commands that are imported when they are run, or when somebody asks for their help.

Each stands in a table with the sentence that `--help` has for it, so that listing them imports none. (A test compares the
table with the commands themselves.)
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from teekit_verify.cli.options.groups import GroupedCommand
from teekit_verify.cli.plain_values import take_own_plain_values, take_plain_values
from teekit_verify.cli.prepared import prepare

if TYPE_CHECKING:
    Command = Any
    """Typer's own classes, which it does not publish."""


@dataclass(frozen=True)
class Entry:
    name: str
    place: str
    """The module below teekit_verify.cli, and what is in it: a function, or a Typer of its own with several commands."""
    summary: str
    """The first sentence of its help."""


Sections = dict[str, tuple[Entry, ...]]
"""By their headings, in the order of `--help`."""


class _Commands(MutableMapping[str, "Command"]):
    """By name; looking one up imports it."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self._entries = entries
        self._loaded: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._loaded:
            self._loaded[name] = _load(self._entries[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries


def lazy_group(sections: Sections) -> type[TyperGroup]:
    """The class of a group that has the commands of the table."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            take_own_plain_values(self)
            self.commands = _Commands({entry.name: entry for entries in sections.values() for entry in entries})

        def list_commands(self, _ctx: Any) -> list[str]:
            return list(self.commands)

        def format_commands(self, _ctx: Any, formatter: Any) -> None:
            width = max(map(len, self.commands))
            for heading, entries in sections.items():
                with formatter.section(heading):
                    formatter.write_dl([(entry.name.ljust(width), entry.summary) for entry in entries])

    return LazyGroup


def _load(entry: Entry) -> Command:
    module, _, name = entry.place.partition(":")
    found = getattr(import_module(f"teekit_verify.cli.{module}"), name)
    command: Command
    if isinstance(found, typer.Typer):
        command = typer.main.get_group(found)
        command.name = entry.name
    else:
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        alone.command(entry.name, cls=GroupedCommand)(found)
        command = typer.main.get_command(alone)
    prepare(command)
    take_plain_values(command)
    return command
