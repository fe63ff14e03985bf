"""Files in a release directory, in /tmp, in memory or in a container's layer do not last."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.filesystem.mount import filesystem_type

_RELEASE = re.compile(r"/(?:releases?|deployments?|versions)/[^/]+(?:/|$)")
_CURRENT = re.compile(r"/(?:current|live)(?:/|$)")
_CONTAINER = re.compile(r"/(?:docker/overlay2|containers/storage/overlay)/")
_MEMORY = ("tmpfs", "ramfs")
_TEMPORARY = re.compile(r"^/(?:var/)?tmp/")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for uploads, a warning for static files, in a folder that does not last."""
    config = inspection.real_path(inspection.nginx.installation.config_path)
    # A configuration that is temporary itself means a temporary setup.
    if _volatile(config):
        return
    for mapping in inspection.mappings_of("static", "media"):
        if reason := _reason(inspection, mapping):
            yield _files_will_be_lost(mapping, reason)


def _reason(inspection: HostInspection, mapping: LocationMapping) -> str:
    real = inspection.real_path(mapping.path)
    if volatile := _volatile(real):
        return f"{real} {volatile}"
    if _CONTAINER.search(real):
        return f"{real} is in the layer of a container and is removed with it"
    # Static files may come with each release, if nginx follows a link to the next one.
    follows_release = mapping.role == "static" and _CURRENT.search(mapping.path)
    if _RELEASE.search(f"{real}/") and not follows_release:
        return f"{real} belongs to a single release"
    return ""


def _volatile(path: str) -> str:
    if filesystem_type(path) in _MEMORY:
        return "is in memory and empty after a reboot"
    return "is cleaned up by the system" if _TEMPORARY.match(f"{path}/") else ""


def _files_will_be_lost(mapping: LocationMapping, reason: str) -> RuleResult:
    stable = f"/var/www/{mapping.server.names[0].strip('*~.') or 'myapp'}/{mapping.role}"
    if mapping.role == "media":
        return error(
            f"Uploads below {mapping.path} will be lost: {reason}.",
            mapping.evidence,
            fix=f"Move them to a permanent directory, such as {stable}, and configure it in both"
            " nginx and the app.",
        )
    return warning(
        f"Static files in {mapping.path} will be lost: {reason}.",
        mapping.evidence,
        fix=f"Copy them to a permanent directory at each deployment, such as {stable}.",
    )


RULE = Rule(
    id="ephemeral-path",
    summary="Served files are in a folder that a deployment or a reboot removes.",
    severity="error",
    help=(
        "Files vanish with the next deployment or reboot. Keep uploads and static files "
        "in a permanent folder."
    ),
    reads=("configuration", "files"),
    guide_rows=("CC8", "CL10"),
    check=check,
)
