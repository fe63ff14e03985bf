"""What visitors will notice of a plan, grouped by server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconcile.engine.behaviour_change import BehaviourChange, Glance
from reconcile.output.columns import Row, two_columns
from reconcile.output.escape import printable
from reconcile.output.style import GLYPHS, Style
from reconcile.wording import counted

SHOWN = 6
"""Requests that a plan shows; JSON and --full have all."""
HEADING = "What visitors will notice:"


def visitors_text(changes: Sequence[BehaviourChange], style: Style, *, full: bool) -> list[str]:
    """Render a line for each kind of usual request; with `full` every request and answer."""
    if not changes:
        return []
    glances = [change.glance for change in changes if change.glance]
    if full or len(glances) < len(changes):
        return [style.bold(HEADING), *_in_full(changes, style)]
    rows = _rows(glances)[:SHOWN]
    left = len(changes) - len(rows)
    more = f"# ({counted(left, 'more request')}, --full shows them)"
    return [
        style.bold(HEADING),
        *_groups(rows, style),
        *(map(style.dim, style.wrap(more, "  ", "    ")) if left else ()),
    ]


def _in_full(changes: Sequence[BehaviourChange], style: Style) -> Iterator[str]:
    for change in changes:
        yield from style.wrap(printable(change.request), "  ", "    ")
        for sign, answer in ((GLYPHS["delete"], change.before), (GLYPHS["create"], change.after)):
            yield from style.wrap(f"{sign} {printable(answer)}", "    ", "      ")


def _rows(glances: Sequence[Glance]) -> list[Glance]:
    """Pick one request of each kind; unusual ones only if there are no others."""
    usual = [glance for glance in glances if glance.is_usual] or list(glances)
    kinds: dict[tuple[str, ...], list[Glance]] = {}
    for glance in usual:
        kinds.setdefault(_kind(glance), []).append(glance)
    return [_without_version(alike) for alike in kinds.values()]


def _kind(glance: Glance) -> tuple[str, ...]:
    """Requests below one top folder whose answers change alike are one kind."""
    folder = "/".join(glance.request.split("/")[:2])
    is_below = glance.request.count("/") > 1
    return glance.server, folder if is_below else glance.request, glance.before, glance.after


def _without_version(alike: Sequence[Glance]) -> Glance:
    """Return the first, without an IP version if there are several."""
    versions = {glance.over for glance in alike}
    return replace(alike[0], over="") if len(versions) > 1 else alike[0]


def _groups(rows: Sequence[Glance], style: Style) -> Iterator[str]:
    """Render the rows; servers whose answers change alike share them."""
    by_server: dict[str, list[Glance]] = {}
    for row in rows:
        by_server.setdefault(row.server, []).append(row)
    alike: dict[tuple[Glance, ...], list[str]] = {}
    for server, its_rows in by_server.items():
        alike.setdefault(tuple(replace(row, server="") for row in its_rows), []).append(server)
    for glances, servers in alike.items():
        was_default = all(glance.was_default for glance in glances)
        until_now = " (until now answered by the default server)" if was_default else ""
        yield from style.wrap(printable(", ".join(servers)) + until_now, "  ", "    ")
        yield from two_columns([_cell(one) for one in glances], style, "    ")


def _cell(glance: Glance) -> Row:
    over = f" over {glance.over}" if glance.over else ""
    label = printable(glance.request) + over
    return Row(label, f"{printable(glance.before)} -> {printable(glance.after)}", label)
