"""Reads every site of a loaded configuration into a draft."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from posixpath import basename

from reconcile.adopt.config_files import WatchedFiles, watch_file
from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import Inspector
from reconcile.adopt.server_groups import ServerGroup, server_blocks, server_groups
from reconcile.adopt.site_reader import NginxReading, SiteReader
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_tree import Directive

_ELSEWHERE = re.compile(r"(?:https?|\$scheme)://([A-Za-z0-9.-]+)\$request_uri")
_PLAIN = re.compile(r"(?:\*\.)?[A-Za-z0-9.-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def read_sites(
    nginx: NginxReading, inspector: Inspector, draft: Draft, only: Collection[str] = ()
) -> WatchedFiles:
    """Read all sites, or those named in `only`, into the draft. Returns the watched files.

    Errors: ReconcileError for an unknown name.
    """
    named = dict(_with_names(server_groups(server_blocks(nginx.router, nginx.tree)), inspector))
    chosen = {name: group for name, group in named.items() if _is_selected(name, group, only)}
    _refuse_unknown_sites(only, named)
    watched = WatchedFiles(nginx.tree)
    leading = dict(_other_names(chosen))
    for name, group in chosen.items():
        if name not in leading:
            SiteReader(name, group, nginx, inspector, draft, watched).adopt()
    for name, target in leading.items():
        _adopt_other_names(chosen[name], target, draft, watched, inspector)
    return watched


def _other_names(groups: Mapping[str, ServerGroup]) -> Iterator[tuple[str, str]]:
    """Each group that only leads to the first name of another one, with the site of that."""
    by_name = {group.main.server.names[0]: name for name, group in groups.items()}
    for name, group in groups.items():
        found = group.main.server.scope.own.get("return", [])
        led = _ELSEWHERE.fullmatch(found[0].args[1]) if _is_one_redirect(group, found) else None
        target = by_name.get(led[1]) if led else None
        if target not in (None, name) and groups[str(target)].main.serves:
            yield name, str(target)


def _is_one_redirect(group: ServerGroup, found: Sequence[Directive]) -> bool:
    is_alone = not group.main.serves and not group.others and len(found) == 1
    return is_alone and len(found[0].args) == 2 and found[0].args[0] == "301"


def _adopt_other_names(
    group: ServerGroup, site: str, draft: Draft, watched: WatchedFiles, inspector: Inspector
) -> None:
    server = group.main.server
    watch_file(draft, watched, server.scope.directive.file, inspector)
    names = [name.lower() for name in server.names if _PLAIN.fullmatch(name)]
    if site in draft.sites and names:
        draft.sites[site].setdefault("redirect_from", []).extend(names)
        draft.add_comment(("sites", site, "redirect_from"), f"Read from {server.place}.")


def _with_names(
    groups: tuple[ServerGroup, ...], inspector: Inspector
) -> Iterator[tuple[str, ServerGroup]]:
    """Name each group by its file, else by its first server name."""
    files = [inspector.real(one.main.server.scope.directive.file) for one in groups]
    taken: set[str] = set()
    for group, file in zip(groups, files, strict=True):
        stem = basename(file).removesuffix(".conf")
        host = next((n.removeprefix("*").removeprefix(".") for n in group.main.server.names), "")
        preferred = [stem] if files.count(file) == 1 else [host, stem]
        name = next((one for one in [*preferred, host, stem] if _NAME.fullmatch(one)), "site")
        numbered = (f"{name[:60]}-{number}" for number in range(2, len(groups) + 2))
        name = name if name not in taken else next(one for one in numbered if one not in taken)
        taken.add(name)
        yield name, group


def _is_selected(name: str, group: ServerGroup, only: Collection[str]) -> bool:
    hosts = {host for block in (group.main, *group.others) for host in block.server.names}
    return not only or name in only or bool(hosts & set(only))


def _refuse_unknown_sites(only: Collection[str], named: dict[str, ServerGroup]) -> None:
    for requested in only:
        if not any(_is_selected(name, group, [requested]) for name, group in named.items()):
            raise ReconcileError(
                what=f"Unknown site: {requested}",
                why="no file and no server_name that nginx loads has this name",
                fix=f"Use one of: {', '.join(named)}." if named else "",
            )
