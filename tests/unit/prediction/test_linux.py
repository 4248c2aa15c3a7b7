from __future__ import annotations

import pytest

from teekit_verify.prediction.linux import KernelBehaviour, kernel_behaviour


@pytest.mark.parametrize(
    ("release", "tcg2", "cc"),
    [
        ("5.14.0-503.el9.x86_64", None, False),
        ("6.0.19", None, False),
        ("6.1.0-56-cloud-amd64", True, False),
        ("6.8.12", True, False),
        ("6.9.0-rc1", True, True),
        ("6.12.107+deb13-amd64", True, True),
        ("7.0", True, True),
        ("", None, None),
        ("linux", None, None),
        (None, None, None),
    ],
)
def test_what_a_version_measures(release: str | None, tcg2: bool | None, cc: bool | None) -> None:  # noqa: FBT001
    assert kernel_behaviour(release) == KernelBehaviour(tcg2, cc)
