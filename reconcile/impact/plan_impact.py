"""What a plan means beyond its changes: to visitors, to other sites, to nginx itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from reconcile.config.context import CompileContext, SiteContext
from reconcile.engine.model import BehaviourChange, Change, Finding, Plan
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.filesystem.inventory import sample_files
from reconcile.impact.config_warnings import config_warnings
from reconcile.impact.planned_files import planned_path_kinds
from reconcile.impact.response_diff import SampleRequest, ServedState, response_changes
from reconcile.impact.sample_requests import sample_requests
from reconcile.nginx.certbot import CertbotEdits, find_edits
from reconcile.nginx.model.semantic import semantic_diff
from reconcile.nginx.render.render import is_managed
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.config_test import ConfigTest
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.listen_check import PortTaken, check_listens
from reconcile.nginx.running.loaded_config import find_running, real_path
from reconcile.nginx.running.worker_view import WorkerView, worker_account
from reconcile.resources.file import File
from reconcile.resources.nginx_live import RELOAD, planned_entries

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.host_facts import HostFacts
    from reconcile.nginx.model.config_tree import ConfigTree
    from reconcile.nginx.routing.servers import Server
    from reconcile.system import Host

KINDS = frozenset({"file", "symlink", "directory", "tree", "assets", "nginx_live"})
"""What a change has to be of, for anybody to notice it through nginx."""
SAMPLES = 2
_NO_NAME = ("~", "*", ".")


def affects_nginx(plan: Plan) -> bool:
    return any(change.ref.kind in KINDS for change in plan.changes)


def with_impact(plan: Plan, config: Config, facts: HostFacts, host: Host) -> Plan:
    """`plan` with what it will change for visitors, what stands in its way, and how it goes live.

    A configuration that cannot be read foretells nothing: apply refuses it with nginx's words.
    """
    try:
        return _Impact(plan, config, facts, host).plan_with_impact()
    except (ReconcileError, OSError) as trouble:
        fix = trouble.fix if isinstance(trouble, ReconcileError) else ""
        what = "What visitors will notice cannot be foretold."
        unforeseen = Finding("foresight", "warning", what, (in_one_line(trouble),), fix)
        return replace(plan, findings=(*plan.findings, unforeseen))


@dataclass(frozen=True)
class _Impact:
    plan: Plan
    config: Config
    facts: HostFacts
    host: Host

    def plan_with_impact(self) -> Plan:
        restart, taken = self._listen_check()
        return replace(
            self.plan,
            changes=tuple(self._explained(change, restart) for change in self.plan.changes),
            findings=(
                *self.plan.findings,
                *self._config_warnings(),
                *taken,
                *self._lost_certbot_edits(),
            ),
            behaviour_changes=self._response_changes(),
        )

    def _lost_certbot_edits(self) -> Iterator[Finding]:
        """What certbot has written into files of ours, and will not find there any more."""
        for change in self.plan.changes:
            before, after = change.before, change.after
            if isinstance(before, File) and isinstance(after, File) and is_managed(_text(before)):
                found = find_edits(_text(before))
                if found and not find_edits(_text(after)):
                    yield _certbot_finding(after, found)

    @cached_property
    def _config_test(self) -> ConfigTest:
        return ConfigTest(discover(self.host), dict(planned_entries(self.plan.changes)))

    @cached_property
    def _after(self) -> ConfigTree:
        return self._config_test.read()

    @cached_property
    def _routers(self) -> tuple[Router, Router]:
        prefix = self._config_test.nginx.build.prefix
        return Router(self._config_test.nginx.tree, prefix), Router(self._after, prefix)

    def _config_warnings(self) -> tuple[Finding, ...]:
        return tuple(config_warnings(self._after, self._routers[1]))

    def _response_changes(self) -> tuple[BehaviourChange, ...]:
        worker = worker_account(self._config_test.nginx)
        names = self._samples
        planned = planned_path_kinds(self.plan.changes, names, self.host, worker)
        before, after = self._routers
        return response_changes(
            self._sample_requests(names),
            ServedState(before, WorkerView(self.host, worker)),
            ServedState(after, WorkerView(self.host, worker, planned)),
        )

    @cached_property
    def _sites(self) -> tuple[SiteContext, ...]:
        return tuple(CompileContext(self.config, self.facts).sites.values())

    @cached_property
    def _samples(self) -> dict[str, tuple[str, ...]]:
        return {
            location.dir: _sample_names(location.source or location.dir)
            for site in self._sites
            for location in site.declared.locations.values()
        }

    def _sample_requests(self, names: dict[str, tuple[str, ...]]) -> list[SampleRequest]:
        asked = [question for site in self._sites for question in sample_requests(site, names)]
        known = {request.host for question in asked for request in question.requests}
        return [*asked, *self._for_removed_names(known)]

    def _for_removed_names(self, known: set[str]) -> Iterator[SampleRequest]:
        """The names of today's servers in files that the plan changes, if no site has them."""
        changing = {change.ref.name for change in self.plan.changes}
        for server in self._routers[0].servers.servers:
            file = server.scope.directive.file
            if {file, real_path(self.host, file)} & changing:
                for name in server.names:
                    if name and not name.startswith(_NO_NAME) and name not in known:
                        yield _root_request(server, name)

    def _listen_check(self) -> tuple[str, tuple[Finding, ...]]:
        """Why nginx has to be restarted, "" where not; and a port that it cannot get."""
        settings = self.host.settings
        may_bind = self.host.privileged or settings.service_manager == "process"
        if not (may_bind and self.host.services.runs_services and self._changes_config):
            return "", ()
        now = find_running(self._config_test.nginx)
        try:
            return check_listens(self._after, now.master_pid if now else 0).restart_reason, ()
        except PortTaken as taken:
            fix = "Stop what holds the port, or choose another one. Apply refuses until then."
            return "", (Finding("bind-conflict", "error", taken.what, (taken.why,), fix),)

    @property
    def _changes_config(self) -> bool:
        changes = self.plan.changes
        return bool(self._config_test.relevant_changes) or any(
            c.ref.kind == "nginx_live" for c in changes
        )

    def _explained(self, change: Change, restart: str) -> Change:
        if change.ref.kind == "nginx_live" and restart:
            because = change.reason.removeprefix(RELOAD)
            return replace(change, reason=f"restart, a reload is not enough: {restart} ({because})")
        differs = _differs(change)
        return replace(change, reason=f"{change.reason}: {differs}") if differs else change


def _differs(change: Change) -> str:
    """How nginx sees the change of a file of its own; "" for any other change."""
    before, after = change.before, change.after
    if not (isinstance(before, File) and isinstance(after, File) and before.content):
        return ""
    if before.content == after.content or not is_managed(after.content or b""):
        return ""
    found = semantic_diff(before.content, after.content or b"", after.path)
    return str(found) if found else ""


def _text(file: File) -> bytes:
    return file.content or b""


def _certbot_finding(file: File, found: CertbotEdits) -> Finding:
    has_tls = b"ssl_certificate" in _text(file)
    lost = "" if has_tls else ", and HTTPS with them"
    what = f"certbot has edited {file.path}: this takes its lines out again{lost}."
    evidence = f"{file.path}:{found.lines[0]}: {found.summary}"
    return Finding("certbot-edits", "warning", what, (evidence,), found.suggested_fix)


def _sample_names(root: str) -> tuple[str, ...]:
    """Names of files there; none where there is no such folder, or it is not ours to read."""
    try:
        return sample_files(root, SAMPLES)
    except (OSError, ReconcileError):
        return ()


def _root_request(server: Server, name: str) -> SampleRequest:
    listen = server.listens[0]
    loopback = "::1" if ":" in listen.address.host else "127.0.0.1"
    host = loopback if listen.address.is_wildcard else listen.address.host
    address = listen.address._replace(host=host)
    scheme = "https" if listen.ssl else "http"
    port = "" if address.port == {"http": 80, "https": 443}[scheme] else f":{address.port}"
    request = Request("/", name, address, scheme=scheme)  # type: ignore[arg-type]  # both are schemes
    return SampleRequest(f"{scheme}://{name}{port}", "/", (request,))
