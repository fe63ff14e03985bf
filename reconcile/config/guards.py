"""Entries that must not be removed, and the resources that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconcile.config.config_model import ConfigEntry
from reconcile.config.context import CompileContext
from reconcile.config.host_path import HostPath
from reconcile.config.site.site import Site
from reconcile.engine.model import Declared

Entries = Mapping[str, bool]
"""Each entry by its address, such as `sites.shop`, and whether it must not be removed."""


def entries_of(context: CompileContext) -> Entries:
    """Every entry that may have `prevent_destroy`."""
    config = context.config
    entries = {f"paths.{path}": entry.prevent_destroy for path, entry in config.paths.items()}
    for name, site in config.sites.items():
        entries |= _site_entries(name, site)
    return entries


def _site_entries(name: str, site: Site) -> Entries:
    locations = {
        _location(name, key): one.prevent_destroy for key, one in site.all_locations.items()
    }
    return {f"sites.{name}": site.prevent_destroy, **locations}


def _location(site: str, key: str) -> str:
    return f"sites.{site}.locations.{key}"


def guarded(
    name: str, entry: ConfigEntry, declared: Iterable[Declared], context: CompileContext
) -> Iterator[Declared]:
    """What `entry` declares, with the entries with `prevent_destroy` that each belongs to."""
    held = _held(name, entry, context)
    for item in declared:
        guards = held.get(item.resource.name) or held.get("")
        yield replace(item, guards=item.guards | guards) if guards else item


def _held(name: str, entry: ConfigEntry, context: CompileContext) -> Mapping[str, frozenset[str]]:
    """Path → the guards of what is declared there; "" has those of everything else."""
    if isinstance(entry, HostPath) and entry.prevent_destroy:
        return {name: frozenset({f"paths.{name}"})}
    if isinstance(entry, Site):
        return _held_by_site(name, entry, context)
    return {}


def _held_by_site(name: str, site: Site, context: CompileContext) -> Mapping[str, frozenset[str]]:
    entries = _site_entries(name, site)
    everything = frozenset(guard for guard, is_kept in entries.items() if is_kept)
    # Whatever else goes, this is there as long as the site: with it each guard outlives its entry.
    lasting = "" if site.adopted else context.sites[name].nginx_file
    directories = {
        location.dir: frozenset({_location(name, key)})
        for key, location in site.locations.items()
        if location.prevent_destroy
    }
    return {lasting: everything, **directories} if everything else {}
