"""How much was compared with real nginx, told at the end of a run."""

from __future__ import annotations

import subprocess
from collections import Counter

from tests.nginx.running import NGINX

TALLY: Counter[str] = Counter()


def figures() -> str:
    """The figures of this run; every disagreement was a failed test."""
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(TALLY.items()))
    return f"{said.strip().removeprefix('nginx version: ')}: {told}"
