"""Releases: a folder for each version of an app, and the steps that make it ready to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from posixpath import basename
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, Tag

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType, regex_str
from reconcile.config.fields.http_values import UrlPath
from reconcile.config.fields.path_types import RELEASE, SourcePath, UnitPath
from reconcile.config.fields.quantities import Duration
from reconcile.config.site.gunicorn import Gunicorn, gunicorn_view, parse_argument
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.config.site.location_directories import is_system_directory
from reconcile.engine.digest import digest
from reconcile.engine.model import Declared
from reconcile.filesystem.path import is_inside, overlap, relative_to
from reconcile.resources.directory import Directory
from reconcile.resources.gunicorn_units import sandbox_properties
from reconcile.resources.release import Release, ReleaseStep
from reconcile.resources.symlink import Symlink

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import CompileContext, SiteContext
    from reconcile.config.host_facts import HostFacts
    from reconcile.config.site.app import App
    from reconcile.config.site.location import Location
    from reconcile.config.site.site import Site

FOLDER, CURRENT = "releases", "current"
ID_LENGTH = 12
UNKNOWN_ID = "unknown"
"""Where the source was not read: nothing is planned then."""
STEP_TIMEOUT_S = 600
LONGEST_STEP_S = 86_400

Word = Annotated[
    str, FieldType(parse_argument, {"type": "string", "minLength": 1, "maxLength": 4096})
]
ExcludePattern = Annotated[
    str,
    regex_str(
        r"[^\x00-\x1f\x7f]+", "a pattern of names", hint="use docs or *.bak", examples=("*.bak",)
    ),
]


class Step(ConfigModel):
    """A command that is run in the new release before it is used."""

    run: Annotated[tuple[Word, ...], Field(min_length=1)] = Field(
        description="The program and its arguments; no shell reads them.",
        examples=[[".venv/bin/flask", "db", "upgrade"]],
    )
    timeout: Duration = Field(default=STEP_TIMEOUT_S, description="How long it may take.")
    irreversible: bool = Field(
        default=False, description="No rollback undoes what it does, such as a migration."
    )
    backward_compatible: bool = Field(
        default=False, description="The previous release works with what it leaves."
    )
    writable: tuple[UnitPath, ...] = Field(
        default=(), description="Further directories that it may write."
    )


# Pydantic adds the tag to the location of an error: it must not look like a key.
WORDS, MAPPING = "(command)", "(mapping)"


def _discriminate(value: Any) -> str:
    return MAPPING if isinstance(value, dict | Step) else WORDS


StepChoice = Annotated[
    Annotated[tuple[Word, ...], Tag(WORDS), Field(min_length=1)] | Annotated[Step, Tag(MAPPING)],
    Discriminator(_discriminate),
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
        description="A path that the new version has to answer with a status below 400 before "
        "visitors get to it.",
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
    def all_steps(self) -> tuple[Step, ...]:
        """The steps, defaults filled in."""
        return tuple(
            one if isinstance(one, Step) else Step.model_construct(run=one) for one in self.steps
        )


def check_release(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """Releases can be run, contain no other data, and {release} stands only where there is one."""
    app = site.app
    if app is None or app.release is None:
        yield from _check_unused(loc, site)
        return
    at = (*loc, "app", "release")
    yield from _check_app((*loc, "app"), app, site)
    yield from _check_folders(at, app.release, site, config)
    for index, step in enumerate(app.release.all_steps):
        yield from _check_step((*at, "steps", index), step)
    if config.host.service_manager == "none":
        message = "releases need a service manager, and host.service_manager is none"
        yield Violation(at, message, "remove `release` while an image is built")


def _check_unused(loc: Loc, site: Site) -> Iterator[Violation]:
    gunicorn = site.app.gunicorn if site.app else None
    named: dict[Loc, str | None] = {}
    for key in ("directory", "python") if gunicorn else ():
        named["app", "gunicorn", key] = getattr(gunicorn, key)
    for key in ("flask", "django") if site.app else ():
        named["app", key, "directory"] = getattr(getattr(site.app, key), "directory", None)
    for prefix, location in site.locations.items():
        named["locations", prefix, "source"] = location.source
    for at, value in named.items():
        if value and value.startswith(RELEASE):
            message = f"{RELEASE} stands for a release, and the app has none"
            yield Violation((*loc, *at), message, "add app.release, or name a folder")


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
    if site.adopted:
        message = "nginx has to be led to each release, and an adopted file is not changed"
        yield Violation((*loc, "release"), message, "remove `adopted`")


def _check_folders(
    loc: Loc, release: ReleaseSettings, site: Site, config: Config
) -> Iterator[Violation]:
    if is_system_directory(release.into):
        hint = "use a directory of the app, such as /srv/myapp"
        yield Violation((*loc, "into"), f"{release.into} belongs to the system", hint)
    if overlap(release.source, release.folder):
        message = f"the source and {release.folder} contain each other"
        yield Violation((*loc, "source"), message, "use separate directories")
    for prefix, location in site.all_locations.items():
        folder = getattr(location, "dir", None)
        if folder and overlap(folder, release.folder):
            message = f"{release.folder} and the directory that {prefix} serves contain each other"
            yield Violation((*loc, "into"), message, "keep code and files separate")
    for path in _written(site):
        if overlap(path, release.folder):
            message = f"what the app writes, {path}, is never part of a release"
            yield Violation((*loc, "into"), message, "use separate directories")
    for name, other in config.sites.items():
        settings = other.app.release if other.app else None
        is_shared = settings is not None and settings.folder == release.folder
        if is_shared and name < str(loc[1]):
            message = f"the releases of {name} are in {release.folder} too"
            yield Violation((*loc, "into"), message, "use a folder for each app")


def _check_step(loc: Loc, step: Step) -> Iterator[Violation]:
    if not 0 < step.timeout <= LONGEST_STEP_S:
        message = "the timeout of a step is from 1s to 1d"
        yield Violation((*loc, "timeout"), message, "use 10m")
    if step.backward_compatible and not step.irreversible:
        message = "`backward_compatible` is about what an irreversible step leaves"
        yield Violation((*loc, "backward_compatible"), message, "add irreversible: true")
    for index, path in enumerate(step.writable):
        if is_system_directory(path):
            hint = "use a directory of the app, such as /srv/myapp/instance"
            message = f"{path} belongs to the system"
            yield Violation((*loc, "writable", index), message, hint)


def _written(site: Site) -> tuple[str, ...]:
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
    for path in _written(site):
        inside = relative_to(path, release.source)
        # A checkout holds the app's own folder of uploads, by the same name.
        own.append(f"/{inside}" if inside else f"/{basename(path)}/")
    return tuple(dict.fromkeys(own))


def release_id(site: Site, content: str) -> str:
    """The id of the release that is made of `content`, the digest of a source.

    It depends on all that its steps are given, and never on what they make of that.
    """
    gunicorn = site.app.gunicorn if site.app else None
    release = site.app.release if site.app else None
    steps = [[step.run, step.writable] for step in release.all_steps] if release else []
    environment = [gunicorn.environment, gunicorn.environment_file] if gunicorn else []
    found = digest([content, steps, environment])
    return found.removeprefix("sha256:")[:ID_LENGTH]


def id_in(facts: HostFacts, name: str, site: Site) -> str:
    """The id of the release that the file declares now."""
    found = facts.release_sources.get(name)
    return release_id(site, found.digest) if found else UNKNOWN_ID


def only_release(config: Config) -> str | None:
    """The one site whose app has releases; None where there is none, or several."""
    names = [name for name, site in config.sites.items() if site.app and site.app.release]
    return names[0] if len(names) == 1 else None


def release_folder(context: CompileContext, name: str) -> str:
    """The folder of the release that the file declares now for the app of that site."""
    site = context.config.sites[name]
    settings = site.app.release if site.app else None
    return f"{settings.folder if settings else ''}/{id_in(context.facts, name, site)}"


def with_releases(config: Config, in_use: Mapping[str, str]) -> Config:
    """The configuration, each site that is `in_use` as it is for the release of that id."""
    sites = {
        name: with_release(site, name, in_use[name]) if name in in_use else site
        for name, site in config.sites.items()
    }
    return config.model_copy(update={"sites": sites})


def with_release(site: Site, name: str, identifier: str) -> Site:
    """The site, each of its keys as it is for the release of that id.

    The unit and the socket are those of this release alone, so that two can run at once.
    """
    app = site.app
    if app is None or app.release is None or app.gunicorn is None:
        return site
    folder = f"{app.release.folder}/{identifier}"
    stem = (app.unit_name(name) or "").removesuffix(".service")
    sockets = (f"{one.removesuffix('.sock')}-{identifier}.sock" for one in app.upstreams)
    update: dict[str, Any] = {
        "service": f"{stem}-{identifier}.service",
        "upstream": next(sockets, None),
        "gunicorn": _gunicorn_in(folder, app.gunicorn),
    }
    for key in ("flask", "django"):
        settings = getattr(app, key)
        if settings:
            directory = _put_in(folder, settings.directory)
            update[key] = settings.model_copy(update={"directory": directory})
    locations = {
        prefix: _location_in(folder, location) for prefix, location in site.locations.items()
    }
    return site.model_copy(
        update={
            "app": app.model_copy(update=update),
            "all_locations": {**site.all_locations, **locations},
        }
    )


def _put_in(folder: str, text: str) -> str:
    return text.replace(RELEASE, folder)


def _gunicorn_in(folder: str, gunicorn: Gunicorn) -> Gunicorn:
    environment = {name: _put_in(folder, value) for name, value in gunicorn.environment.items()}
    return gunicorn.model_copy(
        update={
            "directory": _put_in(folder, gunicorn.directory or RELEASE),
            "python": _put_in(folder, gunicorn.python),
            "environment": environment,
            "args": tuple(_put_in(folder, word) for word in gunicorn.args),
        }
    )


def _location_in(folder: str, location: Location) -> Location:
    if location.source is None or not location.source.startswith(RELEASE):
        return location
    return location.model_copy(update={"source": _put_in(folder, location.source)})


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
    units = filter(None, (service, view.socket if site.facts.service_manager == "systemd" else ""))
    source = site.facts.release_sources.get(site.name)
    needs = (
        *(f"service:{unit}" for unit in units),
        *(f"directory:{path}" for path in (settings.into, settings.folder)),
        *(f"assets:{one.dir}" for one in site.declared.locations.values() if one.source),
    )
    return Release(
        site=site.name,
        id=identifier,
        steps=(),
        folder=settings.folder,
        link=f"{settings.into}/{CURRENT}",
        source=settings.source,
        excluded=excluded_of(declared),
        content=source.digest if source else "",
        files=source.files if source else 0,
        left_out=source.left_out if source else (),
        commands=tuple(
            ReleaseStep(
                tuple(_put_in(folder, word) for word in step.run),
                step.timeout,
                step.irreversible,
                step.backward_compatible,
                sandbox_properties(
                    replace(view, writable=(*view.writable, *step.writable, folder))
                ),
            )
            for step in settings.all_steps
        ),
        user=view.user,
        writable=tuple(
            dict.fromkeys(
                (
                    *gunicorn.writable,
                    *(path for step in settings.all_steps for path in step.writable),
                )
            )
        ),
        environment=view.environment,
        environment_file=view.environment_file,
        unit=service,
        upstream=upstream,
        ready=settings.ready,
        host_name=main_endpoint(site).host,
        https=main_endpoint(site).tls,
        keep=settings.keep,
        needs=needs,
    )
