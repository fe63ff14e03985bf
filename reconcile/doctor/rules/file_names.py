"""A file is there, by another spelling than the one that is requested."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from posixpath import dirname, join
from shlex import quote
from urllib.parse import unquote

from reconcile.doctor.access_log_findings import missed_files
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.name_search import near_path
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.filesystem.path import is_inside
from reconcile.nginx.near_names import BLANK, NearName
from reconcile.nginx.routing.servers import Server
from reconcile.wording import counted, first_few

ENOENT, ENOTDIR = 2, 20
MAX_LINES = 200
_UNREACHABLE = {
    "?": "what follows a ? in a URL is not part of the path",
    "#": "what follows a # in a URL is never sent",
    "\\": "browsers turn \\ into /",
}
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_INVISIBLE = re.compile("[\\s\u00a0\u200b-\u200f\u2028\u2029\u2060\ufeff]")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for requests that miss a file by its spelling, a note for odd names."""
    mappings = inspection.mappings_of("static", "media")
    missed = _missed_by_server(inspection) if mappings else {}
    for mapping in {one.path: one for one in mappings}.values():
        yield from _missed(inspection, mapping, missed.get(mapping.server, ()))
        yield from _odd_names(inspection, mapping)


def _missed_by_server(inspection: HostInspection) -> dict[Server, list[tuple[str, str]]]:
    """The path and line of each request for a file that nginx did not find."""
    missed: dict[Server, list[tuple[str, str]]] = {}
    for server, uri, line in missed_files(inspection):
        missed.setdefault(server, []).append((uri, line))
    return missed


def _missed(
    inspection: HostInspection, mapping: LocationMapping, requests: Sequence[tuple[str, str]]
) -> Iterator[RuleResult]:
    """Files that the logs have as missing, and that are there by another spelling."""
    found: dict[str, tuple[NearName, str]] = {}
    for missing, line in _missing(inspection, mapping, requests):
        is_below = missing != mapping.path and is_inside(missing, mapping.path)
        if is_below and inspection.host.files.stat(missing, follow=True) is None:
            near = near_path(inspection.host.files, mapping.path, missing)
            if near:
                found[missing] = (near, line)
    if found:
        path, (near, line) = next(reversed(found.items()))
        yield warning(
            f"{counted(len(found), 'requested file')} of {mapping.path} exist with another"
            " spelling.",
            f"requested: {path}",
            f"on the disk: {near.path} (differs in {near.differs})",
            line,
            fix=_respelled(near, path),
        )


def _respelled(near: NearName, path: str) -> str:
    if BLANK in near.differs:
        # The app knows the file by the name that it has chosen for it.
        return f"Correct the link: the file is {near.path}"
    return f"mv -n -- {quote(near.path)} {quote(path)}  # or correct the link"


def _missing(
    inspection: HostInspection, mapping: LocationMapping, requests: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Paths that were looked up, with their lines; where try_files looks, no error is logged."""
    lines = [one for one in inspection.nginx.error_lines if one.errno in (ENOENT, ENOTDIR)]
    yield from ((line.path, str(line)) for line in lines[-MAX_LINES:])
    for uri, text in requests:
        if uri.startswith(mapping.prefix):
            yield mapping.folder + uri.removeprefix(mapping.prefix), text


def _odd_names(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    """Names that a URL, as people and apps write it, does not lead to."""
    inventory = inspection.inventory(mapping.path)
    by_reason: dict[str, list[str]] = {}
    for item in inventory.items if inventory else ():
        name = item.path.rpartition("/")[2]
        if reason := _oddity(name):
            by_reason.setdefault(reason, []).append(item.path)
    for reason, paths in by_reason.items():
        yield note(
            f"{counted(len(paths), 'name')} in {mapping.path}: {reason}.",
            first_few([ascii(path)[1:-1] for path in paths]),
            fix="; ".join(_rename(mapping, path) for path in paths[:3]),
        )


def _oddity(name: str) -> str:
    """Why links to a file of this name may fail; "" if there is nothing odd."""
    if name.isascii() and name.isalnum():
        return ""
    if _is_bytes(name):
        return "not in UTF-8, which browsers use for URLs"
    for char, reason in _UNREACHABLE.items():
        if char in name:
            return reason
    if _ESCAPE.search(name):
        return "saved with %-escapes: a link needs %25 for each %"
    if unicodedata.normalize("NFC", name) != name:
        return "with separate accents (NFD, as macOS saves them), which links rarely have"
    if _INVISIBLE.search(name.replace(" ", "")):
        return "with an invisible character"
    if name != name.strip(" .") and not name.startswith("."):
        return "with a space or a dot at its end, which people and Windows leave out"
    return ""


def _rename(mapping: LocationMapping, path: str) -> str:
    folder, name = dirname(path), path.rpartition("/")[2]
    plain = name.encode("utf-8", "surrogateescape").decode(
        "latin-1" if _is_bytes(name) else "utf-8"
    )
    plain = unicodedata.normalize("NFC", _INVISIBLE.sub(_as_blank, unquote(plain)))
    plain = re.split(r"[?#]", plain)[0].rpartition("\\")[2].strip(" .").replace("/", "_")
    old, new = (join(mapping.path, folder, one) for one in (name, plain or "unnamed"))
    return f"mv -n -- {quote(old)} {quote(new)}"


def _as_blank(match: re.Match[str]) -> str:
    return " " if match[0] in (" ", "\u00a0") else ""


def _is_bytes(name: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in name)


RULE = Rule(
    id="file-names",
    summary="A file is requested with another spelling than it has.",
    severity="warning",
    help=(
        "On Linux names are bytes: case, Unicode form, spaces and %-escapes count, so a link works"
        " on the developer's machine and is 404 on the server. Rename the file, or correct the"
        " link."
    ),
    reads=("configuration", "files", "logs"),
    check=check,
)
