"""MRTD: against a second implementation (builders.mrtd)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import tdvf as build
from builders.mrtd import mrtd_of_rows
from builders.work import bounded_calls
from teekit_verify.artifacts.tdvf import parse_tdvf
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.prediction.mrtd import PageOrder, google_builds, mrtd, tdh_mem_page_add, tdh_mr_extend

PADDED = [build.Row(0x4000, 0x2345, 0xFFFFC000, 0x4000, build.BFV, build.EXTEND), *build.ROWS[1:]]


@pytest.mark.parametrize("order", list(PageOrder))
@pytest.mark.parametrize("rows", [build.ROWS, PADDED], ids=["full", "padded"])
def test_mrtd_is_what_the_specification_gives(rows: list[build.Row], order: PageOrder) -> None:
    image = build.build_tdvf(rows)
    assert mrtd(parse_tdvf(image), order).hex == mrtd_of_rows(image, rows, order.value)


def test_the_orders_differ_with_two_pages() -> None:
    firmware = parse_tdvf(build.build_tdvf())
    assert mrtd(firmware, PageOrder.SINGLE) != mrtd(firmware, PageOrder.TWO_PASS)


GOOGLE = build.GOOGLE_ROWS


@pytest.mark.parametrize(
    ("rows", "agrees"),
    [
        (GOOGLE, True),
        (build.ROWS, False),
        ([replace(GOOGLE[0], attributes=build.EXTEND | build.AUG), *GOOGLE[1:]], False),
        ([*GOOGLE, build.Row(0, 0, 0x900000, 0x1000, build.TEMP_MEM, build.AUG)], False),
        ([*GOOGLE, build.Row(0, 0, 0x900000, 0x1000, build.TEMP_MEM, build.EXTEND)], False),
        ([*GOOGLE, build.Row(0, 0, 0x900000, 0x1000, build.PERM_MEM)], False),
        ([*GOOGLE, build.Row(0, 0, 0x900000, 0x1000, build.TD_HOB)], False),
        ([*GOOGLE, build.Row(0, 0, 0x811000, 0x2000, build.TEMP_MEM)], False),
        ([*GOOGLE, build.Row(0, 0, 0x812000, 0x2000, build.TEMP_MEM)], True),
        ([row for row in GOOGLE if row.kind != build.TD_HOB], False),
        ([row for row in GOOGLE if row.kind != build.CFV], False),
    ],
)
def test_where_google_cloud_builds_the_same_td(rows: list[build.Row], agrees: bool) -> None:  # noqa: FBT001
    """google/gce-tcb-verifier at 74582c07: ovmf/tdx_data.go and tdx/measurement.go. A volume smaller than its memory,
    PAGE_AUG, and measured memory without data are where they fail or add other pages.
    """
    assert google_builds(parse_tdvf(build.build_tdvf(rows))) is agrees


def test_operations_extend_whole_buffers() -> None:
    assert tdh_mem_page_add(0x810000) == b"MEM.PAGE.ADD" + bytes(4) + b"\0\0\x81" + bytes(109)
    assert (
        tdh_mr_extend(0xFFFFC100, b"x" * 256) == b"MR.EXTEND" + bytes(7) + b"\0\xc1\xff\xff" + bytes(108) + b"x" * 256
    )


def test_pages_that_come_later_are_not_measured() -> None:
    later = build.Row(0, 0, 0x1000000, 0x1000, build.PERM_MEM, build.AUG)
    plain, more = (
        parse_tdvf(build.build_tdvf(rows, fill=bytes(0x8000))) for rows in (build.ROWS, [*build.ROWS, later])
    )
    # The metadata lies in the measured volume, so its change is taken out by measuring the other image's sections.
    assert mrtd(type(more)(plain.data, more.sections), PageOrder.SINGLE) == mrtd(plain, PageOrder.SINGLE)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (build.Row(0, 0, 0x809000, 0x2000, build.TD_HOB, build.EXTEND), "TD_HOB"),
        (build.Row(0, 0, 0x809000, 0x2000, build.PERM_MEM, build.EXTEND | build.AUG), "PERM_MEM"),
    ],
)
def test_content_that_the_firmware_does_not_hold_is_refused(row: build.Row, name: str) -> None:
    with pytest.raises(UnsupportedInputError, match=f"a {name} section is measured with its content, but the firmware"):
        mrtd(parse_tdvf(build.build_tdvf([row])), PageOrder.SINGLE)


def test_the_work_for_4_mib_is_a_few_calls_for_each_of_its_16384_chunks() -> None:
    """tests/bench/measure.py has the time (bar: 0.3 s)."""
    size = 4 << 20
    row = build.Row(0, size, (1 << 32) - size, size, build.BFV, build.EXTEND)
    firmware = parse_tdvf(build.build_tdvf([row], size=size, fill=bytes(size)))
    with bounded_calls(6 * size // 256):
        mrtd(firmware, PageOrder.SINGLE)
