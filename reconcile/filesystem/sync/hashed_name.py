"""Names that change with the content of their file, as builds of assets make them."""

from __future__ import annotations

import re

from reconcile.filesystem.compress import COMPRESSED

_HEX = r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,64}"
_WORD = r"[A-Z]?[a-z]*|[A-Z]+(?<!^[A-Z]{8})"
_MIXED = r"(?=.*[A-Z])[A-Za-z0-9_-]{8,32}"
_LOWER = r"(?=.*[0-9][a-z]+[0-9])(?![0-9]+x[0-9]+$)[a-z0-9]{8,32}"
_BASE64_LENGTH = 8
"""Of the hashes of Vite and Rollup, which may hold the characters that separate words."""


def holds_hash(name: str) -> bool:
    """Whether a part of the file name `name` looks like a hash: `app.3f9c1a2b.js`."""
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    first, *others = name.split(".")[:-1] or [""]
    return bool(re.fullmatch(_HEX, first)) or any(
        _is_hash(part) for part in (*_tails(first), *others, *map(_last, others))
    )


def _tails(part: str) -> list[str]:
    """What may be the hash at the end of `name-HASH`."""
    at = len(part) - _BASE64_LENGTH - 1
    fixed = [part[at + 1 :]] if at >= 0 and part[at] in "-_" else []
    return [*fixed, _last(part)] if re.search("[-_~]", part) else []


def _last(part: str) -> str:
    return re.split("[-_~]", part)[-1]


def _is_hash(text: str) -> bool:
    if re.fullmatch(_HEX, text) or re.fullmatch(_LOWER, text):
        return True
    return bool(re.fullmatch(_MIXED, text)) and not re.fullmatch(_WORD, text)
