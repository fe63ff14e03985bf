"""What closes a hand-written server with a page and 503, read as the key `maintenance`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import Inspector, has_file
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.fields.network import parse_network
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import Scope

_CLOSED = ("503",)


@dataclass(frozen=True)
class _Switch:
    """An `if` that answers 503: while a file is there, or to all but an address."""

    directive: Directive
    file: str = ""
    admin: str = ""


def adopt_maintenance(
    scope: Scope, entry: dict[str, Any], inspector: Inspector, draft: Draft, at: Loc
) -> Iterator[Directive]:
    """Set `maintenance`, beside the error page that it shows; yield the `if` that it covers.

    Where the server is closed in another way, a note says so, and the directives stay.
    """
    closing = [one for one in scope.own.get("if", ()) if _closes(scope, one)]
    if not closing:
        return
    page = _page_of_503(entry)
    switch = _switch(scope, closing[0]) if len(closing) == 1 else None
    if switch is None or page is None or switch.file == page:
        what = "the rule that returns 503 is not read as `maintenance`"
        fix = "It stays in `extra`; `verify` and `drift` do not know when it closes the site."
        draft.add_note(closing[0].place, what, fix, at)
        return
    is_on = bool(switch.admin) or has_file(inspector, switch.file)
    entry["maintenance"] = {"enabled": is_on, "page": page}
    if switch.admin:
        entry["maintenance"]["allow"] = [switch.admin]
    else:
        what = f"maintenance is turned on by the file {switch.file}"
        fix = "In a file that reconcile writes, set `enabled` and apply instead."
        draft.add_note(switch.directive.place, what, fix, (*at, "maintenance"))
    yield switch.directive


def _closes(scope: Scope, condition: Directive) -> bool:
    inside = Scope(scope.tree, condition, scope)
    return any(one.args[:1] == _CLOSED for one in inside.own.get("return", ()))


def _switch(scope: Scope, condition: Directive) -> _Switch | None:
    """What the condition asks for; None where no key says it."""
    if [one.args for one in Scope(scope.tree, condition, scope).directives] != [_CLOSED]:
        return None
    words = " ".join(condition.args).removeprefix("(").removesuffix(")").strip()
    file = re.fullmatch(r"-[fe] (\S+)", words)
    admin = re.fullmatch(r"[$]remote_addr != (\S+)", words)
    if admin:
        return _Switch(condition, admin=_network(admin[1])) if _network(admin[1]) else None
    path = file[1].replace("$document_root", scope.argument("root", "$")) if file else "$"
    return _Switch(condition, path) if path.startswith("/") and "$" not in path else None


def _page_of_503(entry: dict[str, Any]) -> str | None:
    pages = entry.get("error_pages", {})
    found: str | None = pages.get("503", pages.get("50x"))
    return found


def _network(written: str) -> str:
    try:
        return parse_network(written)
    except InvalidValue:
        return ""
