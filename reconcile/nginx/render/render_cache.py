"""Cache of rendered site files, so that a no-op plan need not render.

Importing the template engine and compiling the templates takes a tenth of such a plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from reconcile.engine.digest import digest
from reconcile.nginx.render.site_config import is_unmodified, render_site
from reconcile.nginx.render.site_view import SiteView

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir

NAME = "cache/renderings.json"


class RenderCache:
    """`render_site` with a cache of the last apply's results."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = known or {}
        self._used: dict[str, str] = {}
        self._code = ""

    @classmethod
    def read(cls, state: StateDir) -> RenderCache:
        """Load the cache of the last apply; empty where it is missing or damaged."""
        return cls(_decode_cache(state.read(NAME)))

    def keep(self, state: StateDir) -> None:
        """Save the results used in this run, and drop all others. Errors: HostError."""
        if self._used != self._known:
            state.write(NAME, json.dumps(self._used, sort_keys=True).encode())

    def __call__(self, site: SiteView, nginx_version: str) -> bytes:
        """Return the cached text of `site`, or render it."""
        key = digest([self._code_digest(), nginx_version, site])
        known = self._known.get(key, "").encode("utf-8", "surrogateescape")
        # A cached text that was changed no longer matches its own token.
        data = known if known and is_unmodified(known) else render_site(site, nginx_version)
        self._used[key] = data.decode("utf-8", "surrogateescape")
        return data

    def _code_digest(self) -> str:
        self._code = self._code or _code_digest(Path(__file__).parent)
        return self._code


def _code_digest(package: Path) -> str:
    """The digest of the templates and the rendering code."""
    templates = sorted(package.joinpath("templates").iterdir())
    code = sorted(package.glob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in (*templates, *code))).hexdigest()


def _decode_cache(data: bytes | None) -> dict[str, str]:
    try:
        kept = json.loads(data or b"{}")
    except ValueError:
        return {}
    pairs = kept.items() if isinstance(kept, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}
