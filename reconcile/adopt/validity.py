"""Removes from a draft what reconcile.yaml cannot contain, with a note."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconcile.adopt.draft import Draft, value_at
from reconcile.adopt.yaml_writer import yaml_text
from reconcile.config.document import Loc
from reconcile.config.load import list_errors
from reconcile.config.yaml import can_hold
from reconcile.errors import ReconcileError

_OPTIONAL = frozenset(
    [
        *("extra", "http_extra", "max_upload", "default_server", "probes", "owner", "cache"),
        *("hsts", "probe_front_page", "redirects", "redirect_from", "error_pages", "access"),
        *("trusted_proxies", "gzip", "http2", "websocket", "timeout", "rate_limit", "headers"),
        "maintenance",
    ]
)
"""Keys that can be removed on their own."""
_APPS = frozenset(["service", "user", "gunicorn"])


def make_valid(draft: Draft, file: str) -> None:
    """Remove every invalid part, and what is meaningless without it."""
    for loc, message in list(_unrepresentable(draft.values, ())):
        _remove_part(draft, _removable_part(loc, draft.values), message)
    while found := list_errors(yaml_text(draft.values, draft.comments).encode(), file):
        # From the back, so that removals keep the indexes of the others valid.
        removed = [
            _remove_part(draft, _removable_part(loc, draft.values), message)
            for loc, message in sorted(found, key=_depth_first, reverse=True)
        ]
        if not any(removed):
            raise ReconcileError(
                what="This host cannot be expressed as a reconcile.yaml",
                why="; ".join(f"{'.'.join(map(str, loc))}: {message}" for loc, message in found),
                fix="Report this, with the configuration of this host. Nothing was written.",
            )


def _depth_first(fault: tuple[Loc, str]) -> list[str]:
    return [f"{part:09}" if isinstance(part, int) else part for part in fault[0]]


def _unrepresentable(value: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not can_hold(str(key)):
                yield (*loc, key), f"{key!a} cannot be represented in YAML"
            else:
                yield from _unrepresentable(inner, (*loc, key))
    elif isinstance(value, list):
        for index, inner in reversed(list(enumerate(value))):
            yield from _unrepresentable(inner, (*loc, index))
    elif isinstance(value, str) and not can_hold(value):
        yield loc, f"{value[:60]!a} cannot be represented in YAML"


def _removable_part(loc: Loc, values: dict[str, Any]) -> Loc:
    """The smallest part to remove for an error at `loc`."""
    section, *inner = loc
    if section != "sites" or len(inner) < 2:
        return loc[:3] if section == "paths" and loc[2:3] == ("owner",) else loc[:2]
    key = inner[1]
    if key == "server_names" and len(inner) > 2 and len(value_at(loc[:3], values) or ()) > 1:
        return loc[:4]
    if key == "locations" and len(inner) > 2:
        return loc[:5] if inner[3:4] and inner[3] in _OPTIONAL else loc[:4]
    if key == "app":
        return loc[:4] if inner[2:3] and inner[2] in _APPS else loc[:3]
    if key == "tls" and inner[2:3] == ["hsts"]:
        return loc[:4]
    return loc[:3] if key in _OPTIONAL else loc[:2]


def _remove_part(draft: Draft, loc: Loc, message: str) -> bool:
    """Remove the value at `loc`; False where there is none."""
    value = value_at(loc, draft.values)
    if value is None:
        return False
    named = f"{'.'.join(map(str, loc))}" + (f" ({value})" if isinstance(value, str) else "")
    draft.drop(loc)
    whole = loc[0] == "sites" and len(loc) == 2
    what = f"{named} is left out: {message}"
    draft.add_note(
        "", what, at=() if whole or loc[1] not in draft.values.get("sites", {}) else loc[:2]
    )
    return True
