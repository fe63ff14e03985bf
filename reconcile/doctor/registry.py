"""The rules in the order in which they are asked; a new one is a file in rules/ and a line."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from reconcile.doctor.rule import Rule

NAMES = (
    "root-doubling",
    "alias-slash",
    "alias-target",
    "files-missing",
    "nginx-read",
    "app-write",
    "route-shadowed",
    "served-by-app",
    "config-valid",
    "dup-server",
    "default-server-capture",
    "log-triage",
    "gunicorn-triage",
    "socket-chain",
    "ephemeral-path",
    "media-preserved",
    "app-import",
    "upload-dir-mismatch",
    "container-volume",
    "url-mismatch",
    "traversal-leak",
    "dotfile-exposure",
    "duplicate-cache-control",
    "expires-over-proxy",
    "header-loss",
    "active-uploads",
    "body-limit",
    "stale-live-config",
    "bind-conflict",
    "stale-precompressed",
    "sites-enabled-hygiene",
    "symlink-escape",
    "writable-static",
    "temp-dir-owner",
    "probe-static",
    "probe-media",
    "selinux-sandbox",
    "tls-certificate",
    "tls-key",
    "certbot-edits",
)


@cache
def load() -> tuple[Rule, ...]:
    """Every rule."""
    return tuple(map(rule, NAMES))


def rule(name: str) -> Rule:
    """The rule of that name: `RULE` in its file."""
    found: Rule = import_module(f"reconcile.doctor.rules.{name.replace('-', '_')}").RULE
    return found
