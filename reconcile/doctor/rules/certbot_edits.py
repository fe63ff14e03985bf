"""certbot has edited a site's file, which something else writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.model import Rule, Said, note, warning
from reconcile.doctor.snapshot import Snapshot
from reconcile.nginx.rendering.render import is_managed

_MARK = b"managed by Certbot"
_NAME = re.compile(rb"/etc/letsencrypt/live/([^/\s;]+)/")


def look(snapshot: Snapshot) -> Iterator[Said]:
    for path, file in snapshot.tree.files.items():
        lines = [n for n, line in enumerate(file.data.splitlines(), 1) if _MARK in line]
        if lines:
            yield _said(path, file.data, lines)


def _said(path: str, data: bytes, lines: list[int]) -> Said:
    name = next((found.decode() for found in _NAME.findall(data)), "NAME")
    evidence = f"{path}:{lines[0]}: {len(lines)} lines are marked as managed by Certbot"
    if not is_managed(data):
        return note(
            f"certbot keeps TLS in {path} by editing it.",
            evidence,
            fix=f"To have the whole file declared: tls: {{letsencrypt: {name}}}",
        )
    return warning(
        f"certbot has edited {path}, which reconcile writes: the next apply takes that back.",
        evidence,
        fix=f"Declare tls: {{letsencrypt: {name}}} and let certbot keep its hands off the file:"
        f" certbot certonly --webroot -w /var/www/letsencrypt --cert-name {name}"
        " --force-renewal, then: reconcile apply",
    )


RULE = Rule("certbot-edits", (), look)
