"""What nginx serves right now, as against what lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.filesystem.path import is_inside
from reconcile.nginx.model.config_loader import IncludeCycleError
from reconcile.nginx.model.lexer import NginxSyntaxError
from reconcile.nginx.model.open_file_cache import cached_folders
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.loaded_config import (
    find_running,
    foreign_loaded,
    managed_on_disk,
    read_loaded,
    record_loaded,
)
from reconcile.system import Host
from reconcile.wording import first_few

if TYPE_CHECKING:
    from reconcile.engine.model import Change, FieldChange
    from reconcile.nginx.running.discover import NginxInstallation

SERVICE = Ref("service", "nginx.service")
NAMED = 3
"""Files named in a line of the plan."""
RELOAD = "reload: "
"""Begins every reason for a reload."""


@dataclass(frozen=True, kw_only=True)
class NginxLive(Resource):
    """The configuration that the workers have in memory.

    `serves` maps each file of ours to the digest of the text that is served, or to "older
    than the file". `current` tells the same of everything else in the include tree.
    `rewrites` are the causes for which a plan rewrites files that the workers may keep open by
    open_file_cache. Where nginx does not run nothing is stale: it starts with what is on the disk.
    """

    kind: Literal["nginx_live"] = "nginx_live"
    config: str
    serves: Mapping[str, str] | None = None
    current: bool | None = None
    rewrites: tuple[str, ...] | None = None
    reads: frozenset[str] = frozenset()
    """The files that it consists of on the disk, and the links that lead to them."""
    others: frozenset[str] = frozenset()
    """The files of other scopes: loaded or not, their own configurations compare them."""

    order: ClassVar[int] = 90
    removal_order: ClassVar[int] = 90
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "forget"
    writes_contents: ClassVar[bool] = False
    metadata_fields: ClassVar[frozenset[str]] = frozenset({"config", "reads", "others"})
    opaque: ClassVar[frozenset[str]] = frozenset({"serves", "current", "rewrites"})

    @property
    def name(self) -> str:
        """The path of the main configuration file."""
        return self.config

    @classmethod
    def from_name(cls, name: str) -> Self:
        """See `Resource.from_name`."""
        return cls(config=name)

    def requires(self) -> frozenset[Ref]:
        """The service that runs nginx."""
        return frozenset({SERVICE, *(Ref("file", path) for path in self.serves or ())})

    def within(self, chosen: frozenset[Ref]) -> Self:
        """Of files that stay as they are, it has loaded what is on the disk."""
        files = self.serves or {}
        serves = {path: text for path, text in files.items() if Ref("file", path) in chosen}
        return replace(self, serves=serves)

    def needs_gone(self, path: str) -> bool:
        """What the workers would load, or open and keep open, once they are reloaded."""
        return bool(self.rewrites) or any(is_inside(name, path) for name in self.reads)

    def observe(self, host: Host) -> Self | None:
        """Read what the workers have loaded; None where nginx does not run."""
        nginx = discover(host)
        now = find_running(nginx) if host.services.runs_services else None
        if now is None:
            return self
        live = read_loaded(nginx, now)
        # What nginx does not read it need not load: a snippet whose site has gone, or a file of
        # the rest of the configuration where only a part of it is planned.
        read = {nginx.real_path(path) for path in nginx.tree.files}
        unread = {path: text for path, text in (self.serves or {}).items() if path not in read}
        foreign = foreign_loaded(nginx, live, frozenset(self.serves or ()))
        serves = {**unread, **foreign, **self._without_others(live.serves, nginx)}
        rewrites = _rewrites(nginx)
        return replace(self, serves=serves, current=live.current, rewrites=rewrites)

    def _without_others(
        self, loaded: Mapping[str, str], nginx: NginxInstallation
    ) -> dict[str, str]:
        """`loaded` without the files that the plan leaves on the disk, and that match it."""
        on_disk = managed_on_disk(nginx)
        return {
            path: text
            for path, text in loaded.items()
            if path in (self.serves or ()) or not (path in self.others or on_disk.get(path) == text)
        }

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Have nginx test the planned tree, and see whether it will get its names and ports.

        Returns a note where nginx could test only a copy.
        Errors: NginxRejected, ServerNameTaken, PortTaken; nothing has changed then.
        """
        # Start-up: a plan without changes needs no test.
        from reconcile.resources.nginx_preflight import check_planned

        is_planned = self.ref in {change.ref for change in changes}
        return check_planned(discover(host), changes, always=is_planned)

    def before_apply(self, host: Host) -> None:
        """Record that the workers have loaded what is on the disk, if they have.

        A rollback gives files new change times; by this record they still count as loaded.
        """
        nginx = discover(host)
        now = find_running(nginx) if host.services.runs_services else None
        # What nginx would refuse it has not loaded.
        with suppress(NginxSyntaxError, IncludeCycleError):
            if now and read_loaded(nginx, now).matches_disk(nginx):
                record_loaded(nginx, now)

    def apply(self, host: Host, before: Self | None) -> None:
        """Reload nginx and verify that it serves the configuration on the disk."""
        from reconcile.nginx.running.reload import NginxReloaded, reload_and_verify

        reopens = bool(before and before.rewrites)
        if not host.services.runs_services:
            return
        if host.recorder is not None:
            host.recorder.record_undo(NginxReloaded(self.config, reopens=reopens))
        reload_and_verify(host, reload=reopens)

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """Files that are rewritten: why they are."""
        if field != "rewrites" or before is None or not before.rewrites:
            return super().cause(field, before, written)
        has_drifted = "drift" in before.rewrites
        if "pending" not in before.rewrites:
            return "drift"
        return "both" if has_drifted else "pending"

    def why(self, change: FieldChange) -> str:
        """Which files nginx has not loaded, has older, or still has."""
        if change.name == "current":
            return f"{RELOAD}other configuration files or certificates have changed"
        if change.name == "rewrites":
            return f"{RELOAD}open_file_cache keeps files open that are replaced"
        before, after = change.before or {}, change.after or {}
        new = first_few(sorted(path for path in after if path not in before), NAMED)
        changed = first_few(sorted(path for path in after if path in before), NAMED)
        gone = first_few(sorted(path for path in before if path not in after), NAMED)
        parts = (
            new and f"nginx has not loaded {new}",
            changed and f"nginx has an older {changed} loaded",
            gone and f"nginx still has {gone} loaded",
        )
        return RELOAD + "; ".join(part for part in parts if part)

    def delete(self, host: Host) -> None:
        """Nothing: what is served follows the files."""


def _rewrites(nginx: NginxInstallation) -> tuple[str, ...]:
    folders = cached_folders(nginx.tree, nginx.build.prefix)
    causes = (nginx.host.files.rewritten_below(folder) for folder in folders)
    return tuple(sorted(frozenset().union(*causes)))
