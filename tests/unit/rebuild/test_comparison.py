from __future__ import annotations

from pathlib import Path

import pytest

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.comparison import explain_artifacts

NAMES = ("image.efi", "image.manifest")


@pytest.fixture
def outputs(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("A", "B", "scratch"):
        (tmp_path / name).mkdir()
    for folder in ("A", "B"):
        for name in NAMES:
            (tmp_path / folder / name).write_bytes(b"the same\n")
    return tmp_path / "A", tmp_path / "B"


def test_equal_artifacts_need_no_explanation(outputs: tuple[Path, Path]) -> None:
    assert explain_artifacts(NAMES, *outputs, ({}, {}), scratch=outputs[0].parent / "scratch") == ()


def test_an_artifact_that_differs_is_explained_by_the_conditions_of_the_builds(outputs: tuple[Path, Path]) -> None:
    (outputs[0] / "image.manifest").write_text("built in /build/source\n")
    (outputs[1] / "image.manifest").write_text("built in somewhere/else\n")
    recorded = {"build_path": ("/build/source",)}, {"build_path": ("somewhere/else",)}
    scratch = outputs[0].parent / "scratch"
    (explanation,) = explain_artifacts(NAMES, *outputs, recorded, scratch=scratch)
    assert (explanation.a, explanation.b) == ("build A: image.manifest", "build B: image.manifest")
    (difference,) = explanation.differences
    assert [cause.name for cause in difference.causes] == ["build path"]
    assert list(scratch.iterdir()) == []


def test_an_artifact_that_is_not_there(outputs: tuple[Path, Path]) -> None:
    (outputs[1] / "image.efi").unlink()
    with pytest.raises(TeekitError, match=r"image\.efi: cannot be read: No such file or directory"):
        explain_artifacts(NAMES, *outputs, ({}, {}), scratch=outputs[0].parent / "scratch")


def test_no_place_for_temporary_files(outputs: tuple[Path, Path]) -> None:
    with pytest.raises(TeekitError, match="cannot compare the artifacts: No such file or directory") as caught:
        explain_artifacts(NAMES, *outputs, ({}, {}), scratch=outputs[0] / "not" / "there")
    assert str(caught.value.hint).startswith("Free some space on the disk of ")
