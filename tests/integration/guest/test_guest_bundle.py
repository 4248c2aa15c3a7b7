"""The bundle of runtime and app: the same bytes wherever it is made, and anybody's own app."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from builders import guest, npm
from teekit_guest import app as guest_app

ROOT = Path(__file__).parents[3]
KETTLE = guest.IMAGE / "kettle"


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mode & 0o777, path.read_bytes()) for path in folder.iterdir()}


def bundle(script: Path, *arguments: Path | str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    argv = [str(argument) for argument in (script, *arguments)]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)


def test_elsewhere_and_with_another_umask_it_is_the_same(tmp_path: Path) -> None:
    esbuild = npm.program("esbuild")
    assert bundle(KETTLE / "bundle", KETTLE / "demo", tmp_path / "one", esbuild).returncode == 0
    other = tmp_path / "a much longer path" / "kettle"
    shutil.copytree(KETTLE, other)
    before = os.umask(0o077)
    try:
        made = bundle(other / "bundle", "demo", "out", esbuild, cwd=other)
    finally:
        os.umask(before)
    assert made.returncode == 0, made.stderr
    assert contents(other / "out") == contents(tmp_path / "one")
    assert contents(tmp_path / "one").keys() == {"app.js", "gate.js", "worker.js", "kettle.capnp", "manifest.json"}
    assert {mode for mode, _ in contents(other / "out").values()} == {0o644}


def test_somebodys_own_app_in_typescript_with_modules(tmp_path: Path) -> None:
    (tmp_path / "src/node_modules/greeting").mkdir(parents=True)
    (tmp_path / "src/node_modules/greeting/index.js").write_text("export const greeting = 'good day'")
    (tmp_path / "src/app.ts").write_text(
        "import { greeting } from 'greeting'\nimport { Buffer } from 'node:buffer'\n"
        "const size: number = Buffer.from(greeting).length\n"
        "export default { fetch: () => new Response(`${greeting} ${size}`) }"
    )
    made = bundle(KETTLE / "bundle", tmp_path / "src", tmp_path / "out", npm.program("esbuild"))
    assert made.returncode == 0, made.stderr
    app = (tmp_path / "out/app.js").read_text()
    assert 'from "node:buffer"' in app
    assert "good day" in app
    assert str(tmp_path) not in app


@pytest.mark.parametrize("form", ["require({!r})", "(await import({!r}))"])
@pytest.mark.parametrize(
    ("name", "is_nodes"),
    [
        *((name, True) for name in ("buffer", "node:buffer", "assert/strict", "util/types", "process", "stream/web")),
        # Node's documentation, "Modules": a core module is loaded by its very name; these are npm packages.
        *(
            (name, False)
            for name in ("buffer/", "process/browser", "process/browser.js", "events/events.js", "string_decoder/")
        ),
        *((name, False) for name in ("buffer-writer", "stdout-stream", "bufferer", "@scope/buffer", "utility/util")),
    ],
)
def test_names_of_node_are_left_to_it_and_npm_packages_of_like_names_are_not(
    tmp_path: Path, name: str, form: str, *, is_nodes: bool
) -> None:
    package = "/".join(name.split("/")[: 2 if name.startswith("@") else 1])
    file = name.removeprefix(package).strip("/") or "index.js"
    for other in (package, "buffer", "process", "events", "string_decoder", "util"):
        folder = tmp_path / "src/node_modules" / other
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"main": "index.js"}')
        (folder / "index.js").write_text("exports.is = 'of npm'")
    path = tmp_path / "src/node_modules" / package / (file if file.endswith(".js") else f"{file}.js")
    path.write_text("exports.is = 'of npm'")
    # Beside one that has to be told from it.
    (tmp_path / "src/app.js").write_text(
        f"const found = {form.format(name)}; const other = require('buffer/'); export default {{ found, other }}"
    )
    made = bundle(KETTLE / "bundle", tmp_path / "src", tmp_path / "out", npm.program("esbuild"))
    assert made.returncode == 0, made.stderr
    app = (tmp_path / "out/app.js").read_text()
    assert (f'"{name}"' in app) is is_nodes
    assert '"buffer/"' not in app


def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.js").write_text("export default require('buffer/')")
    made = bundle(KETTLE / "bundle", tmp_path / "src", tmp_path / "out", npm.program("esbuild"))
    assert made.returncode != 0
    assert 'Could not resolve "buffer/"' in made.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "error: bundle takes three arguments"),
        (("empty", "out", "esbuild"), "error: there is neither app.ts nor app.js in empty"),
        (("src", "out", "nothing"), "error: nothing is no program"),
    ],
)
def test_what_it_cannot_do_it_says(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.js").write_text("export default {}")
    (tmp_path / "esbuild").symlink_to("/bin/true")
    made = bundle(
        KETTLE / "bundle", *(tmp_path / "esbuild" if name == "esbuild" else name for name in arguments), cwd=tmp_path
    )
    assert made.returncode == 2
    assert made.stderr.startswith(message)
    assert "hint: " in made.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the script needs of a checkout."""
    npm.program("esbuild")  # from now on in the download cache
    for name in ("scripts", "mkosi", "nix"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    for name in (".venv", "verifier"):
        (tmp_path / name).symlink_to(ROOT / name)
    # The environment is not the copy's to make anew.
    (tmp_path / "scripts/setup_python.sh").write_text("#!/bin/sh\n")
    return tmp_path


def run_script(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts/bundle_kettle.sh"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_script_makes_what_the_image_has(checkout: Path, tmp_path: Path) -> None:
    made = run_script(checkout)
    assert made.returncode == 0, made.stderr
    artifacts = checkout / "kettle-artifacts"
    assert bundle(KETTLE / "bundle", KETTLE / "demo", tmp_path / "image", npm.program("esbuild")).returncode == 0
    assert contents(artifacts) == contents(tmp_path / "image")
    sha256 = hashlib.sha256((artifacts / "app.js").read_bytes()).hexdigest()
    manifest = {"app": "file:///usr/lib/kettle/app.js", "sha256": sha256}
    assert json.loads((artifacts / "manifest.json").read_text()) == manifest


def test_a_folder_that_cannot_be_written_is_an_error(checkout: Path) -> None:
    stand_ins = checkout / "bin"
    stand_ins.mkdir()
    (stand_ins / "rm").write_text('#!/bin/sh\ncase $2 in */kettle-artifacts) exit 1 ;; esac\nexec /bin/rm "$@"\n')
    (stand_ins / "rm").chmod(0o755)
    made = run_script(checkout, PATH=f"{stand_ins}:{os.environ['PATH']}", TMPDIR=str(checkout))
    assert made.returncode == 2
    assert "error: kettle-artifacts/ could not be written\nhint: see that" in made.stderr


def test_the_script_bundles_somebodys_own_app_and_leaves_the_last_one_when_it_cannot(
    checkout: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "app.js").write_text("export default { fetch: () => new Response('mine') }")
    assert run_script(checkout, KETTLE_SRC=str(own)).returncode == 0
    artifacts = contents(checkout / "kettle-artifacts")
    assert b"mine" in artifacts["app.js"][1]
    for content, message in (
        ("export default (", "Unexpected end of file"),
        (f"export default {{ text: '{'x' * guest_app.MOST_BYTES}' }}", "error: the bundled app is larger than 64 MiB"),
    ):
        (own / "app.js").write_text(content)
        failed = run_script(checkout, KETTLE_SRC=str(own))
        assert failed.returncode == 2
        assert message in failed.stderr
    assert contents(checkout / "kettle-artifacts") == artifacts
