"""Fixes in terms of the YAML: a file that reconcile writes is never edited by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from reconcile.nginx.render.site_config import extra_line, is_managed

if TYPE_CHECKING:
    from reconcile.doctor.config_view import DeclaredExtra
    from reconcile.doctor.rule import Rule
    from reconcile.engine.model import Finding
    from reconcile.nginx.model.config_tree import ConfigTree, Directive, ParsedFile

_PLACE = re.compile(r"(?<![^\s(])(/[^\s:()]+):(\d+)\b")
_EDIT = re.compile(r"^(/[^\n]+?):(\d+): (.*)$", re.DOTALL)
_SITE = re.compile(rb"\A# Managed by reconcile \(site ([^)\n]+)\)")
_RELOAD = re.compile(r"[;,]? then reload nginx\.?$")
APPLY = "reconcile apply"


def names_a_line(fix: str) -> bool:
    """Whether a fix names a line of a file to edit."""
    return bool(_PLACE.search(fix))


def owned_fix(
    finding: Finding, rule: Rule, tree: ConfigTree, extras: Iterable[DeclaredExtra] = ()
) -> str:
    """The fix of a finding; where it would edit a file of a site, the key of the YAML instead."""
    edit = _EDIT.match(finding.fix)
    file = _managed_file(tree, edit[1]) if edit else None
    if edit is None or file is None:
        return _PLACE.sub(lambda found: _named(found, rule, tree, extras), finding.fix)
    if finding.apply_fixes:
        return APPLY
    key = _key(file, int(edit[2]), rule, extras)
    return f"In the YAML, {key}: {_RELOAD.sub('', edit[3]).removesuffix('.')}; then: {APPLY}"


def _managed_file(tree: ConfigTree, path: str) -> ParsedFile | None:
    file = tree.files.get(path)
    return file if file and is_managed(file.data) else None


def _named(
    place: re.Match[str], rule: Rule, tree: ConfigTree, extras: Iterable[DeclaredExtra]
) -> str:
    file = _managed_file(tree, place[1])
    return f"{_key(file, int(place[2]), rule, extras)} of the YAML" if file else place[0]


def _key(file: ParsedFile, line: int, rule: Rule, extras: Iterable[DeclaredExtra]) -> str:
    """The key of the YAML that line `line` of a managed file comes from."""
    found = _SITE.match(file.data)
    site = found[1].decode("utf-8", "replace") if found else "SITE"
    declared = next(_declaring(file, line, [one for one in extras if one.site == site]), None)
    if declared:
        return f"sites.{site}.{declared.key} ({declared.place})"
    key = rule.yaml_key if extra_line(file.data, line) is None else "extra"
    return ".".join(filter(None, ("sites", site, key)))


def _declaring(
    file: ParsedFile, line: int, extras: Iterable[DeclaredExtra]
) -> Iterator[DeclaredExtra]:
    text = file.data.split(b"\n")[line - 1].decode("utf-8", "surrogateescape")
    prefix = _location_at(file, line, file.directives)
    for extra in extras:
        is_around = extra.key == f"locations.{prefix}.extra" or "." not in extra.key
        if is_around and extra.has_line(text):
            yield extra


def _location_at(file: ParsedFile, line: int, directives: Iterable[Directive]) -> str:
    """The prefix of the outermost location around that line, "" where there is none."""
    for directive in directives:
        last = directive.line + file.data[directive.span].count(b"\n")
        if directive.block is not None and directive.line <= line <= last:
            if directive.name == "location":
                return directive.args[-1]
            return _location_at(file, line, directive.block)
    return ""
