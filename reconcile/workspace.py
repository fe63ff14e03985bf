"""One reconcile.yaml on one host: where the rooms come together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from functools import cached_property, partial
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.config.expand import Expansion, expand
from reconcile.config.facts import HostFacts
from reconcile.config.load import load
from reconcile.dataclass import dataclass
from reconcile.engine.data_protection import directories_to_resolve, protected_names
from reconcile.engine.drift_report import Drift
from reconcile.engine.ignore_rules import IgnoredField, apply_ignore_rules
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.merge import merge
from reconcile.engine.model import Check, ConfigOrigin, Declared, Event, Finding, Plan
from reconcile.engine.observe import observe, observe_undeclared, preflight_warnings, source_digests
from reconcile.engine.planner import plan
from reconcile.engine.resource import Ref, Resource
from reconcile.engine.rollback import unfinished
from reconcile.engine.selection import Selection, select
from reconcile.filesystem.host_error import HostError
from reconcile.nginx.render.render_cache import RenderCache
from reconcile.nginx.running.discover import NginxInstallation, discover
from reconcile.nginx.running.loaded_config import real_path
from reconcile.resources import registry
from reconcile.system import Host

if TYPE_CHECKING:
    from reconcile.config.models.spec import Spec
    from reconcile.config.probes import HttpProbe, Probe
    from reconcile.config.questions import Questions
    from reconcile.engine.data_protection import Lineages
    from reconcile.engine.history import Actor
    from reconcile.engine.ledger import Ledger
    from reconcile.engine.model import Conflict, Desired, PlanInputs, Report

Listen = Callable[[Event], None]
EVERYTHING = Selection()
UNTOUCHED_RETRY_S = 1.0
"""Where nobody has just reloaded anything, a bad answer is soon the last word."""


def ignore(event: Event) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Options:
    """How an apply is to be done; what a guard refuses by default has to be allowed here."""

    verify: bool = True
    roll_back: bool = True
    max_deletes: int | None = None
    max_delete_share: float | None = None
    """Of all that is owned, as a fraction; what `max_deletes` says goes first."""
    allow_empty: bool = False
    saved_plan: str | None = None
    """The id of the saved plan that is carried out; it is good for no further apply."""


UNATTENDED = Options(max_delete_share=0.5)
"""For what nobody looks at: more than half of what is owned is never removed."""


class Workspace:
    """What a file asks of a host. The host is read once, when first needed."""

    def __init__(self, spec: Spec, host: Host, commit: str | None = None) -> None:
        self.spec = spec
        self.host = host
        self.commit = commit

    @classmethod
    def open(cls, file: str, commit: str | None = None) -> Workspace:
        """The workspace of a file, which may come from a Git commit.

        Errors: SpecErrors for a faulty file, ReconcileError for one that cannot be read.
        """
        spec = load(file)
        return cls(spec, Host(spec.host.settings()), commit)

    def anew(self) -> Workspace:
        """The same, knowing nothing yet of the host."""
        host = Host(self.host.settings)
        host.scan_progress = self.host.scan_progress
        return Workspace(self.spec, host, self.commit)

    @cached_property
    def ledger(self) -> Ledger:
        return read_ledger(self.host.state)

    @cached_property
    def facts(self) -> HostFacts:
        """All that decides what the file means here. Errors: ReconcileError."""
        return replace(
            self._surroundings,
            sources={path: self.host.files.read(path) for path in self.spec.file_sources()},
            certificates=frozenset(filter(self._has_certificate, self.spec.certificate_names())),
            serves_sites=any(ref.kind == "nginx_live" for ref in self.ledger.rows),
        )

    @cached_property
    def _surroundings(self) -> HostFacts:
        """What everybody may see. Errors: ReconcileError, for one where nginx is missing."""
        nginx, accounts, settings = discover(self.host), self.host.accounts, self.host.settings
        by = self.host.managing_account
        worker = self.spec.host.nginx.user or nginx.layout.worker_user
        return HostFacts(
            hostname=self.host.name,
            nginx_config=settings.nginx_config,
            nginx_binary=nginx.binary,
            nginx_version=nginx.version,
            layout=nginx.layout,
            # Started by anyone but root, nginx cannot change its user.
            worker_user=worker if by.uid == 0 else by.name,
            service_manager=settings.service_manager,
            has_boot=self.host.services.has_boot,
            ipv6=nginx.ipv6,
            privileged=by.uid == 0,
            user=by.name,
            group=accounts.group_name(by.gid),
            state_dir=settings.state_dir,
            unit_dir=os.path.dirname(self.host.services.unit_path("any.service")),
            nginx_reads=self._nginx_reads(nginx),
            static_encodings=nginx.static_encodings,
        )

    @cached_property
    def renderings(self) -> RenderCache:
        return RenderCache.read(self.host.state)

    @cached_property
    def expansion(self) -> Expansion:
        return expand(self.spec, self.facts, self.renderings)

    @cached_property
    def questions(self) -> Questions:
        """What the host has to answer. The ledger and the sources are not needed for it."""
        from reconcile.config.questions import Questions, questions

        if self.host.privileged:
            return Questions(self.expansion.probes)
        return questions(self.spec, self._surroundings, self._has_certificate)

    @cached_property
    def merged(self) -> tuple[dict[Ref, Declared], tuple[Conflict, ...]]:
        return merge(self.expansion.declared)

    @property
    def desired(self) -> dict[Ref, Declared]:
        return self.merged[0]

    def plan(self, selection: Selection = EVERYTHING) -> Plan:
        """How the host differs from the file. Changes nothing, takes no lock."""
        rows = self.ledger.rows
        sites = {ref: row.sites for ref, row in rows.items()}
        chosen = select(self.desired, sites, selection)
        wanted = [item.resource for ref, item in self.desired.items() if ref in chosen]
        dropped = sorted(chosen - self.desired.keys())
        observed = {
            **observe(wanted, self.host),
            **observe_undeclared(dropped, _made, self.host),
        }
        left = apply_ignore_rules(self.desired, observed, tuple(self._ignore_rules()), date.today())
        made = plan(
            left.desired,
            left.observed,
            rows,
            origins=source_digests(wanted, observed, self.host),
            lineages=self._lineages(left.desired),
            host=self.host.name,
            config=ConfigOrigin(self.spec.file, self.spec.digest, self.commit),
            partial=selection.partial,
            conflicts=self.merged[1],
            ignored=left.ignored,
            findings=(
                *self._interrupted(),
                *self.expansion.findings,
                *left.findings,
                *preflight_warnings(wanted, observed, self.host),
            ),
        )
        return self._foreseen(made)

    def _lineages(self, desired: Desired) -> Lineages:
        """Where everything that could meet other people's data really lies."""
        kept = (ref for ref, row in self.ledger.rows.items() if row.protected)
        folders = directories_to_resolve(desired, protected_names(desired, kept))
        return {folder: self.host.files.real_location(folder) for folder in folders}

    def drift(self) -> Drift:
        """How the host stands now, and since when. Changes nothing, takes no lock."""
        from reconcile.engine.ledger_store import now
        from reconcile.gitops.memory import recall
        from reconcile.system.lock import holder

        began, at, applying = monotonic(), now(), holder(self.host)
        plan, checks = self.plan(), self.ask()
        memory, _ = recall(self.host.state)
        return Drift(
            plan,
            checks,
            at,
            memory.first_seen,
            memory.last_success,
            applying or holder(self.host),
            monotonic() - began,
        )

    def _foreseen(self, made: Plan) -> Plan:
        """With nothing to do there is nothing to foresee, and nothing to pay."""
        if not made.changes:
            return made
        from reconcile.impact.plan_impact import affects_nginx, with_impact

        return with_impact(made, self.spec, self.facts, self.host) if affects_nginx(made) else made

    def plan_again(self, approved: PlanInputs, selection: Selection = EVERYTHING) -> Plan:
        """The same plan from the host as it is by now. Errors: StalePlan where it is another."""
        from reconcile.engine.safety_checks import refuse_stale

        now = self.anew().plan(selection)
        if now.basis is not None:
            refuse_stale(approved, now.basis)
        return now

    @contextmanager
    def locked(
        self, command: str, *, timeout_s: float = 0.0, listen: Listen = ignore
    ) -> Iterator[Workspace]:
        """Keep every other apply away, end one that was interrupted, then look anew.

        Errors: LockHeld, naming the holder; RollbackFailed.
        """
        from reconcile.engine.rollback import recover
        from reconcile.system.lock import lock

        with lock(self.host, command, timeout_s=timeout_s):
            recover(self.host, listen)
            yield self.anew()

    def apply(
        self, planned: Plan, command: str, *, options: Options = Options(), listen: Listen = ignore
    ) -> Report:
        """Carry out a plan of this workspace, which has to be a locked one.

        Errors: ReconcileError where it is refused before anything has changed.
        """
        from reconcile.engine.apply import apply
        from reconcile.engine.safety_checks import (
            refuse_emptying,
            refuse_excess,
            refuse_excessive_share,
        )

        declared = (*self.spec.sites, *self.spec.paths)
        refuse_emptying(declared, planned.released, allow_empty=options.allow_empty)
        refuse_excess(planned, max_deletes=options.max_deletes)
        if options.max_deletes is None and options.max_delete_share is not None:
            refuse_excessive_share(planned, len(self.ledger.rows), options.max_delete_share)
        sites = _touched(planned) if planned.partial else None
        known = frozenset(site for row in self.ledger.rows.values() for site in row.sites)
        borne = self._borne(sites) if options.verify and planned.changes else ()
        report = apply(
            planned,
            self.host,
            verify=partial(self.verify, sites, borne) if options.verify else tuple,
            verify_rolled_back=partial(self.verify, known, borne) if options.verify else tuple,
            listen=listen,
            by=self.by(command, options.saved_plan),
            roll_back=options.roll_back,
        )
        if report.result == "applied":
            # Without them the next plan takes longer, and that is all.
            with suppress(HostError):
                self.renderings.keep(self.host.state)
        return replace(report, notes=(*_found_ill(borne), *report.notes))

    def take_back(self, command: str, *, listen: Listen = ignore) -> tuple[str, ...]:
        """Undo the last apply; the workspace has to be a locked one. Errors: ReconcileError."""
        from reconcile.engine.rollback import rollback_last

        return rollback_last(self.host, self.by(command), listen)

    def verify(
        self, sites: frozenset[str] | None = None, borne: Sequence[HttpProbe] = ()
    ) -> tuple[Check, ...]:
        """Ask the host everything that the file promises, or what concerns `sites`.

        Of `borne` no more is asked than what is bearable.
        """
        from reconcile.verify.run_probes import run_probes

        hidden = self.questions.hidden
        less: dict[str, Probe] = {probe.name: probe.relaxed for probe in borne}
        probes = [less.get(probe.name, probe) for probe in self._asked(sites)]
        unseen = (hidden[site] for site in hidden if sites is None or site in sites)
        return (*unseen, *run_probes(probes, self.host))

    def _borne(self, sites: frozenset[str] | None) -> tuple[HttpProbe, ...]:
        """What an apply does not answer for: it was no better before."""
        from reconcile.verify.run_probes import find_degraded

        return find_degraded(self._asked(sites), self.host)

    def _asked(self, sites: frozenset[str] | None) -> list[Probe]:
        probes = self.questions.probes
        return [probe for probe in probes if sites is None or probe.site in sites]

    def ask(self) -> tuple[Check, ...]:
        """Requests only: a check that writes, be it for a moment, is for `verify`."""
        from reconcile.config.probes import HttpProbe
        from reconcile.verify.run_probes import run_probes

        asking = [probe for probe in self.questions.probes if isinstance(probe, HttpProbe)]
        return run_probes(asking, self.host, retry_s=UNTOUCHED_RETRY_S)

    def by(self, command: str, saved_plan: str | None = None) -> Actor:
        """Who is at work, for the history."""
        from reconcile.engine.history import Actor

        return Actor(self.user, command, self.commit, saved_plan)

    @property
    def user(self) -> str:
        """Whoever typed the command, also where sudo ran it."""
        return os.environ.get("SUDO_USER") or self.host.accounts.current.name

    def _nginx_reads(self, nginx: NginxInstallation) -> frozenset[str]:
        files = self.spec.file_paths()
        return files and files & {real_path(self.host, path) for path in nginx.tree.files}

    def _has_certificate(self, name: str) -> bool:
        """Whether certbot has got it; what cannot be read is an error, and not "not yet"."""
        from reconcile.config.models.tls import Tls

        tls = Tls.model_construct(letsencrypt=name)
        paths = (tls.chain_path, tls.key_path)
        return all(self.host.files.stat(path, follow=True) is not None for path in paths)

    def _ignore_rules(self) -> Iterator[IgnoredField]:
        for number, rule in enumerate(self.spec.ignore):
            place = self.spec.place("ignore", number)
            yield IgnoredField(rule.ref, rule.field, rule.reason, rule.until, place)

    def _interrupted(self) -> Iterator[Finding]:
        for entry in unfinished(self.host):
            yield Finding(
                "interrupted-apply",
                "warning",
                f"The apply that {entry.by.user} began at {entry.at} has not come to its end.",
                fix="If it is not at work any more, the next apply, or `reconcile rollback`,"
                " takes it back first.",
                apply_fixes=True,
            )


def _made(ref: Ref) -> Resource:
    return registry.load(ref.kind).from_name(ref.name)


def _found_ill(borne: Iterable[HttpProbe]) -> Iterator[str]:
    for probe in borne:
        yield (
            f"The app of {probe.site} answered with an error before this apply, and was not asked"
            " for more after it: `reconcile doctor` tells what is in its log."
        )


def _touched(planned: Plan) -> frozenset[str]:
    return frozenset(site for change in planned.changes for site in change.sites)
