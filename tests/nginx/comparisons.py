"""How much was compared with real nginx: the figures of docs/nginx-model.md."""

from __future__ import annotations

import subprocess
from functools import cache

from tests.support.real_nginx import NGINX
from tests.support.tally import TALLY


def compared(what: str) -> None:
    """Count it; every disagreement is a failed test."""
    TALLY[f"{what} compared with {_version()}"] += 1


@cache
def _version() -> str:
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().removeprefix("nginx version: ")
