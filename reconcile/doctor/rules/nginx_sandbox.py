"""The sandbox of nginx's unit hides a folder that it should serve, whatever its modes allow."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.denial_causes import hiding, nginx_unit
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, caused, error
from reconcile.doctor.units import UnitView


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each folder that nginx does not have where this process has it."""
    for mapping in {one.path: one for one in inspection.mappings}.values():
        is_there = inspection.host.files.stat(mapping.path, follow=True) is not None
        setting = hiding(inspection, mapping.path) if is_there else ""
        if setting:
            yield _hidden(inspection, mapping, setting)


def _hidden(inspection: HostInspection, mapping: LocationMapping, setting: str) -> RuleResult:
    unit = nginx_unit(inspection)
    name = unit.name if unit else inspection.nginx.worker.unit or "nginx"
    key = setting.partition("=")[0]
    places = list(_places(inspection, unit, key)) if unit else []
    found = error(
        f"{name} does not see {mapping.path}: everything in {mapping} returns 403 or 404.",
        *(places or [f"{name}: {setting}"]),
        f"{mapping.path} exists outside of its sandbox",
        mapping.evidence,
        fix=_fix(mapping, name, key),
    )
    return caused(found, f"{name}: {setting}")


def _places(inspection: HostInspection, unit: UnitView, key: str) -> Iterator[str]:
    """The lines of the unit's files that set `key`; the last one counts."""
    paths = [unit.properties.get("FragmentPath", ""), *unit.words("DropInPaths")]
    for path in filter(None, paths):
        found = inspection.host.files.content(path)
        lines = found[1].decode("utf-8", "replace").splitlines() if found else []
        for number, line in enumerate(lines, start=1):
            if line.replace(" ", "").startswith(f"{key}="):
                yield f"{path}:{number}: {line.strip()}"


def _fix(mapping: LocationMapping, unit: str, key: str) -> str:
    """What shows nginx this folder alone, read-only."""
    path = mapping.path
    if key not in ("ProtectHome", "TemporaryFileSystem"):
        return (
            f"Serve a copy outside of it, for example below /srv or /var/www ({mapping.place}),"
            f" or remove {key}= from {unit}."
        )
    blank = "ProtectHome=tmpfs\\n" if key == "ProtectHome" else ""
    drop_in = f"/etc/systemd/system/{unit}.d"
    # A name for each folder: the file of another one stays.
    file = quote(f"{drop_in}/zz{path.replace('/', '-')}.conf")
    text = quote(f"[Service]\\n{blank}BindReadOnlyPaths={path}\\n")
    return (
        f"mkdir -p {drop_in} && printf {text} >{file} && systemctl daemon-reload"
        f" && systemctl restart {unit}  # or move the files below /srv or /var/www"
    )


RULE = Rule(
    id="nginx-sandbox",
    summary="The sandbox of nginx's unit hides a folder that it serves.",
    severity="error",
    help=(
        "ProtectHome=, InaccessiblePaths=, TemporaryFileSystem= and PrivateTmp= give nginx another"
        " view of the disk than a shell has, so chmod does not help. Make this folder visible to"
        " it, or serve another one."
    ),
    reads=("configuration", "files", "processes", "units"),
    check=check,
)
