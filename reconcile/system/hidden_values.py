"""Hides the secrets that programs print, from logs that others may read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

HIDDEN = b"(sensitive)"
SHORTEST = 4
"""Characters: a shorter value would also be found where it is no secret."""
_PLAIN_WORDS = frozenset({"true", "false", "none", "null"})
_NAME = rb"[\w-]*(?:PASSW|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL)[\w-]*"
_NAMED = re.compile(rb"(?i)\b(" + _NAME + rb"[\"']?\s*[=:]\s*)[^\s,;}\])]+")
_PASSWORD_IN_URL = re.compile(rb"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_PEM = re.compile(rb"-----BEGIN [^-\n]+-----.*?-----END [^-\n]+-----", re.DOTALL)


def secret_values(variables: Mapping[str, str]) -> frozenset[bytes]:
    """The values of `variables` that may be secrets, and the passwords of the URLs among them."""
    return frozenset(
        value.encode("utf-8", "surrogateescape") for value in _secret_values(variables)
    )


def _secret_values(variables: Mapping[str, str]) -> Iterator[str]:
    for value in variables.values():
        if len(value) < SHORTEST or value.lower() in _PLAIN_WORDS:
            continue
        yield value
        try:
            password = urlsplit(value).password
        except ValueError:
            continue
        if password and len(password) >= SHORTEST:
            yield password


def hide_values(output: bytes, secrets: frozenset[bytes]) -> bytes:
    """`output` without `secrets`, passwords in URLs, private keys, and what secret names stand for.

    Values of fewer than `SHORTEST` characters are not hidden.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        output = output.replace(secret, HIDDEN)
    output = _PEM.sub(HIDDEN, output)
    output = _PASSWORD_IN_URL.sub(rb"\1:" + HIDDEN, output)
    return _NAMED.sub(rb"\1" + HIDDEN, output)
