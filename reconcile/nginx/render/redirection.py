"""Redirects: servers for other names and for plain HTTP, locations for URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.dataclass import dataclass
from reconcile.nginx.render.quote import Raw, quote_with_variables
from reconcile.nginx.render.response_headers import HSTS, SentHeader, site_headers
from reconcile.nginx.render.site_view import ListenView, RedirectView, SiteView


@dataclass(frozen=True)
class RedirectServer:
    """One server block; `target` is an nginx value."""

    listens: tuple[ListenView, ...]
    names: tuple[str, ...]
    target: Raw
    headers: tuple[SentHeader, ...]
    is_default: bool = False


def redirect_servers(site: SiteView) -> Iterator[RedirectServer]:
    """The servers before the site's own, which has the rest of the ports."""
    plain = tuple(listen for listen in site.listens if not listen.tls)
    if site.redirects_to_https and plain and site.has_content:
        target = Raw(f"https://$host{_port(site.tls_port or 0, tls=True)}$request_uri")
        headers = _headers(site, tls=False)
        yield RedirectServer(plain, site.server_names, target, headers, site.default_server)
    if site.redirect_from:
        for (tls, origin), listens in _by_target(site).items():
            target = Raw(f"{origin}$request_uri")
            yield RedirectServer(listens, site.redirect_from, target, _headers(site, tls=tls))


def _by_target(site: SiteView) -> dict[tuple[bool, str], tuple[ListenView, ...]]:
    groups: dict[tuple[bool, str], tuple[ListenView, ...]] = {}
    for listen in site.listens:
        key = (listen.tls, name_redirect(site, listen.port, tls=listen.tls))
        groups[key] = (*groups.get(key, ()), listen)
    return groups


def name_redirect(site: SiteView, port: int, *, tls: bool) -> str:
    """The origin that requests of another name to one of the ports are redirected to."""
    name = site.server_names[0]
    if tls or site.redirects_to_https:
        return f"https://{name}{_port(port if tls else site.tls_port or 0, tls=True)}"
    return f"http://{name}{_port(port, tls=False)}"


def _port(port: int, *, tls: bool) -> str:
    return "" if port == (443 if tls else 80) else f":{port}"


def _headers(site: SiteView, *, tls: bool) -> tuple[SentHeader, ...]:
    """Browsers ignore HSTS over plain HTTP. Source: RFC 6797, section 8.1."""
    return tuple(header for header in site_headers(site) if tls or header[0] != HSTS)


@dataclass(frozen=True)
class RedirectLocation:
    """A location that redirects; `pattern` is that of a prefix, None for a single URL.

    The slashes at the begin of what a prefix keeps are dropped, so that no target begins with
    two of them: browsers would take the rest for a host name.
    """

    key: str
    status: int
    target: Raw
    pattern: Raw | None = None
    otherwise: Raw = Raw("")


def redirect_location(redirect: RedirectView) -> RedirectLocation:
    """The nginx values of a redirect. Errors: Unquotable."""
    key, target, status = redirect.key, redirect.target, redirect.status
    if not redirect.is_prefix:
        # A target with a query of its own replaces that of the request.
        kept = "" if "?" in target or "#" in target else "$is_args$args"
        return RedirectLocation(key, status, quote_with_variables(target, kept))
    # A class of one character needs no backslash, which nginx would read too.
    literal = re.sub(r"[^A-Za-z0-9/_-]", lambda found: f"[{found[0]}]", key)
    pattern = quote_with_variables(rf"^{literal}[/\\]*(.*)", "$")
    kept_tail = quote_with_variables(target, "$1")
    flag = {301: "permanent", 302: "redirect"}.get(status)
    # A line break, which the pattern does not match, is in no URL of a site.
    otherwise = f"rewrite {pattern} {kept_tail} {flag}; return 404"
    if flag is None:
        otherwise = f"return {status} {quote_with_variables(target, '$is_args$args')}"
    return RedirectLocation(key, status, kept_tail, pattern, Raw(otherwise))
