"""Files of two builds, and files against the published ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import documents as sample
from teekit_verify.appraisal.artifacts import (
    check_all_artifacts,
    check_one_artifact,
    pair_artifacts,
)
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents.model import Artifact
from teekit_verify.wording.checks import detail_of, name_of, pair_words

UKI, MANIFEST = sample.UKI, sample.MANIFEST
OTHER_BYTES = replace(UKI, sha256=sample.sha256("evil"))
LONGER = replace(OTHER_BYTES, size_bytes=1001)


def test_pairs_cover_the_names_of_both_builds() -> None:
    pairs = pair_artifacts((UKI,), (MANIFEST, UKI))
    assert [(pair.name, pair.a, pair.b, pair.same) for pair in pairs] == [
        ("tdx-debian.efi", UKI, UKI, True),
        ("tdx-debian.manifest", None, MANIFEST, False),
    ]


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((UKI,), (OTHER_BYTES,), "tdx-debian.efi: same size, other bytes"),
        ((UKI,), (LONGER,), "tdx-debian.efi: 1000 bytes in build A, 1001 bytes in build B"),
        ((UKI,), (), "tdx-debian.efi: made by build A only"),
        ((), (UKI,), "tdx-debian.efi: made by build B only"),
    ],
)
def test_differences_of_pairs_in_words(a: tuple[Artifact, ...], b: tuple[Artifact, ...], words: str) -> None:
    (pair,) = pair_artifacts(a, b)
    assert not pair.same
    assert pair_words(pair) == words


@pytest.mark.parametrize(
    ("made", "outcomes", "detail"),
    [
        ((UKI, MANIFEST), [Outcome.MATCH, Outcome.MATCH], ""),
        ((UKI,), [Outcome.MATCH, Outcome.MISMATCH], "the build did not make this file"),
        ((OTHER_BYTES, MANIFEST), [Outcome.MISMATCH, Outcome.MATCH], "same size, other bytes"),
        ((LONGER, MANIFEST), [Outcome.MISMATCH, Outcome.MATCH], "has 1001 bytes, published: 1000"),
        (
            (UKI, MANIFEST, Artifact("x", 1, sample.sha256("x"))),
            [Outcome.MATCH, Outcome.MATCH, Outcome.MISMATCH],
            "the reference does not list this file",
        ),
        ((), [Outcome.MISMATCH, Outcome.MISMATCH], "the build did not make this file"),
    ],
)
def test_a_build_against_the_published_files(made: tuple[Artifact, ...], outcomes: list[Outcome], detail: str) -> None:
    checks = check_all_artifacts((UKI, MANIFEST), made)
    assert [check.outcome for check in checks] == outcomes
    assert {detail_of(check) for check in checks} - {""} == ({detail} if detail else set())


def test_nothing_published_and_nothing_made_is_no_check() -> None:
    assert check_all_artifacts((), ()) == ()


def test_one_file_is_found_by_its_bytes_first() -> None:
    renamed = replace(UKI, name="boot.efi")
    named_like_another = replace(UKI, name=MANIFEST.name)
    for artifact in (UKI, renamed, named_like_another):
        check = check_one_artifact((MANIFEST, UKI), artifact)
        assert (name_of(check), check.outcome) == ("artifact tdx-debian.efi", Outcome.MATCH)


def test_one_file_with_other_bytes_is_compared_by_name() -> None:
    check = check_one_artifact((MANIFEST, UKI), LONGER)
    assert (check.outcome, detail_of(check)) == (Outcome.MISMATCH, "has 1001 bytes, published: 1000")
    assert (check.expected, check.found) == (UKI.sha256.hex, LONGER.sha256.hex)


@pytest.mark.parametrize("published", [(), (MANIFEST,)])
def test_a_file_nobody_published_does_not_match(published: tuple[Artifact, ...]) -> None:
    check = check_one_artifact(published, UKI)
    assert check.outcome is Outcome.MISMATCH
    assert detail_of(check) == "the reference lists no file with these bytes or this name"


def test_equal_digest_with_another_size_is_no_match() -> None:
    assert check_one_artifact((UKI,), replace(UKI, size_bytes=5)).outcome is Outcome.MISMATCH
