"""The folders where nginx keeps request bodies belong to another user: uploads answer 500."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.nginx.model.scope import Scope

_COMPILED = re.compile(r"--http-(client-body|proxy)-temp-path=([^'\s]+)")
_DIRECTIVES = {"client-body": "client_body_temp_path", "proxy": "proxy_temp_path"}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    if not inspection.proxy_locations:
        return
    for path in dict.fromkeys(_folders(inspection)):
        found = inspection.host.files.stat(path, follow=True)
        if found is None:
            continue
        walk = inspection.access(path, inspection.worker)
        last = walk.last
        if last is None or not (last.writable and last.passable):
            accounts, who = inspection.host.accounts, inspection.worker
            yield error(
                f"nginx ({who.name}) may not write to {path}: larger uploads answer 500.",
                f"{path} belongs to {accounts.user_name(found.uid)}, mode {found.mode:04o}",
                fix=f"chown {who.name} {quote(path)}",
            )


def _folders(inspection: HostInspection) -> Iterator[str]:
    """Where the configuration has them, else where nginx was built to have them."""
    compiled = dict(_COMPILED.findall(inspection.nginx.build_text))
    for proxy in inspection.proxy_locations:
        for key, name in _DIRECTIVES.items():
            yield _absolute(inspection, _written(proxy.scope, name) or compiled.get(key, ""))


def _written(scope: Scope, name: str) -> str:
    return scope.argument(name, "")


def _absolute(inspection: HostInspection, path: str) -> str:
    prefix = inspection.nginx.build.prefix.rstrip("/")
    return path if path.startswith("/") else f"{prefix}/{path or 'client_body_temp'}"


RULE = Rule("temp-dir-owner", (), check)
