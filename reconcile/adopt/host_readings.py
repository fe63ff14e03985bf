"""What adoption reads from a host beside nginx's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconcile.errors import ReconcileError
from reconcile.nginx.routing.servers import Server


@dataclass(frozen=True)
class FoundFolder:
    """A folder with its most common owner and modes; None where nothing has such a mode."""

    user: str
    group: str
    dirs: int | None
    files: int | None
    sample: str = ""
    """One file in it, relative; "" where there is none."""
    has_health_file: bool = False


@dataclass(frozen=True)
class FoundFile:
    """A configuration file with its owner and mode."""

    data: bytes
    user: str
    group: str
    mode: int


@dataclass(frozen=True)
class FoundApp:
    """The service behind an upstream, and its user; "" where unknown."""

    service: str = ""
    user: str = ""
    gunicorn: FoundGunicorn | None = None
    problem: str = ""


@dataclass(frozen=True)
class FoundGunicorn:
    """The settings of a unit that reconcile wrote."""

    directory: str
    python: str
    module: str
    workers: int


class Inspector(Protocol):
    """Access to the host. Errors: ReconcileError and OSError for what cannot be read."""

    def real(self, path: str) -> str:
        """Return the target of a link in the include tree; other paths unchanged."""
        ...

    def file(self, path: str) -> FoundFile | None:
        """Read a file; None where there is none."""
        ...

    def folder(self, path: str) -> FoundFolder | None:
        """Read a folder; None where there is none."""
        ...

    def app(self, server: Server, target: str) -> FoundApp:
        """Find the service that listens at `target`, which `server` proxies to."""
        ...


def has_file(inspector: Inspector, path: str) -> bool:
    """Whether a file is at `path` that can be read."""
    try:
        return inspector.file(path) is not None
    except (ReconcileError, OSError):
        return False
