"""nginx's ETag is time and size: with the same time in each build, a change may go unnoticed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, warning
from reconcile.filesystem.inventory import Item
from reconcile.wording import counted, first_few

_NORMALISED_BEFORE = datetime(1990, 1, 1, tzinfo=UTC)
"""What is older was set by a build: 1970 by Nix and containers, 1980 by zip, 1985 by npm."""
_HASHED = re.compile(r"[._-](?=[\w-]*\d)[A-Za-z0-9_-]{7,}\.[^/]*$")
"""A name that changes with its content, such as app.3f9c1a2b.js."""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each folder whose files have times that no change moves."""
    for mapping in inspection.mappings_of("static", "media"):
        found = inspection.inventory(mapping.path)
        frozen = [item for item in found.of_kind("file") if _is_frozen(item)] if found else []
        if frozen and _sends_validators(mapping):
            yield _unnoticed(mapping, frozen)


def _is_frozen(item: Item) -> bool:
    is_old = item.stat.mtime_ns < _NORMALISED_BEFORE.timestamp() * 1_000_000_000
    return is_old and not item.is_hidden and not _HASHED.search(item.path)


def _sends_validators(mapping: LocationMapping) -> bool:
    """Whether nginx compares the time of a file with that of a browser's copy."""
    by_etag = mapping.scope.argument("etag", "on") == "on"
    by_time = mapping.scope.argument("if_modified_since", "exact") != "off"
    return by_etag or by_time


def _unnoticed(mapping: LocationMapping, frozen: list[Item]) -> RuleResult:
    first = frozen[0]
    seconds = first.stat.mtime_ns // 1_000_000_000
    when = datetime.fromtimestamp(seconds, UTC)
    path = quote(mapping.path)
    return warning(
        f"{counted(len(frozen), 'file')} in {mapping.path} keep their modification time when they"
        " change: browsers may keep an old version forever.",
        f"{when:%Y-%m-%d %H:%M:%S} UTC: {first_few([item.path for item in frozen])}",
        f'{mapping.prefix}{first.path}: ETag "{seconds:x}-{first.stat.size:x}" is its time and'
        " size; a change of the same length gets 304",
        fix=f"find {path} -type f ! -newermt 1990-01-01 -exec touch {{}} +  # at each"
        f" deployment; or, in {mapping.scope.directive.place}: etag off; if_modified_since off;",
    )


RULE = Rule(
    id="frozen-mtimes",
    summary="Changed files keep their modification time, so browsers keep the old versions.",
    severity="warning",
    help=(
        "nginx compares time and size: a build that gives each file the time 1970 or 1980 hides "
        "a change of the same length, and browsers are answered 304. Put a hash into the names, "
        "or touch the files at each deployment."
    ),
    reads=("configuration", "files"),
    check=check,
)
