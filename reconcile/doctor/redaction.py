"""Texts of a host without its secrets, for whoever helps from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

REDACTED = "(redacted)"
SHORTEST = 4
"""Characters: a shorter secret would also be found where it is none."""
_WORDS = r"(?:pass(?:word|wd|phrase)|secret|token|credential|api[-_]?key|authorization|cookie)"
_NAMED = re.compile(
    rf"(?P<name>(?!server_tokens)\b[\w.-]*{_WORDS}[\w.-]*[\"']?)(?P<between>\s*[:=]\s*|\s+)(?P<value>[^;\n]+)",
    re.IGNORECASE,
)
_PEM = re.compile(r"-----BEGIN [^-\n]+-----.*?-----END [^-\n]+-----", re.DOTALL)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_QUERY = re.compile(r"\?[^\s\"']+")
_HASH = re.compile(r"^([^:#\s]+):(\$|\{)[^\n]*$", re.MULTILINE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without `secrets`, PEM blocks, password hashes, and the values of secret names.

    Of URLs the user names, passwords and queries go too.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    text = _PEM.sub(REDACTED, text)
    text = _USER_INFO.sub(REDACTED, text)
    text = _QUERY.sub(f"?{REDACTED}", text)
    text = _HASH.sub(rf"\1:{REDACTED}", text)
    return _NAMED.sub(rf"\g<name>\g<between>{REDACTED}", text)


def redact_values(value: Any, secrets: Iterable[str] = ()) -> Any:
    """The same for every text inside of a JSON value."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {key: redact_values(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_values(item, secrets) for item in value]
    return value


def secrets_of(values: Mapping[str, Any]) -> frozenset[str]:
    """The secrets that a configuration holds: values of `environment`, sensitive contents."""
    return frozenset(text for text in _secrets(values) if len(text) >= SHORTEST)


def _secrets(values: Any) -> Iterator[str]:
    if isinstance(values, Mapping):
        if values.get("sensitive") and values.get("content"):
            yield from re.split(r"[\s=]+", str(values["content"]))
        for key, value in values.items():
            if key == "environment" and isinstance(value, Mapping):
                yield from map(str, value.values())
            else:
                yield from _secrets(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _secrets(value)
