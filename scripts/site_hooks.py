"""Hooks of mkdocs (mkdocs.yml): the documents beside docs/ are pages too, and links lead to where pages are on the site.

Links to files that are no documents become plain text: the site has no copy of the repository.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BESIDE = {
    "README.md": "about.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changes.md",
}
"""Documents beside docs/, and the names of their pages."""
_CODE = r"(?:^```.*?^```|`[^`\n]+`)"
_LINK = r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)"
_TOKEN = re.compile(f"{_CODE}|{_LINK}", re.MULTILINE | re.DOTALL)
_STYLE = "<style>.wy-table-responsive table :is(td, th) { white-space: normal; }</style>"
_PAGES = {".md", ".png"}


def on_config(config: Any) -> Any:
    config["nav"] = with_the_rest(config["nav"])
    return config


def with_the_rest(nav: list[Any]) -> list[Any]:
    """The navigation, with documents that nobody gave a place at its end."""
    named = set(re.findall(r"[\w./-]+\.md", json.dumps(nav)))
    rest = sorted({path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} - named)
    return [*nav, {"More": rest}] if rest else nav


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415 - tests do without

    for source, page in BESIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    return relinked(markdown, page.file.src_uri)


def on_post_page(output: str, **_: Any) -> str:
    """The theme keeps each cell of a table on one line, so that the index by role would end at the edge of the page."""
    return output.replace("</head>", f"{_STYLE}</head>", 1)


def relinked(markdown: str, page: str) -> str:
    """`page` is its name on the site. Code is left as it is."""
    return _TOKEN.sub(lambda found: _link(found, page) if found["target"] else found[0], markdown)


def _link(found: re.Match[str], page: str) -> str:
    mark, text, target = found["mark"], found["text"], found["target"]
    if re.match(r"[a-z]+:|#", target):
        return found[0]
    path, hash_, anchor = target.partition("#")
    source = next((name for name, made in BESIDE.items() if made == page), f"docs/{page}")
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if (ROOT / place).is_dir():
        place = f"{place}/README.md"
    made = BESIDE.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
    if made is None or posixpath.splitext(made)[1] not in _PAGES:
        return text
    return f"{mark}[{text}]({posixpath.relpath(made, posixpath.dirname(page) or '.')}{hash_}{anchor})"
