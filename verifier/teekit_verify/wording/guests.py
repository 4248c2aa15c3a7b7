"""What a live machine, or a guest, was shown to be, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import conclude
from teekit_verify.appraisal.guest.machine_tpm import lacks_hardware
from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.appraisal.guest.registers import PresentedAppraisal
    from teekit_verify.prediction.given_apps import GivenApps

_WORDS = {
    ExitStatus.HOLDS: "MATCH: this machine is what was published",
    ExitStatus.DOES_NOT_HOLD: "MISMATCH: this machine is not what was asked for",
    ExitStatus.NO_VERDICT: "NO VERDICT: not everything that speaks for this machine could be compared",
}
_REFUSED = "REFUSED: the machine's quote cannot be relied on"


def runs_lines(given: GivenApps) -> tuple[str, ...]:
    """`app sha256:52b5... from https://example.org/app.js`, one for each kettle."""
    return tuple(
        f"app {number} sha256:{manifest.sha256.hex} from {printable(manifest.app)}"
        for number, manifest in enumerate(given.manifests)
    )


def verdict_words(appraisal: PresentedAppraisal, *, is_bound: bool) -> str:
    """No stronger than what was compared. `is_bound`: the connection is known to end in the machine."""
    status = appraisal.conclusion.status
    if status is not ExitStatus.HOLDS:
        refused = status is ExitStatus.DOES_NOT_HOLD and conclude(appraisal.checklist).status is not status
        return _REFUSED if refused else _WORDS[status]
    words = _WORDS[status]
    words += ", and runs only what it should" if appraisal.runs is not None else "; what it runs was not compared"
    words += "; a TPM alone says so: its host can look into it" if lacks_hardware(appraisal.quote) else ""
    return words + ("" if is_bound else "; the connection is not bound to it")
