"""Where a site's configuration file belongs on this host, by the include tree."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import join
from typing import Literal

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem import globs
from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_tree import ConfigTree, Include
from reconcile.nginx.model.listen import Listen, listens_of

Style = Literal["sites-enabled", "conf.d"]
_PROBE_NAME = "reconcile-probe.conf"


@dataclass(frozen=True)
class Layout:
    """The folders and files of this host's nginx.

    With `sites-enabled` a site is a file in `available_dir` and a link in
    `enabled_dir`; with `conf.d` both are the one folder and there is no link.
    `error_log` is the first main-level log that is a file, else the configured
    destination (`stderr`, `syslog:…`).
    """

    style: Style
    available_dir: str
    enabled_dir: str
    worker_user: str
    pid_path: str
    error_log: str
    listens: tuple[Listen, ...]

    def file_path(self, site: str) -> str:
        """The path of the site's file."""
        return f"{self.available_dir}/{site}.conf"

    def link_path(self, site: str) -> str | None:
        """The path of the site's enabling symlink; None in a conf.d layout."""
        if self.style == "conf.d":
            return None
        return f"{self.enabled_dir}/{site}.conf"


def read_layout(tree: ConfigTree, build: Build) -> Layout:
    """Read the layout of a loaded configuration; `build` supplies the defaults.

    Errors: ReconcileError where `http` includes neither sites-enabled/ nor conf.d/.
    """
    style, folder = _sites_folder(tree)
    available = folder.removesuffix("enabled") + "available" if style != "conf.d" else folder
    main = {directive.name: directive for directive in tree.directives}
    user, pid = main.get("user"), main.get("pid")
    return Layout(
        style=style,
        available_dir=available,
        enabled_dir=folder,
        worker_user=user.args[0] if user and user.args else build.user,
        pid_path=join(build.prefix, pid.args[0] if pid and pid.args else build.pid_path),
        error_log=_error_log(tree, build),
        listens=tuple(listens_of(tree)),
    )


def _sites_folder(tree: ConfigTree) -> tuple[Style, str]:
    folders = [include.folder for include in _http_includes(tree) if _reads_sites(include)]
    for style in ("sites-enabled", "conf.d"):
        for folder in folders:
            if folder.rpartition("/")[2] == style:
                return style, folder
    raise ReconcileError(
        what=f"{tree.config_path} includes neither sites-enabled/ nor conf.d/",
        why="a site needs a folder whose *.conf files nginx includes inside its http block",
        fix=f"Add `include {tree.prefix}conf.d/*.conf;` to the http block of {tree.config_path}.",
    )


def _http_includes(tree: ConfigTree) -> Iterator[Include]:
    for directive in tree.directives:
        if directive.name == "http":
            for _, include in tree.includes_of(directive.block or ()):
                yield include


def _reads_sites(include: Include) -> bool:
    return globs.matches(include.pattern, f"{include.folder}/{_PROBE_NAME}")


def _error_log(tree: ConfigTree, build: Build) -> str:
    written = [d.args[0] for d in tree.directives if d.name == "error_log" and d.args]
    files = [log for log in written if not _is_stream(log)]
    chosen = (files or written or [build.error_log])[0]
    return chosen if _is_stream(chosen) else join(build.prefix, chosen)


def _is_stream(log: str) -> bool:
    return log == "stderr" or log.startswith(("syslog:", "memory:"))
