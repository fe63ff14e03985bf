"""Uploads that a deploy takes away: deleted, moved, or left behind in the last release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from posixpath import basename, dirname

from reconcile.doctor.deploys.deletions import Deletion, deletions, put_back
from reconcile.doctor.deploys.playbooks import of_playbook
from reconcile.doctor.deploys.scripts import Command, Script, commands, of_python
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, warning

MOST_BYTES = 256 << 10
SCRIPTS = (
    "*.sh",
    "Makefile",
    "deploy*",
    "Procfile",
    "fabfile.py",
    "justfile",
    ".git/hooks/*",
    "*.yml",
    "*.yaml",
    "ansible/*.yml",
    "ansible/*.yaml",
    "deploy/*",
    "scripts/*",
    "bin/*.sh",
)
_PLACES = (
    "/etc/crontab",
    "/etc/cron.*/*",
    "/var/spool/cron/crontabs/*",
    "/usr/local/bin/*",
    "/usr/local/sbin/*",
)
_PLAYBOOK = (".yml", ".yaml")


@dataclass(frozen=True)
class _Deploy:
    """One script: what it takes away, and where it puts things back."""

    deletions: tuple[Deletion, ...]
    put_back: frozenset[str] = frozenset()


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    media = [one for one in inspection.mappings_of("media") if not one.is_internal]
    for deploy in _deploys(inspection) if media else ():
        for deletion in deploy.deletions:
            for mapping in media:
                yield from _lost(inspection, mapping, deletion, deploy.put_back)
    yield from _in_static(inspection, media)


def _lost(
    inspection: HostInspection,
    mapping: LocationMapping,
    deletion: Deletion,
    put_back: frozenset[str],
) -> Iterator[RuleResult]:
    real = inspection.real_path(mapping.path)
    if deletion.kind == "replaces":
        top = _replaced(inspection, mapping.path, deletion.target)
    else:
        is_kept = not deletion.certain and {mapping.path, real} & put_back
        top = "" if is_kept else _real(inspection, deletion).hit(real)
    if top:
        severity = error if deletion.certain else warning
        yield severity(
            _WHAT[deletion.kind].format(path=mapping.path, top=top),
            f"{deletion.place}: {deletion.told}",
            mapping.evidence,
            fix=_fix(deletion, real.removeprefix(top).strip("/")),
        )


_WHAT = {
    "deletes": "A deploy deletes the uploads in {path}.",
    "moves": "A deploy moves the uploads in {path} away.",
    "replaces": "A deploy puts another folder in the place of {top}: the uploads in {path} stay"
    " behind in the last release.",
}


def _fix(deletion: Deletion, inner: str) -> str:
    if deletion.kind == "replaces":
        return "Keep the uploads beside the releases, and link to them in each."
    if deletion.told.startswith("git clean"):
        return f"Spare them there (-e {inner}/), or move the uploads out of the folder."
    if deletion.certain and inner:
        return f"Exclude it there (--exclude={inner}/), or move the uploads out of the target."
    return "Move the uploads to a folder that no deploy touches."


def _real(inspection: HostInspection, deletion: Deletion) -> Deletion:
    """The same with the links on the way to its target resolved; not those among a pattern."""
    fixed, rest = deletion.target, ""
    while "*" in fixed or "?" in fixed or "[" in fixed:
        fixed, rest = dirname(fixed), f"/{basename(fixed)}{rest}"
    return replace(deletion, target=inspection.real_path(fixed).rstrip("/") + rest)


def _replaced(inspection: HostInspection, path: str, link: str) -> str:
    """The link on the way to `path`, where what it leads to has the uploads in it."""
    found = inspection.host.files.stat(link)
    is_on_the_way = found and found.kind == "symlink" and _is_below(path, link)
    inside = is_on_the_way and _is_below(inspection.real_path(path), inspection.real_path(link))
    return link if inside else ""


def _in_static(
    inspection: HostInspection, media: Sequence[LocationMapping]
) -> Iterator[RuleResult]:
    for mapping in media:
        for static in inspection.mappings_of("static"):
            if static.server is mapping.server and _is_below(mapping.path, static.path):
                yield warning(
                    f"Uploads lie in {mapping.path}, inside the static files in {static.path}.",
                    static.evidence,
                    mapping.evidence,
                    fix="Keep them apart: static files are replaced by every deploy.",
                )


def _is_below(path: str, top: str) -> bool:
    return f"{path}/".startswith(top.rstrip("/") + "/")


def _deploys(inspection: HostInspection) -> Iterator[_Deploy]:
    for script in _scripts(inspection):
        if script.place.endswith(_PLAYBOOK):
            yield _Deploy(tuple(of_playbook(script.place, script.text)))
        elif script.place.endswith(".py"):
            yield from (_deploy(list(commands(one))) for one in of_python(script))
        else:
            yield _deploy(list(commands(script)))


def _deploy(every: Sequence[Command]) -> _Deploy:
    found = tuple(deletion for command in every for deletion in deletions(command))
    return _Deploy(found, frozenset(path for command in every for path in put_back(command)))


def _scripts(inspection: HostInspection) -> Iterator[Script]:
    """The units, cron tables and programs of this machine, and what lies in the app's folder."""
    for unit in inspection.units.values():
        place = unit.said.get("FragmentPath") or unit.name
        yield Script(place, unit.command, unit.working_directory)
    folders = {app.unit.working_directory for app in inspection.apps} - {"", "/"}
    yield from (script for pattern in _PLACES for script in _read(inspection, pattern, ""))
    for folder in sorted(folders):
        for name in SCRIPTS:
            yield from _read(inspection, f"{folder}/{name}", folder)


def _read(inspection: HostInspection, pattern: str, folder: str) -> Iterator[Script]:
    files = inspection.host.files
    for path in files.glob(pattern):
        found = files.stat(path, follow=True)
        if found and found.kind == "file" and found.size <= MOST_BYTES:
            text = files.read(path).decode("utf-8", "surrogateescape")
            yield Script(path, text, folder)


RULE = Rule("media-preserved", ("CL10",), check)
