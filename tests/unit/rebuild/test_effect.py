"""What a refresh did to an image: every change of it comes from a package that changed, or is named as one that does not."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from builders.cpio import DIRECTORY, FILE, SYMLINK, Entry, build_cpio
from builders.tools import require
from builders.uki import CMDLINE, build_uki, kernel
from teekit_verify.core.download import DownloadStore
from teekit_verify.documents import model
from teekit_verify.rebuild import effect
from teekit_verify.rebuild.attribution import Reason
from teekit_verify.rebuild.effect import Effect, Move, Side
from teekit_verify.registers.registers import pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.registers.registers import Register

Found = list[tuple[str, str, tuple[str, ...]]]
OLD_KERNEL, NEW_KERNEL = "6.12.107-amd64", "6.12.118-amd64"


def entry(name: str, content: str = "", mode: int = FILE | 0o644, mtime: int = 0) -> Entry:
    return Entry(name, content.encode(), mode=mode, mtime=mtime)


@dataclass
class Lab:
    """A store with packages, and the two images before and after."""

    folder: Path
    packages: dict[str, tuple[model.Package, ...]] = field(default_factory=lambda: {"old": (), "new": ()})
    images: dict[str, Path] = field(default_factory=dict)

    def package(self, side: str, name: str, files: dict[str, str | tuple[str, int]], *, fetched: bool = True) -> None:
        """A real .deb. A content that begins with "-> " is a symbolic link, a pair has its mode."""
        tree = self.folder / f"{side}-{name}"
        (tree / "DEBIAN").mkdir(parents=True)
        control = (
            f"Package: {name}\nVersion: {side}\nArchitecture: amd64\nMaintainer: A <a@b.example>\nDescription: x\n"
        )
        (tree / "DEBIAN/control").write_text(control.replace(f"Version: {side}", f"Version: 1-{side}"))
        for path, said in files.items():
            content, mode = said if isinstance(said, tuple) else (said, 0o644)
            place = tree / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("-> "):
                place.symlink_to(content[3:])
            else:
                place.write_bytes(content.encode("latin-1"))
                place.chmod(mode)
        made = tree.with_suffix(".deb")
        subprocess.run([require("dpkg-deb"), "--root-owner-group", "-b", tree, made], check=True, capture_output=True)
        self._keep(side, name, made.read_bytes(), fetched=fetched)

    def npm(self, side: str, name: str, files: dict[str, str]) -> None:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            for path, content in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content.encode()))
        self._keep(side, name, data.getvalue(), fetched=True)

    def _keep(self, side: str, name: str, data: bytes, *, fetched: bool) -> None:
        digest = hashlib.sha256(data).hexdigest()
        if fetched:
            (self.folder / "store/sha256").mkdir(parents=True, exist_ok=True)
            (self.folder / "store/sha256" / digest).write_bytes(data)
        made = sample.package(name, f"1-{side}")
        made = model.Package(
            made.name, made.version, made.architecture, type(made.sha256).from_hex(made.sha256.algorithm, digest)
        )
        self.packages[side] = (*self.packages[side], made)

    def image(self, side: str, entries: Sequence[Entry], sections: Sequence[tuple[str, bytes]] = ()) -> None:
        given = dict(sections)
        payload = [
            (".cmdline", given.pop(".cmdline", CMDLINE)),
            (".linux", given.pop(".linux", kernel(OLD_KERNEL))),
            (".initrd", build_cpio(entries)),
            *given.items(),
        ]
        self.images[side] = self.folder / f"{side}.efi"
        self.images[side].write_bytes(build_uki(sections=payload))

    def side(self, name: str) -> Side:
        data = self.images[name].read_bytes()
        artifact = model.Artifact("image.efi", len(data), sample.sha256("").of(sample.sha256("").algorithm, data))
        inputs = sample.inputs(packages=self.packages[name])
        return Side(name, inputs, {}, (artifact,), self.images[name])

    def effect(self) -> Effect:
        return effect.compare(self.side("old"), self.side("new"), DownloadStore(self.folder / "store"))

    def found(self) -> Found:
        """Without the headers of the PE file, which follow the sections."""
        parts = self.effect().parts
        assert parts is not None
        return [
            (part.path or part.section, part.reason.value, part.packages) for part in parts if part.section != "headers"
        ]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def both(
    lab: Lab, old: dict[str, str | tuple[str, int]], new: dict[str, str | tuple[str, int]], name: str = "tool"
) -> None:
    lab.package("old", name, old)
    lab.package("new", name, new)


def images(lab: Lab, old: Sequence[Entry], new: Sequence[Entry]) -> Found:
    lab.image("old", old)
    lab.image("new", new)
    return lab.found()


def test_a_file_of_a_package_that_changed(lab: Lab) -> None:
    both(lab, {"usr/bin/tool": "one"}, {"usr/bin/tool": "two"})
    found = images(lab, [entry("usr/bin/tool", "one")], [entry("usr/bin/tool", "two")])
    assert found == [("usr/bin/tool", "package", ("tool",))]
    assert lab.effect().is_whole


def test_a_package_may_still_name_folders_of_before_usr_merge(lab: Lab) -> None:
    both(lab, {"lib/tool.so": "one"}, {"usr/lib/tool.so": "two"})
    found = images(lab, [entry("./usr/lib/tool.so", "one")], [entry("./usr/lib/tool.so", "two")])
    assert found == [("usr/lib/tool.so", "package", ("tool",))]


def test_a_file_that_no_changed_package_has_is_the_alarm(lab: Lab) -> None:
    both(lab, {"usr/bin/tool": "one"}, {"usr/bin/tool": "two"})
    found = images(
        lab,
        [entry("usr/bin/tool", "one"), entry("usr/bin/other", "before")],
        [entry("usr/bin/tool", "two"), entry("usr/bin/other", "after"), entry("usr/bin/planted", "x")],
    )
    assert found == [
        ("usr/bin/other", "unexplained", ()),
        ("usr/bin/planted", "unexplained", ()),
        ("usr/bin/tool", "package", ("tool",)),
    ]


def test_the_packages_path_with_other_bytes_is_an_alarm(lab: Lab) -> None:
    both(lab, {"usr/bin/tool": "one"}, {"usr/bin/tool": "two"})
    found = images(lab, [entry("usr/bin/tool", "one")], [entry("usr/bin/tool", "evil")])
    assert found == [("usr/bin/tool", "unexplained", ("tool",))]


def test_a_file_that_the_build_edits_now_as_before(lab: Lab) -> None:
    both(lab, {"etc/tool.conf": "one"}, {"etc/tool.conf": "two"})
    found = images(lab, [entry("etc/tool.conf", "one, edited")], [entry("etc/tool.conf", "two, edited")])
    assert found == [("etc/tool.conf", "edited", ("tool",))]


def test_an_edited_file_of_which_the_package_changed_nothing(lab: Lab) -> None:
    both(lab, {"etc/tool.conf": "same", "usr/bin/tool": "1"}, {"etc/tool.conf": "same", "usr/bin/tool": "2"})
    found = images(lab, [entry("etc/tool.conf", "same, edited")], [entry("etc/tool.conf", "same, and edited")])
    assert found == [("etc/tool.conf", "unexplained", ("tool",))]


def test_new_and_gone_files(lab: Lab) -> None:
    both(lab, {"usr/bin/old": "o", "usr/bin/kept": "k"}, {"usr/bin/new": "n", "usr/bin/kept": "k"})
    found = images(lab, [entry("usr/bin/old", "o"), entry("usr/bin/kept", "k")], [entry("usr/bin/new", "n")])
    assert found == [
        ("usr/bin/kept", "unexplained", ("tool",)),  # the package still has it
        ("usr/bin/new", "package", ("tool",)),
        ("usr/bin/old", "package", ("tool",)),
    ]


def test_a_new_file_that_the_package_had_all_along(lab: Lab) -> None:
    both(lab, {"usr/bin/su": "su", "usr/bin/x": "1"}, {"usr/bin/su": "su", "usr/bin/x": "2"})
    assert images(lab, [], [entry("usr/bin/su", "su")]) == [("usr/bin/su", "unexplained", ("tool",))]


@pytest.mark.parametrize(
    ("library", "reason"), [("usr/lib/x86_64-linux-gnu/libx.so.1", "derived"), ("usr/bin/x", "unexplained")]
)
def test_a_file_that_is_made_from_others(lab: Lab, library: str, reason: str) -> None:
    both(lab, {library: "1"}, {library: "2"}, "x")
    found = images(
        lab,
        [entry("etc/ld.so.cache", "a"), entry(library, "1")],
        [entry("etc/ld.so.cache", "b"), entry(library, "2")],
    )
    assert found[0] == ("etc/ld.so.cache", reason, ("x",) if reason == "derived" else ())


def test_indexes_of_modules_are_of_that_kernel(lab: Lab) -> None:
    module = f"usr/lib/modules/{NEW_KERNEL}/kernel/a.ko.xz"
    lab.package("new", "linux-image", {module: "new"})
    lab.package("old", "linux-image", {f"usr/lib/modules/{OLD_KERNEL}/kernel/a.ko.xz": "old"})
    folder = [entry("usr/lib/modules", mode=DIRECTORY | 0o755)]
    new = [entry(f"usr/lib/modules/{NEW_KERNEL}", mode=DIRECTORY | 0o755), entry(module, "new")]
    new += [entry(f"usr/lib/modules/{NEW_KERNEL}/modules.dep", "x"), entry("usr/lib/modules/other/modules.dep", "x")]
    found = images(lab, folder, folder + new)
    assert [(path.removeprefix("usr/lib/modules/"), reason) for path, reason, _ in found] == [
        (NEW_KERNEL, "package"),
        (f"{NEW_KERNEL}/kernel/a.ko.xz", "package"),
        (f"{NEW_KERNEL}/modules.dep", "derived"),
        ("other/modules.dep", "unexplained"),
    ]


def test_a_link_that_points_elsewhere(lab: Lab) -> None:
    both(lab, {"usr/lib/l.so": "-> l.so.1", "usr/lib/m": "-> a"}, {"usr/lib/l.so": "-> l.so.2", "usr/lib/m": "-> b"})
    link = SYMLINK | 0o777
    found = images(
        lab,
        [entry("usr/lib/l.so", "l.so.1", link), entry("usr/lib/m", "a", link)],
        [entry("usr/lib/l.so", "l.so.2", link), entry("usr/lib/m", "/evil", link)],
    )
    assert found == [("usr/lib/l.so", "package", ("tool",)), ("usr/lib/m", "unexplained", ("tool",))]


def test_the_mode_that_the_package_gives(lab: Lab) -> None:
    both(
        lab,
        {"usr/bin/a": ("1", 0o644), "usr/bin/b": ("1", 0o644)},
        {"usr/bin/a": ("2", 0o755), "usr/bin/b": ("2", 0o755)},
    )
    found = images(
        lab,
        [entry("usr/bin/a", "1"), entry("usr/bin/b", "1")],
        [entry("usr/bin/a", "2", FILE | 0o755), entry("usr/bin/b", "2", FILE | 0o4755)],
    )
    assert found == [("usr/bin/a", "package", ("tool",)), ("usr/bin/b", "unexplained", ("tool",))]


def test_a_module_of_npm_under_another_name(lab: Lab) -> None:
    lab.npm("old", "ws", {"package/index.js": "one"})
    lab.npm("new", "ws", {"package/index.js": "two"})
    found = images(lab, [entry("opt/kettle.js", "one")], [entry("opt/kettle.js", "two")])
    assert found == [("opt/kettle.js", "package", ("ws",))]


def test_bytes_of_one_package_before_and_of_another_now(lab: Lab) -> None:
    both(lab, {"usr/share/a": "text of a"}, {"usr/share/a": "other text"}, "a")
    both(lab, {"usr/bin/b": "1"}, {"usr/bin/b": "2"}, "b")
    assert images(lab, [entry("usr/bin/x", "text of a")], [entry("usr/bin/x", "2")]) == [
        ("usr/bin/x", "unexplained", ())
    ]


def test_the_kernel_and_what_follows_from_it(lab: Lab) -> None:
    for side, release in (("old", OLD_KERNEL), ("new", NEW_KERNEL)):
        lab.package(side, "linux-image", {f"boot/vmlinuz-{release}": kernel(release).decode("latin-1")})
        lab.image(side, [], [(".linux", kernel(release)), (".uname", release.encode())])
    assert lab.found() == [(".linux", "package", ("linux-image",)), (".uname", "derived", ("linux-image",))]
    assert [part.by for part in lab.effect().parts or ()] == ["", "ukify"]


def test_the_command_line_comes_from_no_package(lab: Lab) -> None:
    both(lab, {"usr/bin/tool": "one"}, {"usr/bin/tool": "two"})
    lab.image("old", [entry("usr/bin/tool", "one")])
    lab.image("new", [entry("usr/bin/tool", "two")], [(".cmdline", b"init=/bin/sh"), (".initrd ", b"more")])
    assert [found for found in lab.found() if found[1] == "unexplained"] == [
        (".cmdline", "unexplained", ()),
        (".initrd ", "unexplained", ()),
    ]


def test_the_section_that_names_another_kernel(lab: Lab) -> None:
    for side, release in (("old", OLD_KERNEL), ("new", NEW_KERNEL)):
        lab.package(side, "linux-image", {f"boot/vmlinuz-{release}": kernel(release).decode("latin-1")})
    lab.image("old", [], [(".uname", OLD_KERNEL.encode())])
    lab.image("new", [], [(".linux", kernel(NEW_KERNEL)), (".uname", b"6.1.0-evil")])
    assert lab.found()[1] == (".uname", "unexplained", ())


def test_an_initrd_that_is_packed_in_another_way(lab: Lab) -> None:
    lab.image("old", [entry("a", "1")])
    lab.image("new", [entry("a", "1")])
    data = lab.images["new"].read_bytes()
    at = data.index(b"070701")
    lab.images["new"].write_bytes(data[: at + 6] + b"0000BEEF" + data[at + 14 :])  # the number of an inode
    assert lab.found() == [(".initrd", "unexplained", ())]


def test_a_package_that_is_not_here_leaves_it_open(lab: Lab) -> None:
    lab.package("old", "tool", {"usr/bin/tool": "one"})
    lab.package("new", "tool", {"usr/bin/tool": "two"}, fetched=False)
    images(lab, [entry("usr/bin/tool", "one")], [entry("usr/bin/tool", "two")])
    found = lab.effect()
    assert (found.is_whole, found.not_fetched) == (False, ("tool 1-new",))
    assert [part.reason for part in found.unexplained if part.path] == [Reason.UNEXPLAINED]


def test_equal_images(lab: Lab) -> None:
    both(lab, {"usr/share/doc/tool": "one"}, {"usr/share/doc/tool": "two"})
    assert images(lab, [entry("a", "1")], [entry("a", "1")]) == []
    assert lab.effect().is_whole


def test_registers_and_what_moved_them(tmp_path: Path) -> None:
    linux, other = sample.section_event(".linux"), sample.section_event(".linux", "another kernel")
    values: list[dict[Register, tuple[model.RegisterValue, ...]]] = [
        {
            rtmr(0): (sample.incomplete(sample.ACTION),),
            rtmr(1): (sample.complete(sample.ACTION, moving),),
            rtmr(2): (sample.complete(linux),),
            only: (sample.complete(linux),),
        }
        for moving, only in ((linux, pcr(4)), (other, pcr(9)))
    ]
    old, new = (Side("a report", sample.inputs(), {"tdx": one}, (sample.UKI,), None) for one in values)
    found = effect.compare(old, new, DownloadStore(tmp_path))
    assert [(str(one.register), one.move, one.causes) for one in found.registers] == [
        ("PCR4", Move.GONE, ("UKI section .linux",)),
        ("PCR9", Move.NEW, ("UKI section .linux",)),
        ("RTMR0", Move.OPEN, ()),
        ("RTMR1", Move.CHANGED, ("UKI section .linux",)),
        ("RTMR2", Move.SAME, ()),
    ]
