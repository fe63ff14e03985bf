"""A folder where nginx buffers uploads and answers is gone, or belongs to another user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import join
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.filesystem.access_check import EXECUTE, WRITE
from reconcile.filesystem.access_walk import AccessStep
from reconcile.filesystem.grant import grant_commands
from reconcile.filesystem.path import is_inside
from reconcile.wording import first_few

_COMPILED = re.compile(r"--http-(client-body|proxy|fastcgi|uwsgi|scgi)-temp-path=([^'\s]+)")
_BODY = "client-body"
_MAX_FOLDERS = 100
_CLEANED = ("/tmp", "/var/tmp")  # noqa: S108  these very folders
"""Where systemd-tmpfiles removes what was not used for days."""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each temporary folder that the worker lacks, or cannot write to."""
    for path, effect in dict.fromkeys(_temporary_folders(inspection)):
        walk = inspection.access(path, inspection.nginx.worker)
        if walk.blocked is None and walk.last is None:
            yield from _missing(inspection, path, effect)
        elif walk.blocked is not None or not (walk.last and _is_usable(walk.last)):
            yield _closed(inspection, path, effect, walk.blocked or walk.steps[-1])
        else:
            yield from _closed_inside(inspection, path, effect)


def _is_usable(step: AccessStep) -> bool:
    return step.writable and step.passable


def _missing(inspection: HostInspection, path: str, effect: str) -> Iterator[RuleResult]:
    """nginx creates it at its start, or by a reload, and never in between."""
    if inspection.nginx.running is None:
        return
    cleaned = next((top for top in _CLEANED if is_inside(path, top)), "")
    reason = "nginx creates it at a start or reload; something removed it since"
    if cleaned:
        reason = f"systemd-tmpfiles removes what is below {cleaned} and was not used for days"
    elsewhere = f"  # and keep it in /var/lib/nginx, not in {cleaned}" if cleaned else ""
    yield error(
        f"The temporary folder {path} of nginx is gone: {effect}.",
        reason,
        fix=f"systemctl reload nginx{elsewhere}",
    )


def _closed(inspection: HostInspection, path: str, effect: str, step: AccessStep) -> RuleResult:
    worker, accounts = inspection.nginx.worker, inspection.host.accounts
    is_above = step.path != path
    fix = grant_commands([step], worker) if is_above else f"chown {worker.name} {quote(path)}"
    return error(
        f"nginx ({worker.name}) cannot write to {path}: {effect}.",
        f"{step.path} belongs to {accounts.user_name(step.stat.uid)}, mode {step.stat.mode:04o}",
        fix=fix,
    )


def _closed_inside(inspection: HostInspection, path: str, effect: str) -> Iterator[RuleResult]:
    """Folders that a worker of another user has made inside of it."""
    files, worker = inspection.host.files, inspection.nginx.worker
    names = [join(path, name) for name in files.listdir(path)[:_MAX_FOLDERS]]
    folders = [one for one in names if (st := files.stat(one)) and st.kind == "directory"]
    closed = [one for one in folders if not files.may_access(one, (worker,), WRITE | EXECUTE)[0]]
    if closed:
        yield error(
            f"nginx ({worker.name}) cannot write to {first_few(closed)}: {effect}.",
            "workers of another user created them",
            fix=f"chown -R {worker.name} {quote(path)}",
        )


def _temporary_folders(inspection: HostInspection) -> Iterator[tuple[str, str]]:
    """The configured folders, else those that nginx was compiled with, and what they are for."""
    nginx = inspection.nginx.installation
    compiled = dict(_COMPILED.findall(nginx.build_text))
    for proxy in inspection.proxy_locations:
        kind = proxy.directive.name.removesuffix("_pass")
        effects = {
            _BODY: "larger uploads return 500",
            kind: "larger answers of the app are cut off",
        }
        for key, effect in effects.items():
            name = f"{key.replace('-', '_')}_temp"
            path = proxy.scope.argument(f"{name}_path", "") or compiled.get(key, "")
            full = join(nginx.build.prefix, path or name)
            # Where nginx was started with another prefix, a relative path is not known.
            if path.startswith("/") or inspection.host.files.stat(full):
                yield full, effect


RULE = Rule(
    id="temp-dir-owner",
    summary="nginx cannot write to the folders where it buffers uploads and answers.",
    severity="error",
    help=(
        "What does not fit into memory goes to a temporary file. Where nginx cannot make it, "
        "larger uploads return 500 and larger answers are cut off, while small ones work."
    ),
    reads=("configuration", "files"),
    check=check,
)
