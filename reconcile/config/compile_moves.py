"""Sites and services that were renamed: what the old name had becomes that of the new one."""

from __future__ import annotations

from dataclasses import replace

from reconcile.config.context import CompileContext
from reconcile.engine.moves import Moves
from reconcile.engine.resource import Ref


def compile_moves(context: CompileContext) -> Moves:
    """The moves of every entry with `moved_from`."""
    sites = {
        site.moved_from: name for name, site in context.config.sites.items() if site.moved_from
    }
    services = {
        service.moved_from: name
        for name, service in context.config.services.items()
        if service.moved_from
    }
    refs: dict[Ref, Ref] = {}
    for section, names in (("sites", sites), ("services", services)):
        for old, new in names.items():
            refs |= _moved(context, section, old, new)
    return Moves(sites, refs)


def _moved(context: CompileContext, section: str, old: str, new: str) -> dict[Ref, Ref]:
    """Each resource of the entry under its old name and under its new one, where these differ."""
    entries = getattr(context.config, section)
    entry = entries[new]
    renamed = {old if name == new else name: one for name, one in entries.items()}
    before = replace(context, config=context.config.model_copy(update={section: renamed}))
    pairs = zip(entry.compile(old, before), entry.compile(new, context), strict=True)
    refs = ((one.resource.ref, other.resource.ref) for one, other in pairs)
    return {one: other for one, other in refs if one != other}
