"""What a folder shows of the app in it: its framework, its module, its interpreter, its files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from reconcile.config.owner import BUILT_IN_OWNERS
from reconcile.doctor.app_introspection.app_facts import AppFacts
from reconcile.doctor.app_introspection.sandboxed_import import ask_app
from reconcile.doctor.config_view import DeclaredCode
from reconcile.errors import ReconcileError
from reconcile.system import Host
from reconcile.system.accounts import Account

Framework = Literal["flask", "django", "fastapi"]

_MODULES = ("wsgi", "asgi", "app", "main", "application", "server", "run")
_SOURCES = ("", "src", "app")
_LARGEST = 1 << 20
_VENVS = (".venv", "venv", "env")
_SYSTEM_PYTHON = "/usr/bin/python3"
_APP = {
    "flask": re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:flask\.)?Flask\(", re.MULTILINE),
    "fastapi": re.compile(
        r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:fastapi\.|starlette\.applications\.)?"
        r"(?:FastAPI|Starlette)\(",
        re.MULTILINE,
    ),
}
_FACTORY = re.compile(r"^def (create_app|make_app)\(", re.MULTILINE)
_MADE = re.compile(r"^(\w+)\s*=\s*(?:create_app|make_app)\(", re.MULTILINE)
_IMPORTED = {"flask": re.compile(r"\bflask\b"), "fastapi": re.compile(r"\b(?:fastapi|starlette)\b")}
_SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE['\"],\s*['\"]([\w.]+)['\"]")
_MOUNTED = re.compile(
    r"""["'](/[\w/-]+)/?["'],\s*(?:app=)?\s*StaticFiles\(\s*directory\s*=\s*["']([^"']+)["']"""
)
_WEBSOCKET = re.compile(r"\.websocket\(|WebSocketRoute\(|\bAsyncWebsocketConsumer\b")


@dataclass(frozen=True)
class AppFolder:
    """An app in `directory`; `module` as Gunicorn is given it, `settings` those of Django.

    `static`: URL prefix and folder; `media` the same, where the app saves uploads.
    `lacks` are the Python packages that its interpreter seems not to have.
    """

    framework: Framework
    directory: str
    python: str
    module: str
    settings: str = ""
    is_async: bool = False
    websocket: bool = False
    static: tuple[str, str] | None = None
    media: tuple[str, str] | None = None
    lacks: tuple[str, ...] = ()


def find_app(folder: str, wanted: Framework | None = None) -> AppFolder | None:
    """The app in `folder`; None where there is none, or none of the `wanted` framework."""
    found = (_django(folder), _module_app(folder, "fastapi"), _module_app(folder, "flask"))
    apps = [app for app in found if app is not None and wanted in (None, app.framework)]
    return _with_packages(apps[0]) if apps else None


def assumed_app(folder: str, wanted: Framework) -> AppFolder:
    """What the `wanted` framework usually looks like, where the folder shows nothing of it."""
    if wanted == "django":
        app = AppFolder(wanted, folder, _python(folder), "project.wsgi:application")
        return _with_packages(replace(app, settings="project.settings"))
    module = "main:app" if wanted == "fastapi" else "app:app"
    is_async = wanted == "fastapi"
    return _with_packages(AppFolder(wanted, folder, _python(folder), module, is_async=is_async))


def with_settings(app: AppFolder, host: Host) -> AppFolder:
    """`app` with the folders that its own settings name, where it can be imported."""
    if app.framework == "fastapi":
        return app
    try:
        return _asked(app, host)
    except ReconcileError:
        # What its settings say only makes the file more complete.
        return app


def _asked(app: AppFolder, host: Host) -> AppFolder:
    framework: Literal["flask", "django"] = "django" if app.framework == "django" else "flask"
    name = app.settings or app.module
    code = DeclaredCode(framework, app.directory, name, app.python, "")
    facts = ask_app(host, code, app.python, _account(host), {})
    return _with_facts(app, facts) if isinstance(facts, AppFacts) else app


def _account(host: Host) -> Account:
    """Never root: this is code that nobody has looked at."""
    if not host.privileged:
        return host.accounts.current
    return host.accounts.user(BUILT_IN_OWNERS["uploads"].user or "nobody")


def _with_facts(app: AppFolder, facts: AppFacts) -> AppFolder:
    static, media = app.static, app.media
    if facts.static_url and facts.static_url.startswith("/") and facts.static_folder:
        static = (f"{facts.static_url}/", facts.static_folder)
    folder = next((path for path in facts.folders.values() if path != app.directory), None)
    if folder:
        url = facts.media_url if (facts.media_url or "").startswith("/") else None
        media = (f"{(url or '/media').rstrip('/')}/", folder)
    return replace(app, static=static, media=media)


def _django(folder: str) -> AppFolder | None:
    for top in (folder, *_subfolders(folder)):
        found = _SETTINGS.search(_read_text(f"{top}/manage.py"))
        if found:
            return _django_in(top, folder, found[1])
    return None


def _django_in(top: str, folder: str, settings: str) -> AppFolder:
    package = settings.partition(".")[0]
    has_wsgi = os.path.isfile(f"{top}/{package}/wsgi.py")
    is_async = not has_wsgi and os.path.isfile(f"{top}/{package}/asgi.py")
    module = f"{package}.{'asgi' if is_async else 'wsgi'}:application"
    return AppFolder(
        "django", top, _python(top, folder), module, settings=settings, is_async=is_async
    )


def _module_app(folder: str, framework: Framework) -> AppFolder | None:
    for directory, module, text in _candidates(folder):
        name = _variable(text, framework)
        if name is None:
            continue
        is_async = framework == "fastapi"
        static = _static(directory, module, text, framework)
        return AppFolder(
            framework,
            directory,
            _python(directory, folder),
            f"{module}:{name}",
            is_async=is_async,
            websocket=bool(is_async and _WEBSOCKET.search(_all_text(directory))),
            static=static,
        )
    return None


def _variable(text: str, framework: Framework) -> str | None:
    """What Gunicorn has to be given: a variable, or the call of a factory."""
    if not _IMPORTED[framework].search(text) and not _MADE.search(text):
        return None
    made = _MADE.search(text)
    own = _APP[framework].search(text)
    if own or (made and framework == "flask"):
        return (own or made)[1]  # type: ignore[index]  # one of both was found
    factory = _FACTORY.search(text)
    is_it = factory and re.search(r"\bFlask\(" if framework == "flask" else r"FastAPI\(", text)
    return f"{factory[1]}()" if factory and is_it else None


def _candidates(folder: str) -> Iterator[tuple[str, str, str]]:
    """Directory, module and text of each file that may define the app."""
    for source in _SOURCES:
        top = os.path.join(folder, source) if source else folder
        for name in _MODULES:
            path = f"{top}/{name}.py"
            if os.path.isfile(path):
                yield top, name, _read_text(path)
        if source != "app":
            for package in sorted(_packages(top)):
                for name in ("__init__", *_MODULES):
                    path = f"{top}/{package}/{name}.py"
                    if os.path.isfile(path):
                        module = package if name == "__init__" else f"{package}.{name}"
                        yield top, module, _read_text(path)


def _packages(top: str) -> list[str]:
    return [
        name
        for name in _names_in(top)
        if name.isidentifier() and os.path.isfile(f"{top}/{name}/__init__.py")
    ]


def _static(directory: str, module: str, text: str, framework: Framework) -> tuple[str, str] | None:
    mounted = _MOUNTED.search(text) if framework == "fastapi" else None
    if mounted:
        return f"{mounted[1].rstrip('/')}/", os.path.join(directory, mounted[2])
    package = module.replace(".", "/")
    if not os.path.isdir(f"{directory}/{package}"):
        package = os.path.dirname(package)
    path = os.path.normpath(f"{directory}/{package}/static")
    return ("/static/", path) if os.path.isdir(path) else None


def _python(*tops: str) -> str:
    """The interpreter of a virtual environment in one of these folders, else the system's."""
    paths = (f"{top}/{venv}/bin/python" for top in tops for venv in _VENVS)
    return next((path for path in paths if os.path.exists(path)), _SYSTEM_PYTHON)


def _with_packages(app: AppFolder) -> AppFolder:
    """The virtual environment needs a server, too."""
    wanted = ("gunicorn", "uvicorn") if app.is_async else ("gunicorn",)
    folder = os.path.dirname(app.python)
    return replace(
        app, lacks=tuple(name for name in wanted if not os.path.exists(f"{folder}/{name}"))
    )


def _subfolders(folder: str) -> list[str]:
    names = (name for name in sorted(_names_in(folder)) if not name.startswith((".", "_")))
    return [f"{folder}/{name}" for name in names if os.path.isdir(f"{folder}/{name}")]


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _all_text(directory: str) -> str:
    return "\n".join(
        _read_text(f"{directory}/{name}") for name in _names_in(directory) if name[-3:] == ".py"
    )
