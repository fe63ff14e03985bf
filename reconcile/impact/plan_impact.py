"""The impact of a plan: on visitors, on other sites, and on nginx itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from posixpath import join
from typing import TYPE_CHECKING

from reconcile.config.context import CompileContext, SiteContext
from reconcile.engine.behaviour_change import BehaviourChange
from reconcile.engine.model import Change, Finding, Plan
from reconcile.engine.safety_checks import with_errors
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.filesystem.inventory import sample_files
from reconcile.impact.changed_paths import ChangedPaths
from reconcile.impact.config_warnings import config_warnings
from reconcile.impact.current_requests import current_requests
from reconcile.impact.planned_bodies import PlannedBodies
from reconcile.impact.planned_path_kinds import planned_path_kinds
from reconcile.impact.response_diff import SampleRequest, ServedState, response_changes
from reconcile.impact.sample_requests import sample_requests
from reconcile.impact.unchanged_answers import UnchangedAnswers
from reconcile.nginx.certbot import CertbotEdits, find_edits
from reconcile.nginx.model.layout import upstream_servers
from reconcile.nginx.model.semantic import equal_directives
from reconcile.nginx.model.tree_difference import TreeDifference
from reconcile.nginx.render.site_config import is_managed
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.served_paths import ServedPaths
from reconcile.nginx.running.config_test import ConfigTest
from reconcile.nginx.running.listen_check import PortTaken, check_listens
from reconcile.nginx.running.loaded_config import find_running, real_path
from reconcile.nginx.running.worker_view import WorkerView, worker_account
from reconcile.nginx.running.zone_conflicts import zone_conflict
from reconcile.resources.file import File
from reconcile.resources.nginx_live import RELOAD
from reconcile.resources.nginx_preflight import planned_entries

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.host_facts import HostFacts
    from reconcile.nginx.model.config_tree import ConfigTree
    from reconcile.nginx.routing.servers import Server
    from reconcile.nginx.running.discover import NginxInstallation
    from reconcile.system import Host

SERVED_KINDS = frozenset({"file", "symlink", "directory", "tree", "assets"})
"""Kinds of resources that lie in the filesystem, where nginx may serve them."""
NGINX_KINDS = SERVED_KINDS | {"nginx_live"}
"""Kinds of resources that affect what nginx serves."""
SAMPLES = 2
_FRONT_FILES = ("index.html", "favicon.ico", "robots.txt")
"""What visitors and browsers request of every site."""


def affects_nginx(plan: Plan) -> bool:
    """Whether a change of the plan may affect what nginx serves."""
    return any(change.ref.kind in NGINX_KINDS for change in plan.changes)


def with_impact(plan: Plan, config: Config, facts: HostFacts, nginx: NginxInstallation) -> Plan:
    """Return `plan` with the changed responses, warnings, and whether nginx is restarted.

    If the planned configuration cannot be read, a warning is added instead of the impact.
    """
    impact = _Impact(plan, config, facts, nginx)
    try:
        return impact.plan_with_impact()
    except (ReconcileError, OSError) as error:
        repairs = impact.repairs_configuration
        fix = error.fix if isinstance(error, ReconcileError) and not repairs else ""
        what = "The effect on visitors could not be predicted."
        unpredicted = Finding("foresight", "warning", what, (in_one_line(error),), fix, repairs)
        return replace(plan, findings=(*plan.findings, unpredicted))


@dataclass(frozen=True)
class _Impact:
    plan: Plan
    config: Config
    facts: HostFacts
    nginx: NginxInstallation

    @property
    def host(self) -> Host:
        """The host that the plan is for."""
        return self.nginx.host

    @property
    def repairs_configuration(self) -> bool:
        """Whether only what is on the disk cannot be read, and the planned configuration can."""
        try:
            return self._config_test.tree is not None
        except (ReconcileError, OSError):
            return False

    def plan_with_impact(self) -> Plan:
        """Return the plan with everything that it means beside its changes."""
        restart = self._restart_reason()
        plan = with_errors(self.plan, [*self._unnoticed_restart(restart)])
        return replace(
            plan,
            changes=tuple(self._with_restart(change, restart) for change in self.plan.changes),
            findings=(
                *plan.findings,
                *config_warnings(self._after, self._routers[1]),
                *self._lost_certbot_edits(),
            ),
            behaviour_changes=self._response_changes(),
        )

    def _lost_certbot_edits(self) -> Iterator[Finding]:
        """Warn where the plan removes lines that certbot has added to a managed file."""
        for change in self.plan.changes:
            before, after = change.before, change.after
            if (
                isinstance(before, File)
                and isinstance(after, File)
                and is_managed(_content(before))
            ):
                found = find_edits(_content(before))
                if found and not find_edits(_content(after)):
                    yield _certbot_finding(after, found)

    @cached_property
    def _config_test(self) -> ConfigTest:
        return ConfigTest(self.nginx, dict(planned_entries(self.plan.changes)))

    @cached_property
    def _after(self) -> ConfigTree:
        return self._config_test.read()

    @cached_property
    def _routers(self) -> tuple[Router, Router]:
        prefix = self._config_test.nginx.build.prefix
        return Router(self._config_test.nginx.tree, prefix), Router(self._after, prefix)

    def _response_changes(self) -> tuple[BehaviourChange, ...]:
        worker = worker_account(self._config_test.nginx)
        names = self._samples
        planned = planned_path_kinds(self.plan.changes, names, self.host, worker)
        before, after = self._routers
        bodies = PlannedBodies(self.plan.changes, self.host)
        files = WorkerView(self.host, worker)
        unchanged = self._unchanged_answers(files)
        samples = self._sample_requests(names)
        return response_changes(
            [one for one in samples if not unchanged.include(one)],
            ServedState(
                before,
                files,
                bodies.now,
                upstream_servers(self._config_test.nginx.tree),
            ),
            ServedState(
                after,
                WorkerView(self.host, worker, planned),
                bodies.after,
                upstream_servers(self._after),
            ),
        )

    def _unchanged_answers(self, files: WorkerView) -> UnchangedAnswers:
        before, after = self._config_test.nginx.tree, self._after
        return UnchangedAnswers(
            *self._routers,
            TreeDifference(before, after),
            ServedPaths(before, self._config_test.nginx.build.prefix),
            ChangedPaths(frozenset(self._changed_paths())),
            files,
        )

    def _changed_paths(self) -> Iterator[str]:
        """The paths whose kind or content may change; through another link, those of all."""
        read_by_nginx = self._config_test.relevant_changes
        for change in self.plan.changes:
            if change.ref.kind in SERVED_KINDS:
                is_link = change.ref.kind == "symlink" and change.ref.name not in read_by_nginx
                yield "/" if is_link else change.ref.name

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
        of_sites = (sample for site in self._sites for sample in sample_requests(site, names))
        # A request by address is the same for every site.
        samples = {sample.label: sample for sample in of_sites}
        current = current_requests(self._changing_servers(), self._served_names, samples)
        return [*samples.values(), *current]

    def _served_names(self, folder: str) -> tuple[str, ...]:
        """Names of files that are served from `folder`, those of every site first."""
        found, stat = _sample_names(folder), self.host.files.stat
        front = [name for name in _FRONT_FILES if name not in found and stat(join(folder, name))]
        return (*front, *found)

    def _changing_servers(self) -> list[Server]:
        """The current servers whose file the plan changes."""
        changing = {change.ref.name for change in self.plan.changes}
        every = [(one, one.scope.directive.file) for one in self._routers[0].servers.servers]
        return [one for one, file in every if {file, real_path(self.host, file)} & changing]

    def _restart_reason(self) -> str:
        """Return why nginx must be restarted, "" if a reload is enough."""
        settings = self.host.settings
        may_bind = self.host.privileged or settings.service_manager == "process"
        if not (may_bind and self.host.services.runs_services and self._changes_config):
            return ""
        running = find_running(self._config_test.nginx)
        try:
            check = check_listens(self._after, running.master_pid if running else 0)
        except PortTaken:
            # The plan is refused for it.
            return ""
        return check.restart_reason or zone_conflict(self._config_test.nginx.tree, self._after)

    def _unnoticed_restart(self, restart: str) -> Iterator[ReconcileError]:
        """Refuse a reload that nginx would ignore, and report in no file that could be read."""
        nginx = self._config_test.nginx
        conflict = zone_conflict(nginx.tree, self._after)
        if restart and restart == conflict and not nginx.layout.error_log.startswith("/"):
            yield ReconcileError(
                what="nginx would ignore the reload",
                why=f"{conflict}, and its error_log ({nginx.layout.error_log}) is not a file, so"
                " nothing would show that",
                fix="Give the zone another name, or set error_log to a file. Nothing was changed.",
            )

    @property
    def _changes_config(self) -> bool:
        changes = self.plan.changes
        return bool(self._config_test.relevant_changes) or any(
            c.ref.kind == "nginx_live" for c in changes
        )

    def _with_restart(self, change: Change, restart: str) -> Change:
        if change.ref.kind == "nginx_live" and restart:
            because = change.reason.removeprefix(RELOAD)
            return replace(change, reason=f"restart, a reload is not enough: {restart} ({because})")
        means = _meaning(change)
        return replace(change, reason=f"{change.reason}: {means}") if means else change


def _meaning(change: Change) -> str:
    """Describe a change of an nginx file that changes no directive; "" for any other."""
    before, after = change.before, change.after
    if not (isinstance(before, File) and isinstance(after, File) and before.content):
        return ""
    if before.content == after.content or not is_managed(after.content or b""):
        return ""
    return equal_directives(before.content, after.content or b"", after.path)


def _content(file: File) -> bytes:
    return file.content or b""


def _certbot_finding(file: File, found: CertbotEdits) -> Finding:
    has_tls = b"ssl_certificate" in _content(file)
    lost = "" if has_tls else ", and HTTPS with them"
    what = f"certbot has edited {file.path}: this plan removes its lines{lost}."
    evidence = f"{file.path}:{found.lines[0]}: {found.summary}"
    return Finding("certbot-edits", "warning", what, (evidence,), found.suggested_fix)


def _sample_names(root: str) -> tuple[str, ...]:
    """Return names of files in `root`; none if it does not exist or cannot be read."""
    try:
        return sample_files(root, SAMPLES)
    except (OSError, ReconcileError):
        return ()
