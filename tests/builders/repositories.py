"""Small git repositories, honest and hostile ones, made by git itself."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from builders.tools import require


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a work tree in `folder`."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Repository:
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder)
        made.git("init", "--quiet", "--initial-branch=main", "--template=")
        return made

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
            "GIT_AUTHOR_DATE": "1700000000 +0000",
            "GIT_COMMITTER_DATE": "1700000000 +0000",
        }
        argv = [require("git"), "-C", str(self.folder), *arguments]
        return (
            subprocess.run(argv, env=environment, input=stdin, capture_output=True, check=True).stdout.decode().strip()
        )

    def write(self, path: str, content: bytes = b"x", *, executable: bool = False) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o755 if executable else 0o644)

    def commit(self, message: str = "message") -> str:
        """Commit everything; the commit's id."""
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, *lines: str) -> str:
        """A commit of a tree with these lines (`mode type object<TAB>name`), which git would not make by itself."""
        tree = self.git("mktree", "--missing", stdin="".join(f"{line}\n" for line in lines).encode())
        return self.git("commit-tree", "-m", "odd", tree)

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def point(self, branch: str, commit: str) -> None:
        self.git("update-ref", f"refs/heads/{branch}", commit)

    def bare(self, folder: Path) -> Path:
        """A bare copy, as servers keep it."""
        self.git("clone", "--quiet", "--bare", str(self.folder), str(folder))
        return folder
