"""A module writes files only where the lists below say so, with the reason; what writes is found by syntax, in every module of the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import teekit_verify

PACKAGE = Path(teekit_verify.__file__).parent

OF_PATHS = {
    *(
        "write_text",
        "write_bytes",
        "mkdir",
        "touch",
        "unlink",
        "rmdir",
        "rename",
        "symlink_to",
        "hardlink_to",
        "link_to",
    ),
    *("chmod", "lchmod"),
}
"""Methods of Path: no other type that the package uses has one of these names."""
OF_OS = {
    *(
        "mkdir",
        "makedirs",
        "remove",
        "removedirs",
        "rmdir",
        "unlink",
        "rename",
        "renames",
        "replace",
        "link",
        "symlink",
    ),
    *("chmod", "lchmod", "fchmod", "chown", "lchown", "fchown", "mknod", "mkfifo", "truncate", "ftruncate", "utime"),
    *("setxattr", "removexattr", "copy_file_range", "sendfile", "creat", "posix_fallocate"),
}
OF_SHUTIL_READING = {"which", "disk_usage", "get_terminal_size"}
READING_FLAGS = {"O_RDONLY", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_PATH", "O_NONBLOCK"}
MODULES = {"sqlite3", "dbm", "shelve", "zipfile", "ctypes", "fileinput", "logging"}
"""Imports that can write, or call the C library, in ways that syntax does not show."""
HAS_MODE_SECOND = {"os", "io", "tarfile", "gzip", "bz2", "lzma", "codecs"}
"""Modules whose `open` or `fdopen` has the file first and the mode second; a Path's has the mode first."""
NO_PATH = {"examination"}
"""What has an `open` of its own that takes a path: explanation/examination.py, which is looked at as every module is."""
THROUGH_CORE = {
    "write_whole",
    "write_named",
    "create_folder",
    "replace_folder",
    "exclusive",
    "held",
    "without_following",
}
"""What `core` has for writing."""


WRITERS = {
    # What all others write through.
    "core/files.py": "files under names that users gave or not, whole or not at all",
    "core/new_folder.py": "folders that take the place of earlier ones; ctypes for renameat2(2)",
    "core/process.py": "the log of a program that runs",
    "core/download/store.py": "downloads, by their digest",
    # Rooms that read: temporary files without a name, or of a folder that goes with the program's own temporary one.
    "artifacts/packed.py": "temporary: what is in a compressed file",
    "inspection/host_inputs.py": "temporary: an initrd, unpacked",
    "inspection/space.py": "temporary: an initrd, unpacked",
    "explanation/examination.py": "temporary: what is in the files that differ",
    "explanation/diffoscope.py": "temporary: the two sides for diffoscope",
    "cli/explain.py": "temporary: the folder of the two above",
    "cli/standard_input.py": "temporary, in memory where it fits: standard input",
    # What runs programs of others, which read and write folders.
    "api/providing.py": "temporary: the source of a release",
    "boot/acpi.py": "temporary: QEMU's socket",
    "boot/artifact.py": "temporary: a disk with its ends, for QEMU",
    "boot/capture.py": "temporary: firmware variables, for QEMU",
    "boot/disk.py": "a disk for QEMU, in the folder of boot/artifact.py",
    "boot/swtpm.py": "the state of a TPM, in a folder that the caller made",
    "local/run.py": "temporary: firmware variables, for QEMU",
    # A rebuild works in one folder and one cache.
    "rebuild/apt_root.py": "apt's own root",
    "rebuild/other_sources.py": "sources and keys in apt's root",
    "rebuild/build.py": "the work folder of a build",
    "rebuild/by_hand.py": "the folder of `env enter`",
    "rebuild/checkout.py": "a commit's files",
    "rebuild/comparison.py": "temporary: for explanation",
    "rebuild/environment.py": "the tools, in the cache",
    "rebuild/git.py": "a repository, in the cache",
    "rebuild/groups.py": "control groups: cgroupfs has files for settings",
    "rebuild/host.py": "temporary: tries of what the machine can do",
    "rebuild/idmapped.py": "the maps of a user namespace in /proc; ctypes for mount_setattr(2)",
    "rebuild/inputs_archive.py": "temporary; a layer that was read goes from the cache",
    "rebuild/needs.py": "the stand-ins of programs, in the work folder",
    "rebuild/network/authority.py": "temporary: a certificate's key, for ssl",
    "rebuild/network/fetching.py": "what scripts fetched, in the report's folder",
    "rebuild/network/forward.py": "runs in a sandbox; its own output goes to /dev/null",
    "rebuild/network/proxy.py": "the socket of a build's scripts, in the work folder",
    "rebuild/network/room.py": "what a build's scripts are given, in the work folder",
    "rebuild/network/sources.py": "what scripts fetched, by its digest, in the download store",
    "rebuild/npm.py": "npm's packages, in the work folder",
    "rebuild/oci_layout.py": "an archive of inputs",
    "rebuild/pins.py": "pinned files, in the work folder",
    "rebuild/programs.py": "who owns a folder that a sandbox fills",
    "rebuild/provision.py": "a local mirror, in the work folder",
    "rebuild/requests.py": "what a project asks for, in the work folder",
    "rebuild/signed_index.py": "temporary: a key for gpgv",
    "rebuild/source.py": "a source tree, in the work folder",
    "rebuild/stranger.py": "the copy of another project, in the work folder",
    "rebuild/tag_signature.py": "temporary: a key for git",
    "rebuild/versions.py": "a stand-in that says a version, in the work folder",
    "rebuild/workspace.py": "the work folder itself",
    # What a command leaves.
    "record/audit_log.py": "a proof that was filed, removed from where the submitter put it",
    "record/directory.py": "the folder of a rebuild",
    "record/rebuilderd.py": "the output of a job",
    "record/replacing.py": "an earlier output, put aside and back",
}
"""Every module that creates, changes or removes files itself, and what. A new line needs a reason why `core/files.py` does not do."""

THROUGH_CORE_WRITERS = {
    *("api/locking.py", "api/providing.py", "api/publishing.py", "api/rebuilderd.py", "api/stating.py"),
    *("boot/proof.py", "core/download/store.py", "core/new_folder.py", "report/schemas.py"),
    *("cli/collateral.py", "cli/explain.py", "cli/findings.py", "cli/guest.py", "cli/man.py", "cli/measure.py"),
    *("cli/pages.py", "cli/release.py", "cli/report.py", "cli/site.py"),
    *("rebuild/environment.py", "rebuild/git.py", "rebuild/lock.py", "rebuild/oci_layout.py", "rebuild/provision.py"),
    *("rebuild/record.py", "rebuild/signed_index.py", "rebuild/tag_signature.py", "rebuild/workspace.py"),
    *("record/audit_log.py", "record/auditing.py", "record/monitoring.py", "record/rebuilderd.py"),
    "record/replacing.py",
    "appraisal/statements/own.py",  # what it saw last, so that a repository cannot go back in time
}
"""Every module that writes with what `core` has for it."""


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _mode(call: ast.Call, position: int) -> ast.expr | None:
    named = [one.value for one in call.keywords if one.arg in {"mode", "flags"}]
    return named[0] if named else call.args[position] if len(call.args) > position else None


def _opens_to_write(call: ast.Call) -> bool:
    """A mode that is computed may be any."""
    of = _name(call.func.value) if isinstance(call.func, ast.Attribute) else "builtins"
    if of in NO_PATH:
        return False
    mode = _mode(call, 1 if of in {"builtins", *HAS_MODE_SECOND} else 0)
    if mode is None:
        return False
    if ast.unparse(call.func) == "os.open":
        names = {_name(node) for node in ast.walk(mode) if isinstance(node, ast.Name | ast.Attribute)}
        return not names <= READING_FLAGS | {"os"}
    return not (isinstance(mode, ast.Constant) and isinstance(mode.value, str)) or bool(set("wax+") & set(mode.value))


def _of_attribute(node: ast.Attribute) -> bool:
    """Called or not: a function that is handed on writes too."""
    module = _name(node.value)
    if module == "os":
        return node.attr in OF_OS
    if module == "shutil":
        return node.attr not in OF_SHUTIL_READING
    return module == "tempfile" or node.attr in OF_PATHS


def _of_call(node: ast.Call) -> bool:
    name = _name(node.func)
    if name in {"open", "fdopen"}:
        return _opens_to_write(node)
    # Path.replace has one argument, and str.replace two; datetime's and that of dataclasses name theirs.
    return name == "replace" and isinstance(node.func, ast.Attribute) and len(node.args) == 1 and not node.keywords


def _of_import(node: ast.Import | ast.ImportFrom) -> bool:
    """Of os, shutil and tempfile nothing has a name without theirs, so that what is used of them is seen."""
    if isinstance(node, ast.Import):
        renamed = [one for one in node.names if one.asname and one.name in {"os", "shutil", "tempfile", "io"}]
        return bool(renamed) or any(one.name.split(".")[0] in MODULES for one in node.names)
    module = (node.module or "").split(".")[0]
    if module == "shutil":
        return any(one.name not in OF_SHUTIL_READING for one in node.names)
    return module in MODULES | {"os", "tempfile"}


def writing(source: str) -> list[str]:
    """The expressions of a module that create, change or remove a file, or may."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and _of_attribute(node))
        or (isinstance(node, ast.Call) and _of_call(node))
        or (isinstance(node, ast.Import | ast.ImportFrom) and _of_import(node))
    ]


def writing_through_core(source: str) -> list[str]:
    """What of `core` that writes a module uses, by its name or as an attribute."""
    nodes = list(ast.walk(ast.parse(source)))
    imported = [
        one.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("teekit_verify.core")
        for one in node.names
    ]
    return [
        name
        for name in imported + [node.attr for node in nodes if isinstance(node, ast.Attribute)]
        if name in THROUGH_CORE
    ]


def _modules() -> dict[str, str]:
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize(
    "source",
    [
        "open(place, 'w')",
        "open(place, mode='xb')",
        "open(place, 'r+b')",
        "open(place, mode)",
        "place.open('ab')",
        "Path(folder, 'x').open(mode=mode)",
        "io.open(place, 'w')",
        "gzip.open(place, 'wb')",
        "os.fdopen(descriptor, 'wb')",
        "os.open(place, os.O_WRONLY)",
        "os.open(place, os.O_RDONLY | os.O_CREAT)",
        "os.open(place, flags)",
        "place.write_text('x')",
        "Path('x').touch()",
        "list(map(Path.unlink, places))",
        "part.replace(place)",
        "os.replace(a, b)",
        "make = os.mkdir",
        "(folder / 'x').symlink_to('y')",
        "shutil.copyfile(a, b)",
        "from shutil import copyfile",
        "from os import unlink",
        "import os as system",
        "from tempfile import NamedTemporaryFile",
        "with tempfile.TemporaryDirectory() as folder: pass",
        "import sqlite3",
        "from ctypes import CDLL",
        "from zipfile import ZipFile",
    ],
)
def test_what_writes_is_seen(source: str) -> None:
    assert writing(source)


@pytest.mark.parametrize(
    "source",
    [
        "open(place, 'rb')",
        "open(place)",
        "open(place, encoding='ascii')",
        "place.open('rb')",
        "tarfile.open(fileobj=stream)",
        "os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)",
        "text.replace('a', 'b')",
        "date.replace(tzinfo=UTC)",
        "dataclasses.replace(value, name='x')",
        "shutil.which('git')",
        "from shutil import which",
        "place.read_bytes()",
    ],
)
def test_what_reads_is_none(source: str) -> None:
    assert not writing(source)


@pytest.mark.parametrize(
    "source",
    [
        "from teekit_verify.core.files import write_whole",
        "from teekit_verify.core import files\nfiles.write_named(a, b)",
    ],
)
def test_what_writes_through_core_is_seen(source: str) -> None:
    assert writing_through_core(source)


def test_only_these_write() -> None:
    """Also in the other direction: a module that no longer writes goes from the list."""
    assert {name for name, source in _modules().items() if writing(source)} == set(WRITERS)


def test_only_these_write_through_core() -> None:
    assert {name for name, source in _modules().items() if writing_through_core(source)} == THROUGH_CORE_WRITERS


@pytest.mark.parametrize(
    "room",
    [
        "registers",
        "artifacts",
        "documents",
        "evidence",
        "explanation",
        "inspection",
        "prediction",
        "reference",
        "wording",
    ],
)
def test_a_room_that_reads_writes_nothing_that_stays(room: str) -> None:
    kept = {name for name, reason in WRITERS.items() if not reason.startswith("temporary")} | THROUGH_CORE_WRITERS
    assert not [name for name in kept if name.startswith(f"{room}/")]
