"""Single URLs that are served from a file."""

from __future__ import annotations

from collections.abc import Iterator
from mimetypes import MimeTypes
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconcile.config.cache_policy import check_cache_name
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.identifiers import Name
from reconcile.config.fields.path_types import NginxPath
from reconcile.config.host_path import check_ancestors
from reconcile.config.probes import Expectation, HttpProbe
from reconcile.config.site.access import access_view, check_location_access
from reconcile.config.site.extra import check_extra
from reconcile.config.site.headers import check_location_headers, declared_headers
from reconcile.config.site.location_directories import is_system_directory
from reconcile.config.site.location_keys import LocationKeys
from reconcile.config.site.rate_limit import RateLimit, check_no_limit
from reconcile.engine.model import Declared
from reconcile.filesystem.path import is_inside
from reconcile.nginx.render.site_view import FileView

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site


class FileLocation(LocationKeys):
    """One URL, served from a file."""

    role: Literal["static"] = Field(description="static: part of the app.")
    file: NginxPath = Field(
        description="The file on the host.", examples=["/var/www/myapp/static/favicon.ico"]
    )
    cache: Name | None = Field(
        default=None, description="The cache policy; by default week.", examples=["week", "none"]
    )
    rate_limit: RateLimit | None = Field(
        default=None, description="Only for what is passed on (role: proxy)."
    )


def check_file_location(
    loc: Loc, location: FileLocation, site: Site, config: Config
) -> Iterator[Violation]:
    """The key is one URL, and the file is neither secret nor an upload."""
    key = str(loc[-1])
    yield from check_cache_name((*loc, "cache"), location.cache, config)
    yield from check_location_headers(loc, location, site, config)
    yield from check_location_access(loc, location, site, config)
    yield from check_extra(loc, location.extra)
    yield from check_no_limit(loc, location.rate_limit)
    if key.endswith("/"):
        message = f"{key} is a prefix, and `file` is for one URL"
        yield Violation(loc, message, "use `dir`, or a key without a slash at its end")
    if f"{key}/" in site.all_locations:
        line = config.position_of(*loc[:-1], f"{key}/").line
        message = f"{key} leads to the location {key}/ (line {line})"
        yield Violation(loc, message, "remove one of them")
    yield from check_ancestors((*loc, "file"), location.file, config)
    entry = config.paths.get(location.file)
    if (entry and entry.sensitive) or is_system_directory(location.file):
        yield Violation((*loc, "file"), f"{location.file} is not for visitors")
    for prefix, other in site.locations.items():
        if other.role != "static" and is_inside(location.file, other.dir):
            message = f"{location.file} is among the {other.role} files of {prefix}"
            yield Violation((*loc, "file"), message, "use a file that visitors cannot replace")


def compile_file_location(
    site: SiteContext, key: str, location: FileLocation
) -> Iterator[Declared]:
    """The directories above the file, which nginx has to enter."""
    loc = site.loc("locations", key, "file")
    users = (site.facts.worker_user,)
    yield from site.context.parent_directories(location.file, loc, (site.name,), users)


def file_view(site: SiteContext, key: str, location: FileLocation) -> FileView:
    """What nginx's template is given."""
    guessed = MimeTypes(filenames=()).guess_type(location.file)[0]
    return FileView(
        key=key,
        file=location.file,
        cache_control=_cache_control(site, location),
        default_type=guessed or "application/octet-stream",
        headers=tuple(location.headers.items()),
        access=access_view(
            site, location.access, is_declared="access" in location.model_fields_set
        ),
        extra=location.extra,
    )


def _cache_control(site: SiteContext, location: FileLocation) -> str:
    return site.context.config.all_cache_policies()[location.cache or "week"].header


def file_location_probes(
    site: SiteContext, key: str, location: FileLocation
) -> Iterator[HttpProbe]:
    """Nginx sends the file."""
    headers = (("Cache-Control", _cache_control(site, location)), *declared_headers(site, location))
    expect = Expectation(frozenset({200}), headers=headers, served_by="nginx")
    yield site.http_probe(f"{key} is served", key, expect)
