"""Files in a place that a deploy or a reboot takes away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.filesystem.mount import filesystem_of

_RELEASE = re.compile(r"/(?:releases?|deployments?|versions)/[^/]+(?:/|$)")
_CURRENT = re.compile(r"/(?:current|live)(?:/|$)")
_CONTAINER = re.compile(r"/(?:docker/overlay2|containers/storage/overlay)/")
_MEMORY = ("tmpfs", "ramfs")
_TEMPORARY = re.compile(r"^/(?:var/)?tmp/")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    # What is thrown away together with nginx's own configuration is meant to be.
    if _vanishes(inspection.real_path(inspection.nginx.config_path)):
        return
    for mapping in inspection.mappings_of("static", "media"):
        why = _why(inspection, mapping)
        if why:
            yield _told(mapping, why)


def _why(inspection: HostInspection, mapping: LocationMapping) -> str:
    path, real = mapping.path, inspection.real_path(mapping.path)
    if vanishing := _vanishes(real):
        return f"{real} {vanishing}"
    if _CONTAINER.search(real):
        return f"{real} lies in the layer of a container and goes with it"
    # Static files may well come with each release, as long as nginx follows to the next one.
    followed = mapping.role == "static" and _CURRENT.search(path)
    if _RELEASE.search(f"{real}/") and not followed:
        return f"{real} belongs to one release"
    return ""


def _vanishes(path: str) -> str:
    if filesystem_of(path) in _MEMORY:
        return "lies in memory and is empty after a reboot"
    return "is cleaned up by the system" if _TEMPORARY.match(f"{path}/") else ""


def _told(mapping: LocationMapping, why: str) -> RuleResult:
    evidence = mapping.evidence
    stable = f"/var/www/{mapping.server.names[0].strip('*~.') or 'myapp'}/{mapping.role}"
    if mapping.role == "media":
        return error(
            f"Uploads below {mapping.path} will be lost: {why}.",
            evidence,
            fix=f"Move them to a directory that stays, such as {stable}, and name it both in"
            " nginx and in the app.",
        )
    return warning(
        f"Static files in {mapping.path} will not stay: {why}.",
        evidence,
        fix=f"Copy them at each deploy to a directory that stays, such as {stable}.",
    )


RULE = Rule("ephemeral-path", ("CC8", "CL10"), check)
