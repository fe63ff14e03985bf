"""`location /static/ { root /srv/static; }`: root appends the whole URI, so the prefix doubles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from posixpath import dirname
from shlex import quote

from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.lost_requests import LostRequest, missing_files_of
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.filesystem.host_error import HostError
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.routing.servers import Server


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each location whose root ends with its own prefix."""
    for mapping in inspection.mappings:
        if mapping.repeats_prefix and inspection.inventory(mapping.path) is None:
            yield error(
                f"{mapping} maps to {mapping.folder}, which does not exist: root appends the"
                " whole URI.",
                mapping.evidence,
                f"{mapping.prefix}NAME is looked up as {mapping.folder}NAME",
                *_last_error(inspection, mapping),
                fix=mapping.edit_to(mapping.root),
                apply_fixes=mapping.is_restored_by_apply,
            )
    # Other rules report logs that cannot be read; what is configured is known without them.
    with suppress(HostError):
        yield from _check_requests(inspection)


def _check_requests(inspection: HostInspection) -> Iterator[RuleResult]:
    """The same of a location whose prefix is not known, such as a regex, by what was asked for."""
    known = {one.directive for one in inspection.mappings if one.repeats_prefix}
    mapped = [one for one in inspection.mappings if one.prefix != "/"]
    for server in inspection.servers:
        found = dict[Directive, RuleResult]()
        for lost in missing_files_of(inspection, server):
            # Of a folder that is mapped another rule names the location that takes its files.
            if any(one.server == server and lost.uri.startswith(one.prefix) for one in mapped):
                continue
            level = lost.scope.nearest("root", "alias")
            root = level.own.get("root", [None])[0] if level else None
            if root and root not in known and (folder := _undoubled(inspection, lost, root)):
                found.setdefault(root, _doubled(server, lost, root, folder))
        yield from found.values()


def _undoubled(inspection: HostInspection, lost: LostRequest, root: Directive) -> str:
    """The folder below which the file is: the root without the end that the URL repeats."""
    value, prefix = root.args[0].rstrip("/"), dirname(lost.uri)
    while len(prefix) > 1:
        folder = value.removesuffix(prefix)
        if folder not in ("", value) and inspection.nginx.disk.kind(folder + lost.uri) == "file":
            return folder
        prefix = dirname(prefix)
    return ""


def _doubled(server: Server, lost: LostRequest, root: Directive, folder: str) -> RuleResult:
    is_own = root in lost.scope.own.get("root", ())
    edit = f"{root.place}: replace root with" if is_own else f"{lost.scope.directive.place}: add"
    return error(
        f"{lost.scope} of {server.names[0]} looks for {lost.uri} in {lost.path}: root appends the"
        " whole URI.",
        directive_evidence(root),
        f"{folder}{lost.uri} exists",
        fix=f"{edit} root {quote(folder)}; then reload nginx.",
    )


def _last_error(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    lines = [line for line in inspection.nginx.error_lines if line.path.startswith(mapping.folder)]
    return [str(line) for line in lines[-1:]]


RULE = Rule(
    id="root-doubling",
    summary="root repeats the location's own prefix in the path.",
    severity="error",
    help=(
        "root appends the whole URI, the prefix of the location included, so a root that "
        "ends with it names a folder that does not exist. Use alias, or the folder above."
    ),
    reads=("configuration", "files", "logs", "requests"),
    guide_rows=("CC1", "DB4", "CL1", "CL2"),
    yaml_key="locations",
    check=check,
)
