"""A site's configuration file: the canonical server blocks, every value quoted."""

from __future__ import annotations

import re
from functools import cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from reconcile.nginx.model.media_types import TEXT_TYPES
from reconcile.nginx.render.compression import gzip_directives
from reconcile.nginx.render.encryption import tls_directives
from reconcile.nginx.render.proxying import (
    ZONE_SIZE,
    checked_directives,
    proxied_location,
    proxy,
    site_variable,
    upstream_blocks,
)
from reconcile.nginx.render.quote import Raw, nginx_quote
from reconcile.nginx.render.redirection import redirect_location, redirect_servers
from reconcile.nginx.render.response_headers import (
    NOSNIFF,
    file_headers,
    has_policy_by_name,
    location_headers,
    location_variable,
    merge_headers,
    site_headers,
)
from reconcile.nginx.render.site_view import (
    CHALLENGES,
    PAGES,
    RETRY_AFTER_S,
    FileView,
    LocationView,
    SiteView,
)
from reconcile.nginx.render.upload_policy import SANDBOX, policies_by_name, shown_types
from reconcile.types import Encoding

if TYPE_CHECKING:
    from jinja2 import Template

MANAGED_HEADER = "# Managed by reconcile"
CONFIG_TOKEN_PATH = "/.reconcile-generation"  # noqa: S105  a URL, and no password
HTTP2_DIRECTIVE_SINCE = (1, 25, 1)

_GENERATION = re.compile(
    rb"location = %s \{(?:[^}]*\}){2}[^}]*return 200 ([0-9a-f]{32});"
    % re.escape(CONFIG_TOKEN_PATH.encode())
)
_TOKEN_LENGTH = 32
_NO_TOKEN = "0" * _TOKEN_LENGTH
_EXTRA = "# extra, from reconcile.yaml"
_HTTP_EXTRA = "# http_extra, from reconcile.yaml"
_HTTP_EXTRA_END = "# end of http_extra"

STATIC_DIRECTIVES: dict[Encoding, str] = {
    "gzip": "gzip_static",
    "br": "brotli_static",
    "zstd": "zstd_static",
}
# RFC 8615 makes .well-known public; only the site's own static files can contain it.
_DOTFILES = {"static": r"/\.(?!well-known/)", "media": r"/\.", "private": r"/\."}
_CONSTANTS: dict[str, Any] = {
    "sandbox": SANDBOX,
    "policies_by_name": policies_by_name,
    "pages": PAGES,
    "zone_size": ZONE_SIZE,
    "retry_after_s": RETRY_AFTER_S,
    "http_extra_header": Raw(_HTTP_EXTRA),
    "http_extra_end": Raw(_HTTP_EXTRA_END),
    "extra_header": Raw(_EXTRA),
    "managed_header": Raw(MANAGED_HEADER),
    "generation_path": CONFIG_TOKEN_PATH,
    "challenges": CHALLENGES,
    "shown_types": shown_types,
    "dotfiles": _DOTFILES,
    "static_directives": STATIC_DIRECTIVES,
    "text_types": TEXT_TYPES,
    "url_pattern": lambda pattern: Raw(f'"~{pattern}"'),
}
"""What the templates are given of every site."""


def render_site(site: SiteView, nginx_version: str = "") -> bytes:
    """Render the file of one site for an nginx version (`1.22.1`; "" means an old one).

    The text contains a config token, the digest of everything else in it.
    Errors: Unquotable for a value that cannot be quoted; NginxSyntaxError where
    `site.extra` or `site.http_extra` is not a sequence of complete directives.
    """
    fields = _fields(site, nginx_version)
    draft = _template().render(fields, generation=_NO_TOKEN)
    return _encode(_template().render(fields, generation=_token(_encode(draft))))


def is_managed(data: bytes) -> bool:
    """Whether reconcile manages this file, by its first line."""
    return data.startswith(MANAGED_HEADER.encode())


def config_token_of(data: bytes) -> str | None:
    """The generation token in a rendered file, None where it has none."""
    found = _GENERATION.search(data)
    return found[1].decode() if found else None


def without_config_token(text: str) -> str:
    """A rendered text for people: its generation token, new with every change, as `…`."""
    token = config_token_of(text.encode("utf-8", "surrogateescape"))
    return text.replace(token, "…") if token else text


def is_unmodified(data: bytes) -> bool:
    """Whether the text is unchanged since `render_site` produced it: its token matches."""
    token = config_token_of(data)
    if token is None:
        return False
    return token == _token(data.replace(token.encode(), _NO_TOKEN.encode()))


def extra_line(data: bytes, line: int) -> int | None:
    """Which line of `extra` that line of a rendered file is; both count from 1."""
    before = data.partition(_EXTRA.encode())[0]
    found = line - before.count(b"\n") - 1
    return found if found > 0 and len(before) < len(data) else None


def written_extra(data: bytes) -> str:
    """`extra` as a rendered file has it, "" where it has none."""
    _, found, text = data.partition(f"{_EXTRA}\n".encode())
    written = text.removesuffix(b"\n}\n").decode("utf-8", "surrogateescape")
    return f"{written}\n" if found else ""


def written_http_extra(data: bytes) -> str:
    """`http_extra` as a rendered file has it, "" where it has none."""
    _, found, rest = data.partition(f"\n{_HTTP_EXTRA}\n".encode())
    written = rest.partition(f"\n{_HTTP_EXTRA_END}\n".encode())[0]
    return f"{written.decode('utf-8', 'surrogateescape')}\n" if found else ""


def _token(draft: bytes) -> str:
    return sha256(draft).hexdigest()[:_TOKEN_LENGTH]


def _fields(site: SiteView, nginx_version: str) -> dict[str, Any]:
    """What the templates are given of one site, beside `_CONSTANTS`."""
    encrypted = tuple(listen for listen in site.listens if listen.tls)
    return {
        "site": site,
        "redirect_servers": tuple(redirect_servers(site)),
        "served": encrypted if site.redirects_to_https else site.listens,
        "site_headers": site_headers(site),
        "location_headers": partial(location_headers, site),
        "file_headers": partial(file_headers, site),
        "has_policy_by_name": partial(has_policy_by_name, site),
        "location_variable": partial(location_variable, site),
        "page_headers": merge_headers((NOSNIFF,), site_headers(site)),
        "maintenance_variable": site_variable(site, "maintenance"),
        "websocket_upgrade": site_variable(site, "upgrade"),
        "websocket_connection": site_variable(site, "connection"),
        "has_websockets": any(view.websocket for view in site.proxies),
        "upstream_blocks": tuple(upstream_blocks(site)),
        "proxied": tuple(proxied_location(site, view) for view in site.proxied),
        "location_extra": partial(_location_extra, site),
        "client": site_variable(site, "client"),
        "trusted": site_variable(site, "trusted"),
        "forwarded_scheme": (
            site_variable(site, "scheme") if site.trusted_proxies else Raw("$scheme")
        ),
        "app_proxy": proxy(site, site.app_proxy) if site.app_proxy else None,
        "redirects": tuple(redirect_location(redirect) for redirect in site.redirects),
        "extra": checked_directives(site.extra, f"sites.{site.name}.extra"),
        "http_extra": checked_directives(site.http_extra, f"sites.{site.name}.http_extra"),
        "serves_root": "/" in _prefixes(site),
        "http2_directive": has_http2_directive(nginx_version),
        "gzip_directives": tuple(gzip_directives(site)),
        "tls_directives": lambda has_extra: tls_directives(site, has_extra=has_extra),
    }


def _location_extra(site: SiteView, location: LocationView | FileView) -> Raw:
    where = f"sites.{site.name}.locations.{location.prefix}.extra"
    return checked_directives(location.extra, where)


def _prefixes(site: SiteView) -> set[str]:
    redirected, proxied = (one.key for one in site.redirects), (one.key for one in site.proxied)
    return {*(one.prefix for one in site.locations), *redirected, *proxied}


def has_http2_directive(nginx_version: str) -> bool:
    """Whether HTTP/2 is a directive of the server, no longer a parameter of its ports."""
    return _version(nginx_version) >= HTTP2_DIRECTIVE_SINCE


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("reconcile.nginx.render"),
        undefined=StrictUndefined,
        finalize=nginx_quote,
        autoescape=False,  # noqa: S701 - this is no HTML; `finalize` quotes for nginx
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals.update(_CONSTANTS)
    environment.filters["slashed"] = lambda path: path.rstrip("/") + "/"
    return environment.get_template("site.conf.j2")
