"""Owners and modes of everything below a directory: a media folder of a million uploads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import SkipValidation

from reconcile.engine.digest import digest
from reconcile.engine.model import FieldChange, Finding
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.scan_result import Examples, Scan
from reconcile.resources.common import folders_above, octal, owner_ids, refuse_unknown_owner
from reconcile.resources.metadata_effects import masks_finding, masks_told
from reconcile.system import Host
from reconcile.system.accounts import Accounts

RULE = ("user", "group", "dirs", "files")
NAMED = 5
"""Paths named in a line of the plan."""


class Tree(Resource):
    """Every regular file has mode `files`, every directory `dirs`, all one owner.

    The root itself is a directory resource's. Contents are never touched;
    symlinks, other mounts and hard-linked files are left alone. Observed, it
    holds what deviates: the first, and an exact count.
    """

    kind: Literal["tree"] = "tree"
    path: str
    user: str | None = None
    group: str | None = None
    dirs: int = 0o755
    files: int = 0o644
    except_: tuple[str, ...] = ()
    """Absolute paths below the root that are someone else's to look after."""
    deviations: SkipValidation[tuple[PermissionDeviation, ...]] = ()
    deviating: int = 0
    total: int | None = None
    whole: int = 0
    notes: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    """Observed: what new modes will do to access lists."""
    declared: bool = True

    order: ClassVar[int] = 30
    removal_order: ClassVar[int] = 98
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "forget"
    writes_contents: ClassVar[bool] = False
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {"path", "except_", "deviating", "total", "whole", "notes", "masked", "declared"}
    )

    @property
    def name(self) -> str:
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name, declared=False)

    def requires(self) -> frozenset[Ref]:
        return folders_above(self.path) | {Ref("directory", self.path)}

    def observe(self, host: Host) -> Self | None:
        """Where the root is absent, nothing below it deviates."""
        refuse_unknown_owner(host, self.user, self.group)
        if not self.declared or host.files.stat(self.path, follow=True) is None:
            return self._with(Scan())
        scan = host.files.scan(self.path, self._rule(host), self._excluded())
        _refuse_unreadable(self.path, scan)
        masked = host.files.masked_grants_below(self.path, self._rule(host), scan.deviations)
        return self._with(scan).model_copy(update={"masked": masks_told(host, masked)})

    def _with(self, scan: Scan) -> Self:
        return self.model_copy(
            update={
                "deviations": tuple(scan.deviations),
                "deviating": scan.deviation_count,
                "total": scan.files + scan.directories,
                "whole": scan.fingerprint,
                "notes": tuple(_notes(self.path, scan)),
            }
        )

    def _rule(self, host: Host) -> PermissionPolicy:
        uid, gid = owner_ids(host, self.user, self.group)
        return PermissionPolicy(uid, gid, self.files, self.dirs)

    def _excluded(self) -> tuple[str, ...]:
        below = self.path.rstrip("/") + "/"
        return tuple(path.removeprefix(below) for path in self.except_ if path.startswith(below))

    def apply(self, host: Host, before: Self | None) -> None:
        rule = self._rule(host)
        found = before if before is not None else self.observe(host)
        seen: int | None = None
        # Where more deviated than memory held, look again until that brings no more.
        while found is not None and found.deviating and found.deviating != seen:
            host.files.fix_permissions(self.path, rule, found.deviations)
            seen = found.deviating
            if len(found.deviations) == found.deviating:
                return
            found = self.observe(host)

    def refresh(self, host: Host, before: Self | None) -> Self | None:
        """Only what was mended is looked at again, unless it was more than memory held."""
        if before is None or len(before.deviations) < before.deviating:
            return self.observe(host)
        left = host.files.still_deviating(self.path, self._rule(host), before.deviations)
        return before.model_copy(update={"deviations": tuple(left), "deviating": len(left)})

    def delete(self, host: Host) -> None:  # noqa: ARG002
        raise HostError(
            what=f"{self.ref} is never removed",
            why="what is below it is other people's data",
            fix="Remove it by hand if you are sure.",
        )

    def findings(self) -> tuple[Finding, ...]:
        """What was seen and left alone, and what is changed by the way."""
        left = tuple(Finding("tree-left-alone", "note", note) for note in self.notes)
        return (*left, masks_finding(self.path, self.masked)) if self.masked else left

    def digests(self) -> dict[str, str]:
        # What is kept is only the first part, and a plan is bound to the whole.
        rule = {name: digest(getattr(self, name)) for name in RULE}
        return {**rule, "deviations": f"{self.deviating}:{self.whole:016x}"}

    def cause(
        self,
        field: str,
        before: Self | None,  # noqa: ARG002
        written: Mapping[str, str],
    ) -> Cause:
        if field not in written:
            return "pending"
        now = self.digests()
        return "pending" if any(now[name] != written.get(name) for name in RULE) else "drift"

    def ignorable(self) -> frozenset[str]:
        return frozenset({"mode", "owner", "deviations"})

    def ignoring(self, field: str, observed: Self) -> tuple[Self, Self] | None:
        """`mode` or `owner` of everything below, or all `deviations`.

        What has to be mended for another reason is given its owner and mode all the same.
        """
        kept = tuple(one for one in observed.deviations if self._matters(one, field))
        gone = len(observed.deviations) - len(kept)
        if not gone:
            return None
        return self, observed.model_copy(
            update={"deviations": kept, "deviating": observed.deviating - gone}
        )

    def _matters(self, found: PermissionDeviation, ignored: str) -> bool:
        accounts = Accounts()
        owner = (
            accounts.user(self.user).uid if self.user else found.uid,
            accounts.group(self.group) if self.group else found.gid,
        )
        differs = {
            "owner": (found.uid, found.gid) != owner,
            "mode": found.mode != (self.dirs if found.is_directory else self.files),
        }
        return any(differs[name] for name in differs if name != ignored and ignored in differs)

    def why(self, change: FieldChange) -> str:
        if change.name != "deviations":
            return ""
        if change.cause == "drift":
            return "owners or modes changed since the last apply"
        return "owners or modes differ from the declared ones"

    def display(self) -> dict[str, Any]:
        modes = {"dirs": octal(self.dirs), "files": octal(self.files)}
        return {**self.managed(), **modes, "deviations": list(self._lines())}

    def _lines(self) -> Iterator[str]:
        """One line a kind of deviation, with the first paths of each."""
        groups: dict[tuple[bool, int, int, int], list[str]] = defaultdict(list)
        for found in self.deviations:
            groups[found.is_directory, found.uid, found.gid, found.mode].append(found.path)
        names = Accounts()
        for (is_directory, uid, gid, mode), paths in groups.items():
            owner = f"{names.user_name(uid)}:{names.group_name(gid)}"
            what = "directory" if is_directory else "file"
            way = self._way(owner, mode, self.dirs if is_directory else self.files)
            yield f"{way}: {_count(len(paths), what)} ({_named(paths)})"
        if self.deviating > len(self.deviations):
            yield f"and {self.deviating - len(self.deviations)} more that deviate"

    def _way(self, owner: str, mode: int, wanted_mode: int) -> str:
        me = Accounts().current
        wanted = f"{self.user or me.name}:{self.group or Accounts().group_name(me.gid)}"
        owners = [] if owner == wanted else [f"owner {owner} -> {wanted}"]
        modes = [] if mode == wanted_mode else [f"mode {octal(mode)} -> {octal(wanted_mode)}"]
        return ", ".join([*owners, *modes])


def _count(number: int, what: str) -> str:
    plural = {"file": "files", "directory": "directories"}[what]
    return f"{number} {what if number == 1 else plural}"


def _named(paths: Sequence[str]) -> str:
    return ", ".join(paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")


def _notes(root: str, scan: Scan) -> Iterator[str]:
    told: tuple[tuple[Examples, str], ...] = (
        (
            scan.foreign_owner,
            "belong to another user where somebody else may write, so they are not"
            " given away; look at them, then remove them or copy them as their right owner",
        ),
        (
            scan.hard_links,
            "have further names (hard links), perhaps elsewhere, so they are left"
            " as they are; replace them by copies",
        ),
        (scan.mounts, "are other mounts and are not entered"),
    )
    for examples, why in told:
        if examples.count:
            yield f"{examples.count} below {root} {why}: {_named(examples.paths)}"


def _refuse_unreadable(root: str, scan: Scan) -> None:
    if scan.unreadable.count:
        raise HostError(
            what=f"{scan.unreadable.count} below {root} cannot be read:"
            f" {_named(scan.unreadable.paths)}",
            why=scan.unreadable_reason,
            fix="Run as root, or as a user who may read them.",
        )
