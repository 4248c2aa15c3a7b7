"""Git, told nothing by the host or by the repository: fetches a commit, reads objects. The one network use outside core.download.

A repository is never checked out by git: files are written from its objects (`rebuild.checkout`), so that hooks, filters,
attributes and submodules of strangers have nothing to act on. docs/adr/0005-git-reads-objects-only.md
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import Patience
from teekit_verify.core.errors import TeekitError, ToolFailedError, printable
from teekit_verify.core.files import exclusive, write_whole
from teekit_verify.core.url import redacted
from teekit_verify.rebuild import git_faults, proxies
from teekit_verify.rebuild.sandbox import looking_only, named_by
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FETCH_SECONDS = 900
_READ_SECONDS = 120
_MAX_FETCH_BYTES = 1 << 30  # of one file: of the pack
_MAX_MEMORY_BYTES = 1 << 30  # a commit or a folder is held whole, whatever its size; what is ours has some MiB
_BOUNDED = ("prlimit", f"--fsize={_MAX_FETCH_BYTES}", f"--as={_MAX_MEMORY_BYTES}", "--core=0")
MOST_BYTES = 32 << 20
"""Of what git prints: a list of 20,000 files, or a commit with its folders."""
_PROTOCOLS = "https:http:git:file"
_KEPT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_SETTINGS = {
    "core.bigFileThreshold": "32m",  # what is larger is not held whole
    "core.deltaBaseCacheLimit": "64m",
    "core.packedGitLimit": "256m",
    "core.packedGitWindowSize": "32m",
    "pack.threads": "2",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1",  # a server that says nothing for so many seconds is asked again
    "http.lowSpeedTime": "60",
    "maintenance.auto": "false",
    "protocol.version": "2",
    "submodule.recurse": "false",
    "transfer.fsckObjects": "true",
    "safe.directory": "*",  # whoever owns it: nothing in it is run
}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# git-check-ref-format(1), and narrower
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)*")
_ADDRESS = re.compile(r"(https?|git|file)://[^\s'\"\\]+|/[^\s'\"\\]+")
_SHOWN = 120
_SPREAD = 128  # of pauses: one repository is asked at a time


class GitError(TeekitError):
    """A repository cannot be fetched, or does not have what was asked for."""


class UnansweredError(GitError):
    """A repository cannot be reached, or does not answer to the end, whenever it is asked."""

    code = "git_unanswered"


def require_commit(text: str) -> str:
    """Raises GitError unless it is a whole commit id."""
    if not _COMMIT.fullmatch(text):
        raise GitError(
            f"a commit is 40 lower case hexadecimal digits, found '{printable(text[:_SHOWN])}'",
            hint="Give the whole commit id, as `git rev-parse` prints it.",
        )
    return text


def require_tag(text: str) -> str:
    """Raises GitError unless it is the plain name of a tag."""
    if not _TAG.fullmatch(text) or ".." in text or text.endswith((".", ".lock")):
        raise GitError(f"'{printable(text[:_SHOWN])}' is not a name of a tag", hint="Give the tag without refs/tags/.")
    return text


def require_repository(text: str) -> str:
    """Raises GitError unless it is an https, http, git or file address, or an absolute path."""
    if not (_ADDRESS.fullmatch(text) and text.isascii() and text.isprintable()):
        raise GitError(
            f"a repository is an https, http, git or file address, found '{printable(text[:_SHOWN])}'",
            hint="Write it like https://git.example.org/images.git.",
        )
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise GitError(
            "the address of the repository has a user in it, which the report would show",
            hint="Clone a private repository by hand, and give the folder.",
        )
    return text


@dataclass(frozen=True, slots=True)
class Repository:
    """A bare repository of ours (`folder`), filled from `address`, which is asked again as `patience` has it."""

    folder: Path
    address: str
    patience: Patience = field(default_factory=Patience)

    @classmethod
    def cached(cls, cache: Path, address: str) -> Repository:
        """Where the repository of that address is kept between runs."""
        name = Digest.of(Algorithm.SHA256, require_repository(address).encode()).hex
        return cls(cache / "git" / f"{name}.git", address)

    def commit(self, commit: str, *, offline: bool) -> str:
        """Have the commit here. Raises GitError if the repository does not give it."""
        require_commit(commit)
        if not self._has(commit):
            self._require_online(offline, f"the commit {commit}")
            self._fetch_commit(commit)
        if not self._has(commit):
            raise GitError(
                f"{self.address} has no commit {commit}", hint="Check the release, or name another repository."
            )
        return commit

    def tag(self, tag: str, *, offline: bool) -> str:
        """The commit that a tag names now (offline: named when it was fetched). Raises GitError if there is none."""
        reference = f"refs/tags/{require_tag(tag)}"
        if not offline:
            self._fetch(f"+{reference}:{reference}", what=f"the tag {tag}")
        found = self._resolved(reference)
        if found is None:
            self._require_online(offline, f"the tag {tag}")
            raise GitError(f"{self.address}: the tag {tag} names no commit", hint="Check the name of the tag.")
        return found

    def tag_object(self, tag: str) -> bytes | None:
        """The bytes of an annotated tag; None for a tag that only points to a commit."""
        reference = f"refs/tags/{require_tag(tag)}"
        if self._read("cat-file", "-t", reference).strip() != b"tag":
            return None
        return self._read("cat-file", "tag", reference)

    def has(self, commit: str) -> bool:
        """Whether it need not be fetched any more."""
        return self._has(require_commit(commit))

    def take_pack(self, pack: bytes, commit: str, tags: Mapping[str, str]) -> None:
        """Add the objects of a bundle that has this commit without its parents. Raises GitError for what is no pack.

        Who made it does not matter: objects are named by their content. `tags` are references (name -> object id) to add,
        where there is none of that name.
        """
        with exclusive(self.folder.with_suffix(".lock")):
            self._require_whole()
            try:
                _run(self.folder, f"--git-dir={self.folder}", "index-pack", "--stdin", stdin=pack, fills=True)
            except ToolFailedError as error:
                raise GitError(f"a bundle of the source cannot be read: {error.message}") from error
            shallow = self.folder / "shallow"
            known = set(shallow.read_text().split()) if shallow.exists() else set()
            write_whole(shallow, "".join(f"{one}\n" for one in sorted({*known, commit})).encode())
            for name, object_id in tags.items():
                self._write(
                    "update-ref", f"refs/tags/{require_tag(name)}", require_commit(object_id), "0" * len(commit)
                )

    def _fetch_commit(self, commit: str) -> None:
        """The commit alone, if the server gives it; else all branches and tags, as servers that only hold files need."""
        try:
            self._fetch(commit, what=f"the commit {commit}")
        except UnansweredError:
            raise
        except GitError:
            self._fetch(
                "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", what="its branches and tags", depth=False
            )

    def _fetch(self, *references: str, what: str, depth: bool = True) -> None:
        """Shallow first, for a server that can."""
        with exclusive(self.folder.with_suffix(".lock")):
            self._require_whole()
            for left in self.folder.rglob("*.lock"):  # of a git that was killed; nobody else is at work here
                left.unlink()
            for attempt in range(1, self.patience.attempts + 1):
                try:
                    self._fetch_once(references, depth=depth)
                except ToolFailedError as error:
                    passing = git_faults.may_pass(self.address, error)
                    if not passing or attempt == self.patience.attempts:
                        raise self._unfetched(what, error, attempt if passing else 0) from error
                    time.sleep(self.patience.pause(attempt, None, _SPREAD))
                else:
                    return

    def _fetch_once(self, references: Sequence[str], *, depth: bool) -> None:
        argv = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc"]
        try:
            self._write(*argv, *(["--depth=1"] if depth else []), "--", self.address, *references)
        except ToolFailedError as error:
            if not depth or not git_faults.is_dumb(error):
                raise
            self._write(*argv, "--", self.address, *references)

    def _unfetched(self, what: str, error: ToolFailedError, attempts: int) -> GitError:
        """`attempts` is 0 where asking again is of no use."""
        tried = f" in {attempts} attempts" if attempts else ""
        said = f"{what} of {self.address} could not be fetched{proxies.through(self.address)}{tried}: {redacted(error.message)}"
        if attempts:
            return UnansweredError(
                said, hint="Run it again, later or on another network, or name a copy with --repository URL."
            )
        return GitError(said, hint="Check the address; a private repository has to be cloned by hand first.")

    def _require_whole(self) -> None:
        """Begin anew where there is nothing, or what a power failure or a bad disk left."""
        if self._is_whole():
            return
        remove(self.folder)
        self.folder.mkdir(parents=True)
        _run(self.folder, "init", "--quiet", "--bare", "--template=", str(self.folder), fills=True)

    def _is_whole(self) -> bool:
        """Whether every object here has the bytes that its name says, and none that another one names is missing."""
        try:
            self._read("fsck", "--no-dangling", "--no-progress")
        except ToolFailedError:
            return False
        return True

    def _has(self, commit: str) -> bool:
        return self._resolved(commit) == commit

    def _resolved(self, name: str) -> str | None:
        """The commit of a name, if it is here."""
        if not self.folder.is_dir() or not self._is_whole():
            return None
        try:
            found = self._read("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}")
        except ToolFailedError:
            return None
        return found.decode().strip()

    def _require_online(self, offline: bool, what: str) -> None:  # noqa: FBT001
        if offline:
            raise GitError(f"{what} of {self.address} is not in the cache", hint="Run it once without --offline.")

    def _write(self, *arguments: str) -> None:
        _run(self.folder, f"--git-dir={self.folder}", *arguments, fetches=True, fills=True)

    def _read(self, *arguments: str) -> bytes:
        return _run(self.folder, f"--git-dir={self.folder}", *arguments)


def read(folder: Path, *arguments: str, stdin: bytes | None = None, most_bytes: int = MOST_BYTES) -> bytes:
    """What a reading command of git prints, run in a repository or in a folder of a work tree.

    Raises ToolFailedError, also for more than `most_bytes`.
    """
    return _run(folder, "-C", str(folder), *arguments, stdin=stdin, most_bytes=most_bytes)


def _run(
    folder: Path,
    *arguments: str,
    stdin: bytes | None = None,
    most_bytes: int = MOST_BYTES,
    fills: bool = False,
    fetches: bool = False,
) -> bytes:
    """Bounded in time, memory, output, in the size of any file it writes, and in where it may write: in `folder`, where it `fills` that."""
    with named_by("git"):
        return process.run(
            [*looking_only(folder.absolute(), fills=fills, network=fetches), *_BOUNDED, "git", *arguments],
            timeout_seconds=_FETCH_SECONDS if fetches else _READ_SECONDS,
            environment=_environment(_PROTOCOLS if fetches else ""),
            stdin=stdin,
            most_bytes=most_bytes,
        ).stdout


def _environment(protocols: str) -> dict[str, str]:
    """`protocols` is empty for what reads: the settings of a stranger's repository may name where to get what it lacks."""
    settings = {f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(_SETTINGS)}
    settings |= {f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(_SETTINGS.values())}
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        **proxies.proxies().environment(),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
        **settings,
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_ASKPASS": "/bin/false",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
