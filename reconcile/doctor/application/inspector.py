"""Runs in the app's own interpreter, confined: import the app, tell its settings as JSON.

This file is handed to that interpreter as text: it needs nothing of reconcile, and keeps to
what Python 3.7 knows. Nothing of the app is called but its factory; templates are only parsed.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

FOLDERS = re.compile(
    r"UPLOAD_FOLDER|UPLOADS?_DIR|MEDIA_(?:ROOT|FOLDER)|UPLOADS_DEFAULT_DEST|UPLOADED_\w+_DEST"
)
LINK = re.compile(
    r"""<(?:link|script|img|source|video|audio|a)\b[^>]*?\s(?:href|src|poster)\s*=\s*["'](/[^"'<>]*)"""
)
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
DJANGO_STATIC = re.compile(r"""\{%\s*static\s+["']([^"']+)["']\s*%\}""")
ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
MOST_TEMPLATES, MOST_CHARACTERS, MOST_TOLD = 300, 200000, 500
CANARY = "reconcile-canary.txt"


def main(wanted: dict[str, str]) -> dict[str, Any]:
    """The settings of a Flask app (`module`) or a Django project (`settings`)."""
    sys.path.insert(0, wanted["directory"])
    if wanted["framework"] == "django":
        return django(wanted["name"])
    return flask(loaded(wanted["name"]))


def loaded(name: str) -> Any:
    """`module:app`, `module:package.app` or `module:factory()`, as Gunicorn takes it."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.replace("()", "").split("."):
        found = getattr(found, part)
    return found() if path.endswith("()") else found


def flask(app: Any) -> dict[str, Any]:
    if not all(hasattr(app, name) for name in ("config", "url_map", "jinja_env")):
        raise TypeError("this is no Flask app: " + type(app).__name__)
    adapter = app.url_map.bind("localhost", script_name=app.config.get("APPLICATION_ROOT") or "/")
    links = [*flask_links(app, adapter)][:MOST_TOLD]
    return {
        "static_url": app.static_url_path if app.has_static_folder else None,
        "static_folder": app.static_folder,
        "folders": folders(app.config),
        "most_bytes": app.config.get("MAX_CONTENT_LENGTH"),
        "routes": [[rule.rule, rule.endpoint] for rule in app.url_map.iter_rules()][:MOST_TOLD],
        "links": [[url, place, *answering(adapter, url)] for url, place in links],
    }


def folders(config: Any) -> dict[str, str]:
    """Settings that name a folder; a relative one starts where the app was started."""
    return {
        key: os.path.join(os.getcwd(), os.fspath(value))
        for key, value in config.items()
        if isinstance(key, str) and FOLDERS.fullmatch(key) and value
        and isinstance(value, (str, os.PathLike))
    }  # fmt: skip


def answering(adapter: Any, url: str) -> tuple[bool, str]:
    """Whether the app has a route for `url`, and which."""
    path = url + CANARY if url.endswith("/") else url
    try:
        return True, adapter.match(path, method="GET")[0]
    except Exception as error:  # noqa: BLE001  werkzeug's, which this interpreter may lack
        # A redirect to the same with a slash is an answer too.
        return type(error).__name__ in ("RequestRedirect", "MethodNotAllowed"), ""


def flask_links(app: Any, adapter: Any) -> Iterator[tuple[str, str]]:
    nodes = importlib.import_module("jinja2.nodes")
    loader = app.jinja_env.loader
    for name in (loader.list_templates() if loader else [])[:MOST_TEMPLATES]:
        source, path, _ = loader.get_source(app.jinja_env, name)
        for place, url in literal(source, path or name):
            yield url, place
        try:
            tree = app.jinja_env.parse(source)
        except Exception:  # noqa: BLE001, S112  a template that is broken names no files
            continue
        for call in tree.find_all(nodes.Call):
            said = constants(call)
            if getattr(call.node, "name", "") == "url_for" and said and "filename" in said[1]:
                try:
                    url = adapter.build(said[0], said[1], force_external=False)
                except Exception:  # noqa: BLE001, S112  a name that only a request can make whole
                    continue
                yield url, f"{path or name}:{call.lineno}"


def constants(call: Any) -> Any:
    """Endpoint and values of a url_for that holds nothing but plain texts."""
    if len(call.args) != 1 or not all(hasattr(a, "value") for a in call.args):
        return None
    values = {kw.key: getattr(kw.value, "value", None) for kw in call.kwargs}
    plain = all(isinstance(value, str) for value in values.values())
    return (call.args[0].value, values) if plain else None


def literal(source: str, path: str) -> Iterator[tuple[str, str]]:
    """URLs of files that the source names outright; the part before what only a request knows."""
    newline = "\n"
    shown = TAG.sub(lambda found: "\0" + newline * found.group().count(newline), source)
    for found in LINK.finditer(shown[:MOST_CHARACTERS]):
        url, sign, _ = found.group(1).partition("\0")
        url = url.partition("?")[0].partition("#")[0]
        whole = not sign and ENDING.search(url)
        begun = sign and url.endswith("/") and url.count("/") > 1
        if (whole or begun) and not url.startswith("//"):
            yield f"{path}:{shown.count(newline, 0, found.start()) + 1}", url


def django(settings_module: str) -> dict[str, Any]:
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    settings = importlib.import_module("django.conf").settings
    importlib.import_module(settings_module)
    static, media = settings.STATIC_URL, settings.MEDIA_URL
    return {
        "static_url": slashed(static).rstrip("/") if static else None,
        "static_folder": str(settings.STATIC_ROOT) if settings.STATIC_ROOT else None,
        "media_url": slashed(media) if media else None,
        "folders": {"MEDIA_ROOT": os.path.abspath(str(settings.MEDIA_ROOT))}
        if settings.MEDIA_ROOT else {},
        "most_bytes": None,
        "routes": [],
        "links": [[url, place, False, ""] for url, place in django_links(settings)][:MOST_TOLD],
    }  # fmt: skip


def slashed(url: str) -> str:
    return url if url.startswith(("/", "http:", "https:")) else "/" + url


def django_links(settings: Any) -> Iterator[tuple[str, str]]:
    paths = [str(path) for engine in settings.TEMPLATES for path in engine.get("DIRS", ())]
    for path in template_files(paths):
        with open(path, encoding="utf-8", errors="replace") as file:
            source = file.read(MOST_CHARACTERS)
        for found in DJANGO_STATIC.finditer(source):
            line = source.count("\n", 0, found.start()) + 1
            yield slashed(settings.STATIC_URL) + found.group(1), f"{path}:{line}"


def template_files(folders_: list[str]) -> list[str]:
    found = []
    for folder in folders_:
        for top, _, names in os.walk(folder):
            found += [os.path.join(top, name) for name in names if name.endswith(".html")]
            if len(found) > MOST_TEMPLATES:
                return found[:MOST_TEMPLATES]
    return found


def where(error: BaseException, directory: str) -> str:
    """The last line of the app's own code on the way to the error."""
    place, trace = "", error.__traceback__
    while trace:
        path = trace.tb_frame.f_code.co_filename
        if path.startswith(directory):
            place = f"{path}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def answer(wanted: dict[str, str]) -> dict[str, Any]:
    try:
        return {"told": main(wanted)}
    except BaseException as error:  # noqa: BLE001  SystemExit too: it is what is to be told
        text = f"{type(error).__name__}: {error}"
        return {"error": text[:500], "place": where(error, wanted["directory"])}


if __name__ == "__main__":
    # The app may print; only the last word is ours.
    pipe = os.dup(1)
    os.dup2(2, 1)
    said = json.dumps(answer(json.loads(sys.argv[1])), default=str).encode()
    with os.fdopen(pipe, "wb") as report:
        report.write(said)
    # Threads that the app has left, and what it does at exit, are not waited for.
    os._exit(0)
