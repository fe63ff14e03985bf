"""Gunicorn, run by managed units: its options, its environment, and what it may write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from posixpath import dirname
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import (
    FieldType,
    InvalidValue,
    quote_text,
    regex_str,
    require_str,
)
from reconcile.config.fields.path_types import ReleaseUnitPath, UnitPath
from reconcile.config.fields.quantities import Duration
from reconcile.config.owner import ResolvedOwner
from reconcile.config.site.location_directories import is_system_directory
from reconcile.engine.model import Declared, Finding
from reconcile.filesystem.path import is_inside, overlap
from reconcile.resources.directory import Directory
from reconcile.resources.gunicorn_params import GunicornParams

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

# New files 0644 and new directories 0755, where no owner of uploads requires other modes.
DEFAULT_UMASK = 0o022
_MAX_TEXT = 4096
_CODE = ("directory", "python")

ModuleName = Annotated[
    str,
    regex_str(
        r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
        r":[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?:\(\))?",
        "a module and its app",
        hint='use "module:app", as for Gunicorn',
        examples=("app:app", "myapp.wsgi:application", "app:create_app()"),
    ),
]
WorkerClass = Annotated[
    str,
    regex_str(
        r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*",
        "a worker class",
        hint="use gthread, gevent or uvicorn.workers.UvicornWorker",
        examples=("gthread", "uvicorn.workers.UvicornWorker"),
    ),
]

_BY_SOCKET = "reconcile sets where Gunicorn listens: use `upstream`"
_BY_UNIT = "the unit does that"
_REFUSED: dict[str, str] = {
    "bind": _BY_SOCKET,
    "config": "its Python code would run at every check: use `args`",
    "user": "use app.user",
    "group": "use app.user",
    "daemon": "systemd would lose it",
    "pid": _BY_UNIT,
    "reload": "it is for development: a changed app is restarted",
    "reload-engine": "it is for development",
    "reload-extra-file": "it is for development",
    "chdir": "use gunicorn.directory",
    "umask": "use the owner's modes",
    "workers": "use gunicorn.workers",
    "threads": "use gunicorn.threads",
    "worker-class": "use gunicorn.worker_class",
    "timeout": "use gunicorn.timeout",
    "max-requests": "use gunicorn.max_requests",
    "env": "use gunicorn.environment",
    "check-config": _BY_UNIT,
    "print-config": _BY_UNIT,
    "help": "Gunicorn would end",
    "version": "Gunicorn would end",
}
"""Option → why it is refused."""
_SHORT = {
    **{"b": "bind", "c": "config", "u": "user", "g": "group", "D": "daemon", "p": "pid"},
    **{"m": "umask", "w": "workers", "k": "worker-class", "t": "timeout", "e": "env"},
    **{"h": "help", "v": "version"},
}


def parse_argument(value: Any) -> str:
    """One word of Gunicorn's command line."""
    word = require_str(value, "an argument")
    if not word or not word.isprintable() or len(word) > _MAX_TEXT:
        raise InvalidValue(f"{quote_text(word)} is not an argument")
    return word


def parse_environment_value(value: Any) -> str:
    """The value of a variable, in one line."""
    text = require_str(value, "a text")
    if not (text.isprintable() or not text) or len(text) > _MAX_TEXT:
        raise InvalidValue(f"{quote_text(text)} is not the value of a variable")
    return text


Argument = Annotated[
    str, FieldType(parse_argument, {"type": "string", "minLength": 1, "maxLength": _MAX_TEXT})
]
EnvironmentName = Annotated[
    str, regex_str(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a variable", examples=("MODE",))
]
EnvironmentValue = Annotated[
    str, FieldType(parse_environment_value, {"type": "string", "maxLength": _MAX_TEXT})
]
OF_THE_UNIT = re.compile(r"XDG_RUNTIME_DIR|GUNICORN_CMD_ARGS|LISTEN_\w+|NOTIFY_SOCKET|LD_\w+")
_SECRET = re.compile(
    r"SECRET|PASSW|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL|_DSN\b|DATABASE_UR[IL]",
    re.IGNORECASE,
)


class Gunicorn(ConfigModel):
    """Gunicorn, run by a managed unit."""

    directory: ReleaseUnitPath | None = Field(
        default=None,
        description="The directory the app is started in; with app.release that of the release.",
        examples=["/srv/myapp"],
    )
    python: ReleaseUnitPath = Field(
        description="The interpreter that Gunicorn and the app are installed for.",
        examples=["/srv/myapp/.venv/bin/python"],
    )
    module: ModuleName = Field(description="The app, as for Gunicorn: module:app.")
    workers: Annotated[int, Field(ge=1, le=512)] = Field(
        default=3, description="The number of worker processes."
    )
    threads: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Threads of each worker; by default 1."
    )
    worker_class: WorkerClass | None = Field(
        default=None, description="How workers run the app; by default sync, or gthread."
    )
    timeout: Duration | None = Field(
        default=None, description="How long a worker may take; by default app.timeout, or 30s."
    )
    max_requests: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None, description="Replace a worker after this many requests, plus a random tenth."
    )
    args: tuple[Argument, ...] = Field(
        default=(), description="More options of Gunicorn.", examples=[["--log-level", "debug"]]
    )
    environment: dict[EnvironmentName, EnvironmentValue] = Field(
        default={},
        description="Variables of the app. Everybody on the host can read them: put secrets into"
        " environment_file.",
        examples=[{"MODE": "production"}],
    )
    environment_file: UnitPath | None = Field(
        default=None,
        description="A file of variables on the host, NAME=value; a change restarts the app.",
        examples=["/etc/myapp/app.env"],
    )
    writable: tuple[UnitPath, ...] = Field(
        default=(),
        description="Directories that the app may write beside media and private ones.",
        examples=[["/srv/myapp/instance"]],
    )


def check_gunicorn(loc: Loc, site: Site) -> Iterator[Violation]:
    """No option contradicts the unit, and what the app may write is neither code nor served."""
    gunicorn = site.app.gunicorn if site.app else None
    if gunicorn is None:
        return
    if gunicorn.directory is None and not (site.app and site.app.release):
        hint = "name the folder that the app is started in"
        yield Violation(loc, "directory is missing", hint, absent=(*loc[:-1], "release"))
    yield from _check_args((*loc, "args"), gunicorn.args)
    for name in gunicorn.environment:
        if OF_THE_UNIT.fullmatch(name):
            yield Violation((*loc, "environment", name), f"{name} belongs to the unit")
    if gunicorn.timeout == 0:
        yield Violation((*loc, "timeout"), "timeout has to be a second or more")
    for index, path in enumerate(gunicorn.writable):
        yield from _check_writable((*loc, "writable", index), path, gunicorn, site)


def _check_args(loc: Loc, args: tuple[str, ...]) -> Iterator[Violation]:
    for index, (before, word) in enumerate(pairwise(("", *args))):
        is_value = before.startswith("-") and "=" not in before
        if word in ("-", "--") or not (word.startswith("-") or is_value):
            message = f"{quote_text(word)} is not an option"
            yield Violation((*loc, index), message, "begin it with --")
        elif word.startswith("-") and (option := _refused_option(word)):
            yield Violation((*loc, index), f"--{option} is refused here", _REFUSED[option])


def _refused_option(word: str) -> str | None:
    """The refused option that a word is, or that Gunicorn would complete it to."""
    if not word.startswith("--"):
        # -R has no value, so -RD is -R and -D.
        return _SHORT.get(word[1:].lstrip("R")[:1])
    name = word[2:].partition("=")[0]
    return next((option for option in _REFUSED if option.startswith(name)), None)


def _check_writable(loc: Loc, path: str, gunicorn: Gunicorn, site: Site) -> Iterator[Violation]:
    if is_system_directory(path):
        hint = "use a directory of the app, such as /srv/myapp/instance"
        yield Violation(loc, f"{path} belongs to the system", hint)
    code = next((key for key in _CODE if is_inside(getattr(gunicorn, key) or "", path)), None)
    if code:
        message = f"the app could replace its own code: {path} contains `{code}`"
        yield Violation(loc, message, "name a directory inside of it")
    for prefix, location in site.locations.items():
        folder = location.dir
        if folder and location.role == "static" and overlap(path, folder):
            message = f"{path} and the files of {prefix} overlap: the app could replace them"
            yield Violation(loc, message, "use separate directories")


def compile_writable(site: SiteContext) -> Iterator[Declared]:
    """The directories that the app may write; what they contain is the app's own."""
    for path in site.gunicorn.writable if site.gunicorn else ():
        loc = site.loc("app", "gunicorn", "writable")
        users = (site.app_user,) if site.app_user else ()
        yield from site.context.parent_directories(path, loc, (site.name,), users)
        owner = site.app_user if site.facts.privileged else None
        directory = Directory(path=path, user=owner, enterable_by=users or None, protected=True)
        yield site.declare(directory, "app", "gunicorn", "writable")


def is_secret_name(name: str) -> bool:
    """Whether a variable looks like a secret by its name."""
    return _SECRET.search(name) is not None


def warn_secrets(site: SiteContext) -> Iterator[Finding]:
    """A warning for each variable whose name is that of a secret."""
    for name in site.gunicorn.environment if site.gunicorn else ():
        if is_secret_name(name):
            yield Finding(
                "readable-secret",
                "warning",
                f"{name} of {site.name} looks like a secret; everybody on the host can read it.",
                (str(site.position_of("app", "gunicorn", "environment", name)),),
                fix=(
                    "Put it into a file that belongs to root, and set gunicorn.environment_file to"
                    " it."
                ),
            )


def gunicorn_view(site: SiteContext, gunicorn: Gunicorn, service: str, bind: str) -> GunicornParams:
    """What the templates of the units are given."""
    owner = site.uploads_owner
    group = owner.group if owner and owner.user == site.app_user else None
    written = (*site.by_role("media"), *site.by_role("private"))
    is_socket = bind.startswith("unix:")
    folders = (*(location.dir for _, location in written), *gunicorn.writable)
    return GunicornParams(
        site=site.name,
        service=service,
        socket=service.removesuffix(".service") + ".socket" if is_socket else None,
        directory=gunicorn.directory or "/",
        python=gunicorn.python,
        module=gunicorn.module,
        workers=gunicorn.workers,
        bind=bind,
        user=site.app_user if site.facts.privileged else None,
        group=group if site.facts.privileged else None,
        writable=tuple(dict.fromkeys(folders)),
        umask=umask(owner) if owner else DEFAULT_UMASK,
        connecting_user=site.facts.worker_user,
        options=tuple(_options(site, gunicorn, is_socket=is_socket)),
        environment=tuple(gunicorn.environment.items()),
        environment_file=gunicorn.environment_file,
    )


def _options(site: SiteContext, gunicorn: Gunicorn, *, is_socket: bool) -> Iterator[str]:
    timeout = gunicorn.timeout or site.app.timeout
    jitter = gunicorn.max_requests and gunicorn.max_requests // 10
    options: dict[str, object] = {
        "threads": gunicorn.threads,
        "worker-class": gunicorn.worker_class,
        "timeout": timeout,
        "max-requests": gunicorn.max_requests,
        "max-requests-jitter": jitter,
    }
    if is_socket and "uvicorn" in str(gunicorn.worker_class):
        # Only nginx can connect to the socket, and has no address there that could be named.
        options["forwarded-allow-ips"] = "*"
    for name, value in options.items():
        if value:
            yield from (f"--{name}", str(value))
    yield from gunicorn.args


def umask(owner: ResolvedOwner) -> int:
    """The mask under which new files and directories get the owner's modes.

    A program asks for 0666 and 0777: files decide on reading and writing, directories on
    passing through.
    """
    return (~owner.files & 0o666) | (~owner.dirs & 0o111)


def environment_refs(config: Config, file: str | None) -> Iterator[str]:
    """What has to be in place before a program with that environment file starts, as refs."""
    paths = config.paths
    if file and file in paths and paths[file].form == "file":
        yield f"file:{file}"
    if file and paths.get(dirname(file)):
        yield f"directory:{dirname(file)}"
