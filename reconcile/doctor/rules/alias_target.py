"""The folder of a location does not exist, or is not the one that the YAML declares."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from posixpath import basename, dirname, normpath
from shlex import quote

from reconcile.doctor.config_view import DeclaredLocation
from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import (
    LocationMapping,
    UnresolvedLocation,
    all_locations,
    is_managed_server,
)
from reconcile.doctor.lost_requests import pass_on_edit
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, caused, error, note
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.nginx.routing.content import ANSWERING
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.servers import Server

_PACKAGED = "/usr/share"
"""Where packages of the distribution keep files, and nobody else."""
_WELL_KNOWN = CHALLENGES.rpartition("/acme-challenge")[0]


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each wrong folder and each declared location that no server has."""
    for mapping in inspection.mappings:
        declared = mapping.declared
        if declared and declared.dir.rstrip("/") != mapping.path:
            yield _other_folder(mapping, declared)
        # Where the root repeats the prefix, another rule names the folder that was meant.
        elif not mapping.repeats_prefix:
            yield from _missing_folder(inspection, mapping)
    yield from map(_unresolved, inspection.unresolved)
    yield from _missing_locations(inspection)
    for server in inspection.servers:
        yield from (
            _constant_alias(scope) for scope in all_locations(server) if _is_constant(scope)
        )
        yield from _without_root(inspection, server)


def _other_folder(mapping: LocationMapping, declared: DeclaredLocation) -> RuleResult:
    return error(
        f"{mapping} serves {mapping.path}, but the YAML declares {declared.dir}.",
        mapping.evidence,
        f"{declared.place}: dir: {declared.dir}",
        fix="reconcile apply"
        if mapping.is_managed
        else f"{mapping.place}: alias {declared.dir}/; then reload nginx.",
        apply_fixes=mapping.is_managed,
    )


def _missing_folder(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    # certbot creates this folder only for the duration of a challenge.
    if mapping.prefix.startswith(CHALLENGES.rstrip("/")) or _is_left_to_inner(mapping.scope):
        return
    if mapping.prefix.rstrip("/") == _WELL_KNOWN:
        return
    found = inspection.host.files.stat(mapping.path, follow=True)
    # With try_files another location answers for a missing file.
    if (found is not None and found.kind == "directory") or "try_files" in mapping.scope.own:
        return
    if "rewrite" in mapping.scope.own and not _serves_files(inspection, mapping):
        return
    yield _not_a_folder(mapping) if found else _absent(inspection, mapping)


def _not_a_folder(mapping: LocationMapping) -> RuleResult:
    return error(
        f"{mapping.path}, served by {mapping}, is not a directory.",
        mapping.evidence,
        fix=mapping.edit_to(dirname(mapping.path)),
    )


def _absent(inspection: HostInspection, mapping: LocationMapping) -> RuleResult:
    """The folder, a folder above it or the target of a link on the way is missing."""
    top, declared = _first_missing(inspection, mapping.path), mapping.declared
    link = inspection.host.files.stat(top)
    what = f"{mapping.path}, served by {mapping}, does not exist"
    if dirname(top) == _PACKAGED:
        # Panels write such locations whether the package is installed or not.
        found = note(
            f"{what}: the package that has it is not installed.",
            mapping.evidence,
            fix=f"{mapping.place}: remove the location, or install the package.",
        )
    elif link is not None:
        found = error(
            f"{what}: {top} is a link to {inspection.host.files.readlink(top)}.",
            mapping.evidence,
            fix=f"Point the link at the folder that has the files: ln -sfn FOLDER {quote(top)}",
        )
    elif declared is None and (near := _meant_folder(inspection, mapping, top)):
        found = error(
            f"{what}; {near} does.",
            mapping.evidence,
            fix=mapping.edit_to(near),
        )
    else:
        found = error(
            f"{what}.",
            mapping.evidence,
            fix=f"install -d -m 0755 {quote(mapping.path)}",
            apply_fixes=declared is not None and declared.dir.rstrip("/") == mapping.path,
        )
    return caused(found, f"missing {top}")


def _meant_folder(inspection: HostInspection, mapping: LocationMapping, top: str) -> str:
    """An existing folder of nearly the same path; "" where there is none."""
    files, rest = inspection.host.files, mapping.path.removeprefix(top)
    if not mapping.directive.args[0].startswith(("/", "$")) and mapping.is_alias:
        # Without its first slash a path is one below nginx's own folder.
        candidates = ["/" + mapping.directive.args[0].rstrip("/")]
    else:
        parent, name = dirname(top), basename(top)
        walk = inspection.access(parent, inspection.host.accounts.current)
        names = files.listdir(parent) if walk.can_read else []
        folded = [one for one in names if one.casefold() == name.casefold()]
        near = folded or get_close_matches(name, names, n=3, cutoff=0.8)
        candidates = [f"{parent.rstrip('/')}/{one}{rest}" for one in near]
    served = {one.path for one in inspection.mappings if one.server == mapping.server}
    for path in candidates:
        found = files.stat(path, follow=True)
        if found is not None and found.kind == "directory" and path not in served:
            return path
    return ""


def _first_missing(inspection: HostInspection, path: str) -> str:
    """The topmost part of a path that does not exist; a link whose target is missing as well."""
    parts = path.strip("/").split("/")
    tops = ("/" + "/".join(parts[: number + 1]) for number in range(len(parts)))
    files = inspection.host.files
    return next((top for top in tops if files.stat(top, follow=True) is None), path)


def _is_left_to_inner(scope: Scope) -> bool:
    """Whether locations inside of it name the folders, and it has none but the server's root."""
    return bool(scope.locations) and not {"root", "alias"} & scope.own.keys()


def _serves_files(inspection: HostInspection, mapping: LocationMapping) -> bool:
    """Whether a file in that folder could be reached; where that is unknown, it could."""
    name = "reconcile-sample.txt"
    nginx = inspection.nginx
    disk = nginx.disk_with(f"{mapping.path}/{name}")
    try:
        route = nginx.route(mapping.server, f"{mapping.prefix.rstrip('/')}/{name}", disk)
    except Indeterminate:
        return True
    return route is None or route.answer.kind == "file"


def _unresolved(location: UnresolvedLocation) -> RuleResult:
    if location.scope.is_regex:
        return note(f"{location} was not checked: {location.why}.", location.directive.place)
    return Inconclusive(f"{location} ({location.directive.place})", location.why)


def _missing_locations(inspection: HostInspection) -> Iterator[RuleResult]:
    """Locations that the YAML declares and no server has."""
    present = {mapping.declared for mapping in inspection.mappings}
    for declared in inspection.declared.locations:
        is_present = declared in present or _is_served_by_root(inspection, declared)
        if not is_present and _is_inspected(inspection, declared):
            yield error(
                f"No nginx server has the location {declared.prefix} of {declared.site}.",
                f"{declared.place}: {declared.prefix}",
                fix="reconcile apply",
                apply_fixes=not _has_foreign_server(inspection, declared),
            )


def _is_served_by_root(inspection: HostInspection, declared: DeclaredLocation) -> bool:
    """Whether the root of a server maps the prefix to that folder without a location."""
    roots = (
        directive.args[0]
        for server in inspection.nginx.router.servers.servers
        if declared.is_of(server)
        for directive in server.scope.own.get("root", ())
    )
    return any(normpath(f"{root}/{declared.prefix}") == declared.dir for root in roots)


def _has_foreign_server(inspection: HostInspection, declared: DeclaredLocation) -> bool:
    """Whether a file that reconcile does not manage has a server of that name."""
    return any(
        declared.is_of(server) and not is_managed_server(server)
        for server in inspection.nginx.router.servers.servers
    )


def _is_inspected(inspection: HostInspection, declared: DeclaredLocation) -> bool:
    names = inspection.server_names
    return not names or any(map(declared.serves, names))


def _without_root(inspection: HostInspection, server: Server) -> Iterator[RuleResult]:
    """A location for files, and no level around it has a root: nginx has one of its own."""
    folder = f"{inspection.nginx.installation.build.prefix.rstrip('/')}/html"
    for scope in all_locations(server):
        prefix = from_raw(scope.name)
        is_of_files = scope.modifier in ("", "^~") and prefix.endswith("/") and prefix != "/"
        is_of_files = is_of_files or (scope.is_regex and bool(scope.own.keys() - _LOGGING))
        is_other = scope.handler or _OTHERS & scope.own.keys() or scope.nearest("root", "alias")
        path = folder if scope.is_regex else folder + prefix.rstrip("/")
        if scope.is_regex and not is_other and is_of_files:
            yield _regex_without_root(inspection, server, scope, path)
            continue
        if is_of_files and not is_other and inspection.host.files.stat(path) is None:
            yield error(
                f"{scope} of {server.names[0]} has no root: nginx looks in {path}, which does not"
                " exist.",
                f"{scope.directive.place}: {scope}",
                *map(directive_evidence, _roots_beside(server)),
                fix=f"{scope.directive.place}: add the root or alias of its folder, then reload"
                " nginx. A location inherits none from another location.",
            )


def _regex_without_root(
    inspection: HostInspection, server: Server, scope: Scope, folder: str
) -> RuleResult:
    add = f"{scope.directive.place}: add the root of its files, then reload nginx. A location"
    found = error(
        f"{scope} of {server.names[0]} has no root: nginx looks for everything that it takes in"
        f" {folder}.",
        f"{scope.directive.place}: {scope}",
        *map(directive_evidence, _roots_beside(server)),
        fix=pass_on_edit(inspection, server, scope) or f"{add} inherits none from another one.",
    )
    return caused(found, f"no files in {scope.directive.place}")


_LOGGING = {"access_log", "log_not_found"}
_OTHERS = frozenset(
    [
        *("return", "rewrite", "try_files", "internal", "location", "if", "error_page", "deny"),
        *ANSWERING,
    ]
)


def _roots_beside(server: Server) -> list[Directive]:
    """The roots of other locations, which were meant for all."""
    scopes = all_locations(server)
    return [one for scope in scopes for one in scope.own.get("root", ()) if scope.handler][:1]


def _is_constant(scope: Scope) -> bool:
    """Whether an alias in a regex location has no group: every URI maps to the folder itself."""
    aliases = scope.own.get("alias", ())
    return scope.is_regex and any("$" not in alias.args[0] for alias in aliases)


def _constant_alias(scope: Scope) -> RuleResult:
    alias = scope.own["alias"][0]
    return error(
        f"The alias of {scope} is the same for every URI: no file below it can be reached.",
        directive_evidence(alias),
        fix=f"{alias.place}: use a prefix location, or end the alias with a group: …/$1;",
    )


RULE = Rule(
    id="alias-target",
    summary="A location serves a folder that does not exist, or not the declared one.",
    severity="error",
    help=("Every request below the location returns 404. Create the folder, or correct the path."),
    reads=("configuration", "files"),
    guide_rows=("DB3", "DB4", "DB8", "CL1", "CL2"),
    yaml_key="locations",
    check=check,
)
