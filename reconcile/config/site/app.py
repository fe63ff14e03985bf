"""The app of a site, its systemd units, and how its own settings are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.identifiers import ServiceName, UserName
from reconcile.config.fields.path_types import Path, ReleasePath
from reconcile.config.fields.quantities import Duration
from reconcile.config.probes import SERVER_ERRORS, Expectation, Probe, Server, WebSocketProbe
from reconcile.config.site.app_release import ReleaseSettings
from reconcile.config.site.code import check_code, with_code
from reconcile.config.site.gunicorn import (
    Gunicorn,
    ModuleName,
    check_gunicorn,
    compile_writable,
    environment_refs,
    gunicorn_view,
)
from reconcile.config.site.headers import declared_headers
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.config.site.upstream import UpstreamChoice, check_upstreams, proxy_view
from reconcile.engine.digest import digest
from reconcile.engine.model import Declared, Finding
from reconcile.filesystem.path import is_inside
from reconcile.nginx.render.site_view import ProxyView
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.resources.gunicorn_units import unit_texts
from reconcile.resources.service import CURRENT, Service
from reconcile.resources.unit import Unit

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

# What nginx responds for an app that does not run, or does not respond.
BAD_GATEWAY = frozenset({502, 504})
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_UPSTREAM_HINT = "use unix:/run/gunicorn.sock or http://127.0.0.1:8000"

SettingsName = Annotated[
    str,
    regex_str(
        r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*",
        "a settings module",
        hint="use the value of DJANGO_SETTINGS_MODULE: project.settings",
        examples=("project.settings",),
    ),
]


class Flask(ConfigModel):
    """A Flask app whose settings `reconcile doctor` compares with the site."""

    directory: ReleasePath = Field(description="The directory the app is imported from.")
    module: ModuleName = Field(description="The app, as for Gunicorn: module:app.")


class Django(ConfigModel):
    """A Django project whose settings `reconcile doctor` compares with the site."""

    directory: ReleasePath = Field(description="The directory that contains manage.py.")
    settings: SettingsName = Field(description="The value of DJANGO_SETTINGS_MODULE.")


class App(ConfigModel):
    """The app that responds to all requests that no location serves."""

    upstream: UpstreamChoice | None = Field(
        default=None,
        description="Where the app listens: unix:/run/gunicorn.sock or http://127.0.0.1:8000, or "
        "a list of them.",
    )
    service: ServiceName | None = Field(
        default=None, description="The systemd service that runs the app."
    )
    user: UserName | None = Field(
        default=None, description="The user that runs the app and owns uploads."
    )
    websocket: bool = Field(default=False, description="Pass on WebSocket connections.")
    timeout: Duration | None = Field(
        default=None,
        description="How long nginx waits to connect, send and read; its own default is 60s.",
    )
    code: Path | None = Field(
        default=None,
        description="The directory of the app's code; a change since the start restarts it.",
        examples=["/srv/myapp"],
    )
    gunicorn: Gunicorn | None = Field(
        default=None, description="Manage the unit of the service and its socket as well."
    )
    release: ReleaseSettings | None = Field(
        default=None,
        description="Run each version of the app from a separate folder; the next version is"
        " started and checked before it gets visitors.",
    )
    flask: Flask | None = Field(
        default=None, description="Compare a Flask app's settings (reconcile doctor)."
    )
    django: Django | None = Field(
        default=None, description="Compare a Django project's settings (reconcile doctor)."
    )

    @property
    def upstreams(self) -> tuple[str, ...]:
        """Every address of the app."""
        if self.upstream is None:
            return ()
        return (self.upstream,) if isinstance(self.upstream, str) else self.upstream

    def unit_name(self, site: str) -> str | None:
        """The unit that runs the app of the site of that name."""
        return self.service or (f"gunicorn-{site}.service" if self.gunicorn else None)


def check_app(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """The app can be reached, its code is not served, and it can save uploads."""
    if site.app:
        yield from _check_keys((*loc, "app"), site.app)
        yield from _check_code((*loc, "app"), site)
        yield from check_code((*loc, "app", "code"), site)
        yield from check_gunicorn((*loc, "app", "gunicorn"), site)
        yield from _check_uploads((*loc, "locations"), site, config)


def _check_keys(loc: Loc, app: App) -> Iterator[Violation]:
    if app.service == "nginx.service":
        yield Violation((*loc, "service"), "nginx.service is nginx itself, not the app")
    if app.upstream is None and app.gunicorn is None:
        absent = (*loc, "gunicorn")
        yield Violation((*loc, "upstream"), "upstream is missing", _UPSTREAM_HINT, absent=absent)
    if app.flask and app.django:
        message = "`flask` and `django` exclude each other"
        yield Violation((*loc, "django"), message, "remove one of them")
    if app.gunicorn and len(app.upstreams) > 1:
        message = "Gunicorn listens on one address"
        yield Violation((*loc, "upstream"), message, "use one, or remove gunicorn")
    elif app.gunicorn and app.upstreams and not _is_local(app.upstreams[0]):
        message = f"Gunicorn runs on this host, not on {app.upstreams[0]}"
        yield Violation((*loc, "upstream"), message, _UPSTREAM_HINT)
    yield from check_upstreams((*loc, "upstream"), app.upstreams)
    if app.timeout == 0:
        yield Violation((*loc, "timeout"), "timeout has to be a second or more")
    if app.code and not (app.service or app.gunicorn):
        message = "`code` needs the service that is restarted when it changes"
        yield Violation((*loc, "code"), message, "add `service` or `gunicorn`")


def _is_local(upstream: str) -> bool:
    return upstream.startswith("unix:") or upstream.rpartition(":")[0] in _LOOPBACK


def _check_code(loc: Loc, site: Site) -> Iterator[Violation]:
    """Visitors could replace code among the uploads, and download code below a prefix."""
    gunicorn = site.app and site.app.gunicorn
    for prefix, location in site.locations.items() if gunicorn else ():
        for key in ("directory", "python", "environment_file"):
            path = getattr(gunicorn, key)
            if path and is_inside(path, location.dir):
                message = f"`{key}` is inside the directory that {prefix} serves"
                yield Violation((*loc, "gunicorn", key), message, "keep code and files separate")


def _check_uploads(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    user = site.app and site.app.user
    owners = config.all_owners()
    for prefix, location in site.locations.items() if user else ():
        choice = location.effective_owner
        if location.role != "media" or (isinstance(choice, str) and choice not in owners):
            continue
        owner = location.resolve_owner(owners)
        if user not in ("root", owner.user) and not owner.dirs & 0o022:
            yield Violation(
                (*loc, prefix),
                f"the app runs as {user} and cannot save files to a directory of {owner.user}",
                f"use an owner with user: {user}, or dirs with group write access",
            )


def compile_app(site: SiteContext) -> Iterator[Declared]:
    """The app's service, and with `gunicorn` the units that define it."""
    gunicorn, service, upstream = site.gunicorn, site.service, site.upstream
    if gunicorn and service and upstream:
        yield from _managed_units(site, gunicorn_view(site, gunicorn, service, upstream))
    elif service:
        yield from _service(site, service, ("app", "service"))


def _managed_units(site: SiteContext, view: GunicornParams) -> Iterator[Declared]:
    service, socket = unit_texts(view, site.facts.service_manager)
    units = {view.service: service}
    if view.socket and socket:
        units = {view.socket: socket} | units
    for unit, content in units.items():
        resource = Unit(
            path=_unit_path(site, unit),
            content=content,
            user=site.facts.user,
            group=site.facts.group,
        )
        yield site.declare(resource, "app", "gunicorn")
    yield from compile_writable(site)
    environment = environment_refs(
        site.context.config, site.gunicorn.environment_file if site.gunicorn else None
    )
    needs = (
        *environment,
        *(f"unit:{_unit_path(site, unit)}" for unit in units),
        *(f"directory:{path}" for path in view.writable),
    )
    for unit, content in units.items():
        yield from _service(site, unit, ("app", "gunicorn"), content, needs)


def _unit_path(site: SiteContext, unit: str) -> str:
    return f"{site.facts.unit_dir}/{unit}"


def _service(
    site: SiteContext,
    unit: str,
    loc: tuple[str, ...],
    content: str | None = None,
    needs: tuple[str, ...] = (),
) -> Iterator[Declared]:
    """A service that runs and starts at boot; with `content`, it runs that unit file.

    Nothing on a host that can do neither.
    """
    facts = site.facts
    if not facts.has_services:
        return
    service = Service(
        unit=unit,
        enabled=True if facts.has_boot else None,
        active=True if facts.runs_services else None,
        runs=_runs(content) if facts.runs_services else None,
        has_managed_unit=content is not None,
        needs=needs,
    )
    if facts.runs_services and unit == site.service:
        service = with_code(service, site)
    yield site.declare(service, *loc)


def _runs(content: str | None) -> str:
    return CURRENT if content is None else digest(content.encode())


def warn_app_runs_as_root(site: SiteContext) -> Iterator[Finding]:
    """A warning where whoever takes over the app controls the host."""
    user = site.app_user if site.gunicorn else site.app.user
    # The processes of a sandbox run as the user who tries it.
    if user != "root" or site.facts.service_manager == "process":
        return
    yield Finding(
        "app-as-root",
        "warning",
        f"{site.name}'s app runs as root; a vulnerability in it would compromise the host.",
        (str(site.position_of("app")),),
        fix="Set app.user to an unprivileged user that owns the uploads, such as www-data.",
    )


def app_probes(site: SiteContext, served_by: Server | None) -> Iterator[Probe]:
    """The front page is no server error; at least nginx has to reach the app."""
    if site.app.websocket and served_by:
        yield websocket_probe(site, "/")
    if not site.declared.probe_front_page:
        return
    name = "the app answers" if site.upstream else "/ answers"
    sender = served_by if site.upstream else None
    headers = declared_headers(site) if served_by else ()
    expect = Expectation(not_status=SERVER_ERRORS, headers=headers, served_by=sender)
    minimum = Expectation(not_status=BAD_GATEWAY, served_by=sender)
    yield replace(site.http_probe(name, "/", expect), minimum=minimum)


def websocket_probe(site: SiteContext, path: str) -> WebSocketProbe:
    """A WebSocket gets through to the app."""
    name = site.probe_name(f"{path} passes WebSockets on")
    return WebSocketProbe(name, site.name, main_endpoint(site), path)


def app_proxy_view(site: SiteContext) -> ProxyView | None:
    """How nginx passes requests on to the app, None where there is none."""
    servers = site.app.upstreams or ((site.upstream,) if site.upstream else ())
    if not servers:
        return None
    return proxy_view(site, servers, timeout_s=site.app.timeout, websocket=site.app.websocket)
