"""Codes of errors: one for each class, listed in docs/errors.md, which is what other programs are written against."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

import teekit_verify
from teekit_verify.cli import app
from teekit_verify.core.errors import MalformedInputError, TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTED = re.findall(
    r"^\| `([a-z_]+)` \|", (Path(__file__).parents[3] / "docs/errors.md").read_text(encoding="utf-8"), re.MULTILINE
)


def _classes(kind: type[TeekitError] = TeekitError) -> Iterator[type[TeekitError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _classes(one)


def _of_this_program() -> list[type[TeekitError]]:
    """Those of every module; names with an underscore never leave theirs."""
    for module in pkgutil.walk_packages(teekit_verify.__path__, "teekit_verify."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [
        kind
        for kind in _classes()
        if kind.__module__.startswith("teekit_verify.") and not kind.__name__.startswith("_")
    ]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in _of_this_program()] + [app.WRONG_USAGE, app.INTERRUPTED, app.INTERNAL_ERROR]
    assert len(codes) == len(set(codes))
    assert sorted(codes) == LISTED


def test_the_code_of_a_subclass_is_its_name() -> None:
    assert MalformedInputError.code == "malformed_input"
    assert MalformedInputError("x", field="f", offset=0, problem="p").code == "malformed_input"
