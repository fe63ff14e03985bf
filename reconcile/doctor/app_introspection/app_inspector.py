"""Runs in the app's own interpreter, in a sandbox: import the app, print its settings as JSON.

That interpreter gets this file as text: it imports nothing of reconcile, and is valid for Python
3.7. The settings are printed as JSON lines, each with more facts than the last one: templates are
rendered at the end, because they call the app's own code, which may be slow.
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
"""Replaces in a text what depends on the request."""

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
    """Import `module:app`, `module:package.app` or `module:factory(…)`, as Gunicorn does."""
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
    raise TypeError("neither a name nor a call")


def unwrap_app(app: Any) -> Any:
    """The Flask app inside its middleware, such as ProxyFix or WhiteNoise."""
    inner = app
    for _ in range(5):
        if is_flask(inner):
            return inner
        kept = (getattr(inner, name, None) for name in WRAPPERS)
        inner = next((one for one in kept if one is not None), None)
    raise TypeError("not a Flask app: " + type(app).__name__)


def is_flask(app: Any) -> bool:
    """Whether `app` has the attributes of a Flask app."""
    return all(hasattr(app, name) for name in ("config", "url_map", "jinja_env"))


def adapter_of(app: Any) -> Any:
    """The adapter that matches URLs to routes of the app, and builds URLs."""
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
    """Settings that name an upload folder, as absolute paths."""
    return {
        key: os.path.join(os.getcwd(), os.fspath(value))
        for key, value in config.items()
        if isinstance(key, str)
        and FOLDERS.fullmatch(key)
        and value
        and isinstance(value, (str, os.PathLike))
    }


def match_route(adapter: Any, url: str) -> tuple[bool, str]:
    """Whether the app has a route for `url`, and its endpoint."""
    path = url + CANARY if url.endswith("/") else url
    try:
        return True, adapter.match(path, method="GET")[0]
    except Exception as error:  # noqa: BLE001  werkzeug's, which this interpreter may lack
        # A redirect to the same with a slash is an answer too.
        return type(error).__name__ in ("RequestRedirect", "MethodNotAllowed"), ""


def flask_links(app: Any, adapter: Any) -> Iterator[tuple[str, str]]:
    """Place and URL of files that templates link to, literally or by url_for."""
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
    """Endpoint and values of a url_for call whose arguments are all literals; else None."""
    if len(call.args) != 1 or not all(hasattr(a, "value") for a in call.args):
        return None
    values = {kw.key: getattr(kw.value, "value", None) for kw in call.kwargs}
    plain = all(isinstance(value, str) for value in values.values())
    return (call.args[0].value, values) if plain else None


def links_in(source: str, path: str) -> Iterator[tuple[str, str]]:
    """Place and URL of the files that HTML links to; of a partial URL, its static beginning."""
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
    """Place and URL of files in rendered templates, as far as they render without a request."""
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
    """The class of undefined values: they can be called and iterated, and render as UNKNOWN."""

    class Placeholder(importlib.import_module("jinja2").ChainableUndefined):  # type: ignore[misc] # the app's own
        """An undefined value."""

        def __str__(self) -> str:
            return UNKNOWN

        __html__ = __str__

        def __call__(self, *_: Any, **__: Any) -> Any:
            return self

        def __iter__(self) -> Iterator[Any]:
            yield self

    return Placeholder


def call_within_limit(function: Callable[[], Any]) -> Any:
    """What `function` returns; None where it fails or takes longer than RENDER_S."""

    def stop(*_: Any) -> None:
        """Interrupt the function."""
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, RENDER_S)
    try:
        return function()
    except Exception:  # noqa: BLE001  a page that cannot be rendered names no files
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
    """A URL path with a leading slash; a whole URL is unchanged."""
    return url if url.startswith(("/", "http:", "https:")) else "/" + url


def has_django_route(resolver: Any, url: str) -> bool:
    """Whether the project has a route for `url`, or for a file below it."""
    try:
        resolver.resolve(url + CANARY if url.endswith("/") else url)
    except Exception as error:  # noqa: BLE001  Django's, which this interpreter may lack
        return type(error).__name__ != "Resolver404"
    return True


def django_links(settings: Any, directory: str) -> Iterator[tuple[str, str]]:
    """Place and URL of literal links in templates; the tag `static` links below STATIC_URL."""
    paths = [str(path) for engine in settings.TEMPLATES for path in engine.get("DIRS", ())]
    paths += [
        folder for name in settings.INSTALLED_APPS for folder in project_templates(name, directory)
    ]
    for path in template_files(paths):
        with open(path, encoding="utf-8", errors="replace") as file:
            for place, url in links_in(file.read(MOST_CHARACTERS), path):
                yield url, place


def project_templates(name: str, directory: str) -> list[str]:
    """The template folder of an installed app that is part of the project; nothing is imported."""
    parts = name.split(".apps.")[0].split(".")
    folder = os.path.join(directory, *parts, "templates")
    return [folder] if os.path.isdir(folder) else []


def template_files(folders_: list[str]) -> list[str]:
    """The HTML files below these folders, at most about MOST_TEMPLATES."""
    found = []
    for folder in folders_:
        for top, _, names in os.walk(folder):
            found += [os.path.join(top, name) for name in names if name.endswith(".html")]
            if len(found) > MOST_TEMPLATES:
                return found[:MOST_TEMPLATES]
    return found


def error_position(error: BaseException, directory: str) -> str:
    """The innermost line of the app's own code in the traceback; "" where none is."""
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
    # The output of the app itself goes to standard error.
    with os.fdopen(os.dup(1), "wb") as report:
        os.dup2(2, 1)

        def write(line: dict[str, Any]) -> None:
            """Write one JSON line."""
            report.write(json.dumps(line, default=str).encode() + b"\n")
            report.flush()

        report_outcome(json.loads(sys.argv[1]), write)
    # Ends without waiting for the app's threads and exit handlers.
    os._exit(0)
