"""From what a person wrote to what has to be: resources and questions. A pure function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconcile.config.expansion.app import as_root, expand_app
from reconcile.config.expansion.letsencrypt import expand_letsencrypt, first_certificate
from reconcile.config.expansion.locations import expand_location
from reconcile.config.expansion.nginx import (
    Render,
    expand_nginx,
    expand_site_file,
    foreign_files,
    rendered,
)
from reconcile.config.expansion.packed import unsent
from reconcile.config.expansion.paths import expand_path
from reconcile.config.expansion.probes import expand_probes
from reconcile.config.expansion.scope import Scope, SiteScope
from reconcile.config.facts import HostFacts
from reconcile.config.models.spec import Spec
from reconcile.config.probes import Probe
from reconcile.dataclass import dataclass
from reconcile.engine.model import Declared, Finding
from reconcile.nginx.render.render import render_site


@dataclass(frozen=True)
class Expansion:
    """What has to be on the host, what it has to answer, and what is left to people.

    One resource may come repeatedly.
    """

    declared: tuple[Declared, ...]
    probes: tuple[Probe, ...]
    findings: tuple[Finding, ...] = ()


def expand(spec: Spec, facts: HostFacts, render: Render = render_site) -> Expansion:
    """The meaning of `spec` on a host with these facts.

    Errors: ReconcileError where a value cannot be written down safely, or a source is missing.
    """
    scope = Scope(spec, facts)
    sites = tuple(SiteScope(scope, name, site) for name, site in spec.sites.items())
    files = {site.file: rendered(site, render) for site in sites if not site.site.adopted}
    served = {**files, **foreign_files(scope)}
    declared = (*_of_paths(scope), *_of_sites(sites, files), *expand_nginx(scope, served))
    probes = tuple(probe for site in sites for probe in expand_probes(site))
    findings = tuple(finding for site in sites for finding in _findings(site))
    return Expansion(declared, probes, findings)


def _findings(site: SiteScope) -> Iterator[Finding]:
    yield from as_root(site)
    yield from first_certificate(site)
    yield from unsent(site)


def _of_paths(scope: Scope) -> Iterator[Declared]:
    for path, entry in scope.spec.paths.items():
        yield from expand_path(scope, path, entry)


def _of_sites(sites: tuple[SiteScope, ...], files: Mapping[str, bytes]) -> Iterator[Declared]:
    for site in sites:
        for prefix, location in site.site.locations.items():
            yield from expand_location(site, prefix, location)
        if site.file in files:
            yield from expand_site_file(site, files[site.file])
        yield from expand_letsencrypt(site)
        yield from expand_app(site)
