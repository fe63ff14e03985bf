"""The code of an app: what its process is made of, so that it is restarted when that changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.site.location_directories import is_system_directory
from reconcile.filesystem.code.code_scope import CodeScope, environment_of
from reconcile.filesystem.path import is_inside
from reconcile.resources.service import Service

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site


def check_code(loc: Loc, site: Site) -> Iterator[Violation]:
    """The code is a directory of the app's own, which nobody downloads and the app cannot write."""
    app = site.app
    if app is None or app.code is None:
        return
    if is_system_directory(app.code):
        yield Violation(loc, f"{app.code} belongs to the system", "use the app's own directory")
    for prefix, location in site.locations.items():
        if location.dir and is_inside(app.code, location.dir):
            message = f"`code` is inside the directory that {prefix} serves"
            yield Violation(loc, message, "keep code and files separate")
    for path in app.gunicorn.writable if app.gunicorn else ():
        if is_inside(app.code, path):
            message = f"`code` is inside {path}, which the app may write"
            yield Violation(loc, message, "keep code and what the app writes separate")


def code_scope(site: Site) -> CodeScope | None:
    """Which files are the app's code: not those that are served or that it may write."""
    if site.app is None or site.app.code is None:
        return None
    code, gunicorn = site.app.code, site.app.gunicorn
    locations = [one for one in site.locations.values() if one.dir]
    copies = {one.dir for one in locations if one.role != "static" or one.source}
    assets = {one.source or one.dir for one in locations if one.role == "static"}
    return CodeScope(
        code,
        _paths_inside(code, copies.union(gunicorn.writable if gunicorn else ())),
        _paths_inside(code, assets),
        environment_of(gunicorn.python) if gunicorn else (),
    )


def _paths_inside(code: str, paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({path for path in paths if is_inside(path, code)}))


def with_code(service: Service, site: SiteContext) -> Service:
    """The app's service, which is restarted when its code changes."""
    scope = code_scope(site.declared)
    return service if scope is None else watching(service, scope)


def watching(service: Service, scope: CodeScope) -> Service:
    """`service`, restarted when a file of `scope` changes."""
    return replace(
        service,
        code=(),
        code_folder=scope.folder,
        code_excluded=scope.excluded,
        code_assets=scope.assets,
        code_environments=scope.environments,
    )
