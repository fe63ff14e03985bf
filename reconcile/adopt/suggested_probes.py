"""Probes of an adopted site: only requests that nginx answers today."""

from __future__ import annotations

from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import Inspector
from reconcile.adopt.server_groups import ServerBlock
from reconcile.adopt.upstream_app import NoFiles, RequestFactory
from reconcile.config.site.location import HEALTH_FILE
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.worker_view import WithAssumedFiles


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


def _is_served(block: ServerBlock, uri: str, file: str, router: Router) -> bool:
    request = RequestFactory(router).build(block.server, uri)
    answer = router.route(request, WithAssumedFiles(NoFiles(), {file})).answer if request else None
    return answer is not None and (answer.kind, answer.path) == ("file", file)
