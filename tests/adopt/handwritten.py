"""Hand-written configurations, and a host around them that is only said to be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconcile.adopt.all_sites import read_sites
from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import FoundApp, FoundFile, FoundFolder
from reconcile.adopt.site_reader import NginxReading
from reconcile.adopt.validity import make_valid
from reconcile.adopt.yaml_writer import yaml_text
from reconcile.config.config import Config
from reconcile.config.load import load_bytes
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server
from tests.support.host_facts import DEBIAN
from tests.support.overlay import OverlayReader

MAIN = b"events {} http { include /etc/nginx/sites-enabled/*; }"
ENABLED = "/etc/nginx/sites-enabled"
ASSETS = FoundFolder("root", "root", 0o755, 0o644)
UPLOADS = FoundFolder("www-data", "www-data", 0o755, 0o644)


class _Nothing:
    def read(self, path: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", path)

    def glob(self, pattern: str) -> list[str]:
        return []


@dataclass
class SaidAround:
    """Every folder is there and belongs to `folders`, or else to root."""

    files: Mapping[str, bytes]
    folders: Mapping[str, FoundFolder | None] = field(default_factory=dict)
    apps: Mapping[str, FoundApp] = field(default_factory=dict)
    mode: int = 0o644

    def real(self, path: str) -> str:
        return path.replace("sites-enabled", "sites-available")

    def file(self, path: str) -> FoundFile | None:
        data = self.files.get(path.replace("sites-available", "sites-enabled"))
        return None if data is None else FoundFile(data, "root", "root", self.mode)

    def folder(self, path: str) -> FoundFolder | None:
        return self.folders.get(path, ASSETS)

    def app(self, server: Server, target: str) -> FoundApp:
        return self.apps.get(target, FoundApp())


@dataclass(frozen=True)
class Read:
    """What became of a configuration."""

    draft: Draft
    text: str
    spec: Config

    @property
    def sites(self) -> dict[str, Any]:
        found: dict[str, Any] = self.draft.values.get("sites", {})
        return found

    @property
    def notes(self) -> list[str]:
        return [str(note) for note in self.draft.notes]

    def told(self, words: str) -> bool:
        """Whether a note says so, and a comment of the file as well."""
        comments = " ".join(" ".join(self.text.split("#")).split())
        return any(words in note for note in self.notes) and words in comments


def read(
    *servers: str | bytes,
    only: tuple[str, ...] = (),
    main: bytes = MAIN,
    suffix: str = "",
    included: Mapping[str, str] | None = None,
    **around: Any,
) -> Read:
    """Each text is a file of sites-enabled: site0, site1, …"""
    texts = (one.encode() if isinstance(one, str) else one for one in servers)
    files = {f"{ENABLED}/site{number}{suffix}": text for number, text in enumerate(texts)}
    config = "/etc/nginx/nginx.conf"
    others = {path: text.encode() for path, text in (included or {}).items()}
    tree = load(config, OverlayReader(_Nothing(), {config: main, **files, **others}))
    draft = Draft()
    nginx = NginxReading(tree, Router(tree, "/usr/share/nginx"), DEBIAN)
    read_sites(nginx, SaidAround({**files, **others}, **around), draft, only)
    make_valid(draft, "/etc/reconcile/reconcile.yaml")
    text = yaml_text(draft.values, draft.comments)
    return Read(draft, text, load_bytes(text.encode(), "/etc/reconcile/reconcile.yaml"))
