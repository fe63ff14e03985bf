"""Documents of hosts as the commands print them, for pages."""

from __future__ import annotations

import json
from typing import Any

from reconcile.report.host_document import HostDocument
from reconcile.report.read_documents import read_documents

NOW = "2026-11-28T14:00:00Z"
EARLIER = "2026-11-26T03:00:00Z"
STYLES = "assets:/var/www/shop/static"
APPLY = {"number": 14, "at": "2026-11-20T09:00:00Z", "user": "ann", "command": "reconcile pull"}


def change(
    address: str = STYLES, before: Any = "0600", after: Any = "0644", **more: Any
) -> dict[str, Any]:
    name = "content" if "\n" in str(before) else "mode"
    values = {"actions": ["update"], "before": {name: before}, "after": {name: after}}
    return {"address": address, "cause": "drift", "because": "changed", "change": values, **more}


def drift(host: str = "web1", *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What `drift --json` prints, as far as a page reads it."""
    return {
        "format_version": "1.0",
        "host": host,
        "timestamp": NOW,
        "config": {"file": "/etc/reconcile/reconcile.yaml", "git_commit": None},
        "resource_changes": list(changes),
        "deviations": [{"address": one["address"], "first_seen": EARLIER} for one in changes],
        "checks": [check()],
        "state": "drift" if changes else "in_sync",
        "last_apply": APPLY,
        **more,
    }


def check(name: str = "probe:shop GET /", status: str = "pass", **more: Any) -> dict[str, Any]:
    return {"name": name, "status": status, "detail": "", **more}


def read(*documents: dict[str, Any]) -> list[HostDocument]:
    return [
        found for one in documents for found in read_documents(json.dumps(one).encode(), "web.json")
    ]
