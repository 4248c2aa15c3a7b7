"""What machines may be given to run, of an image that measures it, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.report.layout import show_line, styled

if TYPE_CHECKING:
    from teekit_verify.documents.model import Apps
    from teekit_verify.report.console import Console


def show_apps(apps: Apps, out: Console) -> None:
    """What a machine may be given to run, of an image that measures it."""
    if not apps.acceptable:
        show_line(out, styled("apps: not given, so RTMR3 and PCR 15, which depend on them, are open", "yellow"))
    for given in apps.acceptable:
        for number, manifest in enumerate(given.parsed):
            show_line(out, f"app {number} sha256 {manifest.sha256.hex} from ", styled(manifest.app))
        names = "any" if given.hostnames is None else ", ".join(given.hostnames) or "none"
        show_line(out, "hostnames: ", styled(names))
