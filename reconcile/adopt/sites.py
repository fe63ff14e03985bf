"""Every site of a loaded configuration, written into a draft; the host is only `Around` it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from posixpath import basename
from typing import Any

from reconcile.adopt.behind import NoFiles, Requests, adopt_app, settle_user
from reconcile.adopt.draft import Draft
from reconcile.adopt.extra import extra_of
from reconcile.adopt.files import Watched, watch
from reconcile.adopt.found import Around
from reconcile.adopt.groups import Block, Group, blocks, groups
from reconcile.adopt.listening import listen_values, said_by_default
from reconcile.adopt.locations import Folder, adopt_folder
from reconcile.adopt.tls import adopt_tls, hsts_of
from reconcile.errors import ReconcileError
from reconcile.nginx.config.layout import Layout
from reconcile.nginx.config.scope import Scope
from reconcile.nginx.config.sizes import parse_size
from reconcile.nginx.config.tree import ConfigTree, Directive
from reconcile.nginx.rendering.render import is_managed, written_extra
from reconcile.nginx.rendering.site import CHALLENGES
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.disk import Assumed
from reconcile.spec.expansion.locations import HEALTH_FILE
from reconcile.spec.values.paths import parse_nginx_path
from reconcile.spec.values.requests import parse_prefix
from reconcile.spec.values.units import BYTES
from reconcile.spec.values.written import Context, UnfitError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Nginx:
    """A configuration, and how the host's nginx is laid out."""

    tree: ConfigTree
    router: Router
    layout: Layout
    ipv6: bool = True


def read_sites(nginx: Nginx, around: Around, draft: Draft, only: Collection[str] = ()) -> Watched:
    """Write every site into the draft, or those of these names. Returns which file serves which.

    Errors: ReconcileError where there is no site of a name.
    """
    named = dict(_named(groups(blocks(nginx.router, nginx.tree)), around))
    chosen = {name: group for name, group in named.items() if _is_asked(name, group, only)}
    _refuse_unknown(only, named)
    watched = Watched(nginx.tree)
    for name, group in chosen.items():
        _Site(name, group, nginx, around, draft, watched).adopt()
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


@dataclass(frozen=True)
class _Site:
    """One site on its way into the draft."""

    name: str
    group: Group
    nginx: Nginx
    around: Around
    draft: Draft
    watched: Watched

    @property
    def main(self) -> Block:
        return self.group.main

    @property
    def scope(self) -> Scope:
        return self.main.server.scope

    @property
    def entry(self) -> dict[str, Any]:
        found: dict[str, Any] = self.draft.sites[self.name]
        return found

    def adopt(self) -> None:
        loaded = self.scope.directive.file
        file = self.around.real(loaded)
        self.watched.serves[self.name] = loaded
        data = self.nginx.tree.files[loaded].data
        is_ours = is_managed(data)
        is_exact = is_ours and file == self.nginx.layout.file_path(self.name)
        if not self.main.serves:
            self._refused("it serves neither an app nor files")
            return
        self.draft.sites[self.name] = {"server_names": self._names()}
        if self._written(data, is_ours=is_ours):
            self.watched.exact |= {self.name} if is_exact else set()
            if not is_exact:
                adopt_file(self.draft, self.watched, self.name, self.around)
        else:
            self.draft.drop(("sites", self.name))
            self._refused("nothing that it serves can be said")

    def _refused(self, why: str) -> None:
        """No site, but a file all the same, which is watched like the others."""
        loaded = self.scope.directive.file
        watch(self.draft, self.watched, loaded, self.around)
        at = ("paths", self.around.real(loaded))
        what = f"{self._titled} is no site for reconcile: {why}"
        self.draft.tell(self.main.server.place, what, at=at if self.draft.has(at) else ())

    @property
    def _titled(self) -> str:
        return f"the server {' '.join(self.main.server.names) or 'without a name'}"

    def _written(self, data: bytes, *, is_ours: bool) -> bool:
        self.draft.remark(("sites", self.name), f"Read from {self.main.server.place}.")
        if not adopt_tls(self.group, self.draft, self.name, self.nginx.router, is_ours=is_ours):
            return False
        self._listen()
        said = [*self._limit(), *self._app(is_ours=is_ours), *self._locations(is_ours=is_ours)]
        if self.draft.sites[self.name].keys().isdisjoint(("app", "locations")):
            return False
        self._probes()
        settle_user(self.entry, self.draft, ("sites", self.name))
        if extra := written_extra(data) if is_ours else self._extra(said):
            self.entry["extra"] = extra
        self._others()
        return True

    def _names(self) -> list[str]:
        """As the YAML has them: a name with a dot before it stands for two."""
        names: list[str] = []
        for name in self.main.server.names:
            plain = name.removeprefix(".")
            names += [plain, f"*.{plain}"] if plain != name else [name or "_"]
        return list(dict.fromkeys(name.lower() for name in names))

    def _listen(self) -> None:
        at = ("sites", self.name)
        listens = list(self.main.server.listens)
        tls = self.main.speaks_tls
        for other in self.group.others if tls else ():
            listens += [one for one in other.server.listens if not one.ssl]
        listens.sort(key=lambda one: one.ssl)
        values = listen_values(listens, self.draft, at, ipv6=self.nginx.ipv6)
        if not said_by_default(values, tls=tls):
            self.entry["listen"] = values
        if any(one.default_server for one in listens):
            self.entry["default_server"] = True

    def _limit(self) -> Iterator[Directive]:
        for directive in self.scope.own.get("client_max_body_size", []):
            size = parse_size(directive.args[0])
            unit = next((u for u in ("GB", "MB", "KB") if size and size % BYTES[u] == 0), None)
            if size and unit:
                self.entry["max_upload"] = f"{size // BYTES[unit]}{unit}"
                yield directive
            else:
                what = f"client_max_body_size {directive.args[0]} stays a directive of extra"
                self.draft.remark(("sites", self.name), f"{what}.")

    def _app(self, *, is_ours: bool) -> Iterator[Directive]:
        found = self.main.behind
        if found and adopt_app(
            found, self.main.server, self.draft, self.name, self.around, is_ours=is_ours
        ):
            yield from found.said

    def _locations(self, *, is_ours: bool) -> Iterator[Directive]:
        adopted: set[str] = set()
        for folder in self.main.folders:
            if is_ours and folder.prefix == CHALLENGES:
                continue
            if self._fits(folder) and adopt_folder(
                folder, self.draft, self.name, self.around, is_ours=is_ours
            ):
                adopted.add(folder.prefix)
                yield self._directive_of(folder)
        for scope in self.scope.locations:
            if scope.modifier == "=" and f"{scope.name}/" in adopted and "return" in scope.own:
                yield scope.directive

    def _probes(self) -> None:
        """A health file that nginx serves today has to be served tomorrow."""
        requests = Requests(self.nginx.router)
        for prefix, location in self.entry.get("locations", {}).items():
            file = f"{location['dir']}/{HEALTH_FILE}"
            folder = self.around.folder(location["dir"])
            asked = requests.to(self.main.server, prefix + HEALTH_FILE)
            if asked is None or folder is None or location["role"] != "static":
                continue
            there = Assumed(NoFiles(), {file})
            if folder.has_health_file and self.nginx.router.route(asked, there).answer.path == file:
                probes = self.entry.setdefault("probes", [])
                probes.append({"get": prefix + HEALTH_FILE, "expect": {"status": 200}})
            elif folder.sample:
                expect = "expect: {status: 200, served_by: nginx}"
                remark = f"A probe to add: - {{get: {prefix}{folder.sample}, {expect}}}"
                self.draft.remark(("sites", self.name, "locations", prefix), remark)

    def _directive_of(self, folder: Folder) -> Directive:
        root: list[Directive] = self.scope.own.get("root", [])
        return folder.scope.directive if folder.scope is not self.scope else root[0]

    def _fits(self, folder: Folder) -> bool:
        """Whether the YAML can say it; what it cannot stays a directive of `extra`."""
        if folder.prefix == "/" and "app" in self.entry:
            is_the_app_s = self.main.behind and folder.scope.directive in self.main.behind.said
            return not is_the_app_s and self._stays(folder, "beside an app / has no place")
        try:
            parse_prefix(folder.prefix)
            parse_nginx_path(folder.dir, Context())
        except UnfitError as unfit:
            return self._stays(folder, str(unfit))
        return True

    def _stays(self, folder: Folder, why: str) -> bool:
        what = f"{folder.prefix} stays a directive: {why}"
        self.draft.tell(folder.place, what, at=("sites", self.name))
        return False

    def _extra(self, said: list[Directive]) -> str:
        hsts = hsts_of(self.main.server) if "hsts" in self.entry.get("tls", {}) else None
        known = [*said, *([hsts] if hsts else [])]
        text, lost = extra_of(self.main.server, self.nginx.tree, known)
        for one in lost:
            self.draft.tell("", f"{one} is in no encoding that YAML can hold, and is left out",
                            at=("sites", self.name))  # fmt: skip
        return f"{text}\n" if text else ""

    def _others(self) -> None:
        """Blocks with the same names that do more than lead to HTTPS."""
        for other in self.group.others:
            at = ("sites", self.name)
            if other.serves:
                what = f"a second server with these names serves on its own: {other.server.place}"
                self.draft.tell("", what, "Only the adopted file holds it.", at=at)
            loaded = other.server.scope.directive.file
            if loaded != self.scope.directive.file:
                watch(self.draft, self.watched, loaded, self.around)


def adopt_file(draft: Draft, watched: Watched, site: str, around: Around) -> None:
    """Leave a site to the file that serves it now, and watch that file."""
    loaded = watched.serves[site]
    entry = draft.sites[site]
    draft.sites[site] = {
        "server_names": entry["server_names"],
        "adopted": around.real(loaded),
        **{key: value for key, value in entry.items() if key != "server_names"},
    }
    watched.exact.discard(site)
    draft.remark(
        ("sites", site, "adopted"),
        "This file serves the site as it is. `docs/adopt.md` tells how to have it written anew.",
    )
    watch(draft, watched, loaded, around)
