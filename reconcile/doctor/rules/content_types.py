"""nginx sends a file with a type that browsers refuse for what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, note
from reconcile.doctor.served_files import files_by_ending
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.nginx.model.media_types import is_fit
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.web_types import WEB_TYPES
from reconcile.nginx.routing.headers import content_type, sent_headers, values_of
from reconcile.wording import counted, first_few

_REFUSALS: Mapping[str, str] = {
    "text/javascript": "browsers refuse to run it",
    "text/css": "browsers do not apply it",
    "image/svg+xml": "browsers do not show it as an image",
    "application/wasm": "browsers do not compile it while it loads",
    "text/html": "browsers download it",
}
"""Types that no browser guesses from the content, and what it does with another one."""
_UNKNOWN = "application/octet-stream"
_COMPRESSED = ("gz", "br", "zst")
"""Mostly sent in place of another file, with its type."""

_TEXTS = ("svgz", "css", "js", "mjs", "svg", "html", "json")
_MOST_READ = 20
"""Files of an ending whose first bytes are read."""


@dataclass(frozen=True)
class _WrongType:
    """The files of one ending, and what browsers do with the type that they are sent with."""

    ending: str
    files: list[str]
    sent: str
    effect: str
    scope: Scope


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for types that browsers refuse, a note for types without meaning."""
    # The types of uploads are often withheld on purpose, see the rule active-uploads.
    return check_each(inspection.mappings_of("static", "other"), partial(_check_types, inspection))


def _check_types(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    wrong = list(_wrong_types(inspection, mapping))
    yield from _compressed(inspection, mapping)
    refused = [one for one in wrong if one.effect]
    unknown = [one for one in wrong if not one.effect]
    if refused:
        number = sum(len(one.files) for one in refused)
        yield error(
            f"{counted(number, 'file')} of {mapping} have a type that browsers refuse.",
            *(
                f"{mapping.prefix}{one.files[0]} is sent as {one.sent}: {one.effect}"
                for one in refused
            ),
            *_cause(refused[0].scope),
            fix=_fix(inspection, refused),
            apply_fixes=mapping.is_restored_by_apply,
        )
    if unknown:
        yield note(
            f"{mapping} sends {first_few(['.' + one.ending for one in unknown])} files without"
            " their type.",
            *(f"{mapping.prefix}{one.files[0]} is sent as {one.sent}" for one in unknown),
            *_cause(unknown[0].scope),
            fix=_fix(inspection, unknown),
        )


def _compressed(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    """Files that are gzip inside, by the name of what they hold, and sent as if they were not."""
    by_ending = files_by_ending(inspection, mapping)
    suspects = [name for ending in _TEXTS for name in by_ending.get(ending, ())[:_MOST_READ]]
    found = [name for name in suspects if _is_gzip(inspection, mapping.folder + name)]
    for name in found[:1]:
        route = inspection.nginx.route_to_file(mapping, name)
        if route is None or route.answer.kind != "file":
            continue
        if "gzip" not in values_of(sent_headers(route), "Content-Encoding"):
            yield error(
                f"{counted(len(found), 'file')} of {mapping} are gzip inside, and are sent without"
                " Content-Encoding: browsers cannot read them.",
                f"{mapping.prefix}{name} begins as gzip does",
                fix=_announced_or_unpacked(mapping, name),
            )


def _is_gzip(inspection: HostInspection, path: str) -> bool:
    try:
        return inspection.host.files.part(path, 0, 2) == b"\x1f\x8b"
    except ReconcileError:
        return False


def _announced_or_unpacked(mapping: LocationMapping, name: str) -> str:
    if name.lower().endswith(".svgz"):
        return (
            f"{mapping.scope.directive.place}: add location ~ \\.svgz$ {{ gzip off; add_header"
            " Content-Encoding gzip; } inside it, then reload nginx."
        )
    path = quote(mapping.folder + name)
    unpacked = quote(f"{mapping.folder}{name}.unpacked")
    return f"gzip -dc <{path} >{unpacked} && cp {unpacked} {path} && rm {unpacked}"


def _wrong_types(inspection: HostInspection, mapping: LocationMapping) -> Iterator[_WrongType]:
    for ending, files in files_by_ending(inspection, mapping).items():
        route = inspection.nginx.route_to_file(mapping, files[0])
        is_sent = route is not None and route.answer.kind == "file"
        if route is None or route.scope is None or not is_sent or ending in _COMPRESSED:
            continue
        sent = content_type(route.scope, mapping.folder + files[0])
        options = values_of(sent_headers(route), "X-Content-Type-Options")
        effect = refusal(ending, sent.partition(";")[0], is_strict="nosniff" in options)
        is_unknown = sent == _UNKNOWN and WEB_TYPES.get(ending, sent) != sent
        if effect or is_unknown:
            yield _WrongType(ending, files, sent, effect, route.scope)


def refusal(ending: str, kind: str, *, is_strict: bool) -> str:
    """What browsers do with a file of this ending that arrives as `kind`; "" if they take it.

    `is_strict`: `X-Content-Type-Options: nosniff` comes with it, which classic scripts need to be
    refused. Source: the HTML and Fetch standards.
    """
    is_guessed = ending == "js" and not is_strict
    return "" if is_guessed or is_fit(ending, kind) else _REFUSALS.get(WEB_TYPES[ending], "")


def _cause(scope: Scope) -> tuple[str, ...]:
    """Where the types in force come from, if that is not the table of the http block."""
    level = scope.nearest("types")
    if level is None:
        return ("no types block is in force: only html, gif and jpg have a type",)
    if level.directive.name == "http":
        return ()
    block = level.own["types"][0]
    return (f"{block.place}: this types block replaces the whole table in {level}",)


def _fix(inspection: HostInspection, wrong: list[_WrongType]) -> str:
    scope = wrong[0].scope
    level = scope.nearest("types")
    types: dict[str, list[str]] = {}
    for one in wrong:
        types.setdefault(WEB_TYPES[one.ending], []).append(one.ending)
    lines = " ".join(f"{name} {' '.join(endings)};" for name, endings in types.items())
    if level is None:
        return "In the http block: include mime.types; then reload nginx."
    if level.directive.name == "http":
        place = _place_of_table(inspection.nginx.tree, level)
        return f"{place}: add below it: types {{ {lines} }} then reload nginx."
    table = "include mime.types;"
    return f"{level.own['types'][0].place}: add beside this types block: {table} then reload nginx."


def _place_of_table(tree: ConfigTree, level: Scope) -> str:
    """The types block of a level, or the include of the distribution's file that has it."""
    table = level.own["types"][0]
    for include, found in tree.includes_of(level.directive.block or ()):
        if table.file in found.paths:
            return include.place
    return table.place


RULE = Rule(
    id="content-types",
    summary="Files are sent with a type that browsers refuse.",
    severity="error",
    help=(
        "Browsers refuse scripts, styles and fonts whose type is wrong, so the page lacks them. Map"
        " each ending to its type."
    ),
    reads=("configuration", "files"),
    check=check,
)
