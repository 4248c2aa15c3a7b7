"""Odd section tables against the logs of real boots (tests/assets/stub_boots)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders.pe import Row, build_pe
from builders.uki import build_uki, kernel, magic
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.evidence.eventlog import parse_event_log
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.registers.registers import pcr

ASSETS = Path(__file__).parents[2] / "assets" / "stub_boots"


def _uki(described: dict[str, Any], sections: list[tuple[str, bytes]]) -> bytes:
    """`places`, where there are some, are the addresses of .sbat and .sdmagic, which come first."""
    if "places" not in described:
        return build_uki(described["stub"], sections)
    (_, sbat), *others = sections
    places = described["places"]
    version = Row(".sdmagic", magic(described["stub"]), at=places[".sdmagic"])
    rows = [Row(".text", b"stub code"), Row(".sbat", sbat, at=places[".sbat"]), version]
    return build_pe([*rows, *(Row(name, content) for name, content in others)])


@pytest.mark.parametrize("index", [9, 11])
@pytest.mark.parametrize("name", sorted(path.stem for path in ASSETS.glob("*.json")))
def test_each_event_of_a_real_boot(name: str, index: int) -> None:
    """The kernel's bytes are not kept: its own event is compared by its place alone."""
    described = json.loads((ASSETS / f"{name}.json").read_text())
    linux = kernel(described["kernel"])
    sections = [(key, linux if value is None else bytes.fromhex(value)) for key, value in described["sections"]]
    uki = parse_uki(_uki(described, sections))
    log = parse_event_log((ASSETS / f"{name}.bin").read_bytes())
    observed = [event for event in log.events if event.register == pcr(index)]
    predicted = next(found for found in predict_uki(uki, vtpm=True) if found.register == pcr(index)).events
    assert len(predicted) == len(observed) > 1
    for want, have in zip(predicted, observed, strict=True):
        if want.description != "content of section .linux":
            assert (want.description, want.digests) == (want.description, have.digests)
