"""Identifiers that differ: drawn at random, or a digest of something else. Pure questions with yes or no."""

from __future__ import annotations

import re

from teekit_verify.explanation.causes.tokens import changed_tokens

_RANDOM = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}"
    r"|(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9+/_-]{20,}={0,2}"
)
_SUFFIXED = re.compile(r"(.*?[./_-])([A-Za-z0-9]{6,12})(/.*)?")
_DRAWN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z]).*|(?=.*[a-z])(?=.*[A-Z]).*")
_DIGEST = re.compile(
    r"(?i)(?:sha[0-9]*[-:]?)?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})"
)
_INTEGRITY = re.compile(r"sha(?:256|384|512)-[A-Za-z0-9+/]{40,}={0,2}")
_DIGEST_WORDS = re.compile(r"(?i)md5|sha[0-9]|sha-[0-9]|digest|checksum|hash|verity|crc|integrity")
_REVISION_WORDS = re.compile(r"(?i)\b(?:commit|revision|git|rev|vcs)")


def random_ids_differ(a: str, b: str) -> bool:
    """Tokens of equal length that look drawn at random: UUIDs, long hexadecimal numbers, mktemp's names."""
    return any(
        (
            len(one) == len(other)
            and _RANDOM.search(one) is not None
            and _RANDOM.search(other) is not None
            and _digits(one)
        )
        or has_random_suffix(one, other)
        for one, other in changed_tokens(a, b)
    )


def _digits(token: str) -> bool:
    return any(character in "0123456789" for character in token)


def has_random_suffix(one: str, other: str) -> bool:
    """As in /tmp/tmp.Xa81k2/x and /tmp/tmp.0dkP2q/x: mktemp's work."""
    first, second = _SUFFIXED.fullmatch(one), _SUFFIXED.fullmatch(other)
    if not first or not second or first.group(1, 3) != second.group(1, 3) or len(first[2]) != len(second[2]):
        return False
    drawn = all(_DRAWN.fullmatch(found[2]) for found in (first, second))
    return drawn and ("tmp" in first[1] or first[1].endswith("."))


def digests_differ(a: str, b: str) -> bool:
    """Digests, by the word for it or by a file's name after it, as md5sum has it."""
    return any(
        (_INTEGRITY.search(one) and _INTEGRITY.search(other))
        or (_DIGEST.fullmatch(one) and _DIGEST.fullmatch(other) and (_DIGEST_WORDS.search(a) or _lists_files(a)))
        for one, other in changed_tokens(a, b)
    )


def _lists_files(line: str) -> bool:
    return re.match(r"[0-9a-f]{32,128} [ *]\S", line) is not None


def revisions_differ(a: str, b: str) -> bool:
    """Commits of a repository."""
    return _REVISION_WORDS.search(a) is not None and any(
        re.fullmatch(r"g?[0-9a-f]{7,40}", one) and re.fullmatch(r"g?[0-9a-f]{7,40}", other)
        for one, other in changed_tokens(a, b)
    )
