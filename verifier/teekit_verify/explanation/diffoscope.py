"""diffoscope, on the differing leaves only: each pair in a sandbox of its own, without network and within limits.

diffoscope(1) reads hostile bytes with dozens of parsers, so it sees this host's programs, the two files and nothing
else, and writes nothing but what it prints. What it says of itself (a helper that is missing, content it gave up on) becomes a notice.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError, ToolMissingError, printable
from teekit_verify.core.plain_json import load_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_MAX_PAIRS = 8
_MAX_FAILURES = 2
_MAX_FILE_BYTES = 8 << 20
_MAX_LINES = 40
_MAX_LINE = 160
_MAX_REPORT_BYTES = 4 << 20
_MAX_DEPTH = 20
_SECONDS = 20
_MEMORY_BYTES = 2 << 30
_SCRATCH_BYTES = 512 << 20
_PROCESSES = 4096  # with those of the user on this host
_HINT = "Run scripts/setup_deps.sh, or give --no-diffoscope."
_IN = "/compared"
_ABOUT_ITSELF = re.compile(
    r"not available|not installed|Install |missing|falling back|too much input|timeout", re.IGNORECASE
)


def deepen(examination: Examination) -> dict[tuple[str, ...], tuple[str, ...]]:
    """What diffoscope says of the leaves, by their path. Whatever keeps it from saying anything becomes a notice."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    fit = [pair for pair in examination.leaves if max(pair.a.size_bytes, pair.b.size_bytes) <= _MAX_FILE_BYTES]
    asked = failures = 0
    for pair in fit[:_MAX_PAIRS]:
        asked += 1
        try:
            found[pair.path] = _compared(examination, pair)
        except ToolMissingError as error:
            examination.note(f"{error.message}: diffoscope was not run. {_HINT}")
            return found
        except TeekitError as error:
            examination.note(f"{error.summary}: diffoscope gave up on {pair.name}")
            failures += 1
            if failures == _MAX_FAILURES:
                break
    if asked < len(examination.leaves):
        examination.note(
            f"too large, or too many: of {len(examination.leaves)} files, diffoscope was run on {asked} alone"
        )
    return found


def _compared(examination: Examination, pair: Pair) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(dir=examination.folder) as name:
        inputs = Path(name, "in")
        names = [_put(blob, inputs / side, pair.name) for side, blob in (("a", pair.a), ("b", pair.b))]
        report = process.run(
            _argv(inputs, [f"{_IN}/a/{names[0]}", f"{_IN}/b/{names[1]}"]),
            timeout_seconds=_SECONDS,
            accept=(0, 1),
            environment={"PATH": os.defpath},
            most_bytes=_MAX_REPORT_BYTES,
        ).stdout
        return _told(examination, report, pair.name)


def _put(blob: Blob, folder: Path, name: str) -> str:
    """The file under the end of its own name, which diffoscope goes by, in harmless characters."""
    folder.mkdir(parents=True)
    safe = re.sub(r"[^A-Za-z0-9._]", "_", name.rpartition("/")[2])[-60:].lstrip(".") or "content"
    with (folder / safe).open("wb") as stream:
        stream.writelines(blob.pieces())
    return safe


def _argv(inputs: Path, files: Sequence[str]) -> list[str]:
    program = Path(process.find_program("diffoscope", hint=_HINT))
    bubblewrap = process.find_program("bwrap", hint=_HINT)
    prefix = program.parent.parent
    own = () if prefix in {Path("/"), Path("/usr")} else ("--ro-bind", str(prefix), str(prefix))
    return [
        bubblewrap,
        *("--ro-bind", "/usr", "/usr", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
        *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--ro-bind-try", "/etc/magic", "/etc/magic"),
        *(option for name in ("bin", "lib", "lib64", "sbin") for option in ("--symlink", f"usr/{name}", f"/{name}")),
        *("--proc", "/proc", "--dev", "/dev", "--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp"),  # noqa: S108 - its own
        *own,
        *("--ro-bind", str(inputs), _IN, "--chdir", "/tmp"),  # noqa: S108
        *("--unshare-all", "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--clearenv"),
        *("--setenv", "PATH", "/usr/bin:/usr/sbin", "--setenv", "LC_ALL", "C.UTF-8", "--setenv", "HOME", "/tmp", "--"),  # noqa: S108
        *(
            "prlimit",
            f"--nproc={_PROCESSES}",
            f"--as={_MEMORY_BYTES}",
            f"--cpu={_SECONDS}",
            f"--fsize={_SCRATCH_BYTES}",
            "--core=0",
            "--",
        ),
        *(str(program), "--json", "-", "--no-progress", "--exclude-directory-metadata=yes"),
        *("--max-report-size", str(1 << 18), "--max-diff-block-lines", str(2 * _MAX_LINES), *files),
    ]


def _told(examination: Examination, report: bytes, name: str) -> tuple[str, ...]:
    """The first lines of the differences; what diffoscope says of itself is noted."""
    if not report.strip():
        examination.note(f"diffoscope sees no difference in {name}")
        return ()
    try:
        document = load_plain(report)
    except ValueError as error:
        raise TeekitError(f"its report cannot be read: {printable(str(error))}") from error
    lines: list[str] = []
    for line, is_comment in _lines(document, 0):
        if is_comment and _ABOUT_ITSELF.search(line):
            examination.note(f"diffoscope, on {name}: {line[:_MAX_LINE]}")
        elif len(lines) < _MAX_LINES:
            lines.append(line[:_MAX_LINE])
    return tuple(lines)


def _lines(node: object, depth: int) -> Iterator[tuple[str, bool]]:
    """The lines of a node and those below it, and whether each is a comment of diffoscope's."""
    if not isinstance(node, dict) or depth > _MAX_DEPTH:
        return
    if depth and isinstance(source := node.get("source1"), str):
        yield source, False
    for comment in node.get("comments") or ():
        yield from ((line, True) for line in str(comment).splitlines())
    yield from ((line, False) for line in str(node.get("unified_diff") or "").splitlines())
    for inner in node.get("details") or ():
        yield from _lines(inner, depth + 1)
