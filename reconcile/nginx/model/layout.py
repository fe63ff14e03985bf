"""Where a site's configuration file belongs on this host, by the include tree."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname, join
from typing import Literal

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem import globs
from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_tree import ConfigTree, Include, named
from reconcile.nginx.model.listen import Listen, listens_of

Style = Literal["sites-enabled", "conf.d"]
_PROBE_NAME = "reconcile-probe.conf"


@dataclass(frozen=True)
class Layout:
    """The folders and files of this host's nginx.

    With `sites-enabled` a site is a file in `available_dir` and a link in
    `enabled_dir`; with `conf.d` both are the one folder and there is no link.
    `error_log` is the first main-level log that is a file, else the configured
    destination (`stderr`, `syslog:…`). `sites_folder` is None where `http` includes neither: such
    a configuration can be read, and the members that name a place for a site raise ReconcileError.
    """

    sites_folder: tuple[Style, str] | None
    worker_user: str
    pid_path: str
    error_log: str
    listens: tuple[Listen, ...]
    config_path: str = "/etc/nginx/nginx.conf"

    @property
    def style(self) -> Style:
        """How this nginx includes its sites."""
        return self._folder[0]

    @property
    def enabled_dir(self) -> str:
        """The folder that nginx reads."""
        return self._folder[1]

    @property
    def available_dir(self) -> str:
        """The folder that holds the files of sites."""
        style, folder = self._folder
        return folder if style == "conf.d" else f"{folder.removesuffix('enabled')}available"

    @property
    def missing_folder(self) -> ReconcileError | None:
        """Why no site can be written here; None where one can."""
        return None if self.sites_folder else _no_folder(self.config_path)

    @property
    def _folder(self) -> tuple[Style, str]:
        if self.sites_folder is None:
            raise _no_folder(self.config_path)
        return self.sites_folder

    def file_path(self, site: str) -> str:
        """The path of the site's file."""
        return f"{self.available_dir}/{site}.conf"

    def link_path(self, site: str) -> str | None:
        """The path of the site's enabling symlink; None where sites have none."""
        if self.sites_folder is None or self.style == "conf.d":
            return None
        return f"{self.enabled_dir}/{site}.conf"


def read_layout(tree: ConfigTree, build: Build) -> Layout:
    """Read the layout of a loaded configuration; `build` supplies the defaults."""
    main = {directive.name: directive for directive in tree.directives}
    user, pid = main.get("user"), main.get("pid")
    return Layout(
        sites_folder=_sites_folder(tree),
        worker_user=user.args[0] if user and user.args else build.user,
        pid_path=join(build.prefix, pid.args[0] if pid and pid.args else build.pid_path),
        error_log=_error_log(tree, build),
        listens=tuple(listens_of(tree)),
        config_path=tree.config_path,
    )


def _sites_folder(tree: ConfigTree) -> tuple[Style, str] | None:
    folders = [include.folder for include in _http_includes(tree) if _reads_sites(include)]
    for style in ("sites-enabled", "conf.d"):
        for folder in folders:
            if folder.rpartition("/")[2] == style:
                return style, folder
    return None


def _no_folder(config_path: str) -> ReconcileError:
    return ReconcileError(
        what=f"{config_path} includes neither sites-enabled/ nor conf.d/",
        why="a site needs a folder whose *.conf files nginx includes inside its http block",
        fix=f"Add `include {dirname(config_path)}/conf.d/*.conf;` to the http block of"
        f" {config_path}.",
    )


def _http_includes(tree: ConfigTree) -> Iterator[Include]:
    for directive in tree.directives:
        if directive.name == "http":
            for _, include in tree.includes_of(directive.block or ()):
                yield include


def _reads_sites(include: Include) -> bool:
    return globs.matches(include.pattern, f"{include.folder}/{_PROBE_NAME}")


def upstream_servers(tree: ConfigTree) -> dict[str, frozenset[str]]:
    """The servers of each `upstream` block."""
    return {
        group.args[0]: frozenset(
            one.args[0] for one in named(tree.children(group), "server") if one.args
        )
        for http in named(tree.directives, "http")
        for group in named(tree.children(http), "upstream")
        if group.args
    }


def _error_log(tree: ConfigTree, build: Build) -> str:
    written = [d.args[0] for d in tree.directives if d.name == "error_log" and d.args]
    files = [log for log in written if not _is_stream(log)]
    chosen = (files or written or [build.error_log])[0]
    return chosen if _is_stream(chosen) else join(build.prefix, chosen)


def _is_stream(log: str) -> bool:
    return log == "stderr" or log.startswith(("syslog:", "memory:"))
