"""Probes of an adopted site: only requests that nginx answers today."""

from __future__ import annotations

from collections.abc import Iterable

from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import Inspector
from reconcile.adopt.server_groups import ServerBlock
from reconcile.adopt.upstream_app import NoFiles, RequestFactory
from reconcile.config.site.location import HEALTH_FILE
from reconcile.engine.model import Check
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.worker_view import WithAssumedFiles

_LATER = "Remove `probe_front_page: false`, or add the probe, once it answers."


def adopt_probes(
    block: ServerBlock, draft: Draft, site: str, router: Router, inspector: Inspector
) -> None:
    """Add a probe of each served health file; suggest one of another file in a comment.

    Such a file may disappear with a release, and the probe would fail.
    """
    entry = draft.sites[site]
    for prefix, location in entry.get("locations", {}).items():
        folder = inspector.folder(location["dir"]) if location["role"] == "static" else None
        if folder is None:
            continue
        name = HEALTH_FILE if folder.has_health_file else folder.sample
        if not name or not _is_served(block, prefix + name, f"{location['dir']}/{name}", router):
            continue
        if name == HEALTH_FILE:
            entry.setdefault("probes", []).append({"get": prefix + name, "expect": {"status": 200}})
        else:
            probe = f"{{get: {prefix}{name}, expect: {{status: 200, served_by: nginx}}}}"
            draft.add_comment(("sites", site, "locations", prefix), f"A probe to add: - {probe}")


def drop_failing_probes(draft: Draft, checks: Iterable[Check]) -> None:
    """Remove every probe that fails today: an apply would be rolled back for it."""
    failing = [check for check in checks if check.status == "fail"]
    for site, entry in draft.values.get("sites", {}).items():
        mine = [one for one in failing if one.name.startswith(f"probe:{site} ")]
        for check in mine:
            named = [p for p in entry.get("probes", []) if f" GET {p['get']} " in f"{check.name} "]
            entry["probes"] = [p for p in entry.get("probes", []) if p not in named]
            if not named:
                entry["probe_front_page"] = False
            what = f"{check.name.removeprefix('probe:')}: {check.detail}, so it is not probed"
            draft.add_note("", what, _LATER, at=("sites", site))
        if not entry.get("probes", True):
            del entry["probes"]


def _is_served(block: ServerBlock, uri: str, file: str, router: Router) -> bool:
    request = RequestFactory(router).build(block.server, uri)
    answer = router.route(request, WithAssumedFiles(NoFiles(), {file})).answer if request else None
    return answer is not None and (answer.kind, answer.path) == ("file", file)
