"""What runs beside the web process: workers, and programs that a timer starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from reconcile.config.compile_services import compile_service
from reconcile.config.config_model import ConfigEntry
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.calendar import Calendar
from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str
from reconcile.config.fields.identifiers import UserName
from reconcile.config.fields.path_types import RELEASE, Path, ReleaseUnitPath, UnitPath
from reconcile.config.moved_from import check_moved_from
from reconcile.config.site.gunicorn import OF_THE_UNIT, Argument, EnvironmentName, EnvironmentValue
from reconcile.config.site.location_directories import is_system_directory
from reconcile.config.site.release_id import only_release, release_folder, release_names
from reconcile.engine.model import Declared
from reconcile.filesystem.path import is_inside, overlap
from reconcile.system.services.unit_files import UNIT_DIRECTORIES

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import CompileContext

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
_TYPES = (".service", ".timer", ".socket", ".target", ".path", ".mount")
_OF_THE_HOST = re.compile(
    r"(?:systemd|dbus|getty|user|network|networking|ssh|sshd|cron|crond|nginx|rsyslog|certbot"
    r"|reconcile)(?:-.*)?"
)


def parse_service_name(value: Any) -> str:
    """The name of a unit, without its type."""
    name = require_str(value, "the name of a service")
    for ending in _TYPES:
        if name.endswith(ending):
            stem = name.removesuffix(ending)
            raise InvalidValue(f"{quote_text(name)} has the type of a unit", f'use "{stem}"')
    if not _NAME.fullmatch(name):
        hint = "use letters, digits, dots, hyphens and underscores"
        raise InvalidValue(f"{quote_text(name)} is not the name of a service", hint)
    if _OF_THE_HOST.fullmatch(name):
        raise InvalidValue(f"{name} is a unit of the host's own", f'use "myapp-{name}"')
    return name


ServiceKey = Annotated[
    str,
    FieldType(
        parse_service_name,
        {"type": "string", "pattern": f"^{_NAME.pattern}$", "examples": ["myapp-worker"]},
    ),
]


class BackgroundService(ConfigEntry):
    """A program that runs beside the web process, as a unit of its own."""

    command: tuple[Argument, ...] = Field(
        description="The program, by its absolute path, and its arguments.",
        examples=[["/srv/myapp/.venv/bin/celery", "-A", "app", "worker"]],
    )
    user: UserName | None = Field(
        default=None, description="The user that it runs as; by default the owner of uploads."
    )
    directory: ReleaseUnitPath | None = Field(
        default=None, description="Where it is started; by default `code`, else /."
    )
    environment: dict[EnvironmentName, EnvironmentValue] = Field(
        default={},
        description="Its variables. Everybody on the host can read them: put secrets into"
        " environment_file.",
        examples=[{"MODE": "production"}],
    )
    environment_file: UnitPath | None = Field(
        default=None,
        description="A file of variables on the host, NAME=value; a change restarts it.",
        examples=["/etc/myapp/app.env"],
    )
    writable: tuple[UnitPath, ...] = Field(
        default=(),
        description="Directories that it may write to; everything else is read-only.",
        examples=[["/srv/myapp/instance"]],
    )
    code: Path | None = Field(
        default=None,
        description="The directory of its code; a change restarts it.",
        examples=["/srv/myapp"],
    )
    moved_from: ServiceKey | None = Field(
        default=None,
        description="The previous name of the service; its units are kept.",
        examples=["worker"],
    )
    schedule: Calendar | None = Field(
        default=None,
        description="When it runs, as a calendar of systemd: daily, or Mon..Fri 03:30; by default"
        " it runs permanently.",
    )

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:
        """It runs a program, as a unit of its own, which can replace neither code nor assets."""
        yield from self._check_command((*loc, "command"))
        yield from check_moved_from(loc, self.moved_from, config.services)
        if self.names_release and only_release(config) is None:
            message = f"{RELEASE} stands for the release of the one app of the file that has one"
            yield Violation((*loc, "command"), message, "name a folder", absent=("sites",))
        for name in self.environment:
            if OF_THE_UNIT.fullmatch(name):
                yield Violation((*loc, "environment", name), f"{name} belongs to the unit")
        if self.code and is_system_directory(self.code):
            message, hint = f"{self.code} belongs to the system", "use the program's own directory"
            yield Violation((*loc, "code"), message, hint)
        for index, path in enumerate(self.writable):
            yield from self._check_writable((*loc, "writable", index), path, config)
        yield from _check_unit(loc, config)

    def _check_command(self, loc: Loc) -> Iterator[Violation]:
        if not self.command:
            yield Violation(loc, "the command is empty", "begin it with an absolute path")
        elif not self.command[0].startswith(("/", f"{RELEASE}/")):
            message = f"{quote_text(self.command[0])} is not an absolute path"
            hint = "name the program by its absolute path, such as /srv/myapp/.venv/bin/python"
            yield Violation((*loc, 0), message, hint)

    def _check_writable(self, loc: Loc, path: str, config: Config) -> Iterator[Violation]:
        if is_system_directory(path):
            hint = "use a directory of its own, such as /srv/myapp/instance"
            yield Violation(loc, f"{path} belongs to the system", hint)
        own = {"code": self.code, "command": self.command[0] if self.command else None}
        for key, place in own.items():
            if place and is_inside(place, path):
                message = f"it could replace its own code: {path} contains `{key}`"
                yield Violation(loc, message, "name a directory inside of it")
        for site in config.sites.values():
            for prefix, location in site.locations.items():
                if location.role == "static" and location.dir and overlap(path, location.dir):
                    message = f"{path} and the files of {prefix} overlap: it could replace them"
                    yield Violation(loc, message, "use separate directories")

    @property
    def names_release(self) -> bool:
        """Whether it runs code of the release of the one app that has one."""
        return self._names(re.compile(re.escape(RELEASE)))

    def _names(self, place: re.Pattern[str]) -> bool:
        texts = (*self.command, self.directory, self.code, *self.environment.values())
        return any(place.search(text) for text in texts if text)

    def compile(self, name: str, context: CompileContext) -> Iterator[Declared]:
        """Its unit, its timer, and their services; restarted with the releases that it names."""
        entry, needs = self, []
        for site, place in release_names(context.config):
            if self._names(place):
                entry = entry.in_release(place, release_folder(context, site))
                needs.append(f"release:{site}")
        return compile_service(entry, name, context, tuple(dict.fromkeys(needs)))

    def in_release(self, place: re.Pattern[str], folder: str) -> BackgroundService:
        """The same, with that folder where `place` is named."""

        def put(text: str) -> str:
            return place.sub(lambda _: folder, text)

        is_code = self.code is not None and place.match(self.code)
        directory = self.directory or (self.code if is_code else None)
        return self.model_copy(
            update={
                "command": tuple(map(put, self.command)),
                "directory": directory and put(directory),
                "environment": {name: put(text) for name, text in self.environment.items()},
                # What a release is made of never changes: another one has another folder.
                "code": None if is_code else self.code,
            }
        )


def _check_unit(loc: Loc, config: Config) -> Iterator[Violation]:
    """No other part of the file declares the units of this one."""
    name = str(loc[-1])
    for site_name, site in config.sites.items():
        if site.app and site.app.unit_name(site_name) == f"{name}.service":
            message = f"{name}.service is the app of the site {site_name}"
            yield Violation(loc, message, "use another name")
    for folder in (*UNIT_DIRECTORIES, f"{config.host.state_dir}/units"):
        for ending in (".service", ".timer"):
            if f"{folder}/{name}{ending}" in config.paths:
                message = f"`paths` declares {folder}/{name}{ending}"
                yield Violation(loc, message, "remove it there, or use another name")
