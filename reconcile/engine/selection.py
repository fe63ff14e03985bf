"""Which part of the configuration a command acts on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import ClassVar

from reconcile.dataclass import dataclass
from reconcile.engine.model import Desired
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError


@dataclass(frozen=True)
class Selection:
    """Sites by name, targets and exclusions by address or pattern; everything if empty."""

    sites: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    ALL: ClassVar[Selection]

    @property
    def partial(self) -> bool:
        """Whether anything is left out."""
        return bool(self.sites or self.targets or self.excludes)


Selection.ALL = Selection()


def select(
    desired: Desired, owned: Mapping[Ref, tuple[str, ...]], selection: Selection
) -> frozenset[Ref]:
    """The selected refs, with everything that a target requires.

    `owned` has the sites of each ledger row.
    Errors: ReconcileError for a site or a pattern that matches nothing.
    """
    sites = dict(owned) | {ref: declared.sites for ref, declared in desired.items()}
    chosen = set(sites)
    if selection.sites:
        chosen &= _of_sites(sites, selection.sites)
    if selection.targets:
        chosen &= _required(desired, _matching(sites, selection.targets))
    if selection.excludes:
        chosen -= _matching(sites, selection.excludes)
    return frozenset(chosen)


def _of_sites(sites: Mapping[Ref, tuple[str, ...]], wanted: Iterable[str]) -> set[Ref]:
    known = {site for names in sites.values() for site in names}
    hint = f"The sites here: {', '.join(sorted(known)) or 'none'}."
    for site in wanted:
        _refuse_unknown(site, known, hint)
    return {ref for ref, names in sites.items() if not {*wanted}.isdisjoint(names)}


def _matching(refs: Iterable[Ref], patterns: Iterable[str]) -> set[Ref]:
    addresses = {str(ref): ref for ref in refs}
    found: set[Ref] = set()
    for pattern in patterns:
        hits = {ref for text, ref in addresses.items() if text == pattern}
        hits |= {ref for text, ref in addresses.items() if fnmatchcase(text, pattern)}
        if not hits:
            _refuse_unknown(pattern, addresses, "`reconcile graph` lists every address.")
        found |= hits
    return found


def _required(desired: Desired, refs: set[Ref]) -> set[Ref]:
    """`refs` with everything that they require, directly or not."""
    found: set[Ref] = set()
    waiting = [*refs]
    while waiting:
        ref = waiting.pop()
        if ref in found:
            continue
        found.add(ref)
        if ref in desired:
            waiting += desired[ref].resource.requires()
    return found


def _refuse_unknown(name: str, known: Iterable[str], hint: str) -> None:
    if name in known:
        return
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    fix = f"Did you mean {near[0]}?" if near else hint
    raise ReconcileError(f"No site or resource named {name}.", "", fix)
