"""The nginx of this host: its build, its configuration and its layout."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property, lru_cache
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem import globs
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.path import is_inside
from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_loader import IncludeCycleError, load
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.nginx.model.layout import Layout, read_layout
from reconcile.nginx.model.lexer import NginxSyntaxError
from reconcile.nginx.model.modules import HTTP2, static_encodings
from reconcile.system.planned_host import PlannedHost

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.commands import Commands
    from reconcile.types import Encoding

_NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR)
_MOST_LINKS = 40


class HostReader:
    """Configuration files on the host; see `reader.Reader`."""

    def __init__(self, host: Host) -> None:
        self._files = host.files
        self.reached: set[str] = set()
        """Every path that was read so far, links and their targets."""
        self.links: dict[str, str] = {}
        """Each link among them, and where it leads."""

    def read(self, path: str) -> bytes:
        """See `Reader.read`."""
        try:
            self.reached.update(self._chain(path))
            return self._files.read(path)
        except HostError as error:
            # The tree reports a kernel error in nginx's words; our own errors pass unchanged.
            if error.errno and isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise

    def glob(self, pattern: str) -> list[str]:
        """See `Reader.glob`."""
        try:
            return self._files.glob(pattern)
        except HostError as error:
            if error.errno in _NO_SUCH_FILE:
                return []
            raise

    def _chain(self, path: str) -> Iterator[str]:
        """The path, and where it leads if it is a symlink, one link after the other."""
        for _ in range(_MOST_LINKS):
            yield path
            found = self._files.stat(path)
            if found is None or found.kind != "symlink":
                return
            target = normpath(join(dirname(path), self._files.readlink(path)))
            self.links[path] = target
            path = target


@dataclass(frozen=True)
class NginxInstallation:
    """The host's nginx; each part is read on first use."""

    host: Host

    @property
    def config_path(self) -> str:
        """The path of the main configuration file."""
        return self.host.settings.nginx_config

    @cached_property
    def binary(self) -> str:
        """The program, links resolved. Errors: ReconcileError where nginx is not installed."""
        named = self.host.settings.nginx_binary
        if found := self.host.commands.find(named):
            return found
        raise ReconcileError(
            what="nginx is not installed",
            why=f"{named} does not exist",
            fix="Install it (apt install nginx), or name its program with host.nginx.binary.",
        )

    @cached_property
    def build(self) -> Build:
        """The binary's compiled-in defaults."""
        return Build.parse(self.build_text)

    @property
    def build_text(self) -> str:
        """The output of `nginx -V`."""
        return _build_text(self.host.commands, self.binary)

    @property
    def version(self) -> str:
        """As `1.22.1`."""
        return ".".join(map(str, self.build.version))

    @cached_property
    def tree(self) -> ConfigTree:
        """The configuration on the disk. Errors: those of `tree.load`."""
        return load(self.config_path, self._reader)

    @cached_property
    def _reader(self) -> HostReader:
        return HostReader(self.host)

    @cached_property
    def readable_tree(self) -> ConfigTree:
        """The same without the included files that nginx would refuse, as a plan may fix those.

        Errors: those of `tree.load`, for the main file.
        """
        try:
            return self.tree
        except (NginxSyntaxError, IncludeCycleError):
            return load(self.config_path, self._reader, skips_broken=True)

    @cached_property
    def config_paths(self) -> frozenset[str]:
        """Its files, the links to them, and where links lead that lead nowhere yet."""
        return frozenset({*self.readable_tree.files, *self._reader.reached})

    def real_path(self, path: str) -> str:
        """The target of a link in the tree; other paths are returned unchanged."""
        return self._reader.links.get(path, path)

    def would_read(self, path: str) -> bool:
        """Whether a file or link at `path` is a part of the configuration, or becomes one."""
        includes = self.readable_tree.includes.values()
        return path in self.config_paths or any(
            globs.matches(one.pattern, path) or is_inside(one.folder, path) for one in includes
        )

    @cached_property
    def layout(self) -> Layout:
        """Where sites belong in this configuration."""
        return read_layout(self.readable_tree, self.build)

    @cached_property
    def static_encodings(self) -> frozenset[Encoding]:
        """The encodings whose precompressed files this nginx can send."""
        return static_encodings(self.build, self.readable_tree)

    @property
    def http2(self) -> bool:
        """Whether this nginx was built with HTTP/2."""
        return HTTP2 in self.build.arguments

    @cached_property
    def ipv6(self) -> bool:
        """Whether this host has any IPv6 address, ::1 included."""
        found = self.host.files.content("/proc/net/if_inet6")
        return bool(found and found[1].strip())

    def within(self, world: PlannedHost) -> NginxInstallation:
        """The nginx of a world planned on its host, read again only where something is planned."""
        found = NginxInstallation(world)
        if world.files.is_unchanged:
            vars(found).update({**vars(self), "host": world})
        return found

    def read_as_far_as_possible(self) -> HostReader:
        """A reader of the host's files that has read those of the configuration."""
        reader = HostReader(self.host)
        # What is broken, or unreadable, is reported by who needs the tree.
        with suppress(ReconcileError):
            load(self.config_path, reader)
        return reader


@lru_cache(maxsize=8)
def _build_text(commands: Commands, binary: str) -> str:
    # Takes 3 ms: run once for a host and the planned one.
    return commands.run([binary, "-V"], timeout_s=10).stderr


def discover(host: Host) -> NginxInstallation:
    """Find the nginx of the host's settings. Errors: ReconcileError where it is missing."""
    if isinstance(host, PlannedHost) and NginxInstallation in host.known:
        known: NginxInstallation = host.known[NginxInstallation]
        return known.within(host)
    found = NginxInstallation(host)
    if host.files.stat(found.config_path, follow=True) is None:
        raise ReconcileError(
            what=f"the nginx configuration {found.config_path} does not exist",
            why="nginx is not installed, or its configuration is elsewhere",
            fix="Install nginx (apt install nginx), or name its file with host.nginx.config.",
        )
    return found
