"""The file of a site among nginx's, and what its template is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.site.access import access_view
from reconcile.config.site.app import app_proxy_view
from reconcile.config.site.app_release import release_of
from reconcile.config.site.error_pages import INTERCEPT, error_page_views
from reconcile.config.site.file_location import file_view
from reconcile.config.site.gzip import uses_gzip
from reconcile.config.site.http2 import uses_http2
from reconcile.config.site.listen_ports import listen_views
from reconcile.config.site.location import location_view
from reconcile.config.site.maintenance import maintenance_view
from reconcile.config.site.proxy_location import proxy_location_view
from reconcile.config.site.redirects import redirect_views
from reconcile.config.site.tls import tls_view
from reconcile.engine.model import Declared
from reconcile.nginx.certbot import WEBROOT
from reconcile.nginx.model.media_types import AddedTypes
from reconcile.nginx.render.site_view import SiteView
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext


def compile_nginx_file(site: SiteContext) -> Iterator[Declared]:
    """The generated file, and the link by which nginx includes it."""
    layout, facts = site.facts.layout, site.facts
    yield site.declare(Directory(path=layout.available_dir))
    file = File(
        path=site.nginx_file,
        content=site.nginx_content,
        user=facts.user,
        group=facts.group,
        mode=0o644,
        needs=tuple(filter(None, [release_of(site)])),
    )
    yield site.declare(file)
    link = layout.link_path(site.name)
    if link is not None:
        # Behind a release the file comes later than usual, and nginx refuses a dangling link.
        needs = (str(file.ref),) if file.needs else ()
        yield site.declare(Symlink(path=link, target=site.nginx_file, needs=needs))


def site_view(site: SiteContext) -> SiteView:
    """What nginx's template is given for a site."""
    declared = site.declared
    proxied = declared.proxied.items()
    return SiteView(
        name=site.name,
        server_names=declared.server_names,
        listens=listen_views(site),
        default_server=declared.default_server,
        tls=tls_view(site.tls) if site.tls else None,
        max_upload_bytes=declared.max_upload,
        upstream=site.upstream,
        proxy=app_proxy_view(site),
        proxied=tuple(filter(None, (proxy_location_view(site, *item) for item in proxied))),
        files=tuple(file_view(site, *item) for item in declared.files.items()),
        access=access_view(site, declared.access, is_declared=False),
        trusted_proxies=declared.trusted_proxies,
        locations=tuple(location_view(site, *item) for item in declared.locations.items()),
        extra=declared.extra,
        http_extra=declared.http_extra,
        challenge_root=WEBROOT if site.letsencrypt else None,
        types=site.facts.added_types if site.by_role("static") or declared.files else AddedTypes(),
        headers=tuple(declared.headers.items()),
        http2=uses_http2(site),
        gzip=uses_gzip(declared),
        redirects=redirect_views(declared),
        redirect_from=declared.redirect_from,
        has_content=declared.has_content,
        pages_dir=site.pages_dir,
        error_pages=error_page_views(declared.error_pages),
        intercept=bool(declared.error_pages.get(INTERCEPT)),
        maintenance=maintenance_view(site),
    )
