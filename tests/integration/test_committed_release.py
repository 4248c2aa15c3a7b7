"""docs/auditing.md as it stands, on the newest base release that is committed here: every command, in its order, by a shell.

Nothing of it is of this week: the locked packages are fetched by their digests, from the cache, archives of inputs (TEEKIT_INPUTS), the
locations of the release, mirrors, or the snapshot archive. Where none of them has a package any more, the answer must be what
docs/inputs.md says: no verdict, each missing file with its reason, and the way to a copy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from builders import docs
from builders.tools import require
from teekit_verify.documents.release import load_release

from .conftest import say

ROOT = Path(__file__).parents[2]
RELEASES = ROOT / "reference/releases"
AUDITING = docs.blocks("auditing.md")
KEPT = ("XDG_CACHE_HOME", "TEEKIT_INPUTS", "TEEKIT_DEBIAN_MIRROR", "TEEKIT_SNAPSHOT_ARCHIVE", "TEEKIT_NPM_REGISTRY")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def newest(image: str) -> str:
    """The name of the last release of an image that stands."""
    found = []
    for path in sorted(RELEASES.glob("*/release.json")):
        release, _ = load_release(RELEASES, path.parent.name)
        if release.image == image and release.withdrawn is None:
            found.append(path.parent.name)
    return found[-1]


def named(image: str) -> str:
    """The release of an image that the document names."""
    (name,) = set[str](re.findall(rf"tdx-debian-{image}-[0-9.]*[0-9]", "".join(AUDITING)))
    return name


@pytest.mark.parametrize(("image", "word"), [("base", "base"), ("tdx-kettle", "gcp")])
def test_the_document_is_about_the_newest_release(image: str, word: str) -> None:
    assert named(word) == newest(image)
    assert f"rebuild --release {newest('base')} " in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The auditor's checkout, with the publisher's key got in another way."""
    require("openssl")
    place = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(place)], check=True)
    docs.install_program(place)
    shutil.copy(ROOT / "reference/keys/publisher.pem", place / "publisher.pem")
    return place


def run(place: Path, script: str, *, status: int = 0) -> tuple[str, str]:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    given = {name: os.environ[name] for name in (*KEPT, *PROXIES, *map(str.upper, PROXIES)) if name in os.environ}
    return docs.run(place, script, status=status, **{**given, "XDG_CACHE_HOME": cache})


def require_the_documented_answer(answer: str) -> None:
    """Where no source has locked packages any more; any other failure is one of the test."""
    error = json.loads(answer)["error"]
    assert error["code"] == "inputs_unavailable", answer
    for file in error["files"]:
        assert "gone" in {one["reason"] for one in file["sources"]}, answer
    assert "--inputs" in error["hint"]
    say(
        f"{len(error['files'])} packages of the release are gone: only the answer to that was tested; TEEKIT_INPUTS names a copy"
    )


@pytest.mark.slow
def test_an_auditor_reproduces_the_committed_release(clone: Path) -> None:
    keys, looking, rebuild, report, artifacts, explaining, signing, counting, guest = AUDITING
    run(clone, keys)
    assert "SIGNED: by a trusted key" in run(clone, looking)[0]
    status = run(clone, f"status=0\n{rebuild.strip()} >&2 || status=$?\necho $status")[0].strip()
    if status == "2":
        require_the_documented_answer(run(clone, f"{rebuild.strip()} --json", status=2)[0])
        return
    assert status == "0"
    assert "REPRODUCED: " in run(clone, report)[0]
    assert "MATCH: every byte is as published" in run(clone, artifacts)[0]
    published = (clone / "report/artifacts/tdx-debian-base.efi").read_bytes()
    (clone / "downloaded.efi").write_bytes(published.replace(b"console=ttyS0", b"console=ttyS1", 1))
    assert ".cmdline" in run(clone, explaining, status=1)[0]
    for auditor in ("bob", "alice"):
        assert f"wrote {auditor}.intoto.jsonl: REPRODUCED" in run(clone, signing.replace("alice", auditor))[1]
    assert run(clone, counting)[0].splitlines()[-1] == (
        "INDEPENDENTLY REPRODUCED: 2 trusted auditors agree, 2 were asked for"
    )
    answer, _ = run(clone, guest, status=1)
    assert "authentic: YES" in answer
    assert "MISMATCH: this guest is not what was published" in answer
