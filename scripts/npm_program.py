"""Takes a program out of a locked npm package of the image, for use on this host: npm_program.py PACKAGE MEMBER FILE.

The package comes from the download cache or npm's registry, and has the digest that mkosi/packages.lock.json says.
Runs in the checkout's Python environment. Exit status: 0 FILE is there, 2 it is not (and why).
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from pathlib import Path

from teekit_verify.cli.options.shared import SNAPSHOT_ARCHIVE, provision
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import lock


def main(package: str, member: str, target: Path) -> None:
    bringing = provision(
        Path(__file__).parents[1], None, SNAPSHOT_ARCHIVE, os.environ.get("TEEKIT_NPM_REGISTRY") or None
    )
    locked = lock.load(bringing.project.image_lock)
    (found,) = [item for item in locked.packages if item.archive == "npm" and item.name == package]
    bringing.fetch(locked, [found])
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.{os.getpid()}")
    with tarfile.open(bringing.store.path(found.digest)) as archive, new.open("wb") as out:
        content = archive.extractfile(f"package/{member}")
        if content is None:
            raise TeekitError(f"{member} of {package} is no file", hint="Look for it in the package.")
        shutil.copyfileobj(content, out)
    new.chmod(0o755)
    new.replace(target)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    except TeekitError as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        sys.exit(2)
