"""Relaxes a draft until its plan shows no changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from reconcile.adopt.config_files import WatchedFiles, adopt_file
from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import Inspector
from reconcile.adopt.validity import make_valid
from reconcile.config.document import Loc
from reconcile.config.site.location import HEALTH_FILE
from reconcile.engine.model import Change, Conflict, Plan, Unknown
from reconcile.engine.resource import Ref
from reconcile.filesystem.path import overlap
from reconcile.nginx.model.layout import Layout
from reconcile.output.fields import format_value
from reconcile.resources.tree import Tree

_SERVING = ("app", "locations")
_MOST_ROUNDS = 20
_IGNORABLE = frozenset(["tree", "directory", "service"])
"""Kinds whose differences may be ignored: owners, modes and processes, never contents."""
_HEALTH_FILE = f"/{HEALTH_FILE}"

Planner = Callable[[Draft], Plan]
Leftover = Change | Unknown | Conflict
"""A remaining item of a plan."""


class Convergence:
    """Relaxes one draft until its plan is empty."""

    def __init__(
        self, draft: Draft, watched: WatchedFiles, layout: Layout, inspector: Inspector
    ) -> None:
        self.draft = draft
        self.watched = watched
        self.layout = layout
        self.inspector = inspector

    def converge(self, make_plan: Planner, file: str) -> Plan:
        """Return the final plan; changes that remain in it are noted as errors."""
        for _ in range(_MOST_ROUNDS):
            make_valid(self.draft, file)
            plan = make_plan(self.draft)
            # Dropping declarations comes first: many other changes follow from them.
            found: list[Leftover] = [*plan.unknown, *plan.conflicts, *plan.changes]
            relaxed = [self._relax(one) for one in found]
            if any(relaxed):
                continue
            ignored = [self._add_ignore_rules(one) for one in plan.changes]
            if not any(ignored):
                break
        for change in plan.changes:
            what = f"the configuration still produces changes: {change.ref} ({change.reason})"
            self.draft.add_error("", what, _suggested_fix(change))
        for conflict in plan.conflicts:
            self.draft.add_error("", f"{conflict.ref}: {_why(conflict)}")
        for unknown in plan.unknown:
            self.draft.add_error("", f"{unknown.ref} cannot be read: {unknown.reason}")
        return plan

    def _relax(self, found: Leftover) -> bool:
        """Drop the declaration of something that would be created; False where none fits."""
        if isinstance(found, Change) and found.action == "delete":
            return False
        if self._revert_to_adopted(found.ref):
            return True
        if isinstance(found, Change) and found.action == "update":
            return False
        locs = list(self._declarations_of(found.ref))
        # Of two conflicting declarations the first may stay.
        obsolete = locs[-1:] if isinstance(found, Conflict) else locs
        dropped = [self._drop_declaration(loc, found) for loc in obsolete]
        return any(dropped)

    def _revert_to_adopted(self, ref: Ref) -> bool:
        """Adopt the existing file of a managed site that would be rendered differently now."""
        draft = self.draft
        if ref.kind == "unit":
            apps = [site["app"] for site in draft.values.get("sites", {}).values() if "app" in site]
            return bool([app.pop("gunicorn") for app in apps if "gunicorn" in app])
        if ref.kind not in ("file", "symlink"):
            return False
        rewritten = [site for site in self.watched.managed_sites if self._writes(site, ref.name)]
        for site in rewritten:
            what = f"{site}: {ref.name} differs from what reconcile would write now"
            fix = "The adopted file keeps the manual changes."
            draft.add_note(self.watched.serves[site], what, fix, at=("sites", site))
            adopt_file(draft, self.watched, site, self.inspector)
        return bool(rewritten)

    def _writes(self, site: str, path: str) -> bool:
        if path in (self.layout.file_path(site), self.layout.link_path(site)):
            return True
        return any(f"{one}{_HEALTH_FILE}" == path for one in self._location_folders(site).values())

    def _location_folders(self, site: str) -> dict[str, str]:
        locations = self.draft.values.get("sites", {}).get(site, {}).get("locations", {})
        return {key: one["dir"] for key, one in locations.items() if "dir" in one}

    def _add_ignore_rules(self, change: Change) -> bool:
        """Add ignore rules for the differing fields; the rest of the resource stays managed."""
        if change.action != "update" or change.ref.kind not in _IGNORABLE:
            return False
        names = list(_differing_fields(change))
        ignorable = change.after.ignorable() if change.after else frozenset()
        if not names or not ignorable.issuperset(names):
            return False
        rules = self.draft.values.setdefault("ignore", [])
        known = {(rule["ref"], rule["field"]) for rule in rules}
        fresh = [name for name in names if (_escaped_address(change.ref), name) not in known]
        for name in fresh:
            at: Loc = ("ignore", len(rules))
            reason = "existing state at adoption"
            rules.append({"ref": _escaped_address(change.ref), "field": name, "reason": reason})
            differences = "; ".join(_describe_difference(change, name))
            fix = (
                f"While this `ignore` rule exists, {name} changes there are not reported;"
                " without it the next apply fixes them."
            )
            self.draft.add_note(change.ref.name, f"left unchanged: {differences}", fix, at=at)
        return bool(fresh)

    def _declarations_of(self, ref: Ref) -> Iterator[Loc]:
        """Yield the positions in the draft that declare a resource."""
        sites = self.draft.values.get("sites", {})
        if ref.name in self.draft.values.get("paths", {}):
            yield ("paths", ref.name)
        for name, site in sites.items():
            app = site.get("app", {})
            if ref.kind == "service" and app.get("service") == ref.name:
                yield ("sites", name, "app", "service")
            for prefix, folder in (
                self._location_folders(name).items() if ref.kind != "service" else ()
            ):
                if overlap(folder, ref.name):
                    yield ("sites", name, "locations", prefix)

    def _drop_declaration(self, loc: Loc, found: Leftover) -> bool:
        if not self.draft.has(loc):
            return False
        self.draft.drop(loc)
        is_kept = loc[0] == "sites" and self.draft.has(loc[:2])
        report = self.draft.add_error if isinstance(found, Unknown) else self.draft.add_note
        report(
            "",
            f"{'.'.join(map(str, loc))} is left out: {_why(found)}",
            at=loc[:2] if is_kept else (),
        )
        if is_kept and self.draft.sites[str(loc[1])].keys().isdisjoint(_SERVING):
            self.draft.drop(loc[:2])
        return True


def _why(found: Leftover) -> str:
    if isinstance(found, Conflict):
        return f"its {found.field} cannot be both {found.values[0]} and {found.values[1]}"
    return found.reason if isinstance(found, Unknown) else f"{found.ref} does not exist"


def _differing_fields(change: Change) -> Iterator[str]:
    """Yield the differing fields by their names in ignore rules."""
    after, before = change.after, change.before
    for field in change.fields:
        if isinstance(after, Tree) and isinstance(before, Tree) and field.name == "deviations":
            yield from _tree_fields(after, before)
        else:
            yield field.name


def _describe_difference(change: Change, name: str) -> Iterator[str]:
    """Describe the field's current value."""
    if change.ref.kind == "service":
        words = {"enabled": "it is not enabled", "active": "it is not active"}
        yield words.get(name, f"its {name}")
        return
    for field in change.fields:
        if isinstance(field.before, list | tuple) and isinstance(change.after, Tree):
            yield from map(str, field.before)
        elif field.name == name == "enterable_by":
            denied = [user for user in field.after if user not in field.before]
            yield f"{', '.join(denied)} cannot enter it"
        elif field.name == name:
            yield f"{field.name} is {format_value(field.before)}, not {format_value(field.after)}"


def _tree_fields(after: Tree, before: Tree) -> Iterator[str]:
    for name in ("owner", "mode"):
        found = after.ignoring(name, before)
        if found and not found[1].deviations:
            yield name
            return
    yield "deviations"


def _escaped_address(ref: Ref) -> str:
    """The address with characters that would act as wildcards replaced."""
    text = str(ref)
    return text if fnmatchcase(text, text) else text.replace("[", "?").replace("]", "?")


def _suggested_fix(change: Change) -> str:
    if change.ref.kind == "nginx_live":
        return "Reload nginx (nginx -t && systemctl reload nginx), then adopt again."
    if change.action == "delete":
        return "reconcile already manages this host: add the sites to the file in use."
    return ""
