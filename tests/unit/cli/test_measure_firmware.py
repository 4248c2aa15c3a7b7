"""`measure` of TDX firmware, through main(argv). Expected values: the builder's own MRTD, row by row of the metadata."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from builders import tdvf
from builders.mrtd import mrtd_of_rows
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.prediction.firmware import measure_firmware
from teekit_verify.prediction.gcp_facts import FirmwareFact, load_gcp
from teekit_verify.report.inspect.firmware import firmware_report

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    path = tmp_path / "OVMF.fd"
    path.write_bytes(tdvf.build_tdvf())
    return path


def _json(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    assert main([*map(str, argv), "--json"]) == ExitStatus.HOLDS
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    return fields


@pytest.mark.parametrize(
    ("options", "orders"),
    [([], ["single", "two"]), (["--mrtd-order", "single"], ["single"]), (["--mrtd-order", "two"], ["two"])],
)
def test_mrtd_in_the_orders_asked_for(
    firmware: Path, options: list[str], orders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fields = _json(capsys, "measure", firmware, *options)
    assert fields["schema"] == "teekit-verify/firmware/v1"
    assert fields["firmware"]["sha384"] == hashlib.sha384(firmware.read_bytes()).hexdigest()
    expected = [(order, mrtd_of_rows(firmware.read_bytes(), tdvf.ROWS, order)) for order in orders]
    assert [(row["order"], row["value"]) for row in fields["mrtd"]] == expected
    assert main(["measure", str(firmware), *options]) == ExitStatus.HOLDS
    text = capsys.readouterr().out
    assert all(value in text for _, value in expected)
    assert ("One of these" in text) == (len(orders) == 2)
    assert "known as" not in text
    assert "Google Cloud " not in text  # its algorithm refuses volumes that are smaller than their memory


def test_firmware_of_google_is_named(firmware: Path) -> None:
    image = firmware.read_bytes()
    mrtd = Digest.from_hex(Algorithm.SHA384, mrtd_of_rows(image, tdvf.ROWS, "single"))
    fact = FirmwareFact(
        "of the day", None, Digest(Algorithm.SHA384, hashlib.sha384(image).digest()), mrtd, None, False, (), "test"
    )
    report = firmware_report(measure_firmware(firmware), replace(load_gcp(), firmware=(fact,)))
    assert report.known_as == "of the day"
    assert [(row.order.value, row.recorded_as) for row in report.mrtd] == [("single", "of the day"), ("two", None)]


def test_google_cloud_is_named_where_its_algorithm_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "OVMF.fd").write_bytes(tdvf.build_tdvf(tdvf.GOOGLE_ROWS))
    used_by = {row["order"]: row["used_by"] for row in _json(capsys, "measure", tmp_path / "OVMF.fd")["mrtd"]}
    assert used_by["single"] == "page by page: QEMU 9 and later, Google Cloud"
    assert "Google" not in used_by["two"]


def test_an_unknown_page_order_is_refused(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(firmware), "--mrtd-order", "three"]) == ExitStatus.NO_VERDICT
    assert "'three' is not one of" in capsys.readouterr().err
