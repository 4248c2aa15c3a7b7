"""A UKI for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report.layout import show_line, show_table, styled
from teekit_verify.report.unmeasured import show_unmeasured

if TYPE_CHECKING:
    from teekit_verify.inspection.uki import UkiFacts
    from teekit_verify.report.console import Console


def render_uki(facts: UkiFacts) -> bytes:
    """What `inspect --json` prints for a UKI."""
    from teekit_verify.record.json_report import render  # with pydantic, which the screen does without

    return render({"schema": INSPECTION_SCHEMA}, facts)


def show_uki(facts: UkiFacts, out: Console) -> None:
    """What is in a UKI; texts line by line."""
    show_line(out, styled(facts.name, "bold"), f", {facts.size_bytes} bytes")
    for name, value in (
        ("sha256", facts.sha256.hex),
        ("Authenticode sha256", facts.authenticode_sha256.hex),
        ("Authenticode sha384", facts.authenticode_sha384.hex),
        ("systemd-stub", facts.stub_version),
        ("kernel", facts.kernel_release or "(not named)"),
        ("command line", "(none)" if facts.cmdline is None else facts.cmdline.rstrip("\0\n ")),
    ):
        show_line(out, f"{name:<20} ", styled(value))
    for line in (facts.os_release or "").rstrip("\0\n").splitlines():
        show_line(out, f"{'os-release':<20} ", styled(line))
    out.print()
    rows = [(styled(row.name), styled(row.size_bytes), styled(row.sha256.hex)) for row in facts.sections]
    show_table(out, ("section", "bytes", "sha256"), rows)
    show_unmeasured(facts.unmeasured_inputs, out)
