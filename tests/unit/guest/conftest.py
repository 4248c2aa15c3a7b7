"""For all tests of the guest's programs: a busy machine does not make a server of theirs one that does not answer."""

from __future__ import annotations

import pytest

from teekit_guest import attestation_answer, launcher, metadata, supervisor


@pytest.fixture(autouse=True)
def _busy_servers_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (metadata, "SECONDS"),
        (attestation_answer, "AZURE_SECONDS"),
        (launcher, "HEALTH_SECONDS"),
        (supervisor, "ANSWER_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 600.0)
