"""`reconcile init`: a first reconcile.yaml, commented, for the app in its folder."""

from __future__ import annotations

import os
from typing import Annotated, get_args

import typer

from reconcile.adopt.app_folder import AppFolder, Framework, assumed_app, find_app, with_settings
from reconcile.adopt.first_file import first_file, site_name
from reconcile.cli.options import Json
from reconcile.cli.terminal import show
from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.fields.network import parse_server_name
from reconcile.config.starter import STARTER
from reconcile.errors import ExitCode, ReconcileError
from reconcile.filesystem.user_files import write_user_file
from reconcile.nginx.running.discover import discover
from reconcile.output.escape import printable
from reconcile.output.json import to_json, written_document
from reconcile.system import Host
from reconcile.system.services.systemctl import has_systemd

EXAMPLE_NAME = "example.com"
ASSET_FOLDERS = ("app/static", "static", "src/static")
FRAMEWORKS = get_args(Framework)


def init(
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="The file to write.")
    ] = "reconcile.yaml",
    framework: Annotated[
        str | None,
        typer.Option(
            "--framework", metavar="NAME", help="flask, django or fastapi; by default detected."
        ),
    ] = None,
    server_name: Annotated[
        str, typer.Option("--server-name", metavar="NAME", help="The host name of the site.")
    ] = EXAMPLE_NAME,
    json: Json = False,
) -> int:
    """Write a commented reconcile.yaml for the app in this folder.

    Detects Flask, Django and FastAPI; further keys are in comments.

    \b
    Example:
      reconcile init --framework django --server-name shop.example

    \b
    Exit codes:
      0  written
      1  error, the file already exists, or Nginx already serves that name
    """
    host, folder = Host(), os.path.dirname(os.path.abspath(file))
    _refuse_existing(file)
    server_name = _checked_name(server_name)
    app = _chosen_app(folder, _parse_framework(framework), host)
    _refuse_served(host, server_name)
    text = _starter(folder, server_name)
    if app is not None:
        is_booted = has_systemd()
        text = first_file(app, folder, site_name(folder), server_name, has_systemd=is_booted)
    write_user_file(file, text.encode())
    show(to_json(written_document([file])) if json else _done_text(file, folder, app))
    return ExitCode.OK


def _refuse_existing(file: str) -> None:
    """Where a file is there already, no other reason for a refusal matters."""
    if os.path.lexists(file):
        raise ReconcileError(
            f"{file} already exists.",
            "",
            f"Continue with it (reconcile plan -f {file}), or name another with -f."
            " It was not changed.",
        )


def _chosen_app(folder: str, wanted: Framework | None, host: Host) -> AppFolder | None:
    found = find_app(folder, wanted) or (assumed_app(folder, wanted) if wanted else None)
    return with_settings(found, host) if found else None


def _parse_framework(framework: str | None) -> Framework | None:
    if framework is None:
        return None
    for known in FRAMEWORKS:
        if framework.lower() == known:
            return known  # type: ignore[no-any-return]  # one of the Literal's values
    raise ReconcileError(
        f"init does not know the framework {framework}.",
        "",
        f"Use {', '.join(FRAMEWORKS[:-1])} or {FRAMEWORKS[-1]}. Nothing was written.",
    )


def _checked_name(server_name: str) -> str:
    try:
        return parse_server_name(server_name)
    except InvalidValue as error:
        fix = f"{error.hint[:1].upper()}{error.hint[1:]}." if error.hint else ""
        raise ReconcileError(f"--server-name: {error}", "", f"{fix} Nothing was written.") from None


def _starter(folder: str, server_name: str) -> str:
    text = STARTER.replace("./app/static", f"./{_asset_folder(folder)}")
    return text.replace(EXAMPLE_NAME, server_name)


def _asset_folder(app: str) -> str:
    """Where the app keeps its assets, else the default of Flask's documentation."""
    found = (name for name in ASSET_FOLDERS if os.path.isdir(os.path.join(app, name)))
    return next(found, ASSET_FOLDERS[0])


def _refuse_served(host: Host, server_name: str) -> None:
    """A server that exists is read, rather than written a second time."""
    place = _place_of(host, server_name)
    if place:
        raise ReconcileError(
            f"Nginx already serves {server_name}.",
            f"{place} has this server name",
            "Run `reconcile adopt` to write what is there as a reconcile.yaml, or choose another"
            " name with --server-name. Nothing was written.",
        )


def _place_of(host: Host, server_name: str) -> str:
    try:
        tree = discover(host).tree
    except ReconcileError:
        # Without nginx, or without the right to read its configuration, nothing is known.
        return ""
    for directive in tree.written("server_name"):
        if server_name.lower() in map(str.lower, directive.args):
            return directive.place
    return ""


def _done_text(file: str, folder: str, app: AppFolder | None) -> str:
    path = printable(file)
    if app is None:
        found = "No app was found in this folder"
        return f"Wrote {path}. {found}: edit it, then run: reconcile plan -f {path}"
    below = os.path.relpath(app.directory, folder)
    where = "" if below == "." else f" in {below}"
    module = printable(f"{app.framework}, {app.module}{where}")
    lines = [f"Wrote {path} for the app found here: {module}."]
    if app.lacks:
        lines.append(f"Install first: {printable(app.python)} -m pip install {' '.join(app.lacks)}")
    lines.append(f"Check its names, then run: reconcile plan -f {path}")
    return "\n".join(lines)
