"""What documents point to exists: files, headings, and the options of commands. (The commands in blocks marked `sh` are run.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from builders.commands import commands, options_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    path
    for folder, pattern in ((".", "*.md"), ("docs", "**/*.md"), ("reference", "**/*.md"), ("tests", "assets/**/*.md"))
    for path in sorted((ROOT / folder).glob(pattern))
]
COMMANDS = commands()
OPTIONS = {option for command in COMMANDS.values() for option in options_of(command)}
OF_OTHER_PROGRAMS = {
    *("--fix", "--replay", "--corpus", "--mib", "--warm-only"),  # our scripts and tests
    *("--image-version", "--include", "--recv-keys", "--direct-uki", "--scheme"),
}
OPTION = r"(?<![\w-])--[a-z][a-z0-9-]*"


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(path: Path) -> set[str]:
    """Of headings, as GitHub makes them: lower case, hyphens for spaces, no other signs."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_have_the_options_that_they_are_shown_with(document: Path) -> None:
    text = re.sub(r"'[^'\n]*'", "''", document.read_text(encoding="utf-8").replace("\\\n", " "))
    wrong = []
    for line in re.findall(r"teekit-verify ([a-z][^\n`|#;]*)", text):
        words = tuple(re.findall(r"^[a-z]+(?: [a-z]+(?:-[a-z]+)*)?", line)[0].split())
        command = COMMANDS.get(words) or COMMANDS.get(words[:1])
        if command is not None and words[:2] != ("env", "mkosi"):
            wrong += [f"{line}: {option}" for option in re.findall(OPTION, line) if option not in options_of(command)]
    assert wrong == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_options_that_are_spoken_of_exist(document: Path) -> None:
    spans = re.findall(r"`(--[^`\n]*)`", document.read_text(encoding="utf-8"))
    assert {option for span in spans for option in re.findall(OPTION, span)} <= OPTIONS | OF_OTHER_PROGRAMS


def test_commands_in_blocks_marked_sh_are_run() -> None:
    marked = {path.name for path in DOCUMENTS if "\n```sh\n" in path.read_text(encoding="utf-8")}
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert marked == set(re.findall(r'docs\.blocks\("([^"]+)"\)', tests))


def test_the_checks_see_something() -> None:
    assert "local-run" in anchors(ROOT / "docs/image.md")
    assert "--vary" in options_of(COMMANDS["rebuild",])
    assert len(DOCUMENTS) > 20
