"""Locations: a URL prefix, and the directory that it is served from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from reconcile.config.cache_policy import check_cache_name
from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import (
    FieldType,
    InvalidValue,
    quote_text,
    regex_str,
    require_str,
)
from reconcile.config.fields.identifiers import Name
from reconcile.config.fields.path_types import NginxPath, ReleaseSourcePath
from reconcile.config.fields.quantities import Duration
from reconcile.config.host_path import check_ancestors
from reconcile.config.owner import OwnerChoice, OwnerEntry, ResolvedOwner, check_owner_choice
from reconcile.config.probes import Expectation, FilesProbe, HttpProbe, Probe, UploadDirectoryProbe
from reconcile.config.site.access import Access, access_view, check_access
from reconcile.config.site.app_release import built_by
from reconcile.config.site.cache_by_name import CacheByName, check_cache_by_name, name_regex
from reconcile.config.site.cors import Cors, check_cors
from reconcile.config.site.extra import check_extra
from reconcile.config.site.gzip import compresses
from reconcile.config.site.headers import (
    ResponseHeaders,
    check_location_headers,
    declared_headers,
)
from reconcile.config.site.inline import InlineType, check_inline, endings_of
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.config.site.rate_limit import RateLimit, check_no_limit
from reconcile.engine.model import Declared, Finding
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

ENCODING_MODULES: dict[Encoding, str] = {
    "gzip": "ngx_http_gzip_static_module (included in the nginx of Debian and Ubuntu)",
    "br": "ngx_http_brotli_static_module (apt install libnginx-mod-http-brotli-static)",
    "zstd": "ngx_http_zstd_static_module (third-party, to be built for this nginx)",
}

_SEGMENT = r"[A-Za-z0-9_~@+-][A-Za-z0-9_~@+.-]*"
_PREFIX = re.compile(rf"/(?:{_SEGMENT}/)*", re.ASCII)
# RFC 8615 makes .well-known public.
_URL = re.compile(rf"/(?:\.well-known/)?(?:{_SEGMENT}/)*{_SEGMENT}", re.ASCII)


def parse_location_key(value: Any) -> str:
    """A prefix, which ends with a slash, or one URL."""
    key = require_str(value, "a location")
    if key.endswith("/") or not _URL.fullmatch(key) or len(key) > 255:
        return parse_prefix(key)
    return key


def parse_prefix(value: Any) -> str:
    """A URL path that begins and ends with a slash."""
    prefix = require_str(value, "a location")
    if not prefix.startswith("/") or not prefix.endswith("/"):
        raise InvalidValue(
            f"a location has to begin and end with a slash, got {quote_text(prefix)}",
            f'use "/{prefix.strip("/")}/"' if prefix.strip("/") else "",
        )
    if not _PREFIX.fullmatch(prefix) or len(prefix) > 255:
        raise InvalidValue(
            f"{quote_text(prefix)} is not a location",
            "use letters, digits and _~@+.- between single slashes; no name begins with a dot",
        )
    return prefix


Prefix = Annotated[
    str,
    FieldType(
        parse_prefix,
        {
            "type": "string",
            "pattern": rf"^/(?:{_SEGMENT}/)*$",
            "maxLength": 255,
            "examples": ["/static/", "/media/"],
        },
    ),
]
LocationKey = Annotated[
    str,
    FieldType(
        parse_location_key,
        {
            "type": "string",
            "pattern": rf"^/(?:(?:\.well-known/)?(?:{_SEGMENT}/)*(?:{_SEGMENT})?)$",
            "maxLength": 255,
            "examples": ["/static/", "/media/", "/favicon.ico"],
        },
    ),
]


FileName = Annotated[
    str,
    regex_str(
        rf"(?:{_SEGMENT}/)*{_SEGMENT}",
        "a file below the directory",
        hint="use index.html",
        examples=("index.html",),
    ),
]


class Location(ConfigModel):
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
        description="With prune: how long a file whose name holds a hash of its content stays "
        "after the source dropped it.",
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
        description="A file that answers for pages that do not exist, as an app of one page needs.",
        examples=["index.html"],
    )
    cache_by_name: CacheByName = Field(
        default={},
        description="Cache policies by the names of files; the first pattern that fits.",
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
    headers: ResponseHeaders = Field(
        default={},
        description="Headers of this location's responses, beside and before those of the site; "
        "null takes one away.",
        examples=[{"X-Frame-Options": "SAMEORIGIN"}],
    )

    access: Access | None = Field(
        default=None, description="Who may in, instead of the site's; null opens it."
    )
    extra: str = Field(default="", description="More nginx directives for this location.")
    rate_limit: RateLimit | None = Field(
        default=None, description="Only for what is passed on (role: proxy)."
    )
    prevent_destroy: bool = Field(
        default=False, description="Refuse every plan that would remove it."
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
    yield from check_access(loc, location.access, location.extra, config)
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
            built_by=built_by(site, location),
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
        cache_control=_cache_control(site, location),
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


def _cache_control(site: SiteContext, location: Location) -> str | None:
    """The Cache-Control of the location's files, None where the app sets it."""
    name = location.effective_cache
    return site.context.config.all_cache_policies()[name].header if name else None


def find_unstatic_encodings(site: SiteContext) -> Iterator[Finding]:
    """A note for each encoding of a location that this nginx lacks the module for."""
    for prefix, location in site.declared.locations.items():
        for encoding in location.precompress:
            if encoding not in site.facts.static_encodings:
                position = site.position_of("locations", prefix, "precompress")
                yield Finding(
                    "precompressed-unsent",
                    "note",
                    f"nginx does not send the {encoding} files of {prefix} of {site.name}: it"
                    " lacks the module.",
                    (str(position),),
                    fix=f"Install {ENCODING_MODULES[encoding]}, then apply again; or remove"
                    f" {encoding} from `precompress`.",
                )


def location_probes(site: SiteContext, prefix: str, location: Location) -> Iterator[Probe]:
    """Whether nginx serves the location's files, and nothing that it should not serve."""
    not_found = Expectation(frozenset({404}), served_by="nginx")
    if location.role == "private":
        yield site.http_probe(f"{prefix} is closed to visitors", prefix, not_found)
        return
    if prefix != "/":
        redirect = Expectation(frozenset({301}), served_by="nginx")
        yield site.http_probe(
            f"{prefix} without its slash is redirected", prefix.rstrip("/"), redirect
        )
    yield site.http_probe(f"{prefix} hides dotfiles", f"{prefix}.reconcile-probe", not_found)
    yield files_probe(site, prefix, location)
    if location.fallback:
        yield from _fallback_probes(site, prefix)
    if location.role == "static":
        yield _health_probe(site, prefix, location)
    else:
        yield _upload_directory_probe(site, prefix, location)


def _fallback_probes(site: SiteContext, prefix: str) -> Iterator[HttpProbe]:
    page = Expectation(frozenset({200}), served_by="nginx")
    yield site.http_probe(f"{prefix} has a page for every URL", f"{prefix}reconcile-probe", page)
    missing = Expectation(frozenset({404}), served_by="nginx")
    asset = f"{prefix}reconcile-probe.js"
    yield site.http_probe(f"{prefix} has no page for a missing file", asset, missing)


def files_probe(site: SiteContext, prefix: str, location: Location) -> FilesProbe:
    """Whether visitors get the bytes of the location's files."""
    every = site.declared.all_locations
    others = (one for one in every if one != prefix and one.startswith(prefix))
    return FilesProbe(
        name=site.probe_name(f"{prefix} sends what is on the disk"),
        site=site.name,
        endpoint=main_endpoint(site),
        prefix=prefix,
        dir=location.dir,
        others=tuple(others),
        is_adopted=site.declared.adopted is not None,
        uploads=location.role == "media",
        compresses=compresses(site.declared, location.extra),
    )


def _health_probe(site: SiteContext, prefix: str, location: Location) -> HttpProbe:
    # The source may have a health file of its own, with any content.
    body = None if location.source else HEALTH_CONTENT.decode()
    expect = _served_file(site, location, body)
    return site.http_probe(f"{prefix} serves files", prefix + HEALTH_FILE, expect)


def _upload_directory_probe(site: SiteContext, prefix: str, location: Location) -> Probe:
    owner = site.owner_of(location)
    return UploadDirectoryProbe(
        name=site.probe_name(f"{prefix} serves what the app saves"),
        site=site.name,
        endpoint=main_endpoint(site),
        prefix=prefix,
        dir=location.dir,
        writer=(site.app_user or owner.user) if site.facts.privileged else None,
        mode=owner.files,
        expect=_served_file(site, location),
    )


def _served_file(site: SiteContext, location: Location, body: str | None = None) -> Expectation:
    header = _cache_control(site, location)
    # Which policy the name of a probe's file gets depends on the patterns.
    header = None if location.cache_by_name else header
    cache = (("Cache-Control", header),) if header else ()
    headers = (*cache, *declared_headers(site, location))
    return Expectation(frozenset({200}), headers=headers, body=body, served_by="nginx")
