"""The nginx of this host: what it was built with, what it reads, and where a site belongs."""

from __future__ import annotations

import errno
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import HostError
from reconcile.nginx.model.build import Build
from reconcile.nginx.model.layout import Layout, read_layout
from reconcile.nginx.model.modules import static_encodings
from reconcile.nginx.model.planned_reader import Planned, PlannedReader
from reconcile.nginx.model.tree import ConfigTree, load

if TYPE_CHECKING:
    from reconcile.filesystem.compress import Encoding
    from reconcile.system import Host

_NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR)


class HostReader:
    """Configuration files as they lie on the host; see `reader.Reader`."""

    def __init__(self, host: Host) -> None:
        self._files = host.files

    def read(self, path: str) -> bytes:
        try:
            return self._files.read(path)
        except HostError as error:
            # The tree tells a refusal of the kernel in nginx's words; ours is told as it is.
            if error.errno and isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise

    def glob(self, pattern: str) -> list[str]:
        try:
            return self._files.glob(pattern)
        except HostError as error:
            if error.errno in _NO_SUCH_FILE:
                return []
            raise


@dataclass(frozen=True)
class NginxInstallation:
    """The host's nginx, read when first asked for."""

    host: Host

    @property
    def config_path(self) -> str:
        return self.host.settings.nginx_config

    @cached_property
    def binary(self) -> str:
        """The program, links resolved. Errors: ReconcileError where nginx is not installed."""
        named = self.host.settings.nginx_binary
        if found := self.host.commands.find(named):
            return found
        raise ReconcileError(
            what="nginx is not installed",
            why=f"there is no program {named}",
            fix="Install it (apt install nginx), or name its program with host.nginx.binary.",
        )

    @cached_property
    def build(self) -> Build:
        return Build.parse(self.build_text)

    @property
    def build_text(self) -> str:
        """What `nginx -V` says."""
        return _build_text(self.host, self.binary)

    @property
    def version(self) -> str:
        """As `1.22.1`."""
        return ".".join(map(str, self.build.version))

    @cached_property
    def tree(self) -> ConfigTree:
        """The configuration on the disk. Errors: those of `tree.load`."""
        return load(self.config_path, HostReader(self.host))

    @cached_property
    def layout(self) -> Layout:
        return read_layout(self.tree, self.build)

    @cached_property
    def static_encodings(self) -> frozenset[Encoding]:
        """The encodings in which it can send files that lie there compressed."""
        return static_encodings(self.build, self.tree)

    @cached_property
    def ipv6(self) -> bool:
        """Whether this host has any IPv6 address, ::1 included."""
        found = self.host.files.content("/proc/net/if_inet6")
        return bool(found and found[1].strip())

    def reader_with(self, planned: Planned) -> PlannedReader:
        """The host's files as they would be with `planned` in place."""
        return PlannedReader(self.host, HostReader(self.host), planned)


@lru_cache(maxsize=8)
def _build_text(host: Host, binary: str) -> str:
    # 3 ms: asked anew in each run, once.
    return host.commands.run([binary, "-V"], timeout_s=10).stderr


def discover(host: Host) -> NginxInstallation:
    """The nginx that the host's settings name. Errors: ReconcileError where it is missing."""
    found = NginxInstallation(host)
    if host.files.stat(found.config_path, follow=True) is None:
        raise ReconcileError(
            what=f"there is no nginx configuration {found.config_path}",
            why="no such file",
            fix="Install nginx (apt install nginx), or name its file with host.nginx.config.",
        )
    return found
