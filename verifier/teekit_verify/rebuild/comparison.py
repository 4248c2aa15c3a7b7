"""Why the artifacts of two builds differ, if they do."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.explanation.causes.find import Condition
from teekit_verify.explanation.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from teekit_verify.explanation.tree import Explanation


def explain_artifacts(
    names: Iterable[str],
    first: Path,
    second: Path,
    recorded: tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]],
    *,
    scratch: Path,
) -> tuple[Explanation, ...]:
    """Compare the artifacts of those names in two folders; an explanation for each that differs, so empty exactly when
    all are equal. `recorded` is what each build could have recorded of its conditions, variation -> values; `scratch` takes temporary files.
    """
    conditions = [Condition(name, values, recorded[1].get(name, ())) for name, values in recorded[0].items()]
    try:
        with tempfile.TemporaryDirectory(prefix="explain-", dir=scratch) as folder:
            found = [
                explain(
                    first / name,
                    second / name,
                    folder=Path(folder),
                    names=(f"build A: {name}", f"build B: {name}"),
                    conditions=conditions,
                )
                for name in names
            ]
    except OSError as error:
        raise TeekitError(
            f"cannot compare the artifacts: {error.strerror}", hint=f"Free some space on the disk of {scratch}."
        ) from error
    return tuple(explanation for explanation in found if explanation.differences)
