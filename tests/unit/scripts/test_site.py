"""The documentation as a site: every document is a page of it, and links between documents are links between pages."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[3]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
        return
    for one in nav.values() if isinstance(nav, dict) else nav:
        yield from pages(one)


def test_every_document_is_a_page_in_one_place() -> None:
    hooks = script("site_hooks")
    found = list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert len(found) == len(set(found))
    documents = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(found) <= documents | set(hooks.BESIDE.values())
    assert {"README.md", *hooks.BESIDE.values()} <= set(found)


def test_a_document_that_has_no_place_yet_is_put_last() -> None:
    hooks = script("site_hooks")
    nav = ["README.md", {"Some": ["quotes.md", {"Deep": ["adr/README.md"]}]}]
    last = hooks.with_the_rest(nav)[-1]["More"]
    assert {"README.md", "quotes.md", "adr/README.md"}.isdisjoint(last)
    assert {"setup.md", "adr/0003-fetch-then-build.md"} <= set(last)


@pytest.mark.parametrize(
    ("page", "link", "made"),
    [
        ("about.md", "[a](docs/setup.md)", "[a](setup.md)"),
        ("about.md", "[x](docs/adr/)", "[x](adr/README.md)"),
        ("about.md", "![p](docs/report.png)", "![p](report.png)"),
        ("about.md", "[`action.yml`](action.yml) with `x`", "`action.yml` with `x`"),
        ("about.md", "[r](CONTRIBUTING.md#layers)", "[r](contributing.md#layers)"),
        ("setup.md", "[r](../README.md#verdicts)", "[r](about.md#verdicts)"),
        ("setup.md", "[q](quotes.md#x)", "[q](quotes.md#x)"),
        ("advisories/README.md", "[r](../releases.md)", "[r](../releases.md)"),
        ("adr/README.md", "[r](../../README.md)", "[r](../about.md)"),
        ("setup.md", "[e](https://example.org/README.md) [h](#here)", "[e](https://example.org/README.md) [h](#here)"),
        ("setup.md", "`[c](../README.md)`", "`[c](../README.md)`"),
    ],
)
def test_a_link_leads_to_the_page(page: str, link: str, made: str) -> None:
    assert script("site_hooks").relinked(link, page) == made


def test_help_in_the_documents_is_what_commands_say() -> None:
    """If not: python scripts/write_help.py."""
    help_ = script("write_help")
    page = help_.PAGE.read_text(encoding="utf-8")
    assert page.count("\n$ teekit-verify ") == page.count("--help\n")
    assert help_.written(page) == page


def test_cells_of_tables_are_broken_into_lines() -> None:
    made = script("site_hooks").on_post_page(
        "<html><head><title>x</title></head><body></head></body></html>", page=None
    )
    assert re.fullmatch(
        r"<html><head><title>x</title><style>[^<]*white-space: normal[^<]*</style></head><body></head>.*", made
    )
