"""Each site by itself: it serves something, its names are its own, its directives are whole."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.probes import GetProbe
from reconcile.config.models.sites import Site
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc


def check_sites(spec: Spec) -> Iterator[Fault]:
    for name, site in spec.sites.items():
        loc = ("sites", name)
        if site.app is None and not site.locations:
            yield Fault(loc, "this site serves nothing", "give it an app or locations")
        yield from _check_names(loc, site)
        yield from _check_extra(loc, site)
        entry = spec.paths.get(site.adopted or "")
        if entry and entry.form != "file":
            yield Fault((*loc, "adopted"), f"`paths` makes {site.adopted} a {entry.form}")
        yield from _check_probes(loc, site)


def _check_names(loc: Loc, site: Site) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, name in enumerate(site.server_names):
        if name in seen:
            yield Fault((*loc, "server_names", index), f"{name} stands twice", certain=True)
        seen.add(name)


def _check_extra(loc: Loc, site: Site) -> Iterator[Fault]:
    if not site.extra:
        return
    from reconcile.nginx.model.lexer import NginxSyntaxError
    from reconcile.nginx.model.tree import parse

    try:
        parse(site.extra.encode(), "extra")
    except NginxSyntaxError as error:
        message = f"line {error.line} of extra is not a whole directive: {error.message}"
        yield Fault((*loc, "extra"), message, certain=True)


def _check_probes(loc: Loc, site: Site) -> Iterator[Fault]:
    if site.app:
        return
    for index, probe in enumerate(site.probes):
        if not isinstance(probe, GetProbe):
            yield Fault((*loc, "probes", index), "an upload needs an app that takes it")
        elif probe.expect.served_by == "app":
            yield Fault((*loc, "probes", index), "this site has no app that could answer")
