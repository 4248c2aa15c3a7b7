"""mkosi as a user types it (`mkosi --force --profile=gcp -I tdx-kettle.conf`), with what a rebuild would give it.

The same environment, source, packages and no network; one build, whose files go to `build/` of the checkout.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import require_no_link
from teekit_verify.rebuild import images, lock, programs, source
from teekit_verify.rebuild.sandbox import BASE_ENVIRONMENT, PACKAGES, Sandbox, own_first_id
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.rebuild.provision import Provision

_SOURCE, _WORK = "/source", "/work"
# Settings of the image's scripts that a user may give. Rebuilds use the defaults.
_PASSED = ("AZURE_DISK_GIB", "SQLD_FROM")
# A folder with an app, which the image then has in place of the demo app; and where the build finds it (tdx-kettle/mkosi.postinst).
KETTLE_SRC = "KETTLE_SRC"
_APP = "mkosi.images/tdx-kettle/kettle/app"
# What belongs to a stage, which is a folder, is left out: the next build's stages have the same names.
_SCRIPT = f"""\
mkosi "$@" && mkdir {_WORK}/made || exit
for file in {_WORK}/output/*; do
    [ ! -f "$file" ] || [ -h "$file" ] || [ -d "${{file%.manifest}}" ] || mv "$file" {_WORK}/made || exit
done
rm -rf {_WORK}/output {_WORK}/scratch {_WORK}/cache
"""
# Outside of the sandbox, once it has ended: its root is another user than ours. Arguments: where the files are, where they go, the command.
_BRING = """\
made=$0 build=$1
shift
"$@" || exit
for file in "$made"/*; do
    [ -f "$file" ] && [ ! -h "$file" ] || continue
    [ "$(id -u)" != 0 ] || chown --no-dereference 0:0 "$file" || exit
    chmod u-s,g-s,go-w "$file" || exit
    mv --force "$file" "$build" || exit
done
ls -l "$build"
"""


def become_mkosi(provision: Provision, arguments: Sequence[str]) -> None:
    """Replace this process by mkosi. Raises TeekitError if another one is at work, or a package cannot be had."""
    folder = provision.cache / "mkosi"
    _claim(folder)
    target = images.target_of(arguments)
    project, packages = provision.project, folder / "packages"
    build = project.root / "build"
    _make_writable(build)
    locked = lock.load(project.image_lock)
    chosen = locked.for_target(target.key) if target else ()
    provision.fetch(locked, chosen)
    provision.package_folder(chosen, packages)
    for name in ("source", "work"):
        remove(folder / name)
    source.copy_source(
        project.root, project.mkosi, folder / "source", wanted=lambda path: target is None or target.uses(path)
    )
    _bring_app(folder / "source")
    for name in ("output", "scratch", "cache"):
        (folder / "work" / name).mkdir(parents=True)
    programs.given_away(folder / "work")
    sandbox = Sandbox(
        root=provision.environment().root,
        binds={_WORK: folder / "work"},
        read_only_binds={PACKAGES: packages, _SOURCE: folder / "source"},
        environment={**BASE_ENVIRONMENT, **{name: os.environ[name] for name in _PASSED if name in os.environ}},
        first_id=own_first_id(),
    )
    inside = sandbox.command_line(["sh", "-c", _SCRIPT, "sh", *_settings(), *arguments])
    process.become(["sh", "-c", _BRING, str(folder / "work/made"), str(build), *inside])


def _bring_app(copy: Path) -> None:
    """Put the app of KETTLE_SRC= into the copy of the source. The UKI holds it, so its registers say which one it is."""
    given = os.environ.get(KETTLE_SRC)
    if not given:
        return
    app = Path(given).absolute()
    if not app.is_dir():
        raise TeekitError(f"{KETTLE_SRC}={given} is not a folder", hint="Give the folder with app.ts or app.js.")
    remove(copy / _APP)
    # What npm installed is bundled, too; what git keeps is not.
    source.copy_source(app, app, copy / _APP, wanted=lambda path: path.split("/")[0] != ".git")


def _settings() -> list[str]:
    return [
        *("--directory", _SOURCE),
        f"--output-directory={_WORK}/output",
        f"--workspace-directory={_WORK}/scratch",
        f"--cache-directory={_WORK}/cache",
        f"--package-cache-dir={_WORK}/cache",
        f"--package-directory={PACKAGES}",
    ]


def _make_writable(folder: Path) -> None:
    """Nobody wants to hear of it when the image is built."""
    require_no_link(folder)
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise TeekitError(
            f"{folder} cannot be written to: {error.strerror}", hint="Make it writable, or build in your own clone."
        ) from error


def _claim(folder: Path) -> None:
    """Hold the folder as long as this process lives, also as another program."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # what a build makes may be set-user-ID
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise TeekitError(f"another build is using {folder}", hint="Wait for it.") from error
