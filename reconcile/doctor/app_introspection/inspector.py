"""Runs in the app's own interpreter, in a sandbox: import the app, print its settings as JSON.

This file is handed to that interpreter as text: it needs nothing of reconcile, and keeps to
what Python 3.7 knows. The settings are printed as lines, a fuller one after the other: templates
are rendered last, as what they call is the app's own, and may take its time.
"""

from __future__ import annotations

import ast
import errno
import importlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

FOLDERS = re.compile(
    r"UPLOAD_FOLDER|UPLOADS?_DIR|MEDIA_(?:ROOT|FOLDER)|UPLOADS_DEFAULT_DEST|UPLOADED_\w+_DEST"
)
LINK = re.compile(
    r"""<(?:link|script|img|source|video|audio|a)\b[^>]*?\s(?:href|src|poster)\s*=\s*["'](/[^"'<>]*)"""
)
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
MOST_TEMPLATES, MOST_CHARACTERS, MAX_LISTED = 300, 200000, 500
CANARY = "reconcile-canary.txt"
UNKNOWN = "\0"
"""Stands in a text for what only a request knows."""


RENDER_S, ALL_RENDER_S = 0.3, 2.0
WRAPPERS = ("application", "app", "wsgi_app", "wsgi_application", "_app")


def main(wanted: dict[str, str], report: Callable[[dict[str, Any]], None]) -> None:
    """Report the settings of a Flask app (`module`) or a Django project (`settings`)."""
    sys.path.insert(0, wanted["directory"])
    if wanted["framework"] == "django":
        report_django(wanted["name"], wanted["directory"], report)
        return
    app = unwrap_app(load_app(wanted["name"]))
    facts = flask_facts(app)
    report(facts)
    known = {link[0] for link in facts["links"]}
    adapter = adapter_of(app)
    found = {url: place for place, url in rendered_links(app) if url not in known}
    more = [[url, place, *match_route(adapter, url)] for url, place in found.items()]
    report({**facts, "links": (facts["links"] + more)[:MAX_LISTED]})


def load_app(name: str) -> Any:
    """`module:app`, `module:package.app` or `module:factory(…)`, as Gunicorn takes it."""
    module, _, expression = name.partition(":")
    called = ast.parse(expression or "application", mode="eval").body
    path = ast_path(called.func if isinstance(called, ast.Call) else called)
    found: Any = importlib.import_module(module)
    for part in path:
        found = getattr(found, part)
    if not isinstance(called, ast.Call):
        return found
    values = {one.arg: ast.literal_eval(one.value) for one in called.keywords if one.arg}
    return found(*map(ast.literal_eval, called.args), **values)


def ast_path(named: ast.expr) -> list[str]:
    """The names of a dotted expression."""
    if isinstance(named, ast.Attribute):
        return [*ast_path(named.value), named.attr]
    if isinstance(named, ast.Name):
        return [named.id]
    raise TypeError("neither a name nor the call of one")


def unwrap_app(app: Any) -> Any:
    """The Flask app inside of its middleware: ProxyFix, WhiteNoise and the like keep it."""
    inner = app
    for _ in range(5):
        if is_flask(inner):
            return inner
        kept = (getattr(inner, name, None) for name in WRAPPERS)
        inner = next((one for one in kept if one is not None), None)
    raise TypeError("this is no Flask app: " + type(app).__name__)


def is_flask(app: Any) -> bool:
    """Whether it has what only a Flask app has."""
    return all(hasattr(app, name) for name in ("config", "url_map", "jinja_env"))


def adapter_of(app: Any) -> Any:
    """What matches a URL to a route of the app, and makes URLs."""
    return app.url_map.bind("localhost", script_name=app.config.get("APPLICATION_ROOT") or "/")


def flask_facts(app: Any) -> dict[str, Any]:
    """The settings of a Flask app."""
    adapter = adapter_of(app)
    links = [*flask_links(app, adapter)][:MAX_LISTED]
    return {
        "static_url": app.static_url_path if app.has_static_folder else None,
        "static_folder": app.static_folder,
        "folders": upload_folders(app.config),
        "most_bytes": app.config.get("MAX_CONTENT_LENGTH"),
        "routes": [[rule.rule, rule.endpoint] for rule in app.url_map.iter_rules()][:MAX_LISTED],
        "links": [[url, place, *match_route(adapter, url)] for url, place in links],
    }


def upload_folders(config: Any) -> dict[str, str]:
    """Settings that name a folder; a relative one starts where the app was started."""
    return {
        key: os.path.join(os.getcwd(), os.fspath(value))
        for key, value in config.items()
        if isinstance(key, str)
        and FOLDERS.fullmatch(key)
        and value
        and isinstance(value, (str, os.PathLike))
    }


def match_route(adapter: Any, url: str) -> tuple[bool, str]:
    """Whether the app has a route for `url`, and which."""
    path = url + CANARY if url.endswith("/") else url
    try:
        return True, adapter.match(path, method="GET")[0]
    except Exception as error:  # noqa: BLE001  werkzeug's, which this interpreter may lack
        # A redirect to the same with a slash is an answer too.
        return type(error).__name__ in ("RequestRedirect", "MethodNotAllowed"), ""


def flask_links(app: Any, adapter: Any) -> Iterator[tuple[str, str]]:
    """URLs of files that templates name outright or by url_for, each with its place."""
    nodes = importlib.import_module("jinja2.nodes")
    loader = app.jinja_env.loader
    for name in (loader.list_templates() if loader else [])[:MOST_TEMPLATES]:
        source, path, _ = loader.get_source(app.jinja_env, name)
        for place, url in links_in(source, path or name):
            yield url, place
        try:
            tree = app.jinja_env.parse(source)
        except Exception:  # noqa: BLE001, S112  a template that is broken names no files
            continue
        for call in tree.find_all(nodes.Call):
            called = url_for_arguments(call)
            if getattr(call.node, "name", "") == "url_for" and called and "filename" in called[1]:
                try:
                    url = adapter.build(called[0], called[1], force_external=False)
                except Exception:  # noqa: BLE001, S112  a name that only a request can make whole
                    continue
                yield url, f"{path or name}:{call.lineno}"


def url_for_arguments(call: Any) -> Any:
    """Endpoint and values of a url_for that holds nothing but plain texts."""
    if len(call.args) != 1 or not all(hasattr(a, "value") for a in call.args):
        return None
    values = {kw.key: getattr(kw.value, "value", None) for kw in call.kwargs}
    plain = all(isinstance(value, str) for value in values.values())
    return (call.args[0].value, values) if plain else None


def links_in(source: str, path: str) -> Iterator[tuple[str, str]]:
    """URLs of files that the source names outright; the part before what only a request knows."""
    newline = "\n"
    shown = TAG.sub(lambda found: UNKNOWN + newline * found.group().count(newline), source)
    for found in LINK.finditer(shown[:MOST_CHARACTERS]):
        url, sign, _ = found.group(1).partition(UNKNOWN)
        url = url.partition("?")[0].partition("#")[0]
        whole = not sign and ENDING.search(url)
        begun = sign and url.endswith("/") and url.count("/") > 1
        if (whole or begun) and not url.startswith("//"):
            yield f"{path}:{shown.count(newline, 0, found.start()) + 1}", url


def rendered_links(app: Any) -> Iterator[tuple[str, str]]:
    """URLs of files in what templates become, as far as they can without a request's values."""
    environment = app.jinja_env.overlay(undefined=placeholder_class())
    context: dict[str, Any] = {}
    until = time.monotonic() + ALL_RENDER_S
    with app.test_request_context("/"):
        call_within_limit(lambda: app.update_template_context(context))
        for name in app.jinja_env.loader.list_templates() if app.jinja_env.loader else ():
            if name.endswith((".html", ".htm", ".j2", ".jinja2")) and time.monotonic() < until:
                shown = call_within_limit(partial(render_page, environment, name, context)) or ""
                for place, url in links_in(shown.replace("%00", UNKNOWN), name):
                    # Its lines are those of the page, not those of the template.
                    yield f"{place.rpartition(':')[0]} (rendered)", url


def render_page(environment: Any, name: str, context: dict[str, Any]) -> str:
    """A template rendered with `context`."""
    return str(environment.get_template(name).render(context))


def placeholder_class() -> Any:
    """What only a request or a database knows: it can be called and gone through, and is shown
    as a sign that no URL holds."""

    class Anything(importlib.import_module("jinja2").ChainableUndefined):  # type: ignore[misc] # the app's own
        def __str__(self) -> str:
            return UNKNOWN

        __html__ = __str__

        def __call__(self, *_: Any, **__: Any) -> Any:
            return self

        def __iter__(self) -> Iterator[Any]:
            yield self

    return Anything


def call_within_limit(function: Callable[[], Any]) -> Any:
    """What it returns; None where it fails, or takes longer than a page may."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, RENDER_S)
    try:
        return function()
    except Exception:  # noqa: BLE001  a page that needs more than there is names no files
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def report_django(
    settings_module: str, directory: str, report: Callable[[dict[str, Any]], None]
) -> None:
    """Report the settings of a Django project, then its routes and links."""
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    settings = importlib.import_module("django.conf").settings
    importlib.import_module(settings_module)
    facts = django_settings(settings)
    report(facts)
    importlib.import_module("django").setup()
    resolver = importlib.import_module("django.urls").get_resolver()
    links = [*django_links(settings, directory)][:MAX_LISTED]
    report(
        {
            **facts,
            "routes": [["/" + str(one.pattern), str(one)] for one in resolver.url_patterns],
            "links": [[url, place, has_django_route(resolver, url), ""] for url, place in links],
        }
    )


def django_settings(settings: Any) -> dict[str, Any]:
    """The settings of a Django project."""
    static, media = settings.STATIC_URL, settings.MEDIA_URL
    folder = settings.MEDIA_ROOT
    return {
        "static_url": with_leading_slash(static).rstrip("/") if static else None,
        "static_folder": str(settings.STATIC_ROOT) if settings.STATIC_ROOT else None,
        "media_url": with_leading_slash(media) if media else None,
        "folders": {"MEDIA_ROOT": os.path.abspath(str(folder))} if folder else {},
        "most_bytes": None,
        "routes": [],
        "links": [],
    }


def with_leading_slash(url: str) -> str:
    """A URL path with a slash at its beginning; a whole URL stays."""
    return url if url.startswith(("/", "http:", "https:")) else "/" + url


def has_django_route(resolver: Any, url: str) -> bool:
    """Whether the project has a route for `url`, or for what may follow it."""
    try:
        resolver.resolve(url + CANARY if url.endswith("/") else url)
    except Exception as error:  # noqa: BLE001  Django's, which this interpreter may lack
        return type(error).__name__ != "Resolver404"
    return True


def django_links(settings: Any, directory: str) -> Iterator[tuple[str, str]]:
    """What templates name outright; what they name by the tag `static` lies below STATIC_URL."""
    paths = [str(path) for engine in settings.TEMPLATES for path in engine.get("DIRS", ())]
    paths += [
        folder for name in settings.INSTALLED_APPS for folder in project_templates(name, directory)
    ]
    for path in template_files(paths):
        with open(path, encoding="utf-8", errors="replace") as file:
            for place, url in links_in(file.read(MOST_CHARACTERS), path):
                yield url, place


def project_templates(name: str, directory: str) -> list[str]:
    """The templates of an installed app, where it is the project's own; it is not imported."""
    parts = name.split(".apps.")[0].split(".")
    folder = os.path.join(directory, *parts, "templates")
    return [folder] if os.path.isdir(folder) else []


def template_files(folders_: list[str]) -> list[str]:
    """The HTML files below these folders, a bounded number."""
    found = []
    for folder in folders_:
        for top, _, names in os.walk(folder):
            found += [os.path.join(top, name) for name in names if name.endswith(".html")]
            if len(found) > MOST_TEMPLATES:
                return found[:MOST_TEMPLATES]
    return found


def error_position(error: BaseException, directory: str) -> str:
    """The last line of the app's own code on the way to the error."""
    place, trace = "", error.__traceback__
    while trace:
        path = trace.tb_frame.f_code.co_filename
        if path.startswith(directory):
            place = f"{path}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def report_outcome(wanted: dict[str, str], write: Callable[[dict[str, Any]], None]) -> None:
    """Write the settings, or why the import failed."""
    try:
        main(wanted, lambda facts: write({"facts": facts}))
    except BaseException as error:  # noqa: BLE001  SystemExit too: it is reported as well
        text = f"{type(error).__name__}: {error}"
        number = errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
        write(
            {
                "error": text[:500],
                "errno": number,
                "place": error_position(error, wanted["directory"]),
            }
        )


if __name__ == "__main__":
    # The app may print; what it prints goes nowhere.
    with os.fdopen(os.dup(1), "wb") as report:
        os.dup2(2, 1)

        def write(line: dict[str, Any]) -> None:
            report.write(json.dumps(line, default=str).encode() + b"\n")
            report.flush()

        report_outcome(json.loads(sys.argv[1]), write)
    # Threads that the app has left, and what it does at exit, are not waited for.
    os._exit(0)
