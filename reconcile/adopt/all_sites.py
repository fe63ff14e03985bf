"""Every site of a loaded configuration, written into a draft; the host is only `Around` it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from posixpath import basename

from reconcile.adopt.config_files import Watched
from reconcile.adopt.discovery import Around
from reconcile.adopt.draft import Draft
from reconcile.adopt.server_groups import Group, blocks, groups
from reconcile.adopt.site_reader import Nginx, SiteReader
from reconcile.errors import ReconcileError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def read_sites(nginx: Nginx, around: Around, draft: Draft, only: Collection[str] = ()) -> Watched:
    """Write every site into the draft, or those of these names. Returns which file serves which.

    Errors: ReconcileError where there is no site of a name.
    """
    named = dict(_named(groups(blocks(nginx.router, nginx.tree)), around))
    chosen = {name: group for name, group in named.items() if _is_asked(name, group, only)}
    _refuse_unknown(only, named)
    watched = Watched(nginx.tree)
    for name, group in chosen.items():
        SiteReader(name, group, nginx, around, draft, watched).adopt()
    return watched


def _named(every: tuple[Group, ...], around: Around) -> Iterator[tuple[str, Group]]:
    """Each group by its file's name where it has one of its own, else by its server's."""
    files = [around.real(one.main.server.scope.directive.file) for one in every]
    taken: set[str] = set()
    for group, file in zip(every, files, strict=True):
        stem = basename(file).removesuffix(".conf")
        host = next((n.removeprefix("*").removeprefix(".") for n in group.main.server.names), "")
        wanted = [stem] if files.count(file) == 1 else [host, stem]
        name = next((one for one in [*wanted, host, stem] if _NAME.fullmatch(one)), "site")
        numbered = (f"{name[:60]}-{number}" for number in range(2, len(every) + 2))
        name = name if name not in taken else next(one for one in numbered if one not in taken)
        taken.add(name)
        yield name, group


def _is_asked(name: str, group: Group, only: Collection[str]) -> bool:
    hosts = {host for block in (group.main, *group.others) for host in block.server.names}
    return not only or name in only or bool(hosts & set(only))


def _refuse_unknown(only: Collection[str], named: dict[str, Group]) -> None:
    for asked in only:
        if not any(_is_asked(name, group, [asked]) for name, group in named.items()):
            raise ReconcileError(
                what=f"There is no site {asked}",
                why="neither a file nor a server_name that nginx loads is called so",
                fix=f"Known are: {', '.join(named)}" if named else "nginx loads no server block.",
            )
