"""What a location serves is not there, or is not what the YAML declares."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from reconcile.doctor.config_view import DeclaredLocation
from reconcile.doctor.evidence import quoted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped, Unmapped, every_location, is_ours
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.nginx.routing.location_match import Indeterminate


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.mapped:
        yield from _elsewhere(mapped)
        yield from _absent(snapshot, mapped)
    yield from map(_unknown, snapshot.unmapped)
    yield from _undeclared(snapshot)
    for server in snapshot.servers:
        yield from (_one_for_all(scope) for scope in every_location(server) if _is_whole(scope))


def _elsewhere(mapped: Mapped) -> Iterator[RuleResult]:
    said = mapped.declared
    if said and said.dir.rstrip("/") != mapped.path:
        yield error(
            f"{mapped} serves {mapped.path}, the YAML says {said.dir}.",
            f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
            f"{said.place}: dir: {said.dir}",
            fix="reconcile apply"
            if mapped.is_ours
            else f"{mapped.place}: alias {said.dir}/; then reload nginx.",
            by_apply=mapped.is_ours,
        )


def _absent(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    found = snapshot.host.files.stat(mapped.path, follow=True)
    # certbot makes this one for as long as it is asked for a proof.
    if mapped.prefix.startswith(CHALLENGES.rstrip("/")):
        return
    # With try_files another answers for what is not there.
    if (found is not None and found.kind == "directory") or "try_files" in mapped.scope.own:
        return
    if "rewrite" in mapped.scope.own and not _serves(snapshot, mapped):
        return
    what, said = "is not there" if found is None else "is no directory", mapped.declared
    made = f"install -d -m 0755 {quoted(mapped.path)}"
    yield error(
        f"{mapped.path}, which {mapped} serves, {what}.",
        f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
        fix=made if found is None else f"Name a directory at {mapped.place}.",
        by_apply=found is None and said is not None and said.dir.rstrip("/") == mapped.path,
    )


def _serves(snapshot: HostInspection, mapped: Mapped) -> bool:
    """Whether a file in that folder could be loaded at all; where that is unknown, it could."""
    name = "reconcile-sample.txt"
    disk = snapshot.disk_with(f"{mapped.path}/{name}")
    try:
        route = snapshot.route(mapped.server, f"{mapped.prefix.rstrip('/')}/{name}", disk)
    except Indeterminate:
        return True
    return route is None or route.answer.kind == "file"


def _unknown(one: Unmapped) -> RuleResult:
    if one.scope.is_regex:
        return note(f"{one} was not looked at: {one.why}.", one.directive.place)
    return Inconclusive(f"{one} ({one.directive.place})", one.why)


def _undeclared(snapshot: HostInspection) -> Iterator[RuleResult]:
    """Locations that the YAML wants and no server has."""
    there = {mapped.declared for mapped in snapshot.mapped}
    for wanted in snapshot.declared.locations:
        is_there = wanted in there or _by_root(snapshot, wanted)
        if not is_there and _is_asked(snapshot, wanted):
            yield error(
                f"No server of nginx has the location {wanted.prefix} of {wanted.site}.",
                f"{wanted.place}: {wanted.prefix}",
                fix="reconcile apply",
                by_apply=not _is_claimed(snapshot, wanted),
            )


def _by_root(snapshot: HostInspection, wanted: DeclaredLocation) -> bool:
    """Whether the root of a server is that folder; no location of its own then stands for it."""
    roots = (
        directive.args[0]
        for server in snapshot.router.servers.servers
        if any(map(wanted.serves, server.names))
        for directive in server.scope.own.get("root", ())
    )
    return any(normpath(f"{root}/{wanted.prefix}") == wanted.dir for root in roots)


def _is_claimed(snapshot: HostInspection, wanted: DeclaredLocation) -> bool:
    """Whether a file that is not ours has a server of that name: an apply leaves it there."""
    return any(
        any(map(wanted.serves, server.names)) and not is_ours(server)
        for server in snapshot.router.servers.servers
    )


def _is_asked(snapshot: HostInspection, wanted: DeclaredLocation) -> bool:
    return not snapshot.only or any(map(wanted.serves, snapshot.only))


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


RULE = Rule("alias-target", ("DB3", "DB4", "DB8", "CL1", "CL2"), look)
