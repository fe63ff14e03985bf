"""Locations that only URLs of files lead to, by their name."""

from __future__ import annotations

import re

from reconcile.nginx.model.scope import Scope

_ENDINGS = re.compile(r"\\\.\(?.*\b(?:css|js|png|jpe?g|gif|svg|woff2?|ico)\b.*\$$")
_FILES = re.compile(r"/(?:static|assets?|media|uploads?|images?|img|css|js|fonts)(?:/|$)")


def is_for_files(scope: Scope) -> bool:
    """Whether only files have such URLs: by their ending, or below a prefix for files."""
    if scope.is_regex:
        return bool(_ENDINGS.search(scope.name))
    return bool(_FILES.search(scope.name))
