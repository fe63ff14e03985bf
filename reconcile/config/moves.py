"""Sites that got another name: what the old one had, and what of the new one that becomes."""

from __future__ import annotations

from dataclasses import replace

from reconcile.config.context import CompileContext
from reconcile.engine.moves import Moves
from reconcile.engine.resource import Ref


def compile_moves(context: CompileContext) -> Moves:
    """The moves of every site with `moved_from`."""
    sites = {
        site.moved_from: name for name, site in context.config.sites.items() if site.moved_from
    }
    refs = {
        old: new for before, after in sites.items() for old, new in _moved(context, before, after)
    }
    return Moves(sites, refs)


def _moved(context: CompileContext, old: str, new: str) -> list[tuple[Ref, Ref]]:
    """Each resource of the site under its old name and under its new one, where these differ."""
    site = context.config.sites[new]
    config = context.config.model_copy(update={"sites": {old: site}})
    before = site.compile(old, replace(context, config=config))
    pairs = zip(before, site.compile(new, context), strict=True)
    refs = ((one.resource.ref, other.resource.ref) for one, other in pairs)
    return [(one, other) for one, other in refs if one != other]
