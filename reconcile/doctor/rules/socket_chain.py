"""The way from nginx to the app: the socket, who listens there, and who may open it."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import grant, namei, quoted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.upstream import Passed, local_port, socket_path
from reconcile.system.sockets import is_socket


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for passed in snapshot.passed:
        for target in passed.targets:
            if path := socket_path(target):
                yield from _unix(snapshot, passed, path)
            elif local_port(target) and not snapshot.is_listened_at(target):
                yield _nobody(passed, target, f"nobody listens on {target} (111)")


def _unix(snapshot: HostInspection, passed: Passed, path: str) -> Iterator[RuleResult]:
    if snapshot.host.files.stat(path) is None:
        yield _nobody(passed, path, f"there is no {path} (2)")
    elif not is_socket(path):
        yield _nobody(passed, path, f"{path} is no socket")
    elif not snapshot.is_listened_at(f"unix:{path}"):
        yield _nobody(passed, path, f"{path} was left behind: nobody listens (111)")
    else:
        yield from _closed(snapshot, passed, path)


def _nobody(passed: Passed, target: str, why: str) -> RuleResult:
    return error(
        f"{passed.server.names[0] or passed.server.place} answers 502: {why}.",
        f"{passed.place}: {passed.directive.name} {passed.directive.args[0]};",
        fix=f"Start the app so that it listens on {target}. A Gunicorn that is not root cannot make"
        " a socket in /run itself: use RuntimeDirectory= or a .socket unit.",
    )


def _closed(snapshot: HostInspection, passed: Passed, path: str) -> Iterator[RuleResult]:
    """connect(2) needs write on the socket and x on every directory above it."""
    walk, who = snapshot.walk(path, snapshot.worker), snapshot.worker
    last = walk.last
    if last is None or (walk.blocked is None and last.writable):
        return
    step = walk.blocked or last
    accounts = snapshot.host.accounts
    yield error(
        f"nginx ({who.name}) may not open the socket {path} (13): answers 502.",
        f"{passed.place}: {passed.directive.name} {passed.directive.args[0]};",
        *namei(walk, accounts),
        fix=f"chgrp {who.name} {quoted(path)} && chmod g+rw {quoted(path)}"
        f"  # for good: SocketGroup={who.name} and SocketMode=0660 in its .socket unit"
        if step is last
        else grant(step, who, accounts, "x"),
    )


RULE = Rule("socket-chain", (), look)
