"""docs/publishing.md, docs/auditing.md and the CI example: every command is run, in its order, by a shell.

The rebuild is replaced by the report of a small image; tests/integration/test_release_docs.py has the real one.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from builders import docs, released
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.reference.load import load_reference
from teekit_verify.reference.release import load_release

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHING, AUDITING = docs.blocks("publishing.md"), docs.blocks("auditing.md")
WORKFLOW = (docs.DOCS / "examples/publish.yml").read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with a report, and the program."""
    require("openssl")
    require("git")
    docs.install_program(tmp_path)
    git = "git -c user.name=a -c user.email=a@b.example"
    docs.run(tmp_path, f"git init -q && {git} commit -q --allow-empty -m one")
    return tmp_path


def publish(place: Path) -> None:
    """Everything in publishing.md but the rebuild, on the report in `place`."""
    rebuild, making, showing, key, signing, verifying, publishing = PUBLISHING
    assert rebuild == "teekit-verify rebuild\n"
    made, _ = docs.run(place, making)
    assert "well formed" in made
    assert "MATCH: everything the reference asks for was compared, and is equal" in made
    assert "2026.11" in docs.run(place, showing)[0]
    docs.run(place, key)
    docs.run(place, signing)
    assert "SIGNED: by a trusted key: base.json" in docs.run(place, verifying)[0]
    docs.run(place, publishing)


def test_publishing(place: Path) -> None:
    released.write_report(place / "report")
    publish(place)
    release, path = load_release(place / "reference/releases", "2026.11")
    commit = docs.run(place, "git rev-parse HEAD")[0].strip()
    assert (release.commit, load_reference(path).commit) == (commit, commit)
    assert set(load_reference(path).platforms) >= {"tdx", "uefi-vtpm", "gcp/c3-standard-4"}


def test_auditing(place: Path) -> None:
    released.write_report(place / "report")
    publish(place)
    shutil.rmtree(place / "report")
    shutil.rmtree(place / "trusted-keys")
    published = load_reference(place / "reference/releases/2026.11/base.json")
    released.write_report(place / "report", published=published)
    (place / "downloaded.efi").write_bytes(build_uki().replace(b"stub code", b"evil code"))
    (place / "tests").symlink_to(docs.DOCS.parent / "tests")
    keys, looking, rebuild, report, artifacts, explaining, signing, counting, guest = AUDITING
    docs.run(place, keys)
    assert "SIGNED: by a trusted key: reference/releases/2026.11/base.json" in docs.run(place, looking)[0]
    assert rebuild.startswith("teekit-verify rebuild ")
    assert "REPRODUCED" in docs.run(place, report)[0]
    assert "MATCH: everything the reference asks for was compared" in docs.run(place, artifacts)[0]
    assert ".text" in docs.run(place, explaining, status=1)[0]
    for auditor in ("bob", "alice"):
        assert f"wrote {auditor}.intoto.jsonl: REPRODUCED" in docs.run(place, signing.replace("alice", auditor))[1]
    shown, _ = docs.run(place, counting)
    assert shown.splitlines()[-1] == "INDEPENDENTLY REPRODUCED: 2 trusted auditors agree, 2 were asked for"
    answer, _ = docs.run(place, guest, status=1)
    assert "authentic: YES" in answer
    assert "platform gcp/c3-standard-4" in answer
    assert "MISMATCH: this guest is not what was published" in answer
    assert re.search(r"RTMR2 sha384: mismatch: .*first difference at event \d+: ", answer)


def steps() -> dict[str, str]:
    """The scripts of the workflow by name."""
    found = re.findall(
        r"^      - name: (.*)\n(?:        env:\n(?: {10}.*\n)+)?        run: \|\n((?: {10}.*\n)+)",
        WORKFLOW,
        re.MULTILINE,
    )
    return {name: re.sub(r"^ {10}", "", script, flags=re.MULTILINE) for name, script in found}


def test_the_workflow_does_what_the_document_says(place: Path) -> None:
    scripts = steps()
    assert list(scripts) == ["Rebuild", "Make the reference file", "Sign it", "Publish it"]
    assert "RELEASE: ${{ github.ref_name }}" in WORKFLOW
    (place / "scripts").symlink_to("bin")
    released.write_report(place / "report")
    docs.run(place, PUBLISHING[3])
    shutil.move(place / "release.key", place / "secret")
    rebuild = scripts["Rebuild"].replace("./scripts/teekit-verify rebuild", "false")
    environment = 'export RELEASE=2026.11 RELEASE_KEY="$(cat secret)"\n'
    docs.run(place, environment + rebuild)
    docs.run(place, environment + scripts["Make the reference file"])
    docs.run(place, environment + scripts["Sign it"])
    assert not (place / "release.key").exists()
    for command in (PUBLISHING[1] + PUBLISHING[4]).splitlines():
        if " check " not in command:
            assert command.replace("2026.11", '"$RELEASE"').replace("teekit-verify ", "", 1) in WORKFLOW
    gh = place / "bin/gh"
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > published\n')
    gh.chmod(0o755)
    docs.run(place, environment + scripts["Publish it"])
    names = (place / "published").read_text().splitlines()
    assert names[:4] == ["release", "create", "2026.11", "--verify-tag"]
    assert all((place / name).is_file() for name in names[4:])
    assert f"report/artifacts/{released.UKI}" in names


def test_the_workflow_stops_at_other_verdicts(place: Path) -> None:
    """A rebuild ends with 1 for UNREFERENCED, which is a new release, and for what must not be published."""
    other = released.write_report(place / "other", uki=build_uki().replace(b"stub code", b"evil code"))
    released.write_report(place / "report", published=other)
    assert json.loads((place / "report/report.json").read_text())["verdict"] == "MISMATCH"
    docs.run(place, steps()["Rebuild"].replace("./scripts/teekit-verify rebuild", "false"), status=1)
