"""Maintenance of a site: visitors get one page and 503, except for those who work on it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.copied_file import copied_file
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.network import Network
from reconcile.config.fields.path_types import SourcePath
from reconcile.config.probes import Expectation, HttpProbe
from reconcile.config.site.error_pages import check_page, declare_pages_dir, excerpt, page_file
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.config.site.networks import check_networks
from reconcile.engine.model import Declared, Finding
from reconcile.nginx.render.site_view import RETRY_AFTER_S, MaintenanceView
from reconcile.resources.file import File

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

_NAME = "maintenance"
DEFAULT_NAME = "maintenance.html"
DEFAULT_PAGE = b"""\
<!doctype html>
<meta charset="utf-8">
<title>Maintenance</title>
<h1>Maintenance</h1>
<p>This site is being worked on. Please try again in a few minutes.</p>
"""


class Maintenance(ConfigModel):
    """A page that is shown instead of the site."""

    enabled: bool = Field(default=False, description="Answer every request with 503.")
    page: SourcePath | None = Field(default=None, description="The page; by default a short text.")
    allow: tuple[Network, ...] = Field(
        default=(),
        description="Addresses and networks that get the site as usual.",
        examples=[["203.0.113.7"]],
    )


def check_maintenance(loc: Loc, site: Site) -> Iterator[Violation]:
    """The page can be shown, and somebody sees it."""
    here, settings = (*loc, _NAME), site.maintenance
    if settings is None:
        return
    if settings.page:
        yield from check_page((*here, "page"), settings.page)
    consequence, fix = ": no one would see the maintenance", "remove it, or set enabled: false"
    yield from check_networks((*here, "allow"), settings.allow, consequence, fix)


def maintenance_view(site: SiteContext) -> MaintenanceView | None:
    """What nginx's template is given, None while the site is open."""
    settings = site.declared.maintenance
    if settings is None or not settings.enabled:
        return None
    return MaintenanceView(_page_name(settings), settings.allow)


def _page_name(settings: Maintenance) -> str:
    return page_file(_NAME, settings.page or DEFAULT_NAME)


def compile_maintenance(site: SiteContext) -> Iterator[Declared]:
    """The page, also while the site is open: then maintenance is one change."""
    settings, facts = site.declared.maintenance, site.facts
    if settings is None:
        return
    path = f"{site.pages_dir}/{_page_name(settings)}"
    page = File(path=path, content=DEFAULT_PAGE, user=facts.user, group=facts.group, mode=0o644)
    if settings.page:
        page = copied_file(site.context, path, settings.page, site.loc(_NAME, "page"))
    yield site.declare(page, _NAME)
    yield from declare_pages_dir(site, _NAME)


def maintenance_findings(site: SiteContext) -> Iterator[Finding]:
    """A note while visitors are kept out."""
    if maintenance_view(site):
        yield Finding(
            _NAME,
            "note",
            f"{site.name} is in maintenance: visitors get 503.",
            (str(site.position_of(_NAME, "enabled")),),
            fix="Set maintenance.enabled to false, and apply.",
        )


def maintenance_probes(site: SiteContext) -> Iterator[HttpProbe]:
    """What visitors get, unless the probes are let in themselves."""
    settings = site.declared.maintenance
    if maintenance_view(site) is None or settings is None or _lets_probes_in(site, settings):
        return
    # Without root the page may not be read: then any body is accepted.
    content = site.facts.sources.get(settings.page, b"") if settings.page else DEFAULT_PAGE
    headers = (("Cache-Control", "no-store"), ("Retry-After", str(RETRY_AFTER_S)))
    expect = Expectation(frozenset({503}), headers=headers, body=excerpt(content))
    yield site.http_probe("visitors get the maintenance page", "/", expect)


def _lets_probes_in(site: SiteContext, settings: Maintenance) -> bool:
    addresses = list(map(ip_address, main_endpoint(site).addresses))
    networks = [ip_network(network) for network in settings.allow]
    return any(address in network for address in addresses for network in networks)
