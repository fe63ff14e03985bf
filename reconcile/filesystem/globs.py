"""glob(3) patterns as nginx uses them, matched against strings without reading the disk.

A pattern without a match takes no longer than its length times that of the name.
"""

from __future__ import annotations

import re
from functools import lru_cache

_MAGIC = re.compile(r"[*?\[]")


def is_glob(path: str) -> bool:
    """Whether nginx expands `path` rather than opening it."""
    return _MAGIC.search(path) is not None


def static_folder(pattern: str) -> str:
    """The deepest folder of `pattern` that is named without a wildcard."""
    parts = pattern.split("/")[:-1]
    wild = next((index for index, part in enumerate(parts) if is_glob(part)), len(parts))
    return "/".join(parts[:wild]) or "/"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("/".join(_component(part) for part in pattern.split("/")), re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Whether glob(3) would list `path`: wildcards stop at `/` and skip leading dots."""
    return _compiled(pattern).fullmatch(path) is not None


def _component(part: str) -> str:
    """One between slashes. What a star skips up to the next literal is never tried again."""
    hidden = "" if part[:1] in (".", "\\") else r"(?!\.)"
    first, *rest = _between_stars(part)
    if not rest:
        return hidden + first
    *middle, last = rest
    return hidden + first + "".join(f"(?>[^/]*?{text})" for text in middle) + f"[^/]*{last}"


def _between_stars(part: str) -> list[str]:
    """What stands before, between and after the stars, as regexes."""
    texts = [""]
    for token in _TOKEN.finditer(part):
        if token["other"] == "*":
            texts.append("")
        else:
            texts[-1] += _translate(token)
    return texts


_TOKEN = re.compile(r"\\(?P<escaped>.)|\[(?P<set>[!^]?\]?[^\]]*)\]|(?P<other>.)", re.DOTALL)


def _translate(match: re.Match[str]) -> str:
    if match["set"] is not None:
        return _character_set(match["set"])
    if match["other"] == "?":
        return "[^/]"
    return re.escape(match["escaped"] or match["other"])


def _character_set(body: str) -> str:
    negated = body[:1] in ("!", "^")
    members = re.sub(r"([\\\[\]&~|])", r"\\\1", body[negated:])
    return f"[^/{members}]" if negated else f"(?!/)[{members}]"
