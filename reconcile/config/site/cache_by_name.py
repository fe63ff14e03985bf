"""Cache policies by the names of files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from reconcile.config.cache_policy import check_cache_name
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.identifiers import Name

if TYPE_CHECKING:
    from reconcile.config.config import Config

NamePattern = Annotated[
    str,
    regex_str(
        r"(?:[A-Za-z0-9_.~@+*?-]|\[!?[A-Za-z0-9_.~@+-]+\])+",
        "a pattern of file names",
        hint="use letters, digits, ._~@+- and the wildcards * ? [abc]",
        examples=("*.html", "*-????????.js"),
        limit=100,
    ),
]
CacheByName = dict[NamePattern, Name]


def check_cache_by_name(loc: Loc, policies: CacheByName, config: Config) -> Iterator[Violation]:
    """Each policy is known."""
    for pattern, name in policies.items():
        yield from check_cache_name((*loc, "cache_by_name", pattern), name, config)


def name_regex(pattern: str) -> str:
    """The regular expression of a URL whose last segment fits, for a `map`."""
    parts = re.findall(r"\[!?[^\]]+\]|.", pattern)
    return f"/{''.join(map(_translated, parts))}$"


def _translated(part: str) -> str:
    if len(part) > 1:
        return "[^/" + part[2:] if part.startswith("[!") else part
    if part in "*?":
        return {"*": "[^/]*", "?": "[^/]"}[part]
    return part if part.isalnum() or part in "_~@-" else f"[{part}]"
