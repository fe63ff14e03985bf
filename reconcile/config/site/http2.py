"""HTTP/2 of a site: where it has TLS, and an nginx that can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.probes import AlpnProbe
from reconcile.config.site.listen_ports import ListenAddress, endpoint
from reconcile.engine.model import Finding
from reconcile.nginx.render.site_config import has_http2_directive

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site


def check_http2(loc: Loc, site: Site) -> Iterator[Violation]:
    """Browsers speak HTTP/2 only over TLS."""
    if site.http2 and not site.tls:
        yield Violation((*loc, "http2"), "http2 needs tls", "add tls, or remove http2")


def uses_http2(site: SiteContext) -> bool:
    """Whether the site's TLS ports offer HTTP/2."""
    return site.facts.http2 and site.declared.http2 is not False


def http2_findings(site: SiteContext) -> Iterator[Finding]:
    """A note where nginx cannot do what `http2` requires."""
    if site.declared.http2 and not site.facts.http2:
        yield Finding(
            "http2-missing",
            "note",
            f"{site.name} is served by HTTP/1.1 only: nginx lacks ngx_http_v2_module.",
            (str(site.position_of("http2")),),
            fix="Install an nginx with that module, then apply again; or remove `http2`.",
        )
    for other, listen in _sharing(site) if _is_refused(site) else ():
        yield Finding(
            "http2-shared",
            "note",
            f"{site.name} offers HTTP/2 on port {listen.port} although `http2` is false:"
            f" {other.name} has it there, and nginx before 1.25.1 sets it for the whole port.",
            (str(site.position_of("http2")), str(other.position_of("listen"))),
            fix=f"Set http2: false for {other.name} as well, or use another port.",
        )


def _is_refused(site: SiteContext) -> bool:
    is_by_port = not has_http2_directive(site.facts.nginx_version)
    return site.declared.http2 is False and is_by_port


def _sharing(site: SiteContext) -> Iterator[tuple[SiteContext, ListenAddress]]:
    """The first port with TLS that each other site with HTTP/2 shares with this one."""
    own = {socket for one in _tls_ports(site) for socket in one.sockets()}
    for other in site.context.sites.values():
        if other.name != site.name and uses_http2(other):
            shared = (one for one in _tls_ports(other) if own & {*one.sockets()})
            yield from ((other, one) for one in list(shared)[:1])


def _tls_ports(site: SiteContext) -> tuple[ListenAddress, ...]:
    return tuple(filter(site.uses_tls, site.listens))


def http2_probes(site: SiteContext) -> Iterator[AlpnProbe]:
    """Each TLS port offers HTTP/2."""
    for listen in _tls_ports(site) if uses_http2(site) else ():
        name = site.probe_name(f"port {listen.port} offers HTTP/2")
        yield AlpnProbe(name, site.name, endpoint(site, listen))
