"""Files in a place that a deploy or a reboot takes away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.system.mounts import filesystem_of

_RELEASE = re.compile(r"/(?:releases?|deployments?|versions)/[^/]+(?:/|$)")
_CURRENT = re.compile(r"/(?:current|live)(?:/|$)")
_CONTAINER = re.compile(r"/(?:docker/overlay2|containers/storage/overlay)/")
_MEMORY = ("tmpfs", "ramfs")
_TEMPORARY = re.compile(r"^/(?:var/)?tmp/")


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    # What is thrown away together with nginx's own configuration is meant to be.
    if _vanishes(snapshot.real(snapshot.nginx.config_path)):
        return
    for mapped in snapshot.of_role("static", "media"):
        why = _why(snapshot, mapped)
        if why:
            yield _told(mapped, why)


def _why(snapshot: HostInspection, mapped: Mapped) -> str:
    path, real = mapped.path, snapshot.real(mapped.path)
    if vanishing := _vanishes(real):
        return f"{real} {vanishing}"
    if _CONTAINER.search(real):
        return f"{real} lies in the layer of a container and goes with it"
    # Static files may well come with each release, as long as nginx follows to the next one.
    followed = mapped.role == "static" and _CURRENT.search(path)
    if _RELEASE.search(f"{real}/") and not followed:
        return f"{real} belongs to one release"
    return ""


def _vanishes(path: str) -> str:
    if filesystem_of(path) in _MEMORY:
        return "lies in memory and is empty after a reboot"
    return "is cleaned up by the system" if _TEMPORARY.match(f"{path}/") else ""


def _told(mapped: Mapped, why: str) -> RuleResult:
    evidence = f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};"
    stable = f"/var/www/{mapped.server.names[0].strip('*~.') or 'myapp'}/{mapped.role}"
    if mapped.role == "media":
        return error(
            f"Uploads below {mapped.path} will be lost: {why}.",
            evidence,
            fix=f"Move them to a directory that stays, such as {stable}, and name it both in"
            " nginx and in the app.",
        )
    return warning(
        f"Static files in {mapped.path} will not stay: {why}.",
        evidence,
        fix=f"Copy them at each deploy to a directory that stays, such as {stable}.",
    )


RULE = Rule("ephemeral-path", ("CC8", "CL10"), look)
