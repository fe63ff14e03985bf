"""`{release}`: the folder of a release, in the keys of a site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.path_types import RELEASE

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.gunicorn import Gunicorn
    from reconcile.config.site.location import Location
    from reconcile.config.site.site import Site


def check_placeholders(loc: Loc, site: Site) -> Iterator[Violation]:
    """No key of a site without releases names one."""
    gunicorn = site.app.gunicorn if site.app else None
    named: dict[Loc, str | None] = {}
    for key in ("directory", "python") if gunicorn else ():
        named["app", "gunicorn", key] = getattr(gunicorn, key)
    for key in ("flask", "django") if site.app else ():
        named["app", key, "directory"] = getattr(getattr(site.app, key), "directory", None)
    for prefix, location in site.locations.items():
        named["locations", prefix, "source"] = location.source
    for at, value in named.items():
        if value and value.startswith(RELEASE):
            message = f"{RELEASE} stands for a release, and the app has none"
            hint = "add app.release, or name a folder"
            yield Violation((*loc, *at), message, hint, absent=(*loc, "app", "release"))


def put_in(folder: str, text: str) -> str:
    """`text`, with the folder of a release in the place of {release}."""
    return text.replace(RELEASE, folder)


def with_releases(config: Config, in_use: Mapping[str, str]) -> Config:
    """The configuration, with {release} filled in for the sites of `in_use`: site → id."""
    sites = {
        name: with_release(site, name, in_use[name]) if name in in_use else site
        for name, site in config.sites.items()
    }
    return config.model_copy(update={"sites": sites})


def with_release(site: Site, name: str, identifier: str) -> Site:
    """The site, with {release} filled in by the release of that id.

    The unit and the socket are those of this release alone, so that two can run at once.
    """
    app = site.app
    if app is None or app.release is None or app.gunicorn is None:
        return site
    folder = f"{app.release.folder}/{identifier}"
    stem = (app.unit_name(name) or "").removesuffix(".service")
    sockets = (f"{one.removesuffix('.sock')}-{identifier}.sock" for one in app.upstreams)
    update: dict[str, Any] = {
        "service": f"{stem}-{identifier}.service",
        "upstream": next(sockets, None),
        "gunicorn": _gunicorn_in(folder, app.gunicorn),
    }
    for key in ("flask", "django"):
        settings = getattr(app, key)
        if settings:
            directory = put_in(folder, settings.directory)
            update[key] = settings.model_copy(update={"directory": directory})
    locations = {
        prefix: _location_in(folder, location) for prefix, location in site.locations.items()
    }
    return site.model_copy(
        update={
            "app": app.model_copy(update=update),
            "all_locations": {**site.all_locations, **locations},
        }
    )


def _gunicorn_in(folder: str, gunicorn: Gunicorn) -> Gunicorn:
    environment = {name: put_in(folder, value) for name, value in gunicorn.environment.items()}
    return gunicorn.model_copy(
        update={
            "directory": put_in(folder, gunicorn.directory or RELEASE),
            "python": put_in(folder, gunicorn.python),
            "environment": environment,
            "args": tuple(put_in(folder, word) for word in gunicorn.args),
        }
    )


def _location_in(folder: str, location: Location) -> Location:
    if location.source is None or not location.source.startswith(RELEASE):
        return location
    return location.model_copy(update={"source": put_in(folder, location.source)})
