"""What a location serves is not there, or is not what the YAML declares."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath
from shlex import quote

from reconcile.doctor.config_view import DeclaredLocation
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import (
    LocationMapping,
    UnresolvedLocation,
    all_locations,
    is_managed_server,
)
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.nginx.routing.location_match import Indeterminate


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        yield from _elsewhere(mapping)
        yield from _absent(inspection, mapping)
    yield from map(_unknown, inspection.unresolved)
    yield from _undeclared(inspection)
    for server in inspection.servers:
        yield from (_one_for_all(scope) for scope in all_locations(server) if _is_whole(scope))


def _elsewhere(mapping: LocationMapping) -> Iterator[RuleResult]:
    said = mapping.declared
    if said and said.dir.rstrip("/") != mapping.path:
        yield error(
            f"{mapping} serves {mapping.path}, the YAML says {said.dir}.",
            mapping.evidence,
            f"{said.place}: dir: {said.dir}",
            fix="reconcile apply"
            if mapping.is_managed
            else f"{mapping.place}: alias {said.dir}/; then reload nginx.",
            by_apply=mapping.is_managed,
        )


def _absent(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    found = inspection.host.files.stat(mapping.path, follow=True)
    # certbot makes this one for as long as it is asked for a proof.
    if mapping.prefix.startswith(CHALLENGES.rstrip("/")):
        return
    # With try_files another answers for what is not there.
    if (found is not None and found.kind == "directory") or "try_files" in mapping.scope.own:
        return
    if "rewrite" in mapping.scope.own and not _serves(inspection, mapping):
        return
    what, said = "is not there" if found is None else "is no directory", mapping.declared
    made = f"install -d -m 0755 {quote(mapping.path)}"
    yield error(
        f"{mapping.path}, which {mapping} serves, {what}.",
        mapping.evidence,
        fix=made if found is None else f"Name a directory at {mapping.place}.",
        by_apply=found is None and said is not None and said.dir.rstrip("/") == mapping.path,
    )


def _serves(inspection: HostInspection, mapping: LocationMapping) -> bool:
    """Whether a file in that folder could be loaded at all; where that is unknown, it could."""
    name = "reconcile-sample.txt"
    disk = inspection.disk_with(f"{mapping.path}/{name}")
    try:
        route = inspection.route(mapping.server, f"{mapping.prefix.rstrip('/')}/{name}", disk)
    except Indeterminate:
        return True
    return route is None or route.answer.kind == "file"


def _unknown(one: UnresolvedLocation) -> RuleResult:
    if one.scope.is_regex:
        return note(f"{one} was not looked at: {one.why}.", one.directive.place)
    return Inconclusive(f"{one} ({one.directive.place})", one.why)


def _undeclared(inspection: HostInspection) -> Iterator[RuleResult]:
    """Locations that the YAML wants and no server has."""
    there = {mapping.declared for mapping in inspection.mappings}
    for wanted in inspection.declared.locations:
        is_there = wanted in there or _by_root(inspection, wanted)
        if not is_there and _is_asked(inspection, wanted):
            yield error(
                f"No server of nginx has the location {wanted.prefix} of {wanted.site}.",
                f"{wanted.place}: {wanted.prefix}",
                fix="reconcile apply",
                by_apply=not _is_claimed(inspection, wanted),
            )


def _by_root(inspection: HostInspection, wanted: DeclaredLocation) -> bool:
    """Whether the root of a server is that folder; no location of its own then stands for it."""
    roots = (
        directive.args[0]
        for server in inspection.router.servers.servers
        if any(map(wanted.serves, server.names))
        for directive in server.scope.own.get("root", ())
    )
    return any(normpath(f"{root}/{wanted.prefix}") == wanted.dir for root in roots)


def _is_claimed(inspection: HostInspection, wanted: DeclaredLocation) -> bool:
    """Whether a file that is not ours has a server of that name: an apply leaves it there."""
    return any(
        any(map(wanted.serves, server.names)) and not is_managed_server(server)
        for server in inspection.router.servers.servers
    )


def _is_asked(inspection: HostInspection, wanted: DeclaredLocation) -> bool:
    return not inspection.server_names or any(map(wanted.serves, inspection.server_names))


def _is_whole(scope: Scope) -> bool:
    """An alias in a regex location without a group of it: every URI is the folder itself."""
    aliases = scope.own.get("alias", ())
    return scope.is_regex and any("$" not in alias.args[0] for alias in aliases)


def _one_for_all(scope: Scope) -> RuleResult:
    alias = scope.own["alias"][0]
    return error(
        f"The alias of {scope} stands for every URI alike: no file below it can be reached.",
        f"{alias.place}: alias {alias.args[0]};",
        fix=f"{alias.place}: use a prefix location, or end the alias with a group: …/$1;",
    )


RULE = Rule("alias-target", ("DB3", "DB4", "DB8", "CL1", "CL2"), check)
