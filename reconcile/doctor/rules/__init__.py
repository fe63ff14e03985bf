"""The rules of the doctor. A new rule is a file here and a line in `IDS`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module

from reconcile.config.diagnostics import closest
from reconcile.doctor.rule import Rule
from reconcile.errors import ReconcileError

IDS = (
    "root-doubling",
    "alias-slash",
    "alias-target",
    "files-missing",
    "file-names",
    "container-storage",
    "nginx-sandbox",
    "stale-groups",
    "nginx-read",
    "upload-modes",
    "app-write",
    "route-shadowed",
    "try-files-misses",
    "if-drops-try-files",
    "unreachable-location",
    "greedy-regex",
    "served-by-app",
    "config-valid",
    "dup-server",
    "default-server-capture",
    "log-triage",
    "gunicorn-triage",
    "socket-chain",
    "ephemeral-path",
    "media-preserved",
    "stale-code",
    "service-failed",
    "app-import",
    "upload-dir-mismatch",
    "container-volume",
    "lost-prefix",
    "url-mismatch",
    "traversal-leak",
    "dotfile-exposure",
    "source-exposure",
    "directory-listing",
    "duplicate-cache-control",
    "expires-over-proxy",
    "header-loss",
    "proxy-header-loss",
    "cors",
    "cached-errors",
    "frozen-mtimes",
    "range-loss",
    "open-file-cache",
    "asset-limits",
    "active-uploads",
    "body-limit",
    "stale-live-config",
    "bind-conflict",
    "unheard-listener",
    "content-types",
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
    "hold",
)
"""In the order of the report: causes before their symptoms."""


@cache
def load_rules() -> tuple[Rule, ...]:
    """Every rule, in the order of `IDS`."""
    return tuple(map(load_rule, IDS))


def load_rule(rule_id: str) -> Rule:
    """The `RULE` of the rule's file."""
    rule: Rule = import_module(f"{__name__}.{rule_id.replace('-', '_')}").RULE
    return rule


def select_rules(only: Sequence[str] = (), skip: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules in `only` (empty: all) that are not in `skip`.

    Errors: ReconcileError where no rule has such an id.
    """
    for rule_id in (*only, *skip):
        if rule_id not in IDS:
            near = closest(rule_id, IDS)
            fix = f"Did you mean {near}?" if near else "Show all rules: reconcile doctor --list"
            raise ReconcileError(f"Unknown rule: {rule_id}", "", fix)
    return tuple(
        rule for rule in load_rules() if rule.id in (only or IDS) and rule.id not in {*skip}
    )
