"""What `nginx -t` would run or obey as root although somebody else can write it."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from posixpath import dirname, join
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.resource_state import Owner
from reconcile.errors import ReconcileError
from reconcile.filesystem.globs import is_glob
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.user_files import is_trusted_file

if TYPE_CHECKING:
    from reconcile.nginx.running.discover import HostReader, NginxInstallation

_CODE = re.compile(
    rb"\b(?:load_module|perl_require|js_import(?:\s+\w+\s+from)?|init\w*_by_lua_file)\s+"
    rb"[\"']?([^\"';\s]+)"
)
"""Directives that run a file while a configuration is tested."""
_INCLUDE = re.compile(rb"\binclude\s+[\"']?([^\"';\s]+)")


@dataclass(frozen=True)
class ForeignFile:
    """A file or folder that other users than root, and who runs this, can change."""

    path: str
    owner: Owner
    mode: int

    def __str__(self) -> str:
        return f"{self.path} (owner {self.owner.user}:{self.owner.group}, mode {self.mode:04o})"


class NotRunAsRoot(ReconcileError):
    """`nginx -t` would do as root what somebody else can write."""


def refuse_foreign(nginx: NginxInstallation) -> None:
    """Errors: NotRunAsRoot for a configuration or module that somebody else can write."""
    for found in foreign_files(nginx):
        raise NotRunAsRoot(
            "nginx -t was not run",
            f"as root it would obey {found}",
            f"chown root:root {found.path} && chmod go-w {found.path}, also what is above it.",
        )


def foreign_files(nginx: NginxInstallation) -> tuple[ForeignFile, ...]:
    """What root would obey and others can write; nothing where root runs nothing."""
    if not nginx.host.privileged:
        return ()
    paths = dict.fromkeys(_paths(nginx, nginx.read_as_far_as_possible()))
    return tuple(_describe(nginx, path) for path in paths if not _is_trusted(nginx, path))


def _paths(nginx: NginxInstallation, reader: HostReader) -> Iterator[str]:
    for path in sorted(reader.reached):
        yield path
        data = _file_bytes(nginx, path)
        for named in _CODE.findall(data):
            yield from _existing(nginx, named.decode("utf-8", "surrogateescape"))
        for pattern in _INCLUDE.findall(data):
            named = join(dirname(nginx.config_path), pattern.decode("utf-8", "surrogateescape"))
            if is_glob(named):
                # Somebody could put a file there just before it is read.
                yield dirname(named)


def _file_bytes(nginx: NginxInstallation, path: str) -> bytes:
    """The bytes of a file; none of a directory, which nginx cannot read either."""
    try:
        found = nginx.host.files.content(path)
    except HostError as error:
        if error.errno != errno.EISDIR:
            raise
        return b""
    return found[1] if found else b""


def _existing(nginx: NginxInstallation, named: str) -> Iterator[str]:
    for base in (nginx.build.prefix, dirname(nginx.config_path)):
        path = join(base, named)
        if nginx.host.files.stat(path) is not None:
            yield path


def _is_trusted(nginx: NginxInstallation, path: str) -> bool:
    found = nginx.host.files.stat(path)
    if found is None or found.kind == "symlink":
        # What a link leads to was reached, too.
        return nginx.host.files.untrusted_above(path) is None
    return is_trusted_file(path)


def _describe(nginx: NginxInstallation, path: str) -> ForeignFile:
    above = nginx.host.files.untrusted_above(path)
    where, found = above or (path, nginx.host.files.stat(path, follow=True))
    if found is None:
        return ForeignFile(where, Owner("unknown", "unknown"), 0)
    accounts = nginx.host.accounts
    owner = Owner(accounts.user_name(found.uid), accounts.group_name(found.gid))
    return ForeignFile(where, owner, found.mode)
