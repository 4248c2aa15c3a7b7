"""A verdict never stands without what scripts fetched for it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from builders import reports
from builders.reports import FETCHED_URL as URL
from builders.reports import NETWORK
from teekit_verify.record import json_report, read
from teekit_verify.report import layout
from teekit_verify.report.html import page
from teekit_verify.report.rebuild import screen

if TYPE_CHECKING:
    from teekit_verify.rebuild.network.used import NetworkUsed

REPORT = replace(reports.REBUILDS["reproduced"], network=NETWORK)


def shown(network: NetworkUsed) -> str:
    stream = io.StringIO()
    screen.show(replace(REPORT, network=network), layout.console(stream))
    return " ".join(stream.getvalue().split())


def test_the_verdicts_line_counts_files_and_notes_name_them() -> None:
    text = shown(NETWORK)
    assert "REPRODUCED: " in text
    assert "; with 1 file fetched by scripts" in text
    assert "scripts were given files that no lock pins, from servers that the project chose" in text
    assert "scripts asked for what the recording does not have, and got nothing: https://files.example.org/now" in text
    assert "scripts asked in vain for CONNECT host.example.org:22 (another port than 80 and 443)" in text
    assert "token" not in text  # an address may be a key to what is behind it
    assert "attest create" not in text


@pytest.mark.parametrize("count", [0, 2])
def test_it_is_said_also_of_none_and_of_many(count: int) -> None:
    files = tuple(replace(NETWORK.fetched[0], url=f"{URL}{number}") for number in range(count))
    assert f"; with {count} files fetched by scripts" in shown(replace(NETWORK, fetched=files))


def test_the_page_has_each_with_its_digest() -> None:
    html = page.render(REPORT).decode()
    for part in (
        URL,
        "https://files.example.org/moved",
        "CONNECT host.example.org:22",
        "https://files.example.org/now",
    ):
        assert part in html
    assert sample.sha256("tool").hex in html.replace("<wbr>", "")
    assert "Build A fetched them, build B had the recording only." in html


def test_it_is_read_back() -> None:
    data = json_report.render_rebuild(REPORT)
    assert json.loads(data)["network"]["fetched"][0]["url"] == URL
    assert read.parse_rebuild(data, "report.json").network == NETWORK
