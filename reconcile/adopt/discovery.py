"""What adoption has to know of the host besides the words of nginx's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconcile.nginx.routing.servers import Server


@dataclass(frozen=True)
class FoundFolder:
    """A folder and what most of it is like; modes are None where nothing there has one."""

    user: str
    group: str
    dirs: int | None
    files: int | None
    sample: str = ""
    """One file in it, relative; "" where there is none."""
    has_health_file: bool = False


@dataclass(frozen=True)
class FoundFile:
    """A configuration file: its text, and whose it is."""

    data: bytes
    user: str
    group: str
    mode: int


@dataclass(frozen=True)
class FoundApp:
    """The service behind an upstream, and whom it runs as; "" where that cannot be told."""

    service: str = ""
    user: str = ""
    gunicorn: FoundGunicorn | None = None
    problem: str = ""


@dataclass(frozen=True)
class FoundGunicorn:
    """What the unit that reconcile itself once wrote says of the app."""

    directory: str
    python: str
    module: str
    workers: int


class Around(Protocol):
    """The host. Errors: ReconcileError and OSError where it is not ours to read."""

    def real(self, path: str) -> str:
        """Where a link of the include tree leads; the path itself where it is none."""
        ...

    def file(self, path: str) -> FoundFile | None: ...

    def folder(self, path: str) -> FoundFolder | None:
        """None where no folder is there."""
        ...

    def app(self, server: Server, target: str) -> FoundApp: ...
