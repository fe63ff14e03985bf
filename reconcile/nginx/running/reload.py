"""Reload nginx, and verify that it serves the configuration on the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Self

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem.undo import Stage, Undo, undo_record
from reconcile.nginx.model.config_tree import ConfigTree, Directive
from reconcile.nginx.model.listen import Listen
from reconcile.nginx.render.site_config import CONFIG_TOKEN_PATH, config_token_of, is_managed
from reconcile.nginx.running.config_test import ConfigTest
from reconcile.nginx.running.discover import NginxInstallation, discover
from reconcile.nginx.running.listen_check import check_listens
from reconcile.nginx.running.loaded_config import (
    RunningNginx,
    find_running,
    read_loaded,
    record_loaded,
)
from reconcile.nginx.server_name_conflicts import name_conflicts
from reconcile.system.http import HttpTarget
from reconcile.system.logs import LogPosition
from reconcile.system.processes import wait_until

if TYPE_CHECKING:
    from reconcile.system import Host

SERVICE = "nginx.service"
DEADLINE_S = 10.0
AFTER_ERROR_S = 1.0
"""How long a reload may still succeed after an error that another nginx may have logged."""
_ANSWER_TIMEOUT_S = 2.0
_EMERG = re.compile(rb"^.*\[emerg\].*$", re.MULTILINE)
# nginx -t has no memory of an older configuration, so it cannot report these.
_ZONE_KEPT = re.compile(r"previously it used|had previously different levels")


class NginxReloadFailed(ReconcileError):
    """Nginx still serves the previous configuration after a reload."""


@undo_record
@dataclass(frozen=True)
class NginxReloaded(Undo):
    """A reload happened; once the old files are restored, nginx reloads again.

    Where it was a restart that happened, it restarts: a reload keeps the sockets that are open,
    with their options. `reopens`: the workers kept files open that were replaced.
    """

    op: ClassVar[str] = "nginx.reloaded"
    config: str
    restarted: bool = False
    reopens: bool = False

    @property
    def stage(self) -> Stage:
        """At last."""
        return Stage.NGINX

    @property
    def affects(self) -> str:
        """The configuration."""
        return self.config

    @property
    def subject(self) -> tuple[str, str]:
        """The nginx of this configuration."""
        return self.op, self.config

    def merge_with(self, later: Self) -> Self:
        """One restart undoes any number of reloads and restarts."""
        return replace(
            self,
            restarted=self.restarted or later.restarted,
            reopens=self.reopens or later.reopens,
        )

    def undo(self, host: Host) -> str:
        """Make nginx load the restored files, unless they are such as it would refuse."""
        if refusal := _why_not_loadable(host):
            return f"nginx keeps what it has loaded: it refuses the restored files ({refusal})"
        reload_and_verify(host, restart=self.restarted, reload=self.reopens)
        return ""


def _why_not_loadable(host: Host) -> str:
    """Why a running nginx would not load what is on the disk, as somebody had broken it; or ""."""
    nginx = discover(host)
    if find_running(nginx) is None:
        return ""
    error, _ = ConfigTest(nginx, {}).run()
    return f"{error.position}: {error.message}" if error else ""


def reload_and_verify(host: Host, *, restart: bool = False, reload: bool = False) -> None:
    """Reload nginx (or restart it where a reload cannot work) and verify the result.

    `restart` restarts it in any case, `reload` reloads it with an unchanged configuration too.
    Does nothing where nginx does not run.
    Units: at most DEADLINE_S for the verification.
    Errors: NginxReloadFailed with the evidence; PortTaken; ServiceFailed.
    """
    nginx = discover(host)
    before = find_running(nginx)
    if before is None:
        return
    if restart:
        _restart(nginx, before)
    elif reload or not read_loaded(nginx, before).matches_disk(nginx):
        _reload_or_restart(nginx, before)
    _wait_for_tokens(nginx, monotonic() + DEADLINE_S)
    if now := find_running(nginx):
        record_loaded(nginx, now)


def _restart(nginx: NginxInstallation, before: RunningNginx) -> None:
    if nginx.host.recorder is not None:
        nginx.host.recorder.record_undo(NginxReloaded(nginx.config_path, restarted=True))
    nginx.host.services.restart(SERVICE)
    if not wait_until(lambda: _has_new_workers(nginx, before), timeout_s=DEADLINE_S):
        raise _reload_ignored(f"{DEADLINE_S:g} s after a restart the same workers still serve")


def _reload_or_restart(nginx: NginxInstallation, before: RunningNginx) -> None:
    path = nginx.layout.error_log
    log = LogPosition.at_end_of(path) if path.startswith("/") else None
    binds = check_listens(nginx.tree, before.master_pid)
    if binds.restart_reason:
        _restart(nginx, before)
        return
    nginx.host.services.reload(SERVICE)
    errors = _wait_for_new_workers(nginx, before, log)
    if any(map(_ZONE_KEPT.search, errors)):
        _restart(nginx, before)
    elif errors:
        raise _reload_ignored(errors[0])


def _wait_for_new_workers(
    nginx: NginxInstallation, before: RunningNginx, log: LogPosition | None
) -> list[str]:
    """Wait until no worker from before accepts connections; why nginx refused that, or [].

    What another nginx logs there meanwhile, such as a test of its configuration, is no failure.
    """
    errors: list[str] = []

    def is_decided() -> bool:
        """Whether nginx has reported an error, or has new workers."""
        errors[:] = _emergencies(log)
        return bool(errors) or _has_new_workers(nginx, before)

    if not wait_until(is_decided, timeout_s=DEADLINE_S):
        raise _reload_ignored(f"after {DEADLINE_S:g} s workers from before the reload still serve")
    is_new = wait_until(lambda: _has_new_workers(nginx, before), timeout_s=AFTER_ERROR_S)
    return [] if is_new else errors


def _has_new_workers(nginx: NginxInstallation, before: RunningNginx) -> bool:
    """Whether all accepting workers were started since."""
    now = find_running(nginx)
    return bool(now and now.workers and not set(before.workers) & set(now.workers))


def _reload_ignored(why: str) -> NginxReloadFailed:
    return NginxReloadFailed(
        what="nginx still serves the previous configuration after a reload",
        why=why,
        fix="Fix this error. If it is an address that nginx itself uses, restart nginx.",
    )


def _emergencies(log: LogPosition | None) -> list[str]:
    """The lines that explain why a reload failed; none where the log is not a file."""
    news = log.read_new() if log else b""
    return [line.decode("utf-8", "replace") for line in _EMERG.findall(news)]


@dataclass(frozen=True)
class _TokenProbe:
    """One managed server at one of its addresses, and the token it must return."""

    target: HttpTarget
    token: str
    place: str


def _wait_for_tokens(nginx: NginxInstallation, deadline: float) -> None:
    left = list(_token_probes(nginx.tree))
    answers: dict[_TokenProbe, str] = {}

    def all_answered() -> bool:
        """Whether every server returned its token."""
        answers.update((question, _ask_for_token(nginx.host, question)) for question in left)
        left[:] = [question for question in left if answers[question] != question.token]
        return not left

    if not wait_until(all_answered, timeout_s=max(deadline - monotonic(), 0), every_s=0.05):
        raise _not_served(nginx.tree, left[0], answers[left[0]])


def _ask_for_token(host: Host, question: _TokenProbe) -> str:
    asked = f"{CONFIG_TOKEN_PATH}?{question.token}"
    answer = host.http.request(question.target, asked, timeout_s=_ANSWER_TIMEOUT_S)
    if answer.error:
        return f"no answer ({answer.detail or answer.error})"
    text = answer.body.decode("utf-8", "replace")
    return text if answer.status == 200 and len(text) == 32 else f"status {answer.status}"


def _token_probes(tree: ConfigTree) -> Iterator[_TokenProbe]:
    for file in tree.files.values():
        token = config_token_of(file.data) if is_managed(file.data) else None
        for server in file.directives:
            if token and server.name == "server" and _reaches_locations(tree, server):
                for target in _targets(list(tree.children(server))):
                    yield _TokenProbe(target, token, server.place)


def _reaches_locations(tree: ConfigTree, server: Directive) -> bool:
    # These run at server level, before any location, and may hide the token.
    return not any(d.name in ("return", "rewrite", "if") for d in tree.children(server))


def _targets(inside: list[Directive]) -> Iterator[HttpTarget]:
    names = [name for d in inside if d.name == "server_name" for name in d.args]
    for directive in inside:
        if directive.name == "listen":
            for listen in Listen.parse(directive):
                yield _probe_target(listen, names[0] if names else "localhost")


def _probe_target(listen: Listen, name: str) -> HttpTarget:
    # Any name below a wildcard matches.
    host_name = name.replace("*", "reconcile").lstrip(".")
    local = listen.address.local
    return HttpTarget(
        local.host,
        local.port,
        host_name,
        tls=listen.ssl,
        behind_proxy=listen.proxy_protocol,
    )


def _not_served(tree: ConfigTree, question: _TokenProbe, answer: str) -> NginxReloadFailed:
    taken = [str(c) for c in name_conflicts(tree) if question.place in (c.loser.place,)]
    asked = f"{question.target.host} on {question.target.address} port {question.target.port}"
    return NginxReloadFailed(
        what=f"nginx does not serve the new configuration of {question.target.host}",
        why="; ".join([f"{asked} returned: {answer}", *taken]),
        fix=f"Check which server answers there instead of {question.place} (nginx -T).",
    )
