"""A service (or socket): at boot, now, and from which unit file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.digest import digest
from reconcile.engine.model import Changes, Finding
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.filesystem.code.code_scope import CodeScope
from reconcile.filesystem.path import is_inside
from reconcile.nginx.running.old_workers import drain
from reconcile.resources.gunicorn_units import HEADER
from reconcile.resources.service_preflight import refuse_missing, refuse_not_enabled, refuse_taken
from reconcile.system import Host
from reconcile.system.processes import wait_until
from reconcile.system.services.service_undo import record_code, record_unit_file
from reconcile.system.services.start_record import is_changing
from reconcile.system.services.started_code import CodeChange, CodeSnapshot, StartedCode
from reconcile.system.services.triggers import stop_service_of
from reconcile.system.services.unit_files import UNIT_DIRECTORIES, is_local_unit
from reconcile.system.services.waiting import STABLE_S, wait_until_stable
from reconcile.system.timers import refuse_unknown_time

if TYPE_CHECKING:
    from reconcile.engine.model import Action, Change, FieldChange
    from reconcile.system.services import ServiceManager, UnitStatus

OLDER = "older"
NOTHING = "nothing"
CURRENT = "current"
CHANGING = "changing"
MOST_SHOWN = 1_000
"""Changed files of the code that JSON lists."""
SIGNS: dict[str, Action] = {"added": "create", "changed": "update", "removed": "delete"}
RESTARTED_S = 30.0
"""How long a service may take to run again once its socket was restarted."""


Role = Literal["app", "worker", "timer", "job"]
"""What serves a site; what of `services` runs always, what starts a job, and that job."""


@dataclass(frozen=True, kw_only=True)
class Service(Resource):
    """A unit as its service manager has it.

    `runs` is CURRENT for a unit that others wrote: it is restarted with every change that a plan
    makes of its unit file, drop-ins and environment files.

    `active` means running now; a socket that would start it is not enough. `runs` is the digest
    of the unit file that the process was started from, "older" where that can't be told but
    the file or a drop-in has changed since, "nothing" where no process runs. `code` are the files
    that changed since the process began, by the `CodeScope` of the fields `code_*`; an apply
    leaves none. Only units whose file says that reconcile manages it are ever stopped because
    nothing declares them any more.
    """

    kind: Literal["service"] = "service"
    unit: str
    enabled: bool | None = None
    active: bool | None = None
    runs: str | None = None
    code: tuple[CodeChange, ...] | None = None
    has_managed_unit: bool = False
    code_folder: str | None = None
    code_excluded: tuple[str, ...] = ()
    code_assets: tuple[str, ...] = ()
    code_environments: tuple[str, ...] = ()
    lacks_code: bool = False
    """Observed: whether `code_folder` is no directory."""
    role: Role = "app"
    calendar: str | None = None
    """When a timer starts its job, as the YAML has it."""
    needs: tuple[str, ...] = ()
    """Refs, as text, of what has to be in place before it is started."""
    reads: frozenset[str] = frozenset()
    """The files that it would load if it was started now, and the links that lead to them."""

    order: ClassVar[int] = 50
    removal_order: ClassVar[int] = 95
    writes_contents: ClassVar[bool] = False
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {
            *("unit", "has_managed_unit", "lacks_code", "needs", "reads", "role", "calendar"),
            *("code_folder", "code_excluded", "code_assets", "code_environments"),
        }
    )
    opaque: ClassVar[frozenset[str]] = frozenset({"runs"})

    @property
    def name(self) -> str:
        """The unit's name."""
        return self.unit

    @classmethod
    def from_name(cls, name: str) -> Self:
        """See `Resource.from_name`."""
        return cls(unit=name)

    @classmethod
    def prepare(cls, host: Host, resources: Sequence[Self]) -> None:
        """Query all units in one call."""
        host.services.prefetch([resource.unit for resource in resources])

    def requires(self) -> frozenset[Ref]:
        """The units, files and folders that the service needs."""
        # Its socket first: restarting that one restarts the service with it.
        return frozenset({*map(Ref.parse, self.needs), Ref("service", self._socket)}) - {self.ref}

    def needs_gone(self, path: str) -> bool:
        """What it would load where it does not run, its code, and a socket that it has no more.

        systemd hands the sockets of a unit that runs to its service, however that is to listen.
        """
        if path in (self._socket, self.code_folder):
            return path != self.unit
        holds_code = self.code_folder is not None and is_inside(self.code_folder, path)
        return holds_code or (not self.active and any(is_inside(name, path) for name in self.reads))

    def observe(self, host: Host) -> Self | None:
        """Read whether the unit is enabled and active, and which unit file it runs with."""
        status = host.services.status(self.unit)
        if not status.loaded or (self._asks_nothing and _at_rest(status)):
            return None
        return replace(
            self,
            enabled=status.enabled,
            active=status.active,
            runs=self._observed_runs(host, status),
            code=self._observed_code(host, status),
            lacks_code=self._lacks_code(host),
            has_managed_unit=_has_managed_unit(host, status),
            reads=self.reads.union(
                {status.fragment_path}, status.dropins, status.environment_files
            ),
        )

    def _observed_runs(self, host: Host, status: UnitStatus) -> str | None:
        if self.runs != CURRENT:
            return None if self.runs is None else _runs(host, status)
        if not status.active:
            return NOTHING
        return CHANGING if is_changing(host, status) and _is_outdated(host, status) else CURRENT

    def _observed_code(self, host: Host, status: UnitStatus) -> tuple[CodeChange, ...] | None:
        code = self._started_code(host)
        # What does not run yet will begin with the code as it is then.
        if code is None:
            return None
        return code.changed(status) if status.active else ()

    def _lacks_code(self, host: Host) -> bool:
        if self.code_folder is None:
            return False
        found = host.files.stat(self.code_folder, follow=True)
        return found is None or found.kind != "directory"

    def findings(self) -> tuple[Finding, ...]:
        """A warning where no change of the code will ever be noticed."""
        if not self.lacks_code:
            return ()
        what = f"The code of {self.unit}, {self.code_folder}, is not a directory."
        fix = "Correct `code` in the YAML: until then no change of it restarts the service."
        return (Finding("code-missing", "warning", what, fix=fix),)

    def _started_code(self, host: Host) -> StartedCode | None:
        if self.code is None or self.code_folder is None:
            return None
        scope = CodeScope(
            self.code_folder, self.code_excluded, self.code_assets, self.code_environments
        )
        return StartedCode(host, self.unit, scope)

    def before_apply(self, host: Host) -> None:
        """Record what a run that somebody else began uses, before an apply touches its times."""
        if self.runs is not None:
            host.services.remember_start(self.unit)
        if code := self._started_code(host):
            code.record_if_unchanged(host.services.status(self.unit))

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse a unit that does not exist once the plan is done, or that must not be started."""
        status = host.services.status(self.unit)
        if self.role != "app":
            refuse_taken(host, status)
        concerned = Changes.of(changes).by_ref.keys() & {self.ref, *self._unit_refs(host)}
        if not concerned or not (self.active or self.enabled):
            return ()
        refuse_missing(host, status)
        if self.enabled:
            refuse_not_enabled(host, status)
        if self.calendar is not None and host.commands.find("systemd-analyze"):
            refuse_unknown_time(host, self.calendar)
        return ()

    def _unit_refs(self, host: Host) -> frozenset[Ref]:
        path = host.services.unit_path(self.unit)
        return frozenset({Ref("unit", path), Ref("file", path)})

    def apply(self, host: Host, before: Self | None) -> None:
        """Enable and start the unit, or restart it with its new unit file or code."""
        services = host.services
        status = services.status(self.unit)
        code = self._started_code(host)
        # Read before the start: what changes during it is then a change, and not missed.
        snapshot = code and code.read(status)
        is_outdated = self._is_outdated(host, before, status)
        has_new_code = self._has_new_code(host, before, status)
        if status.needs_daemon_reload:
            services.daemon_reload()
        if self.enabled is not None and self.enabled != status.enabled:
            (services.enable if self.enabled else services.disable)(self.unit)
        self._stop_job(services, status)
        if self.active and not status.active:
            # Its own change starts the service again.
            stop_service_of(services, self.unit)
            services.start(self.unit)
        elif self.active is False and status.active:
            services.stop(self.unit)
        elif is_outdated or has_new_code:
            if has_new_code or (before is not None and before.runs == OLDER):
                # No rollback brings either back.
                self._check_start(host)
            self._restart_with(host, status, has_new_code=has_new_code, is_outdated=is_outdated)
        if self.runs is not None:
            services.remember_start(self.unit)
        if code and snapshot:
            self._remember_code(host, status, code, snapshot)

    def _stop_job(self, services: ServiceManager, status: UnitStatus) -> None:
        if self.role == "job" and status.enabled and not status.is_stopped:
            # It ran always so far; from now on its timer starts it.
            services.stop(self.unit)
            # As a job, which its new unit file makes it, it did not end by itself: a failure.
            services.forget(self.unit)

    def _restart_with(
        self, host: Host, status: UnitStatus, *, has_new_code: bool, is_outdated: bool
    ) -> None:
        if has_new_code and not is_outdated:
            record_code(host, status, self.code_folder or "")
        else:
            # Its own file may be as it was: an environment file is restored as any other.
            record_unit_file(host, self.unit)
        self._restart(host)

    def _check_start(self, host: Host) -> None:
        if self.has_managed_unit:
            # What others wrote may do more before a start than check.
            host.services.check_start(self.unit)

    def check_stays_up(self, host: Host) -> None:
        """Wait until a worker has run for STABLE_S: what lacks a module ends before."""
        if self.role == "worker" and self.active:
            wait_until_stable(host.services, self.unit, STABLE_S)

    def _is_outdated(self, host: Host, before: Self | None, status: UnitStatus) -> bool:
        is_asked = before is not None and before.runs != self.runs
        return is_asked and bool(status.active) and _is_outdated(host, status)

    def _has_new_code(self, host: Host, before: Self | None, status: UnitStatus) -> bool:
        """Whether the code that a restart was planned for still waits for it."""
        code = self._started_code(host)
        if code is None or before is None or not before.code or not status.active:
            return False
        code.refuse_moved(status, before.code)
        return bool(code.changed(status))

    def _remember_code(
        self, host: Host, status: UnitStatus, code: StartedCode, snapshot: CodeSnapshot
    ) -> None:
        now = host.services.status(self.unit)
        if now.invocation != status.invocation:
            code.record(now, snapshot)
        else:
            code.record_if_unchanged(now)

    def _restart(self, host: Host) -> None:
        """Restart the unit; with a socket systemd restarts its service, which takes longer."""
        services, stem = host.services, self.unit.removesuffix(".socket")
        service = f"{stem}.service" if stem != self.unit else ""
        was_active = bool(service) and bool(services.status(service).active)
        services.restart(self.unit)
        if was_active:
            wait_until(lambda: bool(services.status(service).active), timeout_s=RESTARTED_S)
            services.remember_start(service)

    def delete(self, host: Host) -> None:
        """Stop and disable the unit."""
        drain(host)
        # A socket that is still open may have started its service again by then.
        for unit in (self.unit, self._socket, self.unit):
            status = host.services.status(unit)
            if not status.is_stopped and is_local_unit(host, status):
                host.services.stop(unit)
        status = host.services.status(self.unit)
        if status.enabled and is_local_unit(host, status):
            host.services.disable(self.unit)

    def why_not_removable(self, leaving: frozenset[Ref]) -> str:
        """Only units that reconcile wrote are stopped."""
        unit_files = {Ref("file", f"{folder}/{self.unit}") for folder in UNIT_DIRECTORIES}
        if self.has_managed_unit or unit_files & leaving:
            return ""
        return "reconcile did not create its unit, so it is not stopped"

    def summary(self, action: Action) -> str:
        """What becomes of it: enabled, started, disabled, stopped."""
        made, gone = ("enabled", "started"), ("disabled", "stopped")
        words = made if action == "create" else gone
        if self.role == "job":
            return "started by its timer"
        asked = zip((self.enabled, self.active), words, strict=True)
        return ", ".join(word for is_asked, word in asked if is_asked)

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """A restart for new code, or for files that this plan changes, is no drift."""
        if field == "code" or (field == "runs" and before is not None and before.runs == CHANGING):
            return "pending"
        return super().cause(field, before, written)

    def why(self, change: FieldChange) -> str:
        """Why it is restarted; "" where it is not."""
        if change.name == "code" and change.before:
            return "restart: its code changed since it started"
        if change.name != "runs" or change.before == NOTHING:
            return ""
        if change.before == CHANGING:
            return "restart: its unit file, a drop-in or an environment file changes"
        if change.before == OLDER:
            return (
                "restart: its unit file, a drop-in or an environment file changed since it started"
            )
        return "restart: its unit file changed"

    def items(self, field: str) -> Sequence[tuple[Action, str]] | None:
        """The files that changed."""
        if field != "code":
            return None
        return [(SIGNS[one.what], f"{one.path}: {one.what}") for one in self.code or ()]

    def display(self) -> dict[str, Any]:
        """The managed fields, with a line for each changed file."""
        if self.code is None:
            return self.managed()
        lines = [f"{one.path}: {one.what}" for one in self.code[:MOST_SHOWN]]
        if len(self.code) > MOST_SHOWN:
            lines.append(f"and {len(self.code) - MOST_SHOWN} more")
        return {**self.managed(), "code": lines}

    @property
    def _socket(self) -> str:
        """What the socket is called that would start this one, if there is such a socket."""
        return f"{self.unit.rpartition('.')[0]}.socket"

    @property
    def _asks_nothing(self) -> bool:
        """Made from a ledger's row: there is something to it as long as it can be stopped."""
        return self.enabled is None and self.active is None


def _at_rest(status: UnitStatus) -> bool:
    return status.is_stopped and not status.enabled


def _runs(host: Host, status: UnitStatus) -> str:
    if not status.active:
        return NOTHING
    if started := None if status.masked else host.services.started_from(status):
        return started
    return CHANGING if is_changing(host, status) else OLDER


def _is_outdated(host: Host, status: UnitStatus) -> bool:
    """Whether the process was started from other files than those that lie there now."""
    started = None if status.masked else host.services.started_from(status)
    found = host.files.content(status.fragment_path) if status.fragment_path else None
    return found is None or started != digest(found[1])


def _has_managed_unit(host: Host, status: UnitStatus) -> bool:
    """Whether reconcile wrote its unit file: by the path and the header."""
    return is_local_unit(host, status) and host.files.read(status.fragment_path).startswith(
        HEADER.encode()
    )
