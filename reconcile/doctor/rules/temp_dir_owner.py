"""The folders where nginx keeps request bodies belong to another user: uploads answer 500."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.evidence import quoted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.nginx.model.scope import Scope

_COMPILED = re.compile(r"--http-(client-body|proxy)-temp-path=([^'\s]+)")
_DIRECTIVES = {"client-body": "client_body_temp_path", "proxy": "proxy_temp_path"}


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    if not snapshot.passed:
        return
    for path in dict.fromkeys(_folders(snapshot)):
        found = snapshot.host.files.stat(path, follow=True)
        if found is None:
            continue
        walk = snapshot.walk(path, snapshot.worker)
        last = walk.last
        if last is None or not (last.writable and last.passable):
            accounts, who = snapshot.host.accounts, snapshot.worker
            yield error(
                f"nginx ({who.name}) may not write to {path}: larger uploads answer 500.",
                f"{path} belongs to {accounts.user_name(found.uid)}, mode {found.mode:04o}",
                fix=f"chown {who.name} {quoted(path)}",
            )


def _folders(snapshot: HostInspection) -> Iterator[str]:
    """Where the configuration has them, else where nginx was built to have them."""
    compiled = dict(_COMPILED.findall(snapshot.nginx.build_text))
    for passed in snapshot.passed:
        for key, name in _DIRECTIVES.items():
            yield _absolute(snapshot, _written(passed.scope, name) or compiled.get(key, ""))


def _written(scope: Scope, name: str) -> str:
    return scope.argument(name, "")


def _absolute(snapshot: HostInspection, path: str) -> str:
    prefix = snapshot.nginx.build.prefix.rstrip("/")
    return path if path.startswith("/") else f"{prefix}/{path or 'client_body_temp'}"


RULE = Rule("temp-dir-owner", (), look)
