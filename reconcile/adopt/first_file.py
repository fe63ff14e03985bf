"""The first reconcile.yaml of an app that was found in a folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

from reconcile.adopt.app_folder import AppFolder

_WORKER = "uvicorn.workers.UvicornWorker"
_TITLES = {"flask": "a Flask app", "django": "a Django project", "fastapi": "a FastAPI app"}


def site_name(folder: str) -> str:
    """A name for the site of the app in `folder`."""
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.basename(folder)).strip("-._")
    return found[:64] or "myapp"


def first_file(
    app: AppFolder, folder: str, name: str, server_name: str, *, has_systemd: bool = True
) -> str:
    """The text of a file in `folder` that serves `app`; whose first plan succeeds."""
    head = _head(app, name, server_name, has_systemd=has_systemd)
    return "\n".join([*head, *_app(app), *_locations(app, folder, name)])


def _head(app: AppFolder, name: str, server_name: str, *, has_systemd: bool) -> Iterator[str]:
    yield f"# The desired state of this host: {_TITLES[app.framework]} behind Nginx and Gunicorn."
    yield "# `reconcile plan` shows what differs; `reconcile apply` fixes it."
    yield "version: 1"
    if not has_systemd:
        yield "host: {service_manager: none}      # systemd does not run here: nothing is started"
    yield ""
    yield "sites:"
    yield f"  {_word(name)}:"
    yield f"    server_names: [{_word(server_name)}]       # the names that visitors type"
    yield f"    # redirect_from: [www.{server_name}]"
    yield "    # tls: {letsencrypt: " + server_name + ", hsts: 1y}"
    yield "    # max_upload: 20MB              # Nginx's default is 1MB"
    yield "    # error_pages: {404: ./errors/404.html, 50x: ./errors/50x.html}"
    yield "    # headers: {X-Frame-Options: DENY}"


def _app(app: AppFolder) -> Iterator[str]:
    yield ""
    yield "    app:"
    if app.lacks:
        yield f"      # Its Python needs them: {app.python} -m pip install {' '.join(app.lacks)}"
    if app.websocket:
        yield "      websocket: true"
    else:
        yield "      # websocket: true"
    yield "      # timeout: 60s"
    yield "      gunicorn:                     # the unit and its socket are managed, too"
    yield f"        directory: {_word(app.directory)}"
    yield f"        python: {_word(app.python)}"
    yield f"        module: {json.dumps(app.module)}"
    yield "        workers: 3"
    if app.is_async:
        yield f"        worker_class: {_WORKER}"
    yield "        # environment: {MODE: production}"
    yield "        # environment_file: /etc/myapp/app.env   # secrets belong there"
    yield "        # writable: [/srv/myapp/instance]        # such as that of SQLite"
    if app.framework == "django":
        yield f"      django: {{directory: {_word(app.directory)}, settings: {app.settings}}}"
    elif app.framework == "flask" and "(" not in app.module:
        module = json.dumps(app.module)
        yield f"      flask: {{directory: {_word(app.directory)}, module: {module}}}"


def _locations(app: AppFolder, folder: str, name: str) -> Iterator[str]:
    yield ""
    yield "    locations:" if app.static or app.media else "    # locations:"
    if app.static:
        yield from _static(app, folder, name)
    else:
        yield f"    #   /static/: {{role: static, dir: /var/www/{name}/static, source: ./static}}"
    if app.media:
        prefix, path = app.media
        yield "      # Uploaded by users: files are never changed or removed."
        yield f"      {_word(prefix)}: {{role: media, dir: {_word(path)}}}"
    else:
        indent = "      # " if app.static else "    #   "
        yield f"{indent}/media/: {{role: media, dir: /var/www/{name}/media}}   # uploads"
    yield ""


def _static(app: AppFolder, folder: str, name: str) -> Iterator[str]:
    prefix, source = app.static or ("", "")
    relative = os.path.relpath(source, folder)
    shown = source if relative.startswith("..") else f"./{relative}"
    yield "      # Part of the app: every apply copies them from source."
    yield f"      {_word(prefix)}:"
    yield "        role: static"
    yield f"        dir: /var/www/{name}/static"
    if os.path.isdir(source):
        yield f"        source: {_word(shown)}"
    elif app.framework == "django":
        yield f"        # source: {_word(shown)}   # once `manage.py collectstatic` has made it"
    else:
        yield f"        # source: {_word(shown)}   # once it is there"
    yield "        # cache: hashed               # for names that contain a hash"
    yield "        # prune: true                 # with a source: remove what it no longer has"


def _word(text: str) -> str:
    """A scalar of YAML; quoted where it is no plain word."""
    return text if re.fullmatch(r"[A-Za-z0-9/._][A-Za-z0-9/._-]*", text) else json.dumps(text)
