"""Plans with a draft, and takes out of it whatever the plan would still change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reconcile.adopt.config_files import Watched, adopt_file
from reconcile.adopt.discovery import Around
from reconcile.adopt.draft import Draft
from reconcile.adopt.validity import make_valid
from reconcile.config.document import Loc
from reconcile.config.lexical_paths import is_below
from reconcile.engine.model import Change, Conflict, Plan, Unknown
from reconcile.engine.resource import Ref
from reconcile.nginx.model.layout import Layout
from reconcile.output.fields import value
from reconcile.resources.tree import Tree

_SERVING = ("app", "locations")
_MOST_ROUNDS = 20
_IGNORABLE = frozenset(["tree", "directory", "service"])
"""Owners, modes and processes may stay as they are; contents are as the draft has them."""
_HEALTH_FILE = "/health.txt"

Planner = Callable[[Draft], Plan]
Leftover = Change | Unknown | Conflict
"""What keeps a plan from being empty."""


class Trial:
    """One draft on its way to an empty plan."""

    def __init__(self, draft: Draft, watched: Watched, layout: Layout, around: Around) -> None:
        self.draft = draft
        self.watched = watched
        self.layout = layout
        self.around = around

    def settle(self, planned: Planner, file: str) -> Plan:
        """The plan after it; what it still holds cannot be left alone, and is told."""
        for _ in range(_MOST_ROUNDS):
            make_valid(self.draft, file)
            plan = planned(self.draft)
            # What asks for less comes first: much of the rest follows from it.
            found: list[Leftover] = [*plan.unknown, *plan.conflicts, *plan.changes]
            asked_less = [self._asks_less(one) for one in found]
            if any(asked_less):
                continue
            ignored = [self._ignored(one) for one in plan.changes]
            if not any(ignored):
                break
        for change in plan.changes:
            what = f"the plan after this is not empty: {change.ref} ({change.reason})"
            self.draft.failed("", what, _way_out(change))
        for conflict in plan.conflicts:
            self.draft.failed("", f"{conflict.ref}: {_why(conflict)}")
        for unknown in plan.unknown:
            self.draft.failed("", f"{unknown.ref} cannot be read: {unknown.reason}")
        return plan

    def _asks_less(self, found: Leftover) -> bool:
        """Whether the draft does not ask any more for what would have to be made or decided."""
        if isinstance(found, Change) and found.action == "delete":
            return False
        if self._given_back(found.ref):
            return True
        if isinstance(found, Change) and found.action == "update":
            return False
        asking = list(self._asking(found.ref))
        # Of two that cannot both be, the first may stay.
        going = asking[-1:] if isinstance(found, Conflict) else asking
        dropped = [self._dropped(loc, found) for loc in going]
        return any(dropped)

    def _given_back(self, ref: Ref) -> bool:
        """A site of ours that is not what we would write now is adopted like anybody's."""
        draft = self.draft
        if ref.kind == "unit":
            apps = [site["app"] for site in draft.values.get("sites", {}).values() if "app" in site]
            return bool([app.pop("gunicorn") for app in apps if "gunicorn" in app])
        if ref.kind not in ("file", "symlink"):
            return False
        asking = [site for site in self.watched.exact if self._writes(site, ref.name)]
        for site in asking:
            what = f"{site}: {ref.name} is not what reconcile would write now"
            fix = "What was added by hand stands only there."
            draft.tell(self.watched.serves[site], what, fix, at=("sites", site))
            adopt_file(draft, self.watched, site, self.around)
        return bool(asking)

    def _writes(self, site: str, path: str) -> bool:
        if path in (self.layout.file_path(site), self.layout.link_path(site)):
            return True
        return any(f"{one}{_HEALTH_FILE}" == path for one in self._folders(site).values())

    def _folders(self, site: str) -> dict[str, str]:
        locations = self.draft.values.get("sites", {}).get(site, {}).get("locations", {})
        return {prefix: location["dir"] for prefix, location in locations.items()}

    def _ignored(self, change: Change) -> bool:
        """Rules for what differs: it stays, and everything else of the resource is looked after."""
        if change.action != "update" or change.ref.kind not in _IGNORABLE:
            return False
        names = list(_fields(change))
        may = change.after.ignorable() if change.after else frozenset()
        if not names or not may.issuperset(names):
            return False
        rules = self.draft.values.setdefault("ignore", [])
        known = {(rule["ref"], rule["field"]) for rule in rules}
        fresh = [name for name in names if (_pattern(change.ref), name) not in known]
        for name in fresh:
            at: Loc = ("ignore", len(rules))
            reason = "as it was when this file was made"
            rules.append({"ref": _pattern(change.ref), "field": name, "reason": reason})
            told = "; ".join(_lines(change, name))
            fix = (
                f"As long as its rule in `ignore` stands, no other {name} there is told either;"
                " without it the next apply mends this."
            )
            self.draft.tell(change.ref.name, f"left as it is: {told}", fix, at=at)
        return bool(fresh)

    def _asking(self, ref: Ref) -> Iterator[Loc]:
        """The parts of the draft that ask for a resource."""
        sites = self.draft.values.get("sites", {})
        if ref.name in self.draft.values.get("paths", {}):
            yield ("paths", ref.name)
        for name, site in sites.items():
            app = site.get("app", {})
            if ref.kind == "service" and app.get("service") == ref.name:
                yield ("sites", name, "app", "service")
            for prefix, folder in self._folders(name).items() if ref.kind != "service" else ():
                if is_below(folder, ref.name) or is_below(ref.name, folder):
                    yield ("sites", name, "locations", prefix)

    def _dropped(self, loc: Loc, found: Leftover) -> bool:
        if not self.draft.has(loc):
            return False
        self.draft.drop(loc)
        is_kept = loc[0] == "sites" and self.draft.has(loc[:2])
        tell = self.draft.failed if isinstance(found, Unknown) else self.draft.tell
        tell(
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
    return found.reason if isinstance(found, Unknown) else f"{found.ref} is not there"


def _fields(change: Change) -> Iterator[str]:
    """The fields that differ, as a rule names them; of a tree what of each path deviates."""
    after, before = change.after, change.before
    for field in change.fields:
        if isinstance(after, Tree) and isinstance(before, Tree) and field.name == "deviations":
            yield from _of_tree(after, before)
        else:
            yield field.name


def _lines(change: Change, name: str) -> Iterator[str]:
    """How that field stands, in words."""
    if change.ref.kind == "service":
        words = {"enabled": "it is not started at boot", "active": "it does not run now"}
        yield words.get(name, f"its {name}")
        return
    for field in change.fields:
        if isinstance(field.before, list | tuple) and isinstance(change.after, Tree):
            yield from map(str, field.before)
        elif field.name == name == "enterable_by":
            shut_out = [user for user in field.after if user not in field.before]
            yield f"{', '.join(shut_out)} cannot pass through it"
        elif field.name == name:
            yield f"{field.name} is {value(field.before)}, and not {value(field.after)}"


def _of_tree(after: Tree, before: Tree) -> Iterator[str]:
    for name in ("owner", "mode"):
        found = after.ignoring(name, before)
        if found and not found[1].deviations:
            yield name
            return
    yield "deviations"


def _pattern(ref: Ref) -> str:
    """An address that means itself, whatever of it a pattern would take for a wildcard."""
    from fnmatch import fnmatchcase

    text = str(ref)
    return text if fnmatchcase(text, text) else text.replace("[", "?").replace("]", "?")


def _way_out(change: Change) -> str:
    if change.ref.kind == "nginx_live":
        return "Reload nginx (nginx -t && systemctl reload nginx), then adopt again."
    if change.action == "delete":
        return "This host is managed by reconcile already: add the sites to the file in use."
    return ""
