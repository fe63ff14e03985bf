"""`location /static/ { alias /srv/static; }`: nginx replaces the prefix by the alias, literally."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping, all_locations
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.servers import Server


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each alias that lacks the trailing slash of its location."""
    for mapping in inspection.mappings:
        lacks_slash = mapping.prefix.endswith("/") and not mapping.folder.endswith("/")
        found = inspection.host.files.stat(mapping.path, follow=True) if lacks_slash else None
        is_file = found is not None and found.kind == "file"
        if mapping.is_alias and lacks_slash and not is_file:
            yield error(
                f"The alias of {mapping} has no trailing slash: every file returns 404.",
                f"{mapping.place}: alias {mapping.folder};",
                f"{mapping.prefix}health.txt is looked up as {mapping.folder}health.txt",
                *_last_error(inspection, mapping),
                fix=f"{mapping.place}: alias {mapping.folder}/; then reload nginx.",
                apply_fixes=mapping.is_restored_by_apply,
            )
    for server in inspection.servers:
        for scope in all_locations(server):
            yield from _file_with_slash(inspection, server, scope)


def _file_with_slash(
    inspection: HostInspection, server: Server, scope: Scope
) -> Iterator[RuleResult]:
    """An alias of one file that ends as one of a folder does."""
    for alias in scope.own.get("alias", ()):
        path = alias.args[0]
        if scope.is_regex or scope.name.endswith("/") or not path.endswith("/") or "$" in path:
            continue
        found = inspection.host.files.stat(path.rstrip("/"), follow=True)
        if found is not None and found.kind == "file":
            yield error(
                f"The alias of {scope} of {server.names[0]} is a file, and ends with a slash:"
                " it returns 404.",
                directive_evidence(alias),
                f"{path.rstrip('/')} is a file",
                fix=f"{alias.place}: alias {path.rstrip('/')}; then reload nginx.",
            )


def _last_error(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    """The last line of the error log with a name that was joined without a slash."""
    folder = mapping.folder
    lines = [line for line in inspection.nginx.error_lines if line.path.startswith(folder)]
    return [str(line) for line in lines if line.path[len(folder) :][:1] != "/"][-1:]


RULE = Rule(
    id="alias-slash",
    summary="An alias lacks the trailing slash of its location.",
    severity="error",
    help=(
        "nginx replaces the prefix by the alias literally: without the slash, names are "
        "joined to the folder's name and every file is missing. End both with a slash."
    ),
    reads=("configuration", "files"),
    guide_rows=("CC2", "DB4", "DB12", "CL1", "CL2"),
    yaml_key="locations",
    check=check,
)
