"""What an independent reader sees on a host: comparable, whole, and none of reconcile's code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# By path, or `unit:NAME`: everything known about it.
Manifest = dict[str, dict[str, Any]]

ROOTS = ("/etc", "/srv", "/usr/lib/systemd/system", "/usr/local", "/var/lib/nginx", "/var/www")
UNITS = ("nginx.service", "gunicorn.service", "gunicorn.socket")
READER = Path(__file__).with_name("manifest_reader.py").read_text()


def request(
    roots: Sequence[str], exclude: Sequence[str], units: Sequence[str], mtimes: bool
) -> bytes:
    """The program that reads the manifest: for the host's Python, on its standard input."""
    asked = {"roots": [*roots], "exclude": [*exclude], "units": [*units], "mtimes": mtimes}
    return f"{READER}\nmain({json.dumps(asked)!r})\n".encode()


def parsed(text: str) -> Manifest:
    """The manifest that the program printed."""
    found: Manifest = json.loads(text)
    return found


def differences(before: Manifest, after: Manifest) -> dict[str, tuple[Any, Any]]:
    """What two manifests do not agree on, both sides of it; empty when they are equal."""
    return {
        name: (before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }
