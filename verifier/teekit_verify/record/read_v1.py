"""report.json of schema v1, whose checks were a name and a sentence, as v2: the only place that knows names as they were.

Nothing is decided by them. A name that is no register's or artifact's of v1 is kept as it is, and so is every sentence.
"""

from __future__ import annotations

import re
from typing import Any

from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import TeekitError
from teekit_verify.prediction.causes import cause_of
from teekit_verify.record.schema_names import REBUILD_SCHEMA
from teekit_verify.registers.registers import Register

_ARTIFACT = "artifact "
_DIGEST = re.compile("[0-9a-f]{64}|[0-9a-f]{96}", re.ASCII)
_BANKS = {bank.value for bank in Algorithm}


def upgraded(fields: dict[str, Any]) -> dict[str, Any]:
    """The document in the form of v2. What is malformed stays so, for the reader of v2 to refuse."""
    report = {**fields, "schema": REBUILD_SCHEMA}
    reasons, checklist = fields.get("reasons"), fields.get("checklist")
    if isinstance(checklist, dict):
        report["checklist"] = _checklist(checklist)
    elif fields.get("verdict") == "FAILED" and isinstance(reasons, list):
        report["failure"] = "\n".join(line for line in reasons if isinstance(line, str))
    return report


def _checklist(checklist: dict[str, Any]) -> dict[str, Any]:
    changed = dict(checklist)
    for name, outcome in (("checks", ""), ("ignored", "ignored")):
        if isinstance(checks := checklist.get(name), list):
            changed[name] = [_check(check, outcome) if isinstance(check, dict) else check for check in checks]
    if isinstance(differences := checklist.get("differences"), list):
        changed["differences"] = [_without_text(item) if isinstance(item, dict) else item for item in differences]
    return changed


def _without_text(difference: dict[str, Any]) -> dict[str, Any]:
    """It said what the check says; the cause was text alone."""
    fields = {name: value for name, value in difference.items() if name != "text"}
    if isinstance(cause := fields.get("cause"), str):
        origin = cause_of(cause)
        fields["origin"] = {"kind": origin.kind.value, "what": list(origin.what)}
    return fields


def _check(check: dict[str, Any], outcome: str) -> dict[str, Any]:
    fields = {name: value for name, value in check.items() if name not in {"name", "detail"}}
    if outcome:
        fields["outcome"] = outcome
    elif fields.get("outcome") == "match" and not _DIGEST.fullmatch(str(fields.get("expected"))):
        fields["outcome"] = "open"  # v1 called it a match when the known events of an unknown value agreed
    detail = check.get("detail")
    fields["reason"] = {"kind": "said", "text": detail} if detail else None
    fields["subject"] = _subject(check.get("name"))
    return fields


def _subject(name: object) -> object:
    if not isinstance(name, str):
        return name
    if name.startswith(_ARTIFACT):
        return {"kind": "artifact", "name": name.removeprefix(_ARTIFACT)}
    platform, _, rest = name.partition(" ")
    register, _, bank = rest.partition(" ")
    if _is_register(register) and bank in {"", *_BANKS}:
        return {"kind": "register", "platform": platform, "register": register, "bank": bank or None}
    if name == "registers":
        return {"kind": "question", "question": "registers"}
    return {"kind": "question", "question": "platform", "platform": name}


def _is_register(name: str) -> bool:
    try:
        Register(name)
    except TeekitError:
        return False
    return True
