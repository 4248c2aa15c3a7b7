"""What `measure --pcrlock` prints, read by systemd-pcrlock of the pinned environment (the host's may be too old to have it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.rebuild import environment, lock
from teekit_verify.rebuild.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import UsableProject

pytestmark = pytest.mark.slow

PCRLOCK = "/usr/lib/systemd/systemd-pcrlock"


def test_systemd_pcrlock_reads_the_component(
    built_uki: Path, usable_project: UsableProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["measure", str(built_uki), "--pcrlock"]) == ExitStatus.HOLDS
    (tmp_path / "600-uki.pcrlock").write_text(capsys.readouterr().out)
    pinned = environment.existing(lock.load(usable_project.project.environment_lock))
    assert pinned is not None
    sandbox = Sandbox(root=pinned.root, read_only_binds={"/components": tmp_path})
    listed = sandbox.run([PCRLOCK, "list-components", "--components=/components"], timeout_seconds=600)
    assert b"600-uki" in listed.stdout
