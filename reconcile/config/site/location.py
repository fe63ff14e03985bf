"""Locations: a URL prefix, and the directory that it is served from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reconcile.config.cache_policy import check_cache_name
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import quote_text, regex_str
from reconcile.config.fields.identifiers import Name
from reconcile.config.fields.path_types import NginxPath, ReleaseSourcePath
from reconcile.config.fields.quantities import Duration
from reconcile.config.host_path import check_ancestors
from reconcile.config.owner import OwnerChoice, OwnerEntry, ResolvedOwner, check_owner_choice
from reconcile.config.site.access import access_view, check_location_access
from reconcile.config.site.app_release import built_by
from reconcile.config.site.cache_by_name import CacheByName, check_cache_by_name, name_regex
from reconcile.config.site.cors import Cors, check_cors
from reconcile.config.site.extra import check_extra
from reconcile.config.site.headers import check_location_headers
from reconcile.config.site.inline import InlineType, check_inline, endings_of
from reconcile.config.site.location_key import SEGMENT
from reconcile.config.site.location_keys import LocationKeys
from reconcile.config.site.rate_limit import RateLimit, check_no_limit
from reconcile.config.site.release_id import release_folder
from reconcile.engine.model import Declared
from reconcile.filesystem.compress import SUFFIXES
from reconcile.filesystem.path import is_inside, overlap
from reconcile.nginx.render.site_view import LocationView
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.tree import Tree
from reconcile.types import Encoding, LocationRole

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

DEFAULT_OWNER: dict[LocationRole, str] = {
    "static": "assets",
    "media": "uploads",
    "private": "uploads",
}
# The app sets the header of a private file: nginx passes it on with X-Accel-Redirect.
DEFAULT_CACHE: dict[LocationRole, str | None] = {"static": "week", "media": "day", "private": None}

HEALTH_FILE = "health.txt"
HEALTH_CONTENT = b"ok\n"

FileName = Annotated[
    str,
    regex_str(
        rf"(?:{SEGMENT}/)*{SEGMENT}",
        "a file below the directory",
        hint="use index.html",
        examples=("index.html",),
    ),
]


class Location(LocationKeys):
    """A part of the site that is served from a directory."""

    role: LocationRole = Field(
        description="static: part of the app. media: uploaded by users; never changed or removed. "
        "private: served only through the app's X-Accel-Redirect."
    )
    dir: NginxPath = Field(description="The directory on the host.")
    source: ReleaseSourcePath | None = Field(
        default=None, description="A folder whose files every apply copies to `dir`."
    )
    owner: OwnerChoice | None = Field(
        default=None,
        description="The owner of the files; by default assets for static, else uploads.",
        examples=["assets", "uploads"],
    )
    cache: Name | None = Field(
        default=None,
        description="The cache policy; by default week for static, day for media.",
        examples=["week", "day", "hashed", "none"],
    )
    prune: bool = Field(default=False, description="Remove files that are not in the source.")
    keep: Duration | None = Field(
        default=None,
        description="With prune: how long to keep a file with a content hash in its name after the"
        " source dropped it.",
        examples=["7d"],
    )
    precompress: tuple[Encoding, ...] = Field(
        default=(),
        description="Encodings in which files are stored for nginx to send. br and zstd need "
        "reconcile-host[compress] and an nginx module.",
        examples=[["gzip"], ["gzip", "br"]],
    )
    fallback: FileName | None = Field(
        default=None,
        description="The file to send for paths that do not exist, as a single-page app needs.",
        examples=["index.html"],
    )
    cache_by_name: CacheByName = Field(
        default={},
        description="Cache policies by file name; the first matching pattern is used.",
        examples=[{"*.html": "none"}],
    )
    cors: Cors | None = Field(
        default=None, description='Other sites that may read the files: "*", or origins.'
    )
    inline: tuple[InlineType, ...] = Field(
        default=(),
        description="media: further types that browsers show; others are downloads.",
        examples=[["application/pdf"]],
    )
    rate_limit: RateLimit | None = Field(
        default=None, description="Only for what is passed on (role: proxy)."
    )

    @property
    def effective_owner(self) -> OwnerChoice:
        """The declared owner, or the role's."""
        return self.owner or DEFAULT_OWNER[self.role]

    def resolve_owner(self, owners: Mapping[str, OwnerEntry]) -> ResolvedOwner:
        """The owner of the files; what it leaves out is the role's default."""
        choice = self.effective_owner
        owner = choice if isinstance(choice, OwnerEntry) else owners[choice]
        default = owners[DEFAULT_OWNER[self.role]]
        return ResolvedOwner(**default.model_dump() | owner.model_dump(exclude_none=True))

    @property
    def effective_cache(self) -> str | None:
        """The declared cache policy, or the role's."""
        return self.cache or DEFAULT_CACHE[self.role]


def check_location(loc: Loc, location: Location, site: Site, config: Config) -> Iterator[Violation]:
    """The keys fit the role, names are known, and `dir` can be a directory."""
    yield from check_owner_choice((*loc, "owner"), location.owner, config)
    yield from check_cache_name((*loc, "cache"), location.cache, config)
    yield from _check_role(loc, location)
    yield from check_location_headers(loc, location, site, config)
    yield from check_location_access(loc, location, site, config)
    yield from check_extra(loc, location.extra)
    yield from check_no_limit(loc, location.rate_limit)
    yield from check_cache_by_name(loc, location.cache_by_name, config)
    yield from check_cors(loc, location, site, config)
    yield from check_inline(loc, location)
    if not str(loc[-1]).endswith("/"):
        message = f"a location has to begin and end with a slash, got {quote_text(str(loc[-1]))}"
        yield Violation(loc, message, f'use "{loc[-1]}/", or `file` for one URL')
    yield from check_ancestors((*loc, "dir"), location.dir, config)
    entry = config.paths.get(location.dir)
    if entry and entry.form != "directory":
        yield Violation((*loc, "dir"), f"`paths` declares {location.dir} as a {entry.form}")
    if location.source and overlap(location.source, location.dir):
        yield Violation((*loc, "source"), "source and dir overlap", "use separate directories")
    if loc[-1] == "/" and site.app:
        yield Violation(loc, "the location / belongs to the app", "serve files below /static/")


def _check_role(loc: Loc, location: Location) -> Iterator[Violation]:
    if location.role != "static":
        for key in ("source", "prune", "keep", "precompress", "fallback"):
            if getattr(location, key):
                message = f"{key} is for static files; {location.role} files are never changed"
                yield Violation((*loc, key), message, f"remove {key}")
    elif not location.source:
        for key in ("prune", "keep", "precompress"):
            if getattr(location, key):
                yield Violation((*loc, key), f"{key} needs a source")
    elif location.keep and not location.prune:
        yield Violation((*loc, "keep"), "keep needs prune: without it nothing is removed")
    for key in ("cache", "cache_by_name") if location.role == "private" else ():
        if getattr(location, key):
            yield Violation((*loc, key), "the app sets the Cache-Control of private files")


def compile_location(site: SiteContext, prefix: str, location: Location) -> Iterator[Declared]:
    """The directory, the directories above it, and its contents."""
    owner = site.owner_of(location)
    loc = site.loc("locations", prefix, "dir")
    users = _users(site, location)
    yield from site.context.parent_directories(location.dir, loc, (site.name,), users)
    directory = Directory(
        path=location.dir,
        user=owner.user,
        group=owner.group,
        mode=owner.dirs,
        enterable_by=users,
        protected=location.role != "static",
    )
    yield site.declare(directory, "locations", prefix, "dir")
    for resource in _contents(site, location, owner):
        yield site.declare(resource, "locations", prefix)


def _users(site: SiteContext, location: Location) -> tuple[str, ...]:
    """The users that need access: nginx, and the app where it writes."""
    users = [site.facts.worker_user]
    if location.role != "static" and site.declared.app and site.app_user:
        users.append(site.app_user)
    return tuple(dict.fromkeys(users))


def _contents(
    site: SiteContext, location: Location, owner: ResolvedOwner
) -> Iterator[Assets | File | Tree]:
    user, group, dirs, files = owner
    except_ = _separately_owned(site, location)
    if location.source is not None:
        builder = built_by(site, location)
        yield Assets(
            path=location.dir,
            user=user,
            group=group,
            dirs=dirs,
            files=files,
            except_=except_,
            source=location.source,
            prune=location.prune,
            keep=location.keep,
            precompress=location.precompress,
            extra={HEALTH_FILE: HEALTH_CONTENT},
            built_by=builder,
            built_in=release_folder(site.context, site.name) if builder else "",
            at_switch=site.app.release is not None,
        )
        return
    yield Tree(
        path=location.dir,
        user=user,
        group=group,
        dirs=dirs,
        files=files,
        except_=except_,
        protected=location.role != "static",
    )
    if location.role == "static" and not site.declared.adopted:
        yield _health_file(location, owner)


def _separately_owned(site: SiteContext, location: Location) -> tuple[str, ...]:
    """What is inside the directory and has an owner of its own in `paths`."""
    paths = site.context.config.paths
    return tuple(sorted(p for p in paths if p != location.dir and is_inside(p, location.dir)))


def _health_file(location: Location, owner: ResolvedOwner) -> File:
    return File(
        path=f"{location.dir}/{HEALTH_FILE}",
        content=HEALTH_CONTENT,
        user=owner.user,
        group=owner.group,
        mode=owner.files,
    )


def location_view(site: SiteContext, prefix: str, location: Location) -> LocationView:
    """What nginx's template is given for a location."""
    encodings = site.facts.static_encodings & {*location.precompress}
    return LocationView(
        role=location.role,
        prefix=prefix,
        dir=location.dir,
        cache_control=cache_control(site, location),
        packed=tuple(encoding for encoding in SUFFIXES if encoding in encodings),
        headers=tuple(location.headers.items()),
        access=access_view(
            site, location.access, is_declared="access" in location.model_fields_set
        ),
        extra=location.extra,
        fallback=location.fallback,
        cache_by_name=_cache_by_name(site, location),
        cors=location.cors or (),
        inline=tuple((media_type, endings_of(media_type)) for media_type in location.inline),
    )


def _cache_by_name(site: SiteContext, location: Location) -> tuple[tuple[str, str], ...]:
    policies = site.context.config.all_cache_policies()
    pairs = location.cache_by_name.items()
    return tuple((name_regex(pattern), policies[name].header) for pattern, name in pairs)


def cache_control(site: SiteContext, location: Location) -> str | None:
    """The Cache-Control of the location's files, None where the app sets it."""
    name = location.effective_cache
    return site.context.config.all_cache_policies()[name].header if name else None
