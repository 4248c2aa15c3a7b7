"""docs/publishing.md, docs/auditing.md and the CI example: every command is run, in its order, by a shell.

The image is a small one, and a stand-in for mkosi builds it. The slow test publishes the image that mkosi built.
"""

from __future__ import annotations

import re
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from builders import docs, rebuilds
from builders.rebuilds import Miniature
from builders.repositories import Repository
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.documents.load import load_reference
from teekit_verify.documents.release import load_release

from .conftest import FinishedRebuild

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PUBLISHING = docs.blocks("publishing.md")
PLANTED = "reference/releases/2026.11/base.json"
AUDITING = [
    re.sub(r"tdx-debian-[a-z]+-[0-9.]*[0-9]", "2026.11", re.sub(r"reference/releases/\S+\.json", PLANTED, block))
    for block in docs.blocks("auditing.md")
]
"""Of the release that publishing.md makes; test_committed_release.py runs them as they stand."""
WORKFLOW = (docs.DOCS / "examples/publish.yml").read_text(encoding="utf-8")


class Checkout:
    """A small project under git, with a stand-in for mkosi: a shell runs scripts in it."""

    def __init__(self, miniature: Miniature, tree: Path) -> None:
        self.miniature, self.place = miniature, miniature.project.root
        docs.install_program(self.place, miniature.script(tree)[2])
        (self.place / "tests").symlink_to(docs.DOCS.parent / "tests")
        Repository.make(self.place).commit()

    def run(self, script: str, *, status: int = 0, **environment: str) -> tuple[str, str]:
        mirrors = {"TEEKIT_DEBIAN_MIRROR": self.miniature.mirror, "TEEKIT_SNAPSHOT_ARCHIVE": "file:///none"}
        return docs.run(self.place, script, status=status, **mirrors, **environment)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("bwrap")
    require("openssl")
    return rebuilds.make_tree(tmp_path_factory.mktemp("environment") / "tree")


@pytest.fixture
def checkout(tmp_path: Path, tree: Path) -> Checkout:
    return Checkout(Miniature.make(tmp_path), tree)


def publish(run: Callable[[str], tuple[str, str]]) -> None:
    """Everything in publishing.md behind the rebuild."""
    making, showing, key, signing, verifying, publishing, extending = PUBLISHING[1:]
    made, _ = run(making)
    assert "well formed" in made
    assert "MATCH: every byte is as published, and so are the registers whose values are known" in made
    assert "2026.11" in run(showing)[0]
    run(key)
    run(signing)
    assert "SIGNED: by a trusted key: base.json" in run(verifying)[0]
    run(publishing)
    run(extending)
    assert (
        "SIGNED: by a trusted key: reference/releases/2026.11/base.json"
        in run(verifying.replace("mkdir", "mkdir -p").replace("base.json", "reference/releases/2026.11/base.json"))[0]
    )


@pytest.mark.slow
def test_publishing_the_real_image(finished_rebuild: FinishedRebuild, tmp_path: Path) -> None:
    """`finished_rebuild` is the document's first command."""
    assert PUBLISHING[0] == "teekit-verify rebuild\n"
    require("openssl")
    docs.install_program(tmp_path)
    (tmp_path / "report").symlink_to(finished_rebuild.directory)
    Repository.make(tmp_path).commit()
    publish(partial(docs.run, tmp_path))


def test_publishing_and_auditing(checkout: Checkout) -> None:
    assert "UNREFERENCED: " in checkout.run(PUBLISHING[0], status=1)[0]
    publish(checkout.run)
    release, path = load_release(checkout.place / "reference/releases", "2026.11")
    reference, commit = load_reference(path), checkout.run("git rev-parse HEAD")[0].strip()
    assert (release.commit, reference.commit) == (commit, commit)
    assert (release.image, release.profiles) == (reference.inputs.image, reference.inputs.profiles)
    assert set(reference.platforms) >= {"tdx", "uefi-vtpm", "gcp/c3-standard-4", "gcp/c3-standard-8"}
    shutil.rmtree(checkout.place / "report")
    shutil.rmtree(checkout.place / "trusted-keys")
    (checkout.place / "downloaded.efi").write_bytes(build_uki().replace(b"stub code", b"evil code"))
    keys, looking, rebuild, report, artifacts, explaining, signing, counting, guest = AUDITING
    checkout.run(keys)
    assert "SIGNED: by a trusted key: reference/releases/2026.11/base.json" in checkout.run(looking)[0]
    assert "REPRODUCED: " in checkout.run(rebuild)[0]
    assert "REPRODUCED: " in checkout.run(report)[0]
    assert "MATCH: every byte is as published" in checkout.run(artifacts)[0]
    assert ".text" in checkout.run(explaining, status=1)[0]
    for auditor in ("bob", "alice"):
        assert f"wrote {auditor}.intoto.jsonl: REPRODUCED" in checkout.run(signing.replace("alice", auditor))[1]
    shown, _ = checkout.run(counting)
    assert shown.splitlines()[-1] == "INDEPENDENTLY REPRODUCED: 2 trusted auditors agree, 2 were asked for"
    answer, _ = checkout.run(guest, status=1)
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


def test_the_workflow_does_what_the_document_says(checkout: Checkout) -> None:
    scripts = steps()
    assert list(scripts) == ["Rebuild", "Make the reference file", "Sign it", "Publish it"]
    assert "RELEASE: ${{ github.ref_name }}" in WORKFLOW
    for command in (PUBLISHING[1] + PUBLISHING[4]).splitlines():
        if " check " not in command:
            assert command.replace("2026.11", '"$RELEASE"').removeprefix("teekit-verify ") in WORKFLOW
    (checkout.place / "scripts").symlink_to("bin")
    checkout.run(PUBLISHING[3])
    gh = checkout.place / "bin/gh"
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > published\n')
    gh.chmod(0o755)
    key = (checkout.place / "release.key").read_text()
    for script in scripts.values():
        checkout.run(script, RELEASE="2026.11", RELEASE_KEY=key)
    assert not (checkout.place / "release.key").exists()
    names = (checkout.place / "published").read_text().splitlines()
    assert names[:4] == ["release", "create", "2026.11", "--verify-tag"]
    assert all((checkout.place / name).is_file() for name in names[4:])
    assert "report/artifacts/tdx-debian-base.efi" in names


def test_the_workflow_stops_at_other_verdicts(checkout: Checkout) -> None:
    """A rebuild ends with 1 for UNREFERENCED, which is a new release, and for what must not be published."""
    (checkout.place / "scripts").symlink_to("bin")
    checkout.miniature.build_with('head -c 9 /dev/urandom >>"$output/tdx-debian-base.manifest"\n')
    checkout.run("git add mkosi && git -c user.name=a -c user.email=a@b.example commit -qm random")
    assert "NONDETERMINISTIC: " in checkout.run(steps()["Rebuild"], status=1)[0]
