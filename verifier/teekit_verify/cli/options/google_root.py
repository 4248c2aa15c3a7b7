"""The option of the commands that read files which Google signs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from teekit_verify.api import TrustedRoot

GoogleRootOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="For a launch endorsement of Google's: the root certificate it must lead to. None is built in.",
        show_default=False,
    ),
]


def google_root_at(path: Path | None, at: str | None = None) -> TrustedRoot | None:
    """`at` is a time as in `--at`; None is now. Raises TeekitError."""
    from teekit_verify import api

    return None if path is None else api.google_root(path, at or datetime.now(UTC))
