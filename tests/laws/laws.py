"""The laws of reconcile, each checked over one apply or over a way of several."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from posixpath import join
from typing import Any

from reconcile.engine.apply_report import Report
from reconcile.engine.model import Change, Plan
from reconcile.errors import ReconcileError
from reconcile.filesystem.path import is_inside
from reconcile.nginx.model.lexer import NginxSyntaxError
from reconcile.resources.assets import Assets
from reconcile.resources.service import Service
from reconcile.resources.tree import Tree
from tests.laws.box import BY_HAND, INITIAL, ROOT, Box, Yaml
from tests.laws.generated import Step, protected_dirs
from tests.support.modelled_systemd import NGINX

NOTHING_SELECTED = "No site or resource named"
UNREADABLE = "its files cannot be read"
KEPT_BY_NGINX = "nginx keeps what it has loaded"
Picture = dict[str, Any]


@dataclass
class Way:
    """What is known of a host on its way through several applies."""

    box: Box
    protected: set[str] = field(default_factory=set)
    """Folders that were ever applied as users' data."""
    applied: list[Yaml] = field(default_factory=list)
    refusal: str = ""
    """Why the last one was refused."""

    def take(self, step: Step, number: int) -> Report | None:
        """Let its events happen, and apply its YAML by every law; None where that is refused."""
        for index, event in enumerate(step.events):
            self.box.happen(event, f"{number}.{index}")
        return self._apply(step)

    def take_alone(self, steps: Sequence[Step]) -> Report | None:
        """Let everything happen, and apply the last YAML only; None where that is refused."""
        for number, step in enumerate(steps):
            for index, event in enumerate(step.events):
                self.box.happen(event, f"{number}.{index}")
        return _applied(self.box, steps[-1])[0]

    def _apply(self, step: Step) -> Report | None:
        box, yaml = self.box, step.yaml
        protected = self.protected | set(protected_dirs(yaml))
        uploads = Counter(box.contents_below(sorted(protected)))
        before, ran = box.picture(), box.processes()
        generations = box.generations()
        outdated = _outdated(box, yaml).get(NGINX)
        was_loaded = not outdated
        plan, why = _planned(box, step)
        _assert_same(before, box.picture(), "a plan writes nothing")
        names = _planned_names(plan, box) if plan else {}

        report, refusal = _applied(box, step)

        assert (report is None) == (plan is None or why != ""), f"candour: {why!r}, {refusal!r}"
        after = box.picture()
        self.refusal = refusal
        if report is None or plan is None:
            _assert_same(before, after, f"what is refused changes nothing ({refusal})")
            return None
        assert report.result in ("applied", "no_changes"), (report.error, report.why)
        assert plan.fingerprint == report.plan.fingerprint
        assert not report.notes, f"the plan is the deed: {report.notes}"
        outside = {name for one in names.values() for name in one if name.startswith("..")}
        assert not outside, f"the test would change this machine: {outside}"
        _assert_deed(report.plan, before, after, names, box)
        _assert_processes(report.plan, generations, box)
        _assert_nothing_is_left(box, step)
        assert_claims(before, after, yaml, box)
        left = Counter(digest for digest in box.all_contents())
        lost = [digest for digest in uploads if digest not in left]
        assert [] == lost, "places: an upload is gone"
        if not was_loaded:
            # What was edited by hand and never loaded is loaded by any reload.
            ran["run"].pop(NGINX)
        may_keep = KEPT_BY_NGINX if outdated == UNREADABLE else ""
        self._assert_inverse(step, plan, (before, ran), (after, box.processes()), may_keep)
        self.protected = protected
        self.applied.append(yaml)
        return report

    def _assert_inverse(
        self, step: Step, plan: Plan, before: Any, after: Any, may_keep: str
    ) -> None:
        """Rolling back restores the host, and applying again leads to the same.

        `may_keep`: how the note begins that nginx does not load files that it would refuse.
        """
        box = self.box
        if not plan.changes:
            return
        notes = box.roll_back(step.yaml)
        notes = [note for note in notes if not (may_keep and note.startswith(may_keep))]
        assert not notes, f"inverse: {notes}"
        _assert_same(before[0], box.picture(), "inverse")
        ran = box.processes()["run"]
        _assert_same(
            before[1]["run"], {unit: ran.get(unit) for unit in before[1]["run"]}, "inverse"
        )
        enabled = box.processes()["enabled"]
        assert before[1]["enabled"] == enabled, f"inverse: {before[1]['enabled']} {enabled}"
        report, refusal = _applied(box, step)
        assert report is not None, f"inverse: the same apply is refused: {refusal}"
        # What was edited by hand is loaded by the reload of the rollback.
        is_loaded = all(change.ref.kind == "nginx_live" for change in plan.changes)
        assert report.result in ("applied", "no_changes" if is_loaded else "applied")
        _assert_same(after[0], box.picture(), "inverse: another end")
        _assert_same(after[1], box.processes(), "inverse: another end")


def _planned(box: Box, step: Step) -> tuple[Plan | None, str]:
    """The plan, and why an apply would refuse it."""
    try:
        plan = box.plan(step.yaml, step.selection)
    except ReconcileError as error:
        return None, f"{error.what}: {error.why}"
    reasons = [*plan.unknown, *plan.conflicts, *plan.refusals]
    return plan, "; ".join(map(str, reasons))


def _applied(box: Box, step: Step) -> tuple[Report | None, str]:
    try:
        return box.apply(step.yaml, step.selection), ""
    except ReconcileError as error:
        return None, f"{error.what}: {error.why}"


def _outdated(box: Box, yaml: Yaml) -> dict[str, Any]:
    """The units that run with other files than those on the disk, as far as nginx can read its."""
    try:
        return {**box.systemd.outdated(box.open(yaml).host)}
    except NginxSyntaxError:
        return {NGINX: UNREADABLE}


def _assert_nothing_is_left(box: Box, step: Step) -> None:
    plan, why = _planned(box, step)
    if plan is None and step.selection.partial and why.startswith(NOTHING_SELECTED):
        # What was selected is gone.
        return
    assert plan is not None, f"fixpoint: {why}"
    left = [(str(change.ref), change.reason) for change in plan.changes]
    assert not why, f"fixpoint: {why}"
    assert not left, f"fixpoint: {left}"
    outdated = _outdated(box, step.yaml)
    declared = {
        ref.name
        for ref in plan.in_sync
        # A job is started by its timer.
        if isinstance(service := plan.desired[ref].resource, Service) and service.active
    }
    if all(ref.kind != "nginx_live" for ref in plan.in_sync):
        # Only a part was applied: without what reloads nginx.
        outdated.pop(NGINX, None)
    stale = {unit: what for unit, what in outdated.items() if unit in declared}
    assert not stale, f"running: {stale}"
    assert all(unit in box.systemd.run for unit in declared)


def _assert_deed(
    plan: Plan, before: Picture, after: Picture, names: dict[str, set[str]], box: Box
) -> None:
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    now = _planned_names(plan, box)
    allowed = set().union(*names.values(), *now.values())
    unplanned = {name: (before.get(name), after.get(name)) for name in changed - allowed}
    assert not unplanned, f"the plan is the deed: done and not planned: {unplanned}"
    gone = {name for name in before if name not in after and before[name][0] != "directory"}
    single = {
        place
        for change in plan.changes
        if change.ref.kind in ("file", "symlink", "unit")
        for place in names[str(change.ref)]
    }
    created = {change.ref.name for change in plan.changes if change.after is not None}
    removed = [one for one in plan.changes if one.after is None and one.ref.name not in created]
    for change in removed:
        if change.ref.kind in ("file", "symlink", "unit", "directory"):
            assert not os.path.lexists(change.ref.name), f"planned and not done: {change.ref}"
    copies = [change for change in removed if change.ref.kind == "assets"]
    for change in copies:
        # One inside of another counts what lies in it: by whose source, is not asked here.
        below = [one for one in copies if is_inside(one.ref.name, change.ref.name)]
        if not any(is_inside(change.ref.name, one.ref.name) for one in copies if one != change):
            planned = sum(one.files_removed for one in below)
            done = gone & names[str(change.ref)] - single
            assert planned == len(done), f"planned and not done: {change.ref} {done}"


def _planned_names(plan: Plan, box: Box) -> dict[str, set[str]]:
    """Address → the paths that its change may touch, relative to the host, links resolved."""
    return {
        str(change.ref): {place for path in _paths_of(change) for place in box.names_of(path)}
        for change in plan.changes
    }


def _paths_of(change: Change) -> Iterator[str]:
    subject, name = change.subject, change.ref.name
    if name.startswith("/"):
        yield name
    if isinstance(subject, Assets):
        diff = (change.before or subject).diff if change.after else None
        if diff is not None:
            found: Iterable[str] = (
                *diff.cleared,
                *diff.cleared_folders,
                *diff.folders,
                *(copy.path for copy in diff.copies),
                *diff.stale,
                *diff.extraneous,
                *diff.extraneous_folders,
                *(one.path for one in diff.deviations),
            )
            yield from (join(name, path) for path in found)
        if change.after is None:
            for above, folders, files in os.walk(name):
                yield from (join(above, one) for one in (*folders, *files))
    if isinstance(subject, Tree) and isinstance(change.before, Tree):
        yield from (join(name, one.path) for one in change.before.deviations)


def _assert_processes(plan: Plan, before: dict[str, int], box: Box) -> None:
    now = box.generations()
    changed = {unit for unit in before.keys() | now.keys() if before.get(unit) != now.get(unit)}
    planned = {change.ref.name for change in plan.changes if change.ref.kind == "service"}
    if any(change.ref.kind == "nginx_live" for change in plan.changes):
        planned.add("nginx.service")
    unplanned = changed - planned
    assert not unplanned, f"the plan is the deed: a service that no plan named: {unplanned}"


def _assert_same(before: Any, after: Any, law: str) -> None:
    changed = {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
    assert not changed, f"{law}: {changed}"


def assert_claims(before: Picture, after: Picture, yaml: Yaml, box: Box) -> None:
    """What a person wrote stays, but where the YAML declares a file or a copy in its place."""
    for name, facts in before.items():
        by_hand = facts[0] == "file" and facts[3].startswith(BY_HAND)
        if by_hand and after.get(name) != facts and not _is_declared(name, yaml, box):
            raise AssertionError(f"claims: {name} was written by hand: {after.get(name)}")


def _is_declared(name: str, yaml: Yaml, box: Box) -> bool:
    paths = {box.relative(path) for path in yaml["paths"]}
    generated = {f"nginx/sites-available/{site}.conf" for site in yaml["sites"]}
    units = {unit for name, one in yaml["sites"].items() for unit in units_of(name, one)}
    return name in paths | generated | units or any(
        is_inside(name, box.relative(location["dir"]))
        for location in locations_of(yaml)
        if location["role"] == "static"
    )


@dataclass(frozen=True)
class Trace:
    """What the way to a state may leave beside it: the exceptions of `Path independence`."""

    steps: Sequence[Step]
    box: Box
    mounted: frozenset[str]
    """Where folders were mounted on the whole way, relative to the host."""

    def assert_none(self, after: Picture, alone: Picture) -> None:
        """`after` all steps, the host is as after the last one `alone`."""
        left = {name for name in after.keys() - alone.keys() if not self._may_stay(name)}
        # A directory stays for what is in it.
        stays = after.keys() - alone.keys() - left
        left = {name for name in left if not any(is_inside(one, name) for one in stays)}
        missing = {
            name
            for name in alone.keys() - after.keys()
            if not (self._is_peoples(name) or self._was_taken_over(name))
        }
        other = {
            name: (after[name], alone[name])
            for name in after.keys() & alone.keys()
            if not self._may_stay(name) and self._managed(after, name) != self._managed(alone, name)
        }
        assert not left, f"path independence: left behind: {sorted(left)}"
        assert not missing, f"path independence: missing: {sorted(missing)}"
        assert not other, f"path independence: differs: {other}"

    def _may_stay(self, name: str) -> bool:
        return self._is_peoples(name) or self._is_kept(name) or self._was_taken_over(name)

    def _is_peoples(self, name: str) -> bool:
        """Uploads, and what somebody did by hand."""
        touched = {
            argument for step in self.steps for event in step.events for argument in event[1:]
        }
        data = {folder for step in self.steps for folder in protected_dirs(step.yaml)}
        touched |= self.mounted
        places = {self.box.relative(self.box.path(one)) for one in touched | data} | touched | data
        return any(is_inside(name, one) or is_inside(one, name) for one in places)

    def _is_kept(self, name: str) -> bool:
        """What an earlier copy wrote, in a folder that is served on and not pruned."""
        return any(
            is_inside(name, self.box.relative(location["dir"]))
            and (not location.get("prune") or location.get("keep"))
            for location in locations_of(self.steps[-1].yaml)
            if location["role"] == "static"
        )

    def _was_taken_over(self, name: str) -> bool:
        """What was there before the first apply."""
        return name in INITIAL

    def _managed(self, picture: Picture, name: str) -> Any:
        """What the last YAML declares of `name`: owners and modes only where it has any."""
        facts = self._without_ignored(name, picture[name])
        if facts[0] == "directory":
            declared = {self.box.relative(one["dir"]) for one in locations_of(self.steps[-1].yaml)}
            return facts if name in declared else facts[0]
        if facts[0] == "file" and f"{ROOT}/{name}" in self.steps[-1].yaml["paths"]:
            return facts[0], facts[3]
        return facts

    def _without_ignored(self, name: str, facts: tuple[Any, ...]) -> tuple[Any, ...]:
        """What is there, but what the last YAML lets differ."""
        path = f"{ROOT}/{name}"
        places = {
            PLACE_OF_FIELD[rule["field"]]
            for rule in self.steps[-1].yaml.get("ignore", ())
            if rule.get("until", "9") > "2025" and fnmatchcase(path, _pattern(rule["ref"]))
        }
        return tuple(None if place in places else fact for place, fact in enumerate(facts))


PLACE_OF_FIELD = {"mode": 1, "target": 1, "user": 2, "group": 2, "content": 3}
"""Field → its place in what `picture` has of a path."""


def _pattern(ref: str) -> str:
    """The paths that an ignore rule is about; a tree is all that is below it."""
    kind, _, pattern = ref.partition(":")
    return "*" if kind == "tree" else pattern


def locations_of(yaml: Yaml) -> Iterator[dict[str, Any]]:
    """Every location of every site that serves a folder."""
    for site in yaml["sites"].values():
        yield from (one for one in site.get("locations", {}).values() if "dir" in one)


def units_of(name: str, site: Yaml) -> Iterator[str]:
    app = site.get("app", {})
    if "gunicorn" in app:
        service = app.get("service", f"gunicorn-{name}.service").removesuffix(".service")
        yield from (f"units/{service}.{kind}" for kind in ("service", "socket"))
