"""A site: its host names, its app and its files, and nginx's configuration of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, Tag

from reconcile.config.config_model import ConfigEntry
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.identifiers import Name
from reconcile.config.fields.network import Network, ServerName
from reconcile.config.fields.path_types import AbsolutePath
from reconcile.config.fields.quantities import Size
from reconcile.config.moved_from import check_moved_from
from reconcile.config.site.access import Access, access_sources, check_access, compile_access
from reconcile.config.site.app import App, check_app, compile_app, warn_app_runs_as_root
from reconcile.config.site.app_release import check_release, compile_release
from reconcile.config.site.error_pages import (
    ErrorPages,
    check_error_pages,
    compile_pages,
    page_sources,
)
from reconcile.config.site.extra import check_extra, check_http_extra
from reconcile.config.site.file_location import (
    FileLocation,
    check_file_location,
    compile_file_location,
)
from reconcile.config.site.gunicorn import warn_secrets
from reconcile.config.site.gzip import check_gzip
from reconcile.config.site.headers import ResponseHeaders, check_site_headers
from reconcile.config.site.http2 import check_http2, http2_findings
from reconcile.config.site.letsencrypt import compile_letsencrypt, warn_certificate_missing
from reconcile.config.site.listen_ports import ListenAddress, ListenValue
from reconcile.config.site.location import Location, check_location, compile_location
from reconcile.config.site.location_key import LocationKey
from reconcile.config.site.maintenance import (
    Maintenance,
    check_maintenance,
    compile_maintenance,
    maintenance_findings,
)
from reconcile.config.site.nginx_file import compile_nginx_file
from reconcile.config.site.precompress import find_unstatic_encodings
from reconcile.config.site.probe import ProbeSettings, check_probes
from reconcile.config.site.proxy_location import ProxyLocation, check_proxy_location
from reconcile.config.site.redirects import RedirectChoice, RedirectKey, check_redirects
from reconcile.config.site.tls import Tls, check_tls
from reconcile.config.site.trusted_proxies import check_trusted_proxies
from reconcile.config.site.upstream import warn_unresolvable
from reconcile.engine.model import Declared, Finding

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import CompileContext, SiteContext


# Pydantic adds the tag to the location of an error: it must not look like a key.
DIRECTORY, FILE, PROXY = "(directory)", "(file)", "(proxy)"


def _location_tag(value: Any) -> str:
    role = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    has_file = "file" in value if isinstance(value, dict) else isinstance(value, FileLocation)
    return PROXY if role == "proxy" else FILE if has_file else DIRECTORY


LocationChoice = Annotated[
    Annotated[Location, Tag(DIRECTORY)]
    | Annotated[FileLocation, Tag(FILE)]
    | Annotated[ProxyLocation, Tag(PROXY)],
    Discriminator(_location_tag),
]


class Site(ConfigEntry):
    """What nginx serves for some host names."""

    server_names: Annotated[tuple[ServerName, ...], Field(min_length=1)] = Field(
        description="The host names of the site."
    )
    redirect_from: tuple[ServerName, ...] = Field(
        default=(),
        description="Other host names, redirected to the first of server_names, path kept.",
        examples=[["www.example.com"]],
    )
    listen: Annotated[tuple[ListenValue, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="The ports, on IPv4 and IPv6; by default 80, and 443 with tls. "
        '"8443 ssl" uses TLS on another port.',
    )
    default_server: bool = Field(
        default=False, description="Also respond to names that no other site has."
    )
    tls: Tls | None = Field(default=None, description="The certificate, for HTTPS.")
    http2: bool | None = Field(
        default=None, description="Offer HTTP/2; by default with tls, where nginx has it."
    )
    gzip: bool | None = Field(
        default=None,
        description="Compress text of 1 KB or more, of pages and files; by default true.",
    )
    max_upload: Size | None = Field(
        default=None, description="The largest request body; nginx's default is 1MB."
    )
    headers: ResponseHeaders = Field(
        default={},
        description="Headers of every response of the site; null removes a default.",
        examples=[{"X-Frame-Options": "DENY"}],
    )
    app: App | None = Field(
        default=None, description="The app that responds where no location does."
    )
    all_locations: dict[LocationKey, LocationChoice] = Field(
        default={},
        alias="locations",
        description="URL prefixes that are served from directories or passed on, and single URLs.",
    )
    access: Access | None = Field(
        default=None, description="Who may see the site; by default everybody."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="Proxies before nginx whose X-Forwarded-For and -Proto are believed.",
        examples=[["10.0.0.0/8"]],
    )
    redirects: dict[RedirectKey, RedirectChoice] = Field(
        default={},
        description="URLs that moved; a key that ends with a slash keeps what follows it.",
    )
    error_pages: ErrorPages = Field(
        default={},
        description="Pages for errors that nginx responds with, by status; 50x is 500, 502, 503 "
        "and 504. `intercept: true` replaces the app's errors too.",
        examples=[{"404": "./errors/404.html", "50x": "./errors/50x.html"}],
    )
    maintenance: Maintenance | None = Field(
        default=None, description="A page that is shown instead of the site while enabled."
    )
    extra: str = Field(default="", description="More nginx directives for the server block.")
    http_extra: str = Field(
        default="",
        description="Nginx directives beside the server block, in its file: upstream, map, zones.",
    )
    adopted: AbsolutePath | None = Field(
        default=None,
        description="A hand-written nginx file that serves this site; while it is set, no file is "
        "generated.",
        examples=["/etc/nginx/sites-available/myapp"],
    )
    moved_from: Name | None = Field(
        default=None,
        description="The previous name of the site; its resources are kept.",
        examples=["shop"],
    )
    prevent_destroy: bool = Field(
        default=False, description="Refuse every plan that would remove it."
    )
    probe_front_page: bool = Field(
        default=True,
        description="Check after every apply that the front page is not a server error.",
    )
    probes: tuple[ProbeSettings, ...] = Field(
        default=(), description="Requests to check after every apply."
    )

    @property
    def listens(self) -> tuple[ListenAddress, ...]:
        """The ports, defaults filled in."""
        ports = (80, 443) if self.tls else (80,)
        return self.listen or tuple(ListenAddress("", port) for port in ports)

    def uses_tls(self, listen: ListenAddress) -> bool:
        """Whether a port of this site is for HTTPS."""
        return self.tls is not None and (listen.ssl or listen.port == 443)

    @property
    def locations(self) -> dict[str, Location]:
        """The prefixes that are served from directories."""
        return {key: one for key, one in self.all_locations.items() if isinstance(one, Location)}

    @property
    def files(self) -> dict[str, FileLocation]:
        """The URLs that are served from single files."""
        return {
            key: one for key, one in self.all_locations.items() if isinstance(one, FileLocation)
        }

    @property
    def proxied(self) -> dict[str, ProxyLocation]:
        """The prefixes and URLs that are passed on."""
        return {
            key: one for key, one in self.all_locations.items() if isinstance(one, ProxyLocation)
        }

    @property
    def has_content(self) -> bool:
        """Whether it is more than redirects of names to a server that is elsewhere."""
        return bool(self.app or self.all_locations or self.redirects or self.extra)

    @property
    def served_names(self) -> tuple[str, ...]:
        """The names that its servers respond to."""
        return self.server_names if self.has_content else self.redirect_from

    def file_sources(self) -> frozenset[str]:
        """The files that its keys copy to the host."""
        page = self.maintenance.page if self.maintenance else None
        pages = (*page_sources(self.error_pages).values(), *filter(None, [page]))
        return access_sources(self).union(pages)

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:
        """The site serves something, and each of its parts is valid."""
        if not (self.has_content or self.redirect_from):
            hint = "add an app, locations or redirects"
            yield Violation(loc, "this site serves nothing", hint)
        yield from self._check_names(loc)
        yield from check_moved_from(loc, self.moved_from, config.sites)
        yield from check_extra(loc, self.extra)
        yield from check_http_extra(loc, self.http_extra)
        yield from check_site_headers(loc, self, config)
        yield from check_gzip(loc, self, config)
        yield from check_http2(loc, self)
        yield from check_error_pages(loc, self, config)
        yield from check_maintenance(loc, self)
        yield from check_redirects(loc, str(loc[-1]), self, config)
        entry = config.paths.get(self.adopted or "")
        if entry and entry.form != "file":
            message = f"`paths` declares {self.adopted} as a {entry.form}"
            yield Violation((*loc, "adopted"), message)
        yield from check_probes(loc, self)
        yield from check_tls(loc, self)
        yield from check_app(loc, self, config)
        yield from check_release(loc, self, config)
        for prefix, location in self.locations.items():
            yield from check_location((*loc, "locations", prefix), location, self, config)
        for key, file in self.files.items():
            yield from check_file_location((*loc, "locations", key), file, self, config)
        for key, proxied in self.proxied.items():
            yield from check_proxy_location((*loc, "locations", key), proxied, self, config)
        yield from check_access(loc, self.access, self.extra, config)
        yield from check_trusted_proxies(loc, self, config)

    def _check_names(self, loc: Loc) -> Iterator[Violation]:
        for index, name in enumerate(self.server_names):
            if name in self.server_names[:index]:
                message = f"duplicate host name {name}"
                yield Violation((*loc, "server_names", index), message, is_independent=True)

    def compile(self, name: str, context: CompileContext) -> Iterator[Declared]:
        """The files of the site, nginx's configuration of it, and its app."""
        site = context.sites[name]
        for prefix, location in site.declared.locations.items():
            yield from compile_location(site, prefix, location)
        for key, file in self.files.items():
            yield from compile_file_location(site, key, file)
        if not self.adopted:
            yield from compile_nginx_file(site)
            yield from compile_pages(site)
            yield from compile_maintenance(site)
            yield from compile_access(site)
        yield from compile_letsencrypt(site)
        yield from compile_release(site)
        yield from compile_app(site)


def site_findings(site: SiteContext) -> Iterator[Finding]:
    """What a person should know or do beside the apply."""
    yield from warn_app_runs_as_root(site)
    yield from warn_secrets(site)
    yield from warn_certificate_missing(site)
    if not site.declared.adopted:
        yield from maintenance_findings(site)
        yield from warn_unresolvable(site)
        yield from find_unstatic_encodings(site)
        yield from http2_findings(site)
