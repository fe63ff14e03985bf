"""What an adopted site is asked from now on: only what Nginx answers today."""

from __future__ import annotations

from reconcile.adopt.discovery import Around
from reconcile.adopt.draft import Draft
from reconcile.adopt.server_groups import Block
from reconcile.adopt.upstream_app import NoFiles, Requests
from reconcile.config.site.location import HEALTH_FILE
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.worker_view import WithAssumedFiles


def adopt_probes(block: Block, draft: Draft, site: str, router: Router, around: Around) -> None:
    """A probe of each health file that is served; of another file only in a comment.

    Assets come and go with a release, and a probe of one that is gone would fail.
    """
    entry = draft.sites[site]
    for prefix, location in entry.get("locations", {}).items():
        folder = around.folder(location["dir"]) if location["role"] == "static" else None
        if folder is None:
            continue
        name = HEALTH_FILE if folder.has_health_file else folder.sample
        if not name or not _is_served(block, prefix + name, f"{location['dir']}/{name}", router):
            continue
        if name == HEALTH_FILE:
            entry.setdefault("probes", []).append({"get": prefix + name, "expect": {"status": 200}})
        else:
            probe = f"{{get: {prefix}{name}, expect: {{status: 200, served_by: nginx}}}}"
            draft.remark(("sites", site, "locations", prefix), f"A probe to add: - {probe}")


def _is_served(block: Block, uri: str, file: str, router: Router) -> bool:
    asked = Requests(router).to(block.server, uri)
    answer = router.route(asked, WithAssumedFiles(NoFiles(), {file})).answer if asked else None
    return answer is not None and (answer.kind, answer.path) == ("file", file)
