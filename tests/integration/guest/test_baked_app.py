"""KETTLE_SRC=DIR make build, to the letter: an app in the image, seen in its registers, booted and asked. And beside it, in the same machine, manifests
that are refused, of which scripts/test_local.sh warns while the others run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders.network import own_network
from builders.tools import require
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot.artifact import bootable
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.conftest import UsableProject

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[3]
_BOOT_SECONDS, _ANSWER_SECONDS, _BUILD_SECONDS = 1800, 600, 3600
# With a module of its own and one of Node's: bundled, not only copied.
APP = {
    "app.ts": 'import { said } from "./said"\nexport default { fetch: () => Response.json(said("baked in")) }\n',
    "said.ts": 'const { createHash } = require("node:crypto")\n'
    'export const said = (text: string) => ({ text, digest: createHash("sha256").update(text).digest("hex") })\n',
}


@pytest.fixture(scope="module")
def checkout(usable_project: UsableProject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has who cloned the repository, where the user's own app is."""
    root = tmp_path_factory.mktemp("clone")
    for name in ("mkosi", "nix", "reference"):
        shutil.copytree(usable_project.project.root / name, root / name, symlinks=True)
    for name in ("Makefile", "scripts", "pyproject.toml", "requirements.lock", "requirements-test.lock", "verifier"):
        given = CHECKOUT / name
        (shutil.copytree if given.is_dir() else shutil.copy)(given, root / name)
    # Its own: setup_python.sh, where it is not content with one, makes it anew.
    shutil.copytree(CHECKOUT / ".venv", root / ".venv", symlinks=True)
    own = tmp_path_factory.mktemp("own")
    for name, text in APP.items():
        (own / name).write_text(text)
    environment = {**os.environ, "KETTLE_SRC": str(own), "TEEKIT_NO_SETUP": "1"}
    for command in (["make", "build", "PROFILE=devtools"], ["scripts/bundle_kettle.sh"]):
        subprocess.run(command, cwd=root, env=environment, check=True, timeout=_BUILD_SECONDS)
    return root


@pytest.fixture(scope="module")
def image(checkout: Path) -> Path:
    return checkout / "build/tdx-debian-devtools.efi"


@pytest.fixture(scope="module")
def manifest(checkout: Path) -> Path:
    return checkout / "kettle-artifacts/manifest.json"


@pytest.fixture(scope="module")
def running(image: Path, manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the script says of a machine with two manifests that are in order and two that are not, and what it warns of."""
    require("qemu-system-x86_64")
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "no-json").write_text("{")
    (folder / "other-app").write_text(json.dumps({**json.loads(manifest.read_text()), "sha256": "00" * 32}))
    command = [str(CHECKOUT / "scripts/test_local.sh"), str(image), "--json", "--timeout", str(_BOOT_SECONDS)]
    for path in (manifest, folder / "no-json", folder / "other-app", manifest):
        command += ["--manifest", str(path)]
    said = folder / "said"
    with (
        own_network(),
        said.open("w") as stream,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, text=True) as process,
    ):
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or "{}")
        assert ready, said.read_text()
        yield {**ready, "warnings": [line for line in said.read_text().splitlines() if "warning: " in line]}
        process.send_signal(signal.SIGINT)
        assert process.wait(_ANSWER_SECONDS) == ExitStatus.HOLDS


def test_the_manifest_names_the_app_in_the_image_and_its_digest(image: Path, manifest: Path, checkout: Path) -> None:
    app = (checkout / "kettle-artifacts/app.js").read_bytes()
    assert b"baked in" in app
    assert json.loads(manifest.read_text()) == {
        "app": "file:///usr/lib/kettle/app.js",
        "sha256": hashlib.sha256(app).hexdigest(),
    }


def test_registers_say_that_the_image_has_another_app(image: Path, devtools_image: Path) -> None:
    def values(path: Path) -> list[str]:
        with bootable(path) as booted, open_uki(booted.uki) as uki:
            found = {item.register: item for item in predict_uki(uki, booted.gpt, vtpm=False)}
        return [found[rtmr(index)].value(Algorithm.SHA384).hex for index in (1, 2)]

    baked, demo = values(image), values(devtools_image)
    assert all(one != other for one, other in zip(baked, demo, strict=True))


def test_the_app_in_the_image_answers(running: dict[str, Any]) -> None:
    assert len(running["kettles"]) == 2
    for url in running["kettles"]:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - a server of this test
            assert json.loads(answer.read()) == {"text": "baked in", "digest": hashlib.sha256(b"baked in").hexdigest()}


def test_what_is_refused_is_warned_of_and_the_others_run(running: dict[str, Any]) -> None:
    assert [url.rstrip("/").rpartition(":")[2] for url in running["kettles"]] == ["3001", "3004"]
    for kettle in (1, 2):
        assert any(f"kettle {kettle} is not started" in line for line in running["warnings"]), running["warnings"]
    assert not any(f"kettle {kettle} " in line for kettle in (0, 3) for line in running["warnings"])
