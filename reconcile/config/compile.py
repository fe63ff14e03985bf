"""Compiles a configuration for a host: resources, probes and findings. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace

from reconcile.config.compile_moves import compile_moves
from reconcile.config.compile_services import service_findings
from reconcile.config.config import Config
from reconcile.config.config_model import ConfigEntry
from reconcile.config.context import CompileContext, Render
from reconcile.config.guards import Entries, entries_of, guarded
from reconcile.config.host_facts import HostFacts
from reconcile.config.nginx_service import compile_nginx
from reconcile.config.probes import Probe
from reconcile.config.sharing import with_sharing
from reconcile.config.site.site import site_findings
from reconcile.config.site.site_probes import site_probes
from reconcile.dataclass import dataclass
from reconcile.engine.model import Check, Declared, Finding
from reconcile.engine.moves import Moves
from reconcile.errors import ReconcileError
from reconcile.nginx.render.site_config import render_site


@dataclass(frozen=True)
class CompiledConfig:
    """The desired resources, the probes, and findings; a resource may occur more than once."""

    declared: tuple[Declared, ...]
    probes: tuple[Probe, ...]
    findings: tuple[Finding, ...] = ()
    moves: Moves = Moves()
    entries: Entries = field(default_factory=dict)


def compile_config(
    config: Config, facts: HostFacts, render: Render = render_site
) -> CompiledConfig:
    """What `config` means on a host with these facts.

    Errors: ReconcileError where a value cannot be written safely, or a source is missing.
    """
    context = CompileContext(config, facts, render)
    entries = tuple(
        declared
        for loc, entry in config.entries()
        for declared in _compiled(str(loc[-1]), entry, context)
    )
    sites = context.sites.values()
    return CompiledConfig(
        tuple(with_sharing((*entries, *compile_nginx(context)), facts)),
        tuple(probe for site in sites for probe in site_probes(site)),
        (
            *_variable_findings(config),
            *(finding for site in sites for finding in site_findings(site)),
            *service_findings(context),
        ),
        compile_moves(context),
        entries_of(context),
    )


def _compiled(name: str, entry: ConfigEntry, context: CompileContext) -> Iterator[Declared]:
    return guarded(name, entry, entry.compile(name, context), context)


def _variable_findings(config: Config) -> Iterator[Finding]:
    """A note with the variables that the file was read with."""
    if config.vars:
        position = str(config.position_of("vars"))
        yield Finding("variables", "note", f"Variables: {config.variables}.", (position,))


@dataclass(frozen=True)
class ReadableProbes:
    """The probes that an unprivileged user can determine.

    `unknown` has an unknown check for each site whose probes depend on what only root can read.
    """

    probes: tuple[Probe, ...]
    unknown: Mapping[str, Check] = field(default_factory=dict)


def compile_readable_probes(
    config: Config, facts: HostFacts, has_certificate: Callable[[str], bool]
) -> ReadableProbes:
    """The probes of `compile_config`, from what everyone may read of a host.

    `facts` need no sources and no certificates: `has_certificate` is called instead, which may
    raise ReconcileError where only root can read them.
    """
    unknown: dict[str, Check] = {}
    certificates = set[str]()
    for name, site in config.sites.items():
        certificate = site.tls.certbot_name if site.tls else None
        try:
            if certificate and has_certificate(certificate):
                certificates.add(certificate)
        except ReconcileError as error:
            detail = f"cannot check its certificate: {error.what}: {error.why}. Run it with sudo."
            unknown[name] = Check(f"probe:{name}", "unknown", detail)
    context = CompileContext(config, replace(facts, certificates=frozenset(certificates)))
    probes = (
        probe
        for name, site in context.sites.items()
        if name not in unknown
        for probe in site_probes(site)
    )
    return ReadableProbes(tuple(probes), unknown)
