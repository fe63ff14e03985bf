"""A site becomes nginx's file for it; all of them have to be what nginx serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from reconcile.config.expansion.paths import file_content
from reconcile.config.expansion.scope import Scope, SiteScope
from reconcile.config.models.locations import Location
from reconcile.config.models.tls import Tls
from reconcile.config.values.hosts import ListenOn
from reconcile.engine.digest import digest
from reconcile.engine.model import Declared
from reconcile.filesystem.compress import SUFFIXES
from reconcile.nginx.certbot import WEBROOT
from reconcile.nginx.render.site_view import ListenView, LocationView, SiteView, TlsView

SERVICE = "nginx.service"
Render = Callable[[SiteView, str], bytes]


def expand_site_file(site: SiteScope, content: bytes) -> Iterator[Declared]:
    """The file with that content, and the link by which nginx reads it."""
    layout = site.facts.layout
    path, link = site.file, layout.link_path(site.name)
    facts = site.facts
    yield site.declare("directory", path=layout.available_dir)
    yield site.declare(
        "file", path=path, content=content, user=facts.user, group=facts.group, mode=0o644
    )
    if link is not None:
        yield site.declare("symlink", path=link, target=path)


def expand_nginx(scope: Scope, files: Mapping[str, bytes]) -> Iterator[Declared]:
    """That nginx runs and serves `files`: path → content."""
    names = tuple(scope.spec.sites)
    if names and scope.facts.has_services:
        yield scope.declare(
            "service",
            ("sites",),
            names,
            unit=SERVICE,
            enabled=True if scope.facts.has_boot else None,
            active=True if scope.facts.runs_services else None,
            needs=tuple(_config_refs(scope)),
        )
    if scope.facts.runs_services and (names or scope.facts.serves_sites):
        yield scope.declare(
            "nginx_live",
            ("sites",),
            names,
            config=scope.facts.nginx_config,
            serves={path: digest(content) for path, content in sorted(files.items())},
            current=True,
        )


def _config_refs(scope: Scope) -> Iterator[str]:
    """What nginx reads when it starts."""
    for name, site in scope.spec.sites.items():
        yield f"file:{site.adopted or scope.facts.layout.file_path(name)}"
        if link := scope.facts.layout.link_path(name):
            yield f"symlink:{link}"


def foreign_files(scope: Scope) -> dict[str, bytes]:
    """Files of `paths` that nginx reads: what is served has to follow them as well."""
    paths = scope.spec.paths
    adopted = {site.adopted for site in scope.spec.sites.values() if site.adopted}
    return {
        path: file_content(scope, path, paths[path])
        for path in sorted(adopted | scope.facts.nginx_reads)
        if path in paths and paths[path].form == "file"
    }


def rendered(site: SiteScope, render: Render) -> bytes:
    """The content of the site's configuration file."""
    return render(site_view(site), site.facts.nginx_version)


def site_view(site: SiteScope) -> SiteView:
    """What the template is given for a site."""
    declared = site.site
    return SiteView(
        name=site.name,
        server_names=declared.server_names,
        listens=listens(site),
        default_server=declared.default_server,
        tls=_tls(site.tls) if site.tls else None,
        max_upload_bytes=declared.max_upload,
        upstream=site.upstream,
        locations=tuple(_location(site, *item) for item in declared.locations.items()),
        extra=declared.extra,
        challenge_root=WEBROOT if site.letsencrypt else None,
    )


def listens(site: SiteScope) -> tuple[ListenView, ...]:
    """Every socket; a bare port is one of v4 and, where the host has it, one of v6."""
    return tuple(
        ListenView(address, listen.port, site.speaks_tls(listen))
        for listen in site.listens
        for address in _addresses(site, listen)
    )


def _addresses(site: SiteScope, listen: ListenOn) -> tuple[str, ...]:
    if listen.address:
        return (listen.address,)
    return ("", "[::]") if site.facts.ipv6 else ("",)


def _tls(tls: Tls) -> TlsView:
    return TlsView(tls.chain_path, tls.key_path, tls.redirect, tls.hsts)


def _location(site: SiteScope, prefix: str, location: Location) -> LocationView:
    sent = site.facts.static_encodings
    packed = tuple(encoding for encoding in SUFFIXES if encoding in sent & {*location.precompress})
    return LocationView(location.role, prefix, location.dir, cache_control(site, location), packed)


def cache_control(site: SiteScope, location: Location) -> str | None:
    """The Cache-Control of a location's files, None where the app gives it."""
    name = location.cache_or_default
    return site.scope.spec.all_cache_policies()[name].header if name else None
