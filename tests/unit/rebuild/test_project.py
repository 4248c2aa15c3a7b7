"""Finding the checkout, and the images it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders.rebuilds import Miniature
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.process import Completed
from teekit_verify.rebuild import images
from teekit_verify.rebuild.images import TARGETS, Image, Profile, Target, find_target
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.sandbox import Sandbox

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
        assert find_target(target.image, list(reversed(target.profiles))) is target
    assert len({target.key for target in TARGETS}) == len(TARGETS)
    with pytest.raises(TeekitError) as caught:
        find_target("base", ["nonsense"])
    assert caught.value.message == "there is no profile 'nonsense' of base"
    with pytest.raises(TeekitError) as caught:
        find_target("bse", [])
    assert (caught.value.message, caught.value.hint) == ("there is no image 'bse'", "Did you mean base?")
    with pytest.raises(TeekitError) as caught:
        find_target("tdx-kettle", ["gcp", "azure"])
    assert caught.value.message == "there is no image 'tdx-kettle+azure+gcp'"
    assert caught.value.hint == f"Choose one of: {', '.join(target.key for target in TARGETS)}."


@pytest.mark.parametrize("image", images.IMAGES, ids=lambda image: image.name)
def test_the_images_are_those_of_this_checkout(image: Image) -> None:
    definition = (CHECKOUT / "mkosi" / f"{image.name}.conf").read_text()
    assert f"\nDependencies={','.join(image.stages)}\n" in definition
    assert f"\nOutput={image.output}\n" in definition
    assert f"\nImageId={image.output}\n" in definition
    for profile in image.profiles:
        for folder in (profile.name, *profile.folders):
            assert (CHECKOUT / "mkosi" / "mkosi.profiles" / folder).is_dir() or not folder


KETTLE = Image(
    "kettle", "tdx", ("base", "sqld"), (Profile(""), Profile("cloud", "-cloud", ".vhd", folders=("cloud", "disk")))
)


@pytest.mark.parametrize(
    ("path", "seen_by"),
    [
        ("mkosi.conf", "base kettle cloud"),
        ("uki.conf", "base kettle cloud"),
        ("base.conf", "base"),
        ("kettle.conf", "kettle cloud"),
        ("mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources", "base kettle cloud"),
        ("mkosi.images/base/mkosi.conf", "base kettle cloud"),
        ("mkosi.images/base/mkosi.extra/usr/__pycache__/x.pyc", ""),
        ("mkosi.images/kernel/mkosi.conf", "base"),
        ("mkosi.images/sqld/package.json", "kettle cloud"),
        ("mkosi.images/base-other/mkosi.conf", ""),
        ("mkosi.profiles/cloud/mkosi.conf", "cloud"),
        ("mkosi.profiles/disk/make_disk.py", "cloud"),
        ("mkosi.profiles/other/mkosi.conf", ""),
    ],
)
def test_a_build_sees_what_its_image_uses(monkeypatch: pytest.MonkeyPatch, path: str, seen_by: str) -> None:
    """Else every new stage would change the inputs of the images that are published already."""
    monkeypatch.setattr(images, "IMAGES", (*images.IMAGES, KETTLE))
    plain, with_disk = KETTLE.profiles
    targets = {
        "base": find_target("base", []),
        "kettle": Target(KETTLE, plain, ""),
        "cloud": Target(KETTLE, with_disk, "debian-kernel"),
    }
    assert [name for name, target in targets.items() if target.uses(path)] == seen_by.split()


def test_no_two_images_have_the_same_outputs() -> None:
    names = [(image.output + profile.suffix, profile.disk) for image in images.IMAGES for profile in image.profiles]
    assert len(set(names)) == len(names)
    target = Target(KETTLE, KETTLE.profiles[1], "debian-kernel")
    assert target.key == "kettle+cloud+debian-kernel"
    assert target.artifacts == ("tdx-cloud.efi", "tdx-cloud.vhd", "tdx-cloud.manifest")


def test_what_a_stage_adds_is_resolved_together_with_what_is_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    none: dict[str, list[str]] = {"Packages": [], "BuildPackages": [], "VolatilePackages": [], "BaseTrees": []}
    stages = [
        none | {"Image": "base", "Packages": ["udev"]},
        none | {"Image": "kernel", "BuildPackages": ["gcc"]},
        none | {"Image": "kettle", "Packages": ["nginx"], "BaseTrees": ["/any/base"]},
        none | {"Image": "sqld", "BaseTrees": ["/any/base"]},
        none | {"Image": None, "Packages": ["gdb"], "VolatilePackages": ["less"], "BaseTrees": ["/any/kettle"]},
    ]
    answer = Completed(("mkosi",), 0, json.dumps({"Images": stages}).encode())
    monkeypatch.setattr(Sandbox, "run", lambda *_, **__: answer)
    assert images.stage_requests(find_target("base", []), Sandbox(Path("/none")), "/source") == [
        ["?essential", "base-files", "udev"],
        ["?essential", "base-files", "gcc"],
        ["?essential", "base-files", "udev", "nginx"],
        ["?essential", "base-files", "udev", "nginx", "gdb", "less"],
    ]


def test_the_command_line_for_mkosi() -> None:
    target = find_target("base", ["debian-kernel"])
    assert target.mkosi("/source", "--json", "summary") == [
        *("mkosi", "--directory", "/source", "-I", "base.conf", "--profile=debian-kernel"),
        *("--json", "summary"),
    ]
