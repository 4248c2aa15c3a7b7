"""Packages against what rebuilders of Debian say, where not all of them are Debian's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from builders import documents
from teekit_verify.appraisal.packages import appraise_packages
from teekit_verify.appraisal.rebuilt_inputs import SavedAnswers
from teekit_verify.documents.rebuilt_packages import PackageStanding
from teekit_verify.rebuild.lock import LockedPackage

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"name": "bash", "version": "5.2-1", "architecture": "amd64", "status": "GOOD", "distro": "debian"}


def _answers(folder: Path) -> SavedAnswers:
    path = folder / "answer.json"
    path.write_text(json.dumps([GOOD | {"artifact_url": "https://deb.example/pool/bash_5.2-1_amd64.deb"}]))
    return SavedAnswers.load([path])


def test_a_package_of_another_repository_is_not_what_was_rebuilt(tmp_path: Path) -> None:
    """It has the name and version of one of Debian's, which is GOOD."""
    answers, bash = _answers(tmp_path), documents.package("bash", "5.2-1")
    for foreign, good in (((), 1), ((bash.sha256,), 0)):
        found = answers.of([bash], foreign)
        assert found is not None
        assert (found.counts.good, found.counts.not_listed) == (good, 1 - good)
        assert len(found.not_good) == 1 - good


def test_neither_is_one_that_a_lock_names(tmp_path: Path) -> None:
    path = "pool/main/b/bash/bash_5.2-1_amd64.deb"
    for archive, standing in (("debian", PackageStanding.GOOD), ("repository-1", PackageStanding.NOT_LISTED)):
        fields = {"name": "bash", "version": "5.2-1", "architecture": "amd64", "archive": archive, "path": path}
        locked = LockedPackage.model_validate(fields | {"size_bytes": 1, "sha256": "a" * 64})
        (found,) = appraise_packages([locked], _answers(tmp_path).listings).packages
        assert found.standing is standing


def test_without_answers_or_packages_nothing_is_said(tmp_path: Path) -> None:
    assert SavedAnswers().of([documents.package("bash")]) is None
    assert _answers(tmp_path).of([]) is None
