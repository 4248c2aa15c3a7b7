"""`teekit-verify doctor`: what this host lacks, and the one command that installs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from teekit_verify.cli.options.shared import DebugOption, JsonOption, cache_directory, tell, tell_outcome
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.api import Finding

_SETUP = "scripts/setup_deps.sh"
_SCHEMA = "teekit-verify/doctor/v1"


def doctor(json_output: JsonOption = False, debug: DebugOption = False) -> ExitStatus:
    """Say what this host lacks, and the command that installs it.

    It looks for what a rebuild needs, and what a boot needs.

    Exit status: 0 a rebuild can start, 1 something it needs is missing.
    """
    from teekit_verify import api

    findings = api.examine_host([_working_directory(), cache_directory()])
    ready = api.can_rebuild(findings)
    command = _fixing_command(findings)
    if json_output:
        typer.echo(json.dumps(_document(findings, ready=ready, command=command), indent=2))
    else:
        for line in [*map(_line, findings), "", *_advice(findings, command=command)]:
            tell(line)
        tell_outcome("a rebuild can start" if ready else "a rebuild cannot start yet")
    return ExitStatus.HOLDS if ready else ExitStatus.DOES_NOT_HOLD


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise TeekitError("the current folder no longer exists", hint="Change into another folder.") from error


def _fixing_command(findings: list[Finding]) -> str | None:
    """What a boot needs, --tests brings."""
    from teekit_verify import api

    lacking = {finding.needed_for for finding in findings if finding.installable}
    if api.Purpose.BOOT in lacking and api.Purpose.REBUILD not in lacking:
        return f"{_SETUP} --tests"
    return _SETUP if lacking else None


def _line(finding: Finding) -> str:
    state = "found" if finding.present else "MISSING"
    return f"{finding.name:<20} {state:<8} {finding.needed_for.value:<8} {_one_line(finding.detail)}"


def _advice(findings: list[Finding], *, command: str | None) -> list[str]:
    hints = dict.fromkeys(finding.hint for finding in findings if finding.hint)
    lines = [f"{', '.join(item.name for item in findings if item.hint == hint)}: {hint}" for hint in hints]
    if command is not None:
        lines.append(f"to install what is missing: {command}")
    return lines


def _document(findings: list[Finding], *, ready: bool, command: str | None) -> dict[str, object]:
    items = [
        {
            "name": finding.name,
            "needed_for": finding.needed_for.value,
            "present": finding.present,
            "detail": finding.detail,
            "hint": finding.hint or None,
        }
        for finding in findings
    ]
    status = ExitStatus.HOLDS if ready else ExitStatus.DOES_NOT_HOLD
    heading = {"schema": _SCHEMA, "exit_status": int(status)}
    return {**heading, "ready": ready, "command": command, "items": items}


def _one_line(text: str) -> str:
    return " ".join(text.split())
