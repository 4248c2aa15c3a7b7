"""A SARIF log of one run (OASIS, Static Analysis Results Interchange Format 2.1.0; sections are its)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from teekit_verify import __version__
from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.core.url import reference_to
from teekit_verify.report.sarif.findings import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.report.sarif.findings import Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_MOST_RESULTS = 5000
"""GitHub takes so many of a run, and shows them (GitHub Docs, "SARIF support for code scanning")."""
_RULES = list(Rule)


def render(findings: Iterable[Finding], status: ExitStatus) -> bytes:
    """The same findings give the same bytes. An invocation is successful when it came to an answer, whichever it is."""
    results = [_result(finding) for finding, _ in zip(findings, range(_MOST_RESULTS), strict=False)]
    run = {
        "tool": {
            "driver": {"name": "teekit-verify", "version": __version__, "rules": [_rule(rule) for rule in _RULES]}
        },
        "invocations": [{"executionSuccessful": status is not ExitStatus.NO_VERDICT, "exitCode": int(status)}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2).encode() + b"\n"


def _rule(rule: Rule) -> dict[str, object]:
    return {"id": rule.id, "name": rule.name, "shortDescription": {"text": rule.text}}


def _result(finding: Finding) -> dict[str, object]:
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": _RULES.index(finding.rule),
        "level": finding.level.value,
        "message": {"text": printable(finding.message)},
        "locations": [_location(finding)],
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
    }


def _location(finding: Finding) -> dict[str, object]:
    """A region needs a line (section 3.30); without one the whole file is meant."""
    physical: dict[str, object] = {"artifactLocation": {"uri": reference_to(finding.file)}}
    if finding.line:
        physical["region"] = {"startLine": finding.line}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": printable(finding.place)}]}


def _fingerprint(finding: Finding) -> str:
    """What stays from run to run: the rule and the place, not the values (section 3.27.17)."""
    return hashlib.sha256(
        f"{finding.rule.id}\x00{finding.file}\x00{finding.place}".encode(errors="backslashreplace")
    ).hexdigest()
