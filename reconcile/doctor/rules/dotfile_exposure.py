"""Files that begin with a dot (.env, .git) are served."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.evidence import examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, each, error, warning
from reconcile.nginx.routing.uri import escaped

CANDIDATES = (".env", ".git/HEAD")


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    return each(snapshot.mapped, partial(_exposed, snapshot))


def _exposed(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    if mapped.is_internal or not mapped.prefix.endswith("/"):
        return
    real = [name for name in _real(snapshot, mapped) if _is_served(snapshot, mapped, name)]
    if real:
        yield error(
            f"{mapped} gives away hidden files.",
            f"served: {examples([mapped.prefix + name for name in real])}",
            f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
            fix=_fix(mapped),
            by_apply=mapped.is_restored,
        )
    elif mapped.role != "other":
        yield from _possible(snapshot, mapped)


def _possible(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    would = [name for name in CANDIDATES if _is_served(snapshot, mapped, name)]
    if would:
        yield warning(
            f"{mapped} would give away hidden files, were there any.",
            f"{mapped.place}: nothing refuses {mapped.prefix}{would[0]}",
            fix=_fix(mapped),
            by_apply=mapped.is_restored,
        )


def _real(snapshot: HostInspection, mapped: Mapped) -> list[str]:
    found = snapshot.inventory(mapped.path)
    files = found.of_kind("file") if found else ()
    return [item.path for item in files if _is_hidden(item.path)][:200]


def _is_hidden(path: str) -> bool:
    # RFC 8615 makes .well-known public.
    return any(part.startswith(".") and part != ".well-known" for part in path.split("/"))


def _is_served(snapshot: HostInspection, mapped: Mapped, name: str) -> bool:
    path = mapped.folder + name
    uri = mapped.prefix + escaped(name)
    route = snapshot.route(mapped.server, uri, snapshot.disk_with(path), mapped.host)
    return route is not None and route.answer.kind == "file" and route.answer.path == path


def _fix(mapped: Mapped) -> str:
    return (
        f"{mapped.scope.directive.place}: put location ~ /\\.(?!well-known/) {{ return 404; }}"
        " inside it, then reload nginx."
    )


RULE = Rule("dotfile-exposure", (), look)
