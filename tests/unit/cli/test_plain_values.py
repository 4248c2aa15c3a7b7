"""Values of the command line, against what Typer itself makes of them with Pydantic."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
import typer

from teekit_verify.cli.plain_values import take_plain_values

if TYPE_CHECKING:
    from collections.abc import Callable


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


LINES: list[list[str]] = [
    ["--word", "x"],
    ["--word", ""],
    ["--number", "12"],
    ["--number", "0"],
    ["--number", "101"],
    ["--number", "-3"],
    ["--number", "٣"],
    ["--number", "1_0"],
    ["--number", " 7"],
    ["--number", "9" * 30],
    ["--number", "2X"],
    ["--choice", "b"],
    ["--choice", "B"],
    ["--colour", "red"],
    ["--colour", "RED"],
    ["--several", "a", "--several", "b"],
    ["--paths", "/etc", "--paths", "/nowhere"],
    ["--path", "/nowhere/at/all"],
    ["--there", "/etc/passwd"],
    ["--there", "/nowhere/at/all"],
    ["--file", "/etc"],
    ["--file", "/etc/passwd"],
    ["--file", "/nowhere/at/all"],
    ["--folder", "/etc/passwd"],
    ["--folder", "/etc"],
    ["--path", "a\0b"],
    ["--file", "a\0b"],
    ["--flag"],
    [],
]


def program(take: Callable[[Any], None]) -> Callable[[list[str]], object]:
    app = typer.Typer(rich_markup_mode=None, add_completion=False)

    @app.command()
    def run(  # noqa: PLR0917 - Typer's way
        word: str = "none",
        number: Annotated[int, typer.Option(min=1, max=100)] = 3,
        choice: Literal["a", "b"] | None = None,
        colour: Colour = Colour.BLUE,
        several: Annotated[list[str] | None, typer.Option()] = None,
        paths: Annotated[list[Path] | None, typer.Option()] = None,
        path: Path = Path(),
        there: Annotated[Path | None, typer.Option(exists=True)] = None,
        file: Annotated[Path | None, typer.Option(dir_okay=False)] = None,
        folder: Annotated[Path | None, typer.Option(exists=True, file_okay=False)] = None,
        flag: bool = False,  # noqa: FBT001, FBT002
    ) -> object:
        return word, number, choice, colour, several, paths, path, there, file, folder, flag

    command = typer.main.get_command(app)
    take(command)

    def started(argv: list[str]) -> object:
        try:
            return command.main(argv, prog_name="run", standalone_mode=False)
        except Exception as error:  # noqa: BLE001 - which it is, is what is compared
            return type(error), str(error)

    return started


@pytest.mark.parametrize("argv", LINES, ids=" ".join)
def test_a_value_is_what_typer_makes_of_it(argv: list[str]) -> None:
    def untouched(_command: Any) -> None:
        pass

    ours, theirs = program(take_plain_values)(argv), program(untouched)(argv)
    if _is_error(theirs) and argv[0] == "--number":
        assert _is_error(ours)
        assert f"expected a whole number from 1 up to 100, found '{argv[1][:40]}'" in str(ours)
    else:
        assert ours == theirs


def _is_error(result: object) -> bool:
    return isinstance(result, tuple) and result[0] is typer.BadParameter
