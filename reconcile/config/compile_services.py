"""What a service of the file compiles to: units, what they may write, and what runs."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename
from typing import TYPE_CHECKING

from reconcile.config.document import Loc
from reconcile.config.site.code import watching
from reconcile.config.site.gunicorn import DEFAULT_UMASK, environment_refs, is_secret_name
from reconcile.engine.digest import digest
from reconcile.engine.model import Declared, Finding
from reconcile.filesystem.code.code_scope import CodeScope, environment_of
from reconcile.filesystem.path import is_inside
from reconcile.resources.directory import Directory
from reconcile.resources.service import Role, Service
from reconcile.resources.service_units import ServiceParams, service_text, timer_text
from reconcile.resources.unit import Unit

if TYPE_CHECKING:
    from reconcile.config.context import CompileContext
    from reconcile.config.host_service import BackgroundService

SECTION = "services"


def compile_service(
    entry: BackgroundService, name: str, context: CompileContext, needs: tuple[str, ...] = ()
) -> Iterator[Declared]:
    """The units of a service, the directories that it may write, and what runs.

    It is started after `needs`, refs as text.

    Nothing for a schedule where no systemd keeps it.
    """
    facts = context.facts
    if entry.schedule and facts.service_manager == "process":
        return
    view = _view(entry, name, context)
    loc = (SECTION, name)
    units = _units(view)
    yield from _writable(view, loc, context)
    for unit, text in units.items():
        path = f"{facts.unit_dir}/{unit}"
        resource = Unit(path=path, content=text, user=facts.user, group=facts.group)
        yield context.declare(resource, loc)
    if facts.has_services:
        needs = (
            *needs,
            *environment_refs(context.config, entry.environment_file),
            *(f"unit:{facts.unit_dir}/{unit}" for unit in units),
            *(f"directory:{path}" for path in view.writable),
        )
        for service in _services(entry, units, needs, context):
            yield context.declare(service, loc)


def _view(entry: BackgroundService, name: str, context: CompileContext) -> ServiceParams:
    is_privileged = context.facts.privileged
    return ServiceParams(
        name=name,
        command=entry.command,
        user=_user(entry, context) if is_privileged else None,
        directory=entry.directory or entry.code or "/",
        umask=DEFAULT_UMASK,
        environment=tuple(entry.environment.items()),
        environment_file=entry.environment_file,
        credential=_is_roots(entry.environment_file, context),
        writable=tuple(dict.fromkeys(entry.writable)),
        schedule=entry.schedule,
    )


def _user(entry: BackgroundService, context: CompileContext) -> str | None:
    return entry.user or context.owners["uploads"].user


def _is_roots(file: str | None, context: CompileContext) -> bool:
    """Whether a file is declared as root's alone, so that the program could not read it."""
    path = context.config.paths.get(file) if file else None
    if file is None or path is None or path.form != "file" or ":" in basename(file):
        return False
    owner = context.resolve_owner(path.owner) if path.owner else None
    return owner is not None and owner.user == "root"


def _units(view: ServiceParams) -> dict[str, str]:
    units = {f"{view.name}.service": service_text(view)}
    return units | ({f"{view.name}.timer": timer_text(view)} if view.schedule else {})


def _services(
    entry: BackgroundService,
    units: dict[str, str],
    needs: tuple[str, ...],
    context: CompileContext,
) -> Iterator[Service]:
    """What runs: the service, or the timer that starts it."""
    facts = context.facts
    for unit, text in units.items():
        role = _role(entry, unit)
        runs = facts.runs_services and role != "job"
        service = Service(
            unit=unit,
            enabled=role != "job" if facts.has_boot else None,
            active=True if runs else None,
            runs=digest(text.encode()) if runs else None,
            has_managed_unit=True,
            role=role,
            calendar=entry.schedule if role == "timer" else None,
            needs=needs,
        )
        scope = code_scope(entry) if runs and role == "worker" else None
        yield watching(service, scope) if scope else service


def _role(entry: BackgroundService, unit: str) -> Role:
    if entry.schedule is None:
        return "worker"
    return "timer" if unit.endswith(".timer") else "job"


def code_scope(entry: BackgroundService) -> CodeScope | None:
    """Which files are the program's code: not those that it may write."""
    if entry.code is None:
        return None
    written = tuple(sorted(path for path in entry.writable if is_inside(path, entry.code)))
    return CodeScope(entry.code, written, (), environment_of(entry.command[0]))


def _writable(view: ServiceParams, loc: Loc, context: CompileContext) -> Iterator[Declared]:
    """The directories that it may write; what they contain is its own."""
    sites = context.config.sites.values()
    declared = {one.dir for site in sites for one in site.locations.values()}
    users = (view.user,) if view.user else ()
    for path in view.writable:
        if path not in declared | context.config.paths.keys():
            yield from context.parent_directories(path, (*loc, "writable"), (), users)
            directory = Directory(
                path=path, user=view.user, enterable_by=users or None, protected=True
            )
            yield context.declare(directory, (*loc, "writable"))


def service_findings(context: CompileContext) -> Iterator[Finding]:
    """Secrets that everybody can read, and schedules that nothing keeps here."""
    config = context.config
    for name, entry in config.services.items():
        for variable in filter(is_secret_name, entry.environment):
            place = str(config.position_of(SECTION, name, "environment", variable))
            yield Finding(
                "readable-secret",
                "warning",
                f"{variable} of {name} looks like a secret; everybody on the host can read it.",
                (place,),
                fix="Put it into a file that belongs to root, and set environment_file to it.",
            )
        if entry.schedule and context.facts.service_manager == "process":
            place = str(config.position_of(SECTION, name, "schedule"))
            what = f"{name} is not scheduled: host.service_manager is process, which has no timers."
            yield Finding("no-timers", "note", what, (place,))
        if _runs_as_root(entry, context):
            yield Finding(
                "app-as-root",
                "warning",
                f"{name} runs as root; a vulnerability in it would compromise the host.",
                (str(config.position_of(SECTION, name)),),
                fix="Set its user to an unprivileged one, such as www-data.",
            )


def _runs_as_root(entry: BackgroundService, context: CompileContext) -> bool:
    return _user(entry, context) == "root" and context.facts.service_manager != "process"
