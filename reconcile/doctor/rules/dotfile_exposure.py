"""`location ^~ /static/`: no `location ~ /\\.` outside of it hides its .env or .git."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.regex_denials import DENIAL
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, note
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped
from reconcile.wording import first_few

CANDIDATES = (".env", ".git/HEAD")
HARMLESS = frozenset(
    [".gitkeep", ".gitignore", ".gitattributes", ".keep", ".placeholder", ".DS_Store", ".nojekyll"]
)


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for hidden files that are served, a note where they would be."""
    yield from check_each(inspection.mappings, partial(_check_location, inspection))
    yield from check_each(inspection.servers, partial(_check_root, inspection))


def _check_root(inspection: HostInspection, server: Server) -> Iterator[RuleResult]:
    """The root of a server, or of all, whose location / serves files without one of its own."""
    roots = server.scope.inherited("root")
    mapped = {one.path for one in inspection.mappings if one.server is server}
    for root in roots:
        folder = root.args[0].rstrip("/") or "/"
        if folder.startswith("/") and "$" not in folder and folder not in mapped:
            exposed = [name for name in _hidden_below(inspection, folder) if _is_secret(name)]
            served = [one for one in exposed if _is_routed(inspection, server, folder, one)]
            if served:
                yield error(
                    f"{server.names[0] or server.place} exposes dotfiles.",
                    f"served: {first_few([f'/{name}' for name in served])}",
                    directive_evidence(root),
                    fix=f"{server.place}: add {DENIAL} inside it, then reload nginx.",
                )


def _is_routed(inspection: HostInspection, server: Server, folder: str, name: str) -> bool:
    route = inspection.nginx.try_route(server, f"/{escaped(name)}")
    return bool(route and route.answer.kind == "file" and route.answer.path == f"{folder}/{name}")


def _check_location(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    exposed = [
        name
        for name in _hidden_below(inspection, mapping.path)
        if _is_served(inspection, mapping, name)
    ]
    secret = [name for name in exposed if _is_secret(name)]
    if secret:
        yield error(
            f"{mapping} exposes dotfiles.",
            f"served: {first_few([mapping.prefix + name for name in secret])}",
            mapping.evidence,
            fix=_fix(mapping),
            apply_fixes=mapping.is_restored_by_apply,
        )
    elif mapping.role != "other":
        yield from _check_candidates(inspection, mapping)


def _check_candidates(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    exposed = [name for name in CANDIDATES if _is_served(inspection, mapping, name)]
    if exposed:
        yield note(
            f"{mapping} would expose dotfiles, if there were any.",
            f"{mapping.place}: nothing denies {mapping.prefix}{exposed[0]}",
            fix=_fix(mapping),
            apply_fixes=mapping.is_restored_by_apply,
        )


def _hidden_below(inspection: HostInspection, folder: str) -> list[str]:
    found = inspection.inventory(folder)
    files = found.of_kind("file") if found else ()
    return [item.path for item in files if _is_hidden(item.path)][:200]


def _is_hidden(path: str) -> bool:
    # RFC 8615 makes .well-known public.
    return any(part.startswith(".") and part != ".well-known" for part in path.split("/"))


def _is_secret(path: str) -> bool:
    """Whether it may hold anything: markers of git and of editors do not."""
    return path.rpartition("/")[2] not in HARMLESS


def _is_served(inspection: HostInspection, mapping: LocationMapping, name: str) -> bool:
    route = inspection.nginx.route_to_file(mapping, name)
    served = route.answer.path if route and route.answer.kind == "file" else ""
    return served == mapping.folder + name


def _fix(mapping: LocationMapping) -> str:
    return f"{mapping.scope.directive.place}: add {DENIAL} inside it, then reload nginx."


RULE = Rule(
    id="dotfile-exposure",
    summary="Hidden files such as .env are served.",
    severity="error",
    help=(
        "Hidden files hold passwords, keys and history, and scanners request them by "
        "name. Deny them, and replace what they held."
    ),
    reads=("configuration", "files"),
    yaml_key="locations",
    check=check,
)
