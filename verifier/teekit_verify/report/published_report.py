"""What a file of reference values says, whatever its format: for people, and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.documents import codec
from teekit_verify.reference.matchable import Obstacle, unmatchable
from teekit_verify.report.layout import show_line, show_table, styled
from teekit_verify.report.reference_report import register_rows

if TYPE_CHECKING:
    from teekit_verify.reference.published import PublishedFile, ReferenceValues
    from teekit_verify.report.console import Console

PUBLISHED_SCHEMA = "teekit-verify/published/v1"


def summary(published: PublishedFile) -> str:
    """`dstack-mr JSON: image of a dstack-mr file: 0 artifacts, 4 registers` in one line."""
    artifacts = sum(len(values.artifacts) for values in published.values)
    registers = sum(len(platform) for values in published.values for platform in values.platforms.values())
    what = published.values[0].name if len(published.values) == 1 else f"{len(published.values)} images"
    apps = [given for values in published.values if values.apps is not None for given in values.apps.acceptable]
    more = f", {len(apps)} {'set' if len(apps) == 1 else 'sets'} of apps" if apps else ""
    return f"{what}: {artifacts} artifacts, {registers} registers{more}"


def warnings(published: PublishedFile) -> list[str]:
    """The registers that no guest can match, a line for each reason."""
    found = [item for values in published.values for item in unmatchable(values)]
    places: dict[tuple[Obstacle, str], list[str]] = {}
    for item in found:
        places.setdefault((item.obstacle, item.missing), []).append(f"{item.platform} {item.register}")
    return [f"no guest can match {', '.join(names)}: {_obstacle(*why)}" for why, names in places.items()]


def _obstacle(obstacle: Obstacle, missing: str) -> str:
    match obstacle:
        case Obstacle.NO_VALUE:
            return f"the value is not known: {missing}"
        case Obstacle.NO_GROUP:
            return "no group of values has one for every register"


def show_published(published: PublishedFile, out: Console) -> None:
    """The format, and for each image its registers with policy and acceptable values."""
    show_line(out, styled(published.format, "bold"), f", sha256 {published.sha256.hex}")
    for values in published.values:
        out.print()
        show_line(out, styled(values.name, "bold"))
        for name, text in values.not_compared:
            show_line(out, styled(f"{name} {text}"))
        for platform, registers in values.platforms.items():
            rows = [row for register, item in registers.items() for row in register_rows(str(register), item)]
            show_table(out, (platform, "policy", "label", "bank", "value"), rows)


def render_published(published: PublishedFile) -> bytes:
    """What `reference show --json` prints for other formats than ours."""
    heading = {
        "schema": PUBLISHED_SCHEMA,
        "format": published.format,
        "sha256": published.sha256.hex,
        "images": [_image(values) for values in published.values],
    }
    return json.dumps(heading, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _image(values: ReferenceValues) -> dict[str, object]:
    return {
        "name": values.name,
        "platforms": {
            platform: {str(register): json.loads(codec.dump(item)) for register, item in registers.items()}
            for platform, registers in values.platforms.items()
        },
        "not_compared": dict(values.not_compared),
    }
