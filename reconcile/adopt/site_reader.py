"""Reads one group of server blocks into the draft as a site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reconcile.adopt.config_files import WatchedFiles, adopt_file, watch_file
from reconcile.adopt.draft import Draft
from reconcile.adopt.extra_directives import find_beside_servers, find_extra
from reconcile.adopt.host_readings import Inspector
from reconcile.adopt.listen_values import adopt_listens
from reconcile.adopt.maintenance_key import adopt_maintenance
from reconcile.adopt.proxy_keys import adopt_proxied
from reconcile.adopt.served_folders import ServedFolder, adopt_folder
from reconcile.adopt.server_groups import ServerBlock, ServerGroup
from reconcile.adopt.site_headers import adopt_location_headers, adopt_site_headers
from reconcile.adopt.site_keys import adopt_site_keys
from reconcile.adopt.site_tls import adopt_tls, hsts_of
from reconcile.adopt.suggested_probes import adopt_probes
from reconcile.adopt.upstream_app import adopt_app, drop_default_user
from reconcile.config.fields.field_type import InvalidValue, ParseContext
from reconcile.config.fields.path_types import parse_nginx_path
from reconcile.config.fields.quantities import BYTES
from reconcile.config.site.extra import find_in_extra
from reconcile.config.site.location_key import parse_prefix
from reconcile.doctor.upstream import proxy_locations
from reconcile.nginx.model.config_tree import ConfigTree, Directive
from reconcile.nginx.model.layout import Layout
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import parse_size
from reconcile.nginx.render.site_config import is_managed, written_extra, written_http_extra
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.nginx.routing.router import Router


@dataclass(frozen=True)
class NginxReading:
    """A loaded configuration and the host's nginx layout."""

    tree: ConfigTree
    router: Router
    layout: Layout
    ipv6: bool = True


@dataclass(frozen=True)
class SiteReader:
    """Reads one site into the draft."""

    name: str
    group: ServerGroup
    nginx: NginxReading
    inspector: Inspector
    draft: Draft
    watched: WatchedFiles

    @property
    def main(self) -> ServerBlock:
        """The server block that serves the site's content."""
        return self.group.main

    @property
    def scope(self) -> Scope:
        """The directives of the main server block."""
        return self.main.server.scope

    @property
    def entry(self) -> dict[str, Any]:
        """The site's entry in the draft."""
        found: dict[str, Any] = self.draft.sites[self.name]
        return found

    def adopt(self) -> None:
        """Add the site to the draft, or note why the YAML cannot express it."""
        loaded = self.scope.directive.file
        file = self.inspector.real(loaded)
        self.watched.serves[self.name] = loaded
        data = self.nginx.tree.files[loaded].data
        is_exact = is_managed(data) and file == self.nginx.layout.file_path(self.name)
        if not self.main.serves:
            self._note_refusal(
                "it serves neither an app nor files"
                if self.main.is_reached
                else "no request is known to reach it"
            )
            return
        self.draft.sites[self.name] = {"server_names": self._server_names()}
        if self._fill_entry(data, is_exact=is_exact):
            self.watched.managed_sites |= {self.name} if is_exact else set()
            if not is_exact:
                adopt_file(self.draft, self.watched, self.name, self.inspector)
        else:
            self.draft.drop(("sites", self.name))
            self._note_refusal("the YAML cannot express what it serves")

    def _note_refusal(self, why: str) -> None:
        """Note why the block is not a site; its file is watched like the others."""
        loaded = self.scope.directive.file
        watch_file(self.draft, self.watched, loaded, self.inspector)
        at = ("paths", self.inspector.real(loaded))
        what = f"{self._title} is not read as a site: {why}"
        self.draft.add_note(self.main.server.place, what, at=at if self.draft.has(at) else ())

    @property
    def _title(self) -> str:
        return f"the server {' '.join(self.main.server.names) or 'without a name'}"

    def _fill_entry(self, data: bytes, *, is_exact: bool) -> bool:
        is_managed_file = is_managed(data)
        self.draft.add_comment(("sites", self.name), f"Read from {self.main.server.place}.")
        if not adopt_tls(
            self.group, self.draft, self.name, self.nginx.router, is_managed=is_managed_file
        ):
            return False
        adopt_listens(self.group, self.draft, self.name, ipv6=self.nginx.ipv6)
        covered = [
            *self._limit(),
            *adopt_site_headers(self.scope, self.entry),
            *self._keys(is_managed_file=is_managed_file),
            *self._app(is_managed_file=is_managed_file),
            *self._locations(is_managed_file=is_managed_file),
            *(() if is_managed_file else self._proxied()),
        ]
        if not is_exact:
            adopt_probes(self.main, self.draft, self.name, self.nginx.router, self.inspector)
        drop_default_user(self.entry, self.draft, ("sites", self.name))
        if extra := written_extra(data) if is_managed_file else self._extra(covered):
            self.entry["extra"] = extra
        # An app that has no key, such as one by uwsgi_pass, is in `extra`.
        if self.entry.keys().isdisjoint(("app", "locations")) and not self.main.upstream:
            return False
        beside = written_http_extra(data) if is_managed_file else self._beside_servers()
        if beside:
            self.entry["http_extra"] = beside
        if is_managed_file:
            self._adopt_defaults_taken_away(extra)
        self._note_other_blocks()
        return True

    def _keys(self, *, is_managed_file: bool) -> Iterator[Directive]:
        if not is_managed_file:
            yield from adopt_site_keys(self.scope, self.entry, self.inspector)
            yield from adopt_maintenance(
                self.scope, self.entry, self.inspector, self.draft, ("sites", self.name)
            )

    def _proxied(self) -> Iterator[Directive]:
        """The locations beside the app's own that are passed on."""
        app = self.main.upstream.directives if self.main.upstream else ()
        own = {(one.file, one.start) for one in app}
        proxies = {
            (one.scope.directive.file, one.scope.directive.start): one
            for one in proxy_locations([self.main.server], self.nginx.tree)
        }
        others = {at: one for at, one in proxies.items() if at not in own}
        declared = self.entry.get("app", {})
        for key, entry, covered in adopt_proxied(self.scope, others, declared, self.inspector):
            self.entry.setdefault("locations", {}).setdefault(key, entry)
            yield covered

    def _adopt_defaults_taken_away(self, extra: str) -> None:
        """What a managed file lacks although it is the default, it lacks on purpose."""
        if self.scope.argument("gzip", "") == "off" and not find_in_extra(extra, "gzip"):
            self.entry["gzip"] = False
        words = {word for one in self.scope.own.get("listen", ()) for word in one.args}
        if "ssl" in words and "http2" not in words | self.scope.own.keys():
            self.entry["http2"] = False

    def _server_names(self) -> list[str]:
        """The names for the YAML; `.name` becomes two."""
        names: list[str] = []
        for name in self.main.server.names:
            plain = name.removeprefix(".")
            names += [plain, f"*.{plain}"] if plain != name else [name or "_"]
        return list(dict.fromkeys(name.lower() for name in names))

    def _limit(self) -> Iterator[Directive]:
        """The limit of the app's location, else that of the server."""
        app = self.main.upstream.body_limit if self.main.upstream else None
        for directive in [app] if app else self.scope.own.get("client_max_body_size", []):
            size = parse_size(directive.args[0])
            unit = next((u for u in ("GB", "MB", "KB") if size and size % BYTES[u] == 0), None)
            if size and unit:
                self.entry["max_upload"] = f"{size // BYTES[unit]}{unit}"
                yield directive
            else:
                what = f"client_max_body_size {directive.args[0]} remains a directive of `extra`"
                self.draft.add_comment(("sites", self.name), f"{what}.")

    def _app(self, *, is_managed_file: bool) -> Iterator[Directive]:
        found = self.main.upstream
        if found and adopt_app(
            found,
            self.main.server,
            self.draft,
            self.name,
            self.inspector,
            is_managed=is_managed_file,
        ):
            yield from found.directives

    def _locations(self, *, is_managed_file: bool) -> Iterator[Directive]:
        adopted: set[str] = set()
        for folder in self.main.folders:
            if is_managed_file and folder.prefix == CHALLENGES:
                continue
            if self._is_expressible(folder) and adopt_folder(
                folder, self.draft, self.name, self.inspector, is_managed=is_managed_file
            ):
                adopted.add(folder.prefix)
                location = self.entry["locations"][folder.prefix]
                adopt_location_headers(
                    folder.scope, location, self.entry, is_managed=is_managed_file
                )
                yield self._directive_of(folder)
        for scope in self.scope.locations:
            if scope.modifier == "=" and f"{scope.name}/" in adopted and "return" in scope.own:
                yield scope.directive

    def _directive_of(self, folder: ServedFolder) -> Directive:
        root: list[Directive] = self.scope.own.get("root", [])
        return folder.scope.directive if folder.scope is not self.scope else root[0]

    def _is_expressible(self, folder: ServedFolder) -> bool:
        """Whether the YAML can express it; otherwise it stays in `extra`."""
        if folder.prefix == "/" and "app" in self.entry:
            belongs_to_app = (
                self.main.upstream and folder.scope.directive in self.main.upstream.directives
            )
            return not belongs_to_app and self._keep_in_extra(folder, "/ belongs to the app")
        try:
            parse_prefix(folder.prefix)
            parse_nginx_path(folder.dir, ParseContext())
        except InvalidValue as error:
            return self._keep_in_extra(folder, str(error))
        return True

    def _keep_in_extra(self, folder: ServedFolder, why: str) -> bool:
        what = f"{folder.prefix} remains a directive of `extra`: {why}"
        self.draft.add_note(folder.place, what, at=("sites", self.name))
        return False

    def _extra(self, covered: list[Directive]) -> str:
        hsts = hsts_of(self.main.server) if "hsts" in self.entry.get("tls", {}) else None
        known = [*covered, *([hsts] if hsts else [])]
        found = find_extra(self.main.server, self.nginx.tree, known)
        at = ("sites", self.name)
        for place, what in found.notes:
            self.draft.add_note(place, what, at=at)
        if found.included:
            self.draft.add_comment(at, f"It includes {', '.join(found.included)}: not watched.")
        if "locations" in self.entry and any("add_header" in line for line in found.lines):
            what = "In a file that reconcile writes, add_header here has no effect in locations"
            self.draft.add_comment((*at, "extra"), f"{what}, which set headers of their own.")
        return f"{found.text}\n" if found.text else ""

    def _beside_servers(self) -> str:
        """What stands beside the server blocks of its file, and would go with the file."""
        loaded = self.scope.directive.file
        if loaded == self.nginx.tree.config_path or loaded in self.watched.read_beside:
            return ""
        self.watched.read_beside.add(loaded)
        found = find_beside_servers(loaded, self.nginx.tree)
        for place, what in found.notes:
            self.draft.add_note(place, what, at=("sites", self.name))
        mine = [block.server for block in (self.main, *self.group.others)]
        every = self.nginx.router.servers.servers
        shared = [s for s in every if s.scope.directive.file == loaded and s not in mine]
        if found.lines and shared:
            what = "other sites of the same file use it too: convert them together"
            self.draft.add_comment(("sites", self.name, "http_extra"), f"{what}.")
        return f"{found.text}\n" if found.text else ""

    def _note_other_blocks(self) -> None:
        """Note other blocks with the same names that serve content."""
        for other in self.group.others:
            at = ("sites", self.name)
            if other.serves:
                place = other.server.place
                what = f"a second server with these names serves other content: {place}"
                self.draft.add_note("", what, "It remains in the adopted file.", at=at)
            loaded = other.server.scope.directive.file
            if loaded != self.scope.directive.file:
                watch_file(self.draft, self.watched, loaded, self.inspector)
