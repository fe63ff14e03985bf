"""Proxies before nginx whose word about a visitor's address and scheme is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.site.extra import extra_directives, place_in_extra
from reconcile.config.site.networks import check_networks

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.site import Site


def check_trusted_proxies(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """Not everybody is trusted, and `extra` trusts nobody else."""
    here = (*loc, "trusted_proxies")
    consequence, fix = ": any visitor could claim any address", "name the networks of the proxies"
    yield from check_networks(here, site.trusted_proxies, consequence, fix)
    for directive in extra_directives(site.extra) if site.trusted_proxies else ():
        if directive.name in ("set_real_ip_from", "real_ip_header", "real_ip_recursive"):
            place = place_in_extra(config, loc, directive)
            message = f"`extra` has {directive.name} too ({place})"
            yield Violation(here, message, "remove one of them")
