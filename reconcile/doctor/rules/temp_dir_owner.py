"""The folder where nginx buffers request bodies belongs to another user: large uploads fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error

_COMPILED = re.compile(r"--http-(client-body|proxy)-temp-path=([^'\s]+)")
_DIRECTIVES = {"client-body": "client_body_temp_path", "proxy": "proxy_temp_path"}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each temporary folder that the worker cannot write to."""
    accounts = inspection.host.accounts
    for path in dict.fromkeys(_temporary_folders(inspection)):
        found = inspection.host.files.stat(path, follow=True)
        if found is None:
            continue
        worker = inspection.nginx.worker
        last = inspection.access(path, worker).last
        if last is None or not (last.writable and last.passable):
            yield error(
                f"nginx ({worker.name}) cannot write to {path}: larger uploads return 500.",
                f"{path} belongs to {accounts.user_name(found.uid)}, mode {found.mode:04o}",
                fix=f"chown {worker.name} {quote(path)}",
            )


def _temporary_folders(inspection: HostInspection) -> Iterator[str]:
    """The configured folders, else those that nginx was compiled with."""
    nginx = inspection.nginx.installation
    for proxy in inspection.proxy_locations:
        compiled = dict(_COMPILED.findall(nginx.build_text))
        for key, name in _DIRECTIVES.items():
            path = proxy.scope.argument(name, "") or compiled.get(key, "") or "client_body_temp"
            yield path if path.startswith("/") else f"{nginx.build.prefix.rstrip('/')}/{path}"


RULE = Rule(
    id="temp-dir-owner",
    summary="nginx cannot write to the folder where it buffers uploads.",
    severity="error",
    help=(
        "A body that does not fit into memory is buffered in a file; where nginx cannot "
        "write it, larger uploads return 500."
    ),
    reads=("configuration", "files"),
    check=check,
)
