"""Every difference between two input records is named, in the words of the person who has to look at it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import documents as sample
from teekit_verify.documents.inputs import compare_inputs, inputs_digest
from teekit_verify.documents.model import Inputs, SourceKind

BASE = sample.inputs()
OTHER_NAR = "sha256-" + "B" * 43 + "="


def test_equal_inputs_do_not_differ() -> None:
    assert compare_inputs(BASE, sample.inputs()) == ()


def test_order_of_packages_and_files_means_nothing() -> None:
    turned = replace(BASE, packages=BASE.packages[::-1], source_files=BASE.source_files[::-1])
    assert compare_inputs(BASE, turned) == ()
    assert inputs_digest(BASE) == inputs_digest(turned)


@pytest.mark.parametrize(
    ("found", "differences"),
    [
        (replace(BASE, image="kettle"), ("image base -> kettle",)),
        (replace(BASE, profiles=()), ("profiles debian-kernel -> (none)",)),
        (
            replace(BASE, packages=(BASE.packages[0], sample.package("systemd", "257.13-1"))),
            ("package systemd amd64 257.9-1 -> 257.13-1",),
        ),
        (replace(BASE, packages=BASE.packages[1:]), ("package bash amd64 1.0-1 removed",)),
        (replace(BASE, packages=(*BASE.packages, sample.package("vim"))), ("package vim amd64 1.0-1 added",)),
        (
            replace(BASE, packages=(sample.package("bash", content="evil"), BASE.packages[1])),
            # printf 'bash 1.0-1' | sha256sum; printf evil | sha256sum
            ("package bash amd64 1.0-1 has other bytes (sha256 4262cbe39c0d -> b5c1fb2efc6d)",),
        ),
        (
            replace(BASE, source_files=(*BASE.source_files, sample.source("mkosi/base/new"))),
            ("mkosi/base/new added",),
        ),
        (replace(BASE, source_files=BASE.source_files[1:]), ("mkosi/base/mkosi.conf removed",)),
        (
            replace(BASE, source_files=(sample.source("mkosi/base/mkosi.conf", "evil"), BASE.source_files[1])),
            ("mkosi/base/mkosi.conf changed (sha256 aa8034f66066 -> b5c1fb2efc6d)",),
        ),
        (
            replace(
                BASE,
                source_files=(replace(BASE.source_files[0], kind=SourceKind.EXECUTABLE), BASE.source_files[1]),
            ),
            ("mkosi/base/mkosi.conf changed from file to executable",),
        ),
        (
            replace(BASE, lock_sha256=sample.sha256("evil")),
            ("lock file changed (sha256 0c030586945f -> b5c1fb2efc6d)",),
        ),
        (
            replace(BASE, environment=replace(BASE.environment, lock_sha256=sample.sha256("evil"))),
            ("environment's lock file changed (sha256 0c030586945f -> b5c1fb2efc6d)",),
        ),
        (
            replace(BASE, environment=replace(BASE.environment, nar_hash=OTHER_NAR)),
            (f"environment narHash {BASE.environment.nar_hash} -> {OTHER_NAR}",),
        ),
        (
            replace(BASE, environment=replace(BASE.environment, store_path="/nix/store/x")),
            (f"environment store path {BASE.environment.store_path} -> /nix/store/x",),
        ),
    ],
)
def test_each_difference_is_named(found: Inputs, differences: tuple[str, ...]) -> None:
    assert compare_inputs(BASE, found) == differences
    assert inputs_digest(BASE) != inputs_digest(found)


def test_several_versions_of_one_package_are_kept_apart() -> None:
    both = replace(BASE, packages=(*BASE.packages, sample.package("bash", "2.0-1")))
    assert compare_inputs(BASE, both) == ("package bash amd64 2.0-1 added",)
    assert compare_inputs(both, BASE) == ("package bash amd64 2.0-1 removed",)


def test_a_package_hidden_behind_its_double_is_a_difference() -> None:
    doubled = replace(BASE, packages=(sample.package("bash", content="evil"), *BASE.packages))
    assert compare_inputs(BASE, doubled) == ("one of the input records lists an item twice",)


_names = st.sampled_from(["bash", "dash", "systemd"])
_versions = st.sampled_from(["1", "2"])
_packages = st.lists(st.builds(sample.package, _names, _versions), unique=True).map(tuple)
_files = st.lists(st.builds(sample.source, _names, _versions), unique_by=lambda item: item.path).map(tuple)
_inputs = st.builds(lambda packages, files: sample.inputs(packages=packages, source_files=files), _packages, _files)


@given(_inputs, _inputs)
def test_no_named_difference_exactly_when_the_digests_are_equal(one: Inputs, other: Inputs) -> None:
    assert (compare_inputs(one, other) == ()) == (inputs_digest(one) == inputs_digest(other))
