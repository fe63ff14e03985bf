"""Releases: a folder for each version of an app, and the steps that make it ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.http_values import UrlPath
from reconcile.config.fields.network import MAX_SOCKET_BYTES
from reconcile.config.fields.path_types import RELEASE, SourcePath, UnitPath
from reconcile.config.host_facts import SourceFacts
from reconcile.config.site.gunicorn import Gunicorn, gunicorn_view
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.config.site.location_directories import is_system_directory
from reconcile.config.site.release_id import ID_LENGTH, id_in
from reconcile.config.site.release_placeholder import check_placeholders
from reconcile.config.site.release_step import Step, StepChoice, check_step, compile_step
from reconcile.engine.model import Declared
from reconcile.filesystem.path import is_inside, relative_to
from reconcile.resources.directory import Directory
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.resources.release import Release
from reconcile.resources.symlink import Symlink

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.app import App
    from reconcile.config.site.location import Location
    from reconcile.config.site.site import Site

FOLDER, CURRENT = "releases", "current"

ExcludePattern = Annotated[
    str,
    regex_str(
        r"[^\x00-\x1f\x7f]+", "a pattern of names", hint="use docs or *.bak", examples=("*.bak",)
    ),
]


class ReleaseSettings(ConfigModel):
    """Each version of the app in a folder of its own, started beside the one in use."""

    source: SourcePath = Field(
        description="The folder with the app, from which a release is copied."
    )
    into: UnitPath = Field(
        description="The folder that gets releases/ID for each version, and the link current.",
        examples=["/srv/myapp"],
    )
    keep: Annotated[int, Field(ge=1, le=100)] = Field(
        default=5, description="How many releases stay on the disk."
    )
    steps: tuple[StepChoice, ...] = Field(
        default=(),
        description="Commands that are run in the release, as the app's user: each a list of "
        "words, or a mapping with `run`.",
        examples=[[["python3", "-m", "venv", ".venv"]]],
    )
    ready: UrlPath | None = Field(
        default=None,
        description="A path that the new version must answer with a status below 400 before it gets"
        " visitors.",
        examples=["/healthz"],
    )
    exclude: tuple[ExcludePattern, ...] = Field(
        default=(),
        description="Names or paths in the source that are not part of a release, beside "
        "repositories, virtual environments, caches, databases and what the app writes.",
        examples=[["tests", "*.bak"]],
    )

    @property
    def folder(self) -> str:
        """The folder of all releases."""
        return f"{self.into}/{FOLDER}"

    @property
    def link(self) -> str:
        """The link to the release in use."""
        return f"{self.into}/{CURRENT}"

    @property
    def places(self) -> tuple[str, str]:
        """Where releases come and go: the folder of all, and behind the link."""
        return self.folder, self.link

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps, defaults filled in."""
        return tuple(
            one if isinstance(one, Step) else Step.model_construct(run=one) for one in self.steps
        )


def check_release(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """Releases can be run, contain no other data, and {release} stands only where there is one."""
    app = site.app
    yield from _check_sockets(loc, site, config)
    if app is None or app.release is None:
        yield from check_placeholders(loc, site)
        return
    at = (*loc, "app", "release")
    yield from _check_app((*loc, "app"), app, site)
    yield from _check_folders(at, app.release, config)
    for index, step in enumerate(app.release.all_steps):
        yield from check_step((*at, "steps", index), step)
    if config.host.service_manager == "none":
        message = "releases need a service manager, and host.service_manager is none"
        yield Violation(at, message, "remove `release` while an image is built")


def _check_sockets(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """Nothing else is led to a socket of which each release has one of another name."""
    used: dict[Loc, tuple[str, ...]] = {
        ("locations", prefix, "upstream"): location.upstreams
        for prefix, location in site.proxied.items()
    }
    if site.app and site.app.release is None:
        used["app", "upstream"] = site.app.upstreams
    for name, other in config.sites.items():
        app = other.app
        taken = app.upstreams if app and app.release and app.gunicorn else ()
        for at, upstreams in used.items():
            if set(taken).intersection(upstreams):
                message = f"nothing listens there: each release of {name} has its own socket"
                hint = f"add these server_names to {name}"
                if other is site:
                    hint = "remove it: without one the location leads to the app"
                yield Violation((*loc, *at), message, hint)


def _check_app(loc: Loc, app: App, site: Site) -> Iterator[Violation]:
    if app.gunicorn is None:
        yield Violation((*loc, "release"), "`release` needs `gunicorn`", "add app.gunicorn")
        return
    if app.code:
        message = "the code is that of the release: `code` and `release` exclude each other"
        yield Violation((*loc, "code"), message, "remove `code`")
    directory = app.gunicorn.directory
    if directory and not directory.startswith(RELEASE):
        message = f"the app runs in its release, not in {directory}"
        yield Violation((*loc, "gunicorn", "directory"), message, f'remove it, or use "{RELEASE}"')
    if app.upstreams and not app.upstreams[0].startswith("unix:"):
        message = "two releases run at once and cannot share a port"
        yield Violation((*loc, "upstream"), message, "use a socket: unix:/run/myapp.sock")
    room = MAX_SOCKET_BYTES - len("-") - ID_LENGTH
    if any(len(one.removeprefix("unix:").encode()) > room for one in app.upstreams):
        message = f"with the ID of a release its socket's path is too long: {room} bytes at most"
        yield Violation((*loc, "upstream"), message, "use a shorter path")
    if site.adopted:
        message = "each release changes nginx's file, and an adopted one is not changed"
        yield Violation((*loc, "release"), message, "remove `adopted`")


def _check_folders(loc: Loc, release: ReleaseSettings, config: Config) -> Iterator[Violation]:
    if is_system_directory(release.into):
        hint = "use a directory of the app, such as /srv/myapp"
        yield Violation((*loc, "into"), f"{release.into} belongs to the system", hint)
    for name, other in config.sites.items():
        settings = other.app.release if other.app else None
        is_shared = settings is not None and settings.folder == release.folder
        if is_shared and name < str(loc[1]):
            message = f"the releases of {name} are in {release.folder} too"
            yield Violation((*loc, "into"), message, "use a folder for each app")


def _writable_folders(site: Site) -> tuple[str, ...]:
    """The directories of uploads, and what else the app writes."""
    locations = site.locations.values()
    gunicorn = site.app.gunicorn if site.app else None
    uploads = (location.dir for location in locations if location.role != "static")
    return (*uploads, *(gunicorn.writable if gunicorn else ()))


def excluded_of(site: Site) -> tuple[str, ...]:
    """The patterns of the file, and what the app writes: uploads are never in a release."""
    release = site.app.release if site.app else None
    if release is None:
        return ()
    own = [*release.exclude]
    for path in _writable_folders(site):
        inside = relative_to(path, release.source)
        # A checkout holds the app's own folder of uploads, by the same name.
        own.append(f"/{inside}" if inside else f"/{basename(path)}/")
    return tuple(dict.fromkeys(own))


def release_of(site: SiteContext) -> str | None:
    """The address of the site's release, as needs name it; None where it has none."""
    return f"release:{site.name}" if site.app.release else None


def built_by(site: SiteContext, location: Location) -> str:
    """The address of the release that the files of the location come from; "" for none."""
    settings = site.app.release
    source = location.source
    is_inside_release = settings and source and is_inside(source, settings.folder)
    return (release_of(site) or "") if is_inside_release else ""


def compile_release(site: SiteContext) -> Iterator[Declared]:
    """The folder of all releases, the release itself, and the link to the one in use."""
    settings, gunicorn = site.app.release, site.gunicorn
    if settings is None or gunicorn is None or not site.service or not site.upstream:
        return
    loc = site.loc("app", "release", "into")
    users = (site.app_user,) if site.app_user else ()
    yield from site.context.parent_directories(settings.into, loc, (site.name,), users)
    for path in (settings.into, settings.folder):
        # Whoever could exchange a name in one of these could exchange the app.
        directory = Directory(
            path=path,
            user=site.facts.user,
            group=site.facts.group,
            mode=0o755,
            enterable_by=users or None,
        )
        yield site.declare(directory, "app", "release", "into")
    written = {path for step in settings.all_steps for path in step.writable}
    for path in sorted(written.difference(gunicorn.writable)):
        yield from site.context.parent_directories(path, loc, (site.name,), users)
        owner = site.app_user if site.facts.privileged else None
        directory = Directory(path=path, user=owner, enterable_by=users or None, protected=True)
        yield site.declare(directory, "app", "release", "steps")
    release = _release(site, settings, gunicorn)
    yield site.declare(release, "app", "release")
    link = Symlink(path=release.link, target=release.path, needs=(str(release.ref),))
    yield site.declare(link, "app", "release", "into")


def _release(site: SiteContext, settings: ReleaseSettings, gunicorn: Gunicorn) -> Release:
    service, upstream = site.service or "", site.upstream or ""
    view = gunicorn_view(site, gunicorn, service, upstream)
    declared = site.context.config.sites[site.name]
    identifier = id_in(site.facts, site.name, declared)
    folder = f"{settings.folder}/{identifier}"
    source = site.facts.release_sources.get(site.name, SourceFacts(""))
    step_writable = (path for step in settings.all_steps for path in step.writable)
    return Release(
        site=site.name,
        id=identifier,
        steps=(),
        folder=settings.folder,
        link=settings.link,
        source=settings.source,
        excluded=excluded_of(declared),
        content=source.digest,
        files=source.files,
        left_out=source.left_out,
        commands=tuple(compile_step(step, folder, view) for step in settings.all_steps),
        user=view.user,
        writable=tuple(dict.fromkeys((*gunicorn.writable, *step_writable))),
        environment=view.environment,
        environment_file=view.environment_file,
        unit=service,
        upstream=upstream,
        ready=settings.ready,
        host_name=main_endpoint(site).host,
        https=main_endpoint(site).tls,
        keep=settings.keep,
        needs=tuple(_needs(site, settings, service, view)),
        published=tuple(_published(site)),
    )


def _needs(
    site: SiteContext, settings: ReleaseSettings, service: str, view: GunicornParams
) -> Iterator[str]:
    """The addresses of what exists before visitors are led to the release."""
    yield f"service:{service}"
    if view.socket and site.facts.service_manager == "systemd":
        yield f"service:{view.socket}"
    for path in (settings.into, settings.folder):
        yield f"directory:{path}"
    for location in site.declared.locations.values():
        if location.source:
            yield f"assets:{location.dir}"


def _published(site: SiteContext) -> Iterator[tuple[str, bool]]:
    """The copies in which names that a version no longer has live on."""
    for location in site.declared.locations.values():
        if location.source and location.dir and (location.keep is not None or not location.prune):
            yield location.dir, location.prune
