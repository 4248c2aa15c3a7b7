"""What a dstack guest says of itself. The asset was published with a quote, whose registers are asserted here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.formats import load_published
from teekit_verify.registers.registers import MRTD, rtmr

SAMPLE = Path(__file__).parents[2] / "assets" / "formats" / "dstack-tcb-info.json"


def _load(tmp_path: Path, **changes: object) -> Any:
    document = json.loads(SAMPLE.read_text()) | changes
    path = tmp_path / "tcb_info.json"
    path.write_text(json.dumps(document))
    (values,) = load_published(path).values
    return values


def test_all_five_registers_are_read() -> None:
    (values,) = load_published(SAMPLE).values
    (registers,) = values.platforms.values()
    assert set(registers) == {MRTD, *map(rtmr, range(4))}
    (published,) = registers[rtmr(3)].acceptable
    (digest,) = published.register.values or ()
    assert digest.hex.startswith("86f1808cffc050f3")
    assert dict(values.not_compared)["compose_hash"].startswith("2911e1f73346")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rtmr3": "00" * 48}, "event_log: does not lead to RTMR3"),
        ({"rtmr3": "00"}, "rtmr3: is not a SHA-384 digest"),
        ({"app_compose": "{}"}, "compose_hash: SHA-256 of app_compose is"),
        ({"event_log": 1}, "event_log: is not a list"),
        ({"event_log": [{"imr": 4, "digest": "00" * 48}]}, r"event_log\[0\]: does not belong to an RTMR"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match=message):
        _load(tmp_path, **changes)


def test_a_log_without_digests_says_nothing_of_the_registers(tmp_path: Path) -> None:
    assert _load(tmp_path, event_log=[{"imr": 3, "digest": ""}], mr_new="x").not_compared[-1] == ("mr_new", "x")
