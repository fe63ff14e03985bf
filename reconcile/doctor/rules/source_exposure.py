"""The code, settings or database of the app lie where nginx sends files from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice

from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, check_each, error
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped
from reconcile.wording import first_few

_CODE = re.compile(
    r"^(?:manage|wsgi|asgi|app|application|settings|config|local_settings|gunicorn[\w.-]*)\.py$"
    r"|^(?:requirements[\w.-]*\.txt|Pipfile(?:\.lock)?|pyproject\.toml|poetry\.lock|uv\.lock)$"
    r"|^(?:Dockerfile|(?:docker-)?compose[\w.-]*\.ya?ml|uwsgi\.ini|nginx\.conf)$"
)
_DATA = re.compile(
    r"\.(?:sqlite3?|db|sql|sql\.gz|dump|pyc|bak|old|orig|swp|pem|key|env|ini)$|~$", re.IGNORECASE
)
_DEEPEST = 2
"""Folders below the root in which code is searched: deeper, a package may be there to be served."""
_MAX_TRIED = 40


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each server, or location, that sends such a file."""
    return check_each(inspection.servers, partial(_check_server, inspection))


def _check_server(inspection: HostInspection, server: Server) -> Iterator[RuleResult]:
    found: dict[str, list[str]] = {}
    for folder, prefix in _folders(inspection, server):
        for name in _suspects(inspection, folder)[:_MAX_TRIED]:
            route = inspection.nginx.try_route(server, f"{prefix}{escaped(name)}")
            if route and route.answer.kind == "file" and route.answer.path == f"{folder}/{name}":
                found.setdefault(folder, []).append(f"{prefix}{name}")
    for folder, uris in found.items():
        yield error(
            f"{server.names[0] or server.place} publishes code or data of the app in {folder}.",
            f"served: {first_few(uris)}",
            *map(directive_evidence, _roots(server, folder)),
            fix=f"{server.place}: point the root at a folder that has only public files;"
            f" meanwhile add, above its regex locations, {_denial(uris)} then reload nginx.",
        )


def _folders(inspection: HostInspection, server: Server) -> list[tuple[str, str]]:
    """Every folder that the server may send from, with the prefix of its URLs."""
    mapped = [(one.path, one.prefix) for one in inspection.mappings if one.server is server]
    roots = [
        (one.args[0].rstrip("/") or "/", "/")
        for scope in _levels(server)
        for one in scope.own.get("root", ())
        if one.args[0].startswith("/") and "$" not in one.args[0]
    ]
    whole = [(path, prefix) for path, prefix in mapped if prefix.endswith("/")]
    return list(dict.fromkeys([*whole, *roots]))


def _levels(server: Server) -> Iterator[Scope]:
    """The server, the locations in it and the levels around it."""
    return chain(server.scope.inward(), islice(server.scope.outward(), 1, None))


def _roots(server: Server, folder: str) -> list[Directive]:
    return [
        one
        for scope in _levels(server)
        for name in ("root", "alias")
        for one in scope.own.get(name, ())
        if one.args[0].rstrip("/") == folder
    ][:2]


def _suspects(inspection: HostInspection, folder: str) -> list[str]:
    found = inspection.inventory(folder)
    names = []
    for item in found.of_kind("file") if found else ():
        depth, name = item.path.count("/"), item.path.rpartition("/")[2]
        is_code = depth <= _DEEPEST and _CODE.match(name)
        if not item.is_hidden and (is_code or _DATA.search(name)):
            names.append(item.path)
    return names


def _denial(uris: list[str]) -> str:
    """A regex location that denies these and nothing else of the site."""
    names = sorted({re.escape(uri.rpartition("/")[2]) for uri in uris})
    return f"location ~ /(?:{'|'.join(names)})$ {{ return 404; }}"


RULE = Rule(
    id="source-exposure",
    summary="Code, settings or a database of the app are published.",
    severity="error",
    help=(
        "The root of the server is the folder of the app, so that its code, keys and data can "
        "be downloaded. Point the root at a folder that has only public files."
    ),
    reads=("configuration", "files"),
    check=check,
)
