"""Tokens that public registries want although they give them to anybody (distribution.github.io/distribution/spec/auth/token)."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from teekit_verify.core.plain_json import load_plain

MOST_BYTES = 1 << 20
_PARAMETER = re.compile(r'([a-z]+)="([^"]{0,2000})"')
_REPOSITORY = re.compile(r"(https?://[^/]+/v2/.+)/(?:blobs|manifests)/")
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")


def repository_of(url: str) -> str:
    """What a token is good for: the repository that an address is in; empty for one of no registry."""
    found = _REPOSITORY.match(url)
    return found[1] if found else ""


def token_address(challenge: str, url: str) -> str | None:
    """Where to get a token, from `WWW-Authenticate`; None for another way of logging in.

    A registry that is asked over https must not send us elsewhere over http.
    """
    scheme, _, parameters = challenge.partition(" ")
    said = dict(_PARAMETER.findall(parameters))
    realm = said.get("realm", "")
    try:
        allowed = {"https", urlsplit(url).scheme}
        if scheme.lower() != "bearer" or urlsplit(realm).scheme not in allowed or urlsplit(realm).query:
            return None
    except ValueError:
        return None
    return f"{realm}?{urlencode({name: said[name] for name in ('service', 'scope') if name in said})}"


def token_of(data: bytes) -> str | None:
    """The token in an answer; None if there is none that can stand in a header."""
    try:
        fields = load_plain(data)
    except ValueError:
        return None
    token = (fields.get("token") or fields.get("access_token")) if isinstance(fields, dict) else None
    return token if isinstance(token, str) and _TOKEN.fullmatch(token) else None
