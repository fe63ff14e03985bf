"""What the configuration file declares, as the doctor compares it with the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.compile_services import code_scope as service_scope
from reconcile.config.site.code import code_scope
from reconcile.doctor.config_view import (
    Declaration,
    DeclaredApp,
    DeclaredCode,
    DeclaredContainer,
    DeclaredExtra,
    DeclaredIgnore,
    DeclaredLocation,
    DeclaredService,
    WatchedCode,
)

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.app import App
    from reconcile.config.site.site import Site


def declaration(config: Config) -> Declaration:
    """The parts of `config` that the rules need, as plain values."""
    return Declaration(
        tuple(one for name, site in config.sites.items() for one in _locations(config, name, site)),
        tuple(_app(config, name, site) for name, site in config.sites.items()),
        tuple(
            DeclaredContainer(
                one.compose, one.service, one.mounts, str(config.position_of("containers", index))
            )
            for index, one in enumerate(config.containers)
        ),
        tuple(_ignores(config)),
        tuple(_watched(config)),
        tuple(
            DeclaredService(
                f"{name}.service",
                entry.schedule is not None,
                str(config.position_of("services", name)),
            )
            for name, entry in config.services.items()
        ),
        tuple(one for name, site in config.sites.items() for one in _extras(config, name, site)),
    )


def _extras(config: Config, name: str, site: Site) -> Iterator[DeclaredExtra]:
    """The innermost first: a line may occur in several."""
    texts: dict[tuple[str, ...], str] = {
        ("locations", key, "extra"): one.extra for key, one in site.all_locations.items()
    }
    texts |= {("extra",): site.extra, ("http_extra",): site.http_extra}
    for loc, text in texts.items():
        if text:
            place = str(config.position_of("sites", name, *loc))
            yield DeclaredExtra(name, ".".join(loc), text, place)


def _watched(config: Config) -> Iterator[WatchedCode]:
    for name, site in config.sites.items():
        unit, scope = site.app.unit_name(name) if site.app else None, code_scope(site)
        if unit and scope:
            place = str(config.position_of("sites", name, "app", "code"))
            yield WatchedCode(name, unit, scope, place)
    for name, entry in config.services.items():
        scope = service_scope(entry) if entry.schedule is None else None
        if scope:
            place = str(config.position_of("services", name, "code"))
            yield WatchedCode("", f"{name}.service", scope, place)


def _ignores(config: Config) -> Iterator[DeclaredIgnore]:
    for index, entry in enumerate(config.ignore):
        if entry.is_for_doctor:
            rule, _, subject = entry.ref.partition(":")[2].partition(":")
            place = str(config.position_of("ignore", index))
            yield DeclaredIgnore(rule, subject, entry.reason, entry.until, place)


def _locations(config: Config, name: str, site: Site) -> Iterator[DeclaredLocation]:
    for prefix, location in site.locations.items():
        yield DeclaredLocation(
            site=name,
            server_names=_server_names(site),
            prefix=prefix,
            role=location.role,
            dir=location.dir,
            source=location.source,
            owner=location.resolve_owner(config.all_owners()),
            place=str(config.position_of("sites", name, "locations", prefix)),
            ports=frozenset(listen.port for listen in site.listens),
        )


def _server_names(site: Site) -> tuple[str, ...]:
    """Its names as nginx has them: `_` stands for a server without any."""
    return (*site.server_names, *([""] if "_" in site.server_names else []))


def _app(config: Config, name: str, site: Site) -> DeclaredApp:
    app = site.app
    return DeclaredApp(
        site=name,
        server_names=_server_names(site),
        service=app.unit_name(name) if app else None,
        user=app.user if app else None,
        max_upload=site.max_upload,
        place=str(config.position_of("sites", name)),
        code=_declared_code(config, name, app) if app else None,
    )


def _declared_code(config: Config, name: str, app: App) -> DeclaredCode | None:
    python = app.gunicorn.python if app.gunicorn else ""
    at = ("sites", name, "app")
    if flask := app.flask:
        place = str(config.position_of(*at, "flask"))
        return DeclaredCode("flask", flask.directory, flask.module, python, place)
    if django := app.django:
        place = str(config.position_of(*at, "django"))
        return DeclaredCode("django", django.directory, django.settings, python, place)
    return None
