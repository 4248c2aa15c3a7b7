"""Finding the checkout, and the images it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.rebuilds import Miniature
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.images import TARGETS, find_target
from teekit_verify.rebuild.project import Project

CHECKOUT = Path(__file__).parents[3]


def test_a_checkout_is_found_from_any_folder_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Miniature.make(tmp_path).project.root
    (root / "deep" / "er").mkdir(parents=True)
    assert Project.find(root / "deep" / "er") == Project(root)
    monkeypatch.chdir(root / "deep")
    assert Project.find() == Project(root)
    assert Project.find(Path("er")) == Project(root)


def test_from_elsewhere_the_programs_own_checkout_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Project.find() == Project(CHECKOUT)


def test_a_folder_outside_a_checkout_is_not_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(TeekitError) as caught:
        Project.find(tmp_path)
    assert caught.value.message == f"{tmp_path} is not inside a checkout of this repository"
    assert caught.value.hint == "Change into the checkout, or name it with --source DIR."


def test_every_target_is_found_by_its_name_and_profiles() -> None:
    for target in TARGETS:
        assert find_target(target.image, reversed(target.profiles)) is target
    assert len({target.key for target in TARGETS}) == len(TARGETS)
    with pytest.raises(TeekitError) as caught:
        find_target("base", ["nonsense"])
    assert caught.value.message == "there is no image 'base+nonsense'"
    assert caught.value.hint == f"Choose one of: {', '.join(target.key for target in TARGETS)}."


def test_the_images_are_in_this_checkout() -> None:
    for target in TARGETS:
        assert (CHECKOUT / "mkosi" / f"{target.image}.conf").is_file()


def test_the_command_line_for_mkosi() -> None:
    target = find_target("base", ["debian-kernel"])
    assert target.mkosi("/source", "--json", "summary") == [
        *("mkosi", "--directory", "/source", "-I", "base.conf", "--profile=debian-kernel"),
        *("--json", "summary"),
    ]
