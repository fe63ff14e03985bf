"""The app becomes its service, and with `gunicorn` the units that define it."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.expansion.scope import SiteScope
from reconcile.config.models.app import Gunicorn
from reconcile.engine.digest import digest
from reconcile.engine.model import Declared, Finding
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.resources.gunicorn_units import unit_texts

# New files 0644 and new directories 0755, where no owner of uploads says otherwise.
USUAL_UMASK = 0o022


def expand_app(site: SiteScope) -> Iterator[Declared]:
    if site.gunicorn and site.service and site.upstream:
        yield from _managed(site, gunicorn_view(site, site.gunicorn, site.service, site.upstream))
    elif site.service:
        yield from _service(site, site.service, ("app", "service"))


def _managed(site: SiteScope, view: GunicornParams) -> Iterator[Declared]:
    """The units that we write, and that each of them is in use."""
    service, socket = unit_texts(view, site.facts.service_manager)
    units = {view.service: service}
    if view.socket and socket:
        units = {view.socket: socket} | units
    for unit, content in units.items():
        yield site.declare(
            "unit",
            "app",
            "gunicorn",
            path=_path(site, unit),
            content=content,
            user=site.facts.user,
            group=site.facts.group,
        )
    needs = (*(f"unit:{_path(site, unit)}" for unit in units), *_folders(view))
    for unit, content in units.items():
        yield from _service(site, unit, ("app", "gunicorn"), content, needs)


def _folders(view: GunicornParams) -> Iterator[str]:
    return (f"directory:{path}" for path in view.writable)


def _path(site: SiteScope, unit: str) -> str:
    return f"{site.facts.unit_dir}/{unit}"


def _service(
    site: SiteScope,
    unit: str,
    at: tuple[str, ...],
    content: str | None = None,
    needs: tuple[str, ...] = (),
) -> Iterator[Declared]:
    """A service that is up and comes up at boot; with `content`, one that runs that unit.

    No such thing where it can be neither.
    """
    facts = site.facts
    if not facts.has_services:
        return
    yield site.declare(
        "service",
        *at,
        unit=unit,
        enabled=True if facts.has_boot else None,
        active=True if facts.runs_services else None,
        runs=digest(content.encode()) if content is not None and facts.runs_services else None,
        ours=content is not None,
        needs=needs,
    )


def gunicorn_view(site: SiteScope, gunicorn: Gunicorn, service: str, bind: str) -> GunicornParams:
    """What the templates of the units are given."""
    owner = site.uploads_owner
    user = site.app_user if site.facts.privileged else None
    group = owner.group if owner and owner.user == site.app_user else None
    written = (*site.by_role("media"), *site.by_role("private"))
    socket = service.removesuffix(".service") + ".socket"
    return GunicornParams(
        site=site.name,
        service=service,
        socket=socket if bind.startswith("unix:") else None,
        directory=gunicorn.directory,
        python=gunicorn.python,
        module=gunicorn.module,
        workers=gunicorn.workers,
        bind=bind,
        user=user,
        group=group if site.facts.privileged else None,
        writable=tuple(dict.fromkeys(location.dir for _, location in written)),
        umask=umask(owner.files, owner.dirs) if owner else USUAL_UMASK,
        connecting_user=site.facts.worker_user,
    )


def as_root(site: SiteScope) -> Iterator[Finding]:
    """A warning where whoever takes the app over has the host."""
    runs_as = site.app_user if site.gunicorn else site.app.user
    # A sandbox's processes are those of whoever tries it out.
    if runs_as != "root" or site.facts.service_manager == "process":
        return
    yield Finding(
        "app-as-root",
        "warning",
        f"The app of {site.name} runs as root: who finds a fault in it has the whole host.",
        (str(site.scope.spec.place(*site.at("app"))),),
        fix="Give it a user of its own in app.user, www-data for one, who owns its uploads.",
    )


def umask(files: int | None, dirs: int | None) -> int:
    """The mask under which new files and directories get these modes.

    A program asks for 0666 and 0777: files decide on reading and writing, directories on
    passing through.
    """
    files, dirs = 0o644 if files is None else files, 0o755 if dirs is None else dirs
    return (~files & 0o666) | (~dirs & 0o111)
