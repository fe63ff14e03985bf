"""What a host has to answer, as far as who looks may know it. A pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace

from reconcile.config.expansion.probes import expand_probes
from reconcile.config.expansion.scope import Scope, SiteScope
from reconcile.config.facts import HostFacts
from reconcile.config.models.spec import Spec
from reconcile.config.probes import Probe
from reconcile.dataclass import dataclass
from reconcile.engine.model import Check
from reconcile.errors import ReconcileError


@dataclass(frozen=True)
class Questions:
    """The probes; `hidden` has a check for each site of which not even they can be known."""

    probes: tuple[Probe, ...]
    hidden: Mapping[str, Check] = field(default_factory=dict)


def questions(spec: Spec, facts: HostFacts, has_certificate: Callable[[str], bool]) -> Questions:
    """The same probes as those of an expansion, from what everybody may read of a host.

    `facts` need no sources and no certificates: `has_certificate` is asked, and may raise
    ReconcileError where only root can tell.
    """
    hidden: dict[str, Check] = {}
    certificates = set[str]()
    for name, site in spec.sites.items():
        wanted = site.tls.letsencrypt if site.tls else None
        try:
            if wanted and has_certificate(wanted):
                certificates.add(wanted)
        except ReconcileError as error:
            why = f"whether it has its certificate: {error.what}: {error.why}"
            hidden[name] = Check(f"probe:{name}", "unknown", f"{why}. Run it with sudo.")
    scope = Scope(spec, replace(facts, certificates=frozenset(certificates)))
    seen = [SiteScope(scope, name, site) for name, site in spec.sites.items() if name not in hidden]
    probes = tuple(probe for site in seen for probe in expand_probes(site))
    return Questions(probes, hidden)
