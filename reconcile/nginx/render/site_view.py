"""Parameters of the site template: plain values that were validated before."""

from __future__ import annotations

from reconcile.dataclass import dataclass
from reconcile.nginx.model.media_types import AddedTypes
from reconcile.types import Encoding, LocationRole

Header = tuple[str, str | None]
"""Name and value of a response header; None takes away that of an outer level."""

CHALLENGES = "/.well-known/acme-challenge/"
"""Where Let's Encrypt asks for its proofs. Source: RFC 8555, section 8.3."""

PAGES = "/.reconcile-pages/"
"""Where pages for errors are, for nginx alone."""
RETRY_AFTER_S = 600
"""When visitors of a site in maintenance should try again."""


@dataclass(frozen=True)
class ListenView:
    """One `listen` of a server block; `address` is "" (every v4), "[::]", or a single address."""

    address: str
    port: int
    tls: bool = False
    proxy_protocol: bool = False

    def __str__(self) -> str:
        """The address as written in the configuration, without its parameters."""
        return f"{self.address}:{self.port}" if self.address else str(self.port)


@dataclass(frozen=True)
class TlsView:
    """The certificate, and what the plain ports answer; `hsts` is a header's value or None."""

    certificate: str
    key: str
    redirect: bool = True
    hsts: str | None = None


@dataclass(frozen=True)
class ProxyView:
    """Where requests are passed on to; `servers` are what follows `http://` in proxy_pass.

    `resolvers` are asked for the name of a server at each request; without them nginx resolves
    it when it starts. `timeout_s` of None leaves nginx's own.
    """

    servers: tuple[str, ...]
    timeout_s: int | None = None
    websocket: bool = False
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccessView:
    """Who may in: the networks of `allow` and who has a password; without either everybody."""

    allow: tuple[str, ...] = ()
    password_file: str | None = None
    satisfy: str = "any"


@dataclass(frozen=True)
class RateLimitView:
    """Requests of one client, as nginx writes it: `10r/s`."""

    rate: str
    burst: int = 0


@dataclass(frozen=True)
class ProxyLocationView:
    """A prefix, or without a slash at its end a URL, that is passed on."""

    key: str
    proxy: ProxyView
    strip_prefix: bool = False
    max_upload_bytes: int | None = None
    headers: tuple[Header, ...] = ()
    rate_limit: RateLimitView | None = None
    access: AccessView | None = None
    extra: str = ""


@dataclass(frozen=True)
class FileView:
    """One URL that is served from a file."""

    key: str
    file: str
    cache_control: str
    default_type: str
    headers: tuple[Header, ...] = ()
    access: AccessView | None = None
    extra: str = ""

    @property
    def prefix(self) -> str:
        """The key, by the name that other locations have for it."""
        return self.key


@dataclass(frozen=True)
class LocationView:
    """A URL prefix (`/static/`) served from `dir` (absolute, no slash at its end).

    `cache_control` is the whole value of the one header line, None for none. `packed` are
    the encodings whose ready-made copies nginx is to send. `fallback` is a file below `dir`.
    `cache_by_name` has regular expressions of URLs with their Cache-Control, in order; `cors`
    the origins; `inline` types with their endings, beside those that are always shown.
    """

    role: LocationRole
    prefix: str
    dir: str
    cache_control: str | None = None
    packed: tuple[Encoding, ...] = ()
    headers: tuple[Header, ...] = ()
    access: AccessView | None = None
    extra: str = ""
    fallback: str | None = None
    cache_by_name: tuple[tuple[str, str], ...] = ()
    cors: tuple[str, ...] = ()
    inline: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class RedirectView:
    """A redirect of the URL `key`, or with a slash at its end of everything below it."""

    key: str
    target: str
    status: int = 301

    @property
    def is_prefix(self) -> bool:
        """Whether what follows the key is kept."""
        return self.key.endswith("/")


@dataclass(frozen=True)
class ErrorPageView:
    """The page of some errors; `file` is its name in the directory of pages."""

    codes: tuple[int, ...]
    file: str


@dataclass(frozen=True)
class MaintenanceView:
    """A page that everybody gets but the networks of `allow`."""

    page: str
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class SiteView:
    """The template's parameters for one site.

    `upstream` is what follows `http://` in proxy_pass: `unix:/run/x.sock` or `127.0.0.1:8000`;
    None where there is no app. `extra` holds the user's own directives, line ends LF, `http_extra`
    those that stand before the server.
    `challenge_root` is certbot's webroot, None without certbot. `headers` are the site's own,
    for every response. `gzip` of None leaves compression to the http block.
    `intercept` replaces the app's errors by `error_pages` too; `pages_dir` holds the pages.
    Without `has_content` the site consists of `redirect_from`, whose target is elsewhere.
    The config token is not included: `render_site` derives it from the rendered text.
    """

    name: str
    server_names: tuple[str, ...]
    listens: tuple[ListenView, ...]
    default_server: bool = False
    tls: TlsView | None = None
    max_upload_bytes: int | None = None
    upstream: str | None = None
    locations: tuple[LocationView, ...] = ()
    extra: str = ""
    http_extra: str = ""
    challenge_root: str | None = None
    types: AddedTypes = AddedTypes()
    headers: tuple[Header, ...] = ()
    http2: bool = True
    gzip: bool | None = None
    redirects: tuple[RedirectView, ...] = ()
    redirect_from: tuple[str, ...] = ()
    has_content: bool = True
    pages_dir: str = ""
    error_pages: tuple[ErrorPageView, ...] = ()
    intercept: bool = False
    maintenance: MaintenanceView | None = None
    proxy: ProxyView | None = None
    proxied: tuple[ProxyLocationView, ...] = ()
    files: tuple[FileView, ...] = ()
    access: AccessView | None = None
    trusted_proxies: tuple[str, ...] = ()

    @property
    def app_proxy(self) -> ProxyView | None:
        """How requests are passed on to the app."""
        return self.proxy or (ProxyView((self.upstream,)) if self.upstream else None)

    @property
    def proxies(self) -> tuple[ProxyView, ...]:
        """Every way in which requests are passed on."""
        app = (self.app_proxy,) if self.app_proxy else ()
        return (*app, *(location.proxy for location in self.proxied))

    @property
    def redirects_to_https(self) -> bool:
        """Whether the plain ports redirect to one that speaks TLS."""
        return bool(self.tls and self.tls.redirect and self.tls_port)

    @property
    def tls_port(self) -> int | None:
        """The first port that speaks TLS: where a redirect leads."""
        return next((listen.port for listen in self.listens if listen.tls), None)
