from __future__ import annotations

import pytest

from teekit_verify.prediction.linux import KernelBehaviour, kernel_behaviour


@pytest.mark.parametrize(
    ("release", "tcg2", "cc", "vendor_decides"),
    [
        ("5.14.0-503.el9.x86_64", None, None, True),
        ("6.0.19", None, None, True),
        ("6.1.0-56-cloud-amd64", True, None, True),
        ("6.8.12", True, None, True),
        ("6.9.0-rc1", True, True, False),
        ("6.12.107+deb13-amd64", True, True, False),
        ("7.0", True, True, False),
        ("", None, None, False),
        ("linux", None, None, False),
        (None, None, None, False),
    ],
)
def test_what_a_version_measures(
    release: str | None,
    tcg2: bool | None,  # noqa: FBT001
    cc: bool | None,  # noqa: FBT001
    vendor_decides: bool,  # noqa: FBT001
) -> None:
    assert kernel_behaviour(release) == KernelBehaviour(tcg2, cc, vendor_decides=vendor_decides)
