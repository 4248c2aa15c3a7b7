"""Hostnames: the metadata attribute is one, or several with commas between; the first leads to the first kettle."""

from __future__ import annotations

import re

from .refusal import Refused, shown

MOST_BYTES = 32 * 1024
MOST = 100  # names in one certificate, as Let's Encrypt limits it
MOST_CHARACTERS = 253

# RFC 1123, section 2.1: letters, digits, and hyphens within. At least two labels, the last not a number: no addresses.
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"(?:{LABEL}\.)+(?![0-9]+\Z){LABEL}")


def parse(value: bytes) -> tuple[str, ...]:
    """Each name once, where it came first. One bad name refuses them all: without it, the others would lead to other kettles."""
    if len(value) > MOST_BYTES:
        raise Refused(f"hostname is longer than {MOST_BYTES} bytes")
    names = [_name(part.strip(b" \t\r\n")) for part in value.split(b",")]
    unique = tuple(dict.fromkeys(names))
    if len(unique) > MOST:
        raise Refused(f"hostname holds {len(unique)} names, more than the {MOST} of one certificate")
    return unique


def _name(part: bytes) -> str:
    # ASCII: lower() makes such letters of others as well.
    text = part.decode("ascii", errors="replace").lower()
    if len(text) > MOST_CHARACTERS or not NAME.fullmatch(text):
        raise Refused(f"{shown(part)} is no hostname")
    return text
