"""The app: where it listens, what runs it, and that it can save what it is sent."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.app import App
from reconcile.config.models.locations import Location
from reconcile.config.models.owners import Owner
from reconcile.config.models.sites import Site
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc
from reconcile.config.tree import inside

_HERE = ("127.0.0.1", "localhost", "[::1]")


def check_apps(spec: Spec) -> Iterator[Fault]:
    for name, site in spec.sites.items():
        if site.app:
            yield from _check_app(("sites", name, "app"), site.app)
            yield from _check_code(("sites", name, "app"), site)
            yield from _check_uploads(spec, ("sites", name, "locations"), site)


def _check_app(loc: Loc, app: App) -> Iterator[Fault]:
    if app.service == "nginx.service":
        yield Fault((*loc, "service"), "nginx.service is nginx itself, not the app")
    if app.upstream is None and app.gunicorn is None:
        hint = "write unix:/run/gunicorn.sock or http://127.0.0.1:8000"
        yield Fault((*loc, "upstream"), "upstream is missing", hint)
    if app.flask and app.django:
        yield Fault((*loc, "django"), "an app is either Flask's or Django's", "keep one of the two")
    if app.gunicorn and app.upstream and not _is_here(app.upstream):
        yield Fault(
            (*loc, "upstream"),
            f"Gunicorn runs on this host, not on {app.upstream}",
            "write unix:/run/gunicorn.sock or http://127.0.0.1:8000",
        )


def _is_here(upstream: str) -> bool:
    return upstream.startswith("unix:") or upstream.rpartition(":")[0] in _HERE


def _check_code(loc: Loc, site: Site) -> Iterator[Fault]:
    """Code among the uploads is code that anybody may upload; code below a prefix is shown."""
    gunicorn = site.app and site.app.gunicorn
    for prefix, location in site.locations.items() if gunicorn else ():
        for key in ("directory", "python"):
            if inside(getattr(gunicorn, key), location.dir):
                message = f"{key} lies in what {prefix} serves"
                yield Fault((*loc, "gunicorn", key), message, "keep code and files apart")


def _check_uploads(spec: Spec, loc: Loc, site: Site) -> Iterator[Fault]:
    user = site.app and site.app.user
    for prefix, location in site.locations.items() if user else ():
        owner = _owner(spec, location)
        if location.role == "media" and owner and _shuts_out(owner, user or ""):
            yield Fault(
                (*loc, prefix),
                f"the app runs as {user} and cannot save in what {owner.user} owns",
                f"give it an owner with user: {user}, or dirs that a group may write",
            )


def _owner(spec: Spec, location: Location) -> Owner | None:
    owners = spec.all_owners()
    unknown = isinstance(location.owner, str) and location.owner not in owners
    return None if unknown else location.owner_among(owners)


def _shuts_out(owner: Owner, user: str) -> bool:
    if owner.user is None or owner.dirs is None or user == "root":
        return False
    return owner.user != user and not owner.dirs & 0o022
