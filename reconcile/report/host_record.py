"""What is known of one host: its documents, the newest of each subject, and its state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from reconcile.report.host_document import (
    ApplyPart,
    ChangePart,
    CheckPart,
    FindingPart,
    HoldPart,
    HostDocument,
    IgnoredPart,
)

HostState = Literal["in_sync", "drifted", "unhealthy", "unknown", "silent"]
STATES: tuple[HostState, ...] = ("in_sync", "drifted", "unhealthy", "unknown", "silent")
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class HostRecord:
    """The documents of one host, the oldest first; `name` is how they call it."""

    name: str
    documents: tuple[HostDocument, ...]

    @cached_property
    def at(self) -> datetime | None:
        """When it was last read."""
        return max((one.at for one in self.documents if one.at), default=None)

    @cached_property
    def latest(self) -> HostDocument:
        """The newest document."""
        return self.documents[-1]

    @cached_property
    def plan(self) -> HostDocument | None:
        """The newest that shows what differs."""
        return next((one for one in reversed(self.documents) if one.is_plan), None)

    @property
    def changes(self) -> tuple[ChangePart, ...]:
        """What differs."""
        return (self.plan and self.plan.resource_changes) or ()

    @cached_property
    def checks(self) -> tuple[CheckPart, ...]:
        """The results of the newest two runs of checks: verify runs more of them than drift."""
        runs = [one.checks for one in self.documents if one.checks][-2:]
        return tuple({check.name: check for checks in runs for check in checks}.values())

    @property
    def failed_checks(self) -> tuple[CheckPart, ...]:
        """The checks that failed or could not be run."""
        return tuple(check for check in self.checks if check.status in ("fail", "unknown"))

    @cached_property
    def findings(self) -> tuple[FindingPart, ...]:
        """The findings of the newest doctor, and of the newest plan."""
        diagnosis = next((one for one in reversed(self.documents) if one.rules is not None), None)
        both = (diagnosis, self.plan)
        found = [finding for one in both if one for finding in one.findings or ()]
        return tuple({(one.rule, one.what): one for one in found}.values())

    @property
    def ignored(self) -> tuple[IgnoredPart, ...]:
        """The ignored differences and findings."""
        parts = (*(self.plan.ignored_changes or () if self.plan else ()), *self._newest("ignored"))
        return tuple(dict.fromkeys(parts))

    @property
    def history(self) -> tuple[ApplyPart, ...]:
        """The applies that are known, the latest first."""
        found = {one.number: one for one in (*self._newest("entries"), *self._newest("history"))}
        if self.last_apply is not None:
            found.setdefault(self.last_apply.number, self.last_apply)
        return tuple(sorted(found.values(), key=lambda one: (one.at, one.number), reverse=True))

    @cached_property
    def last_apply(self) -> ApplyPart | None:
        """The last apply."""
        named = [one.last_apply for one in self.documents if one.last_apply]
        listed = (*self._newest("entries"), *self._newest("history"))
        return max((*named, *listed), key=lambda one: (one.at, one.number), default=None)

    @property
    def hold(self) -> HoldPart | None:
        """The hold that is in force."""
        return self.latest.hold or (self.plan.hold if self.plan else None)

    @cached_property
    def first_seen(self) -> Mapping[str, str]:
        """Since when each address differs."""
        found: dict[str, str] = {}
        for one in self.plan.deviations if self.plan else ():
            found[one.address] = min(one.first_seen, found.get(one.address, one.first_seen))
        return found

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that any document names."""
        listed = [site for one in self.documents for site in one.sites]
        changed = [site for change in self.changes for site in change.sites]
        checked = [site_of(check) for check in self.checks]
        return tuple(dict.fromkeys(filter(None, (*listed, *changed, *checked))))

    def state(self, now: datetime, silent_after: timedelta) -> HostState:
        """Its state; where documents are too old to rely on, it is silent."""
        if self.at is not None and now - self.at > silent_after:
            return "silent"
        return self.last_state

    @cached_property
    def last_state(self) -> HostState:
        """Its state when it was last read. What no document shows is unknown."""
        if self.why_unknown:
            return "unknown"
        if any(change.cause != "upgrade" for change in self.changes):
            return "drifted"
        reported: Mapping[str, HostState] = {"drift": "drifted", "unhealthy": "unhealthy"}
        if self.plan is not None and self.plan.state in reported:
            return reported[self.plan.state]
        failed = [check for check in self.failed_checks if check.before_apply is None]
        return "unhealthy" if failed else "in_sync"

    @cached_property
    def why_unknown(self) -> str:
        """Why it is not known whether the host is in sync; "" where it is."""
        plan = self.plan
        if plan is None or self._failed_later(plan):
            return self.latest.error.what if self.latest.error else "No plan or drift check"
        if plan.unknown:
            return "A part could not be read"
        if plan.conflicts:
            return "Declarations contradict each other"
        if plan.state == "unknown" or (plan.exit_code == 1 and not plan.resource_changes):
            return plan.error.what if plan.error else "The check gave no result"
        if plan.result in ("failed", "rolled_back") and not plan.resource_changes:
            return plan.error.what if plan.error else "The apply failed"
        if plan.partial and not plan.resource_changes:
            return "Only a part was planned"
        return ""

    def _failed_later(self, plan: HostDocument) -> bool:
        """Whether a later run failed, so that the plan is no longer what is known."""
        return self.latest is not plan and self.latest.error is not None

    def _newest(self, key: Literal["ignored", "entries", "history"]) -> Sequence:  # type: ignore[type-arg]
        values = (getattr(one, key) for one in reversed(self.documents))
        return next((value for value in values if value is not None), ())


def records_of(documents: Iterable[HostDocument]) -> list[HostRecord]:
    """A record for each host and scope, by name."""
    by_host: dict[str, list[HostDocument]] = {}
    for document in documents:
        name = f"{document.host} ({document.scope})" if document.scope else document.host
        by_host.setdefault(name, []).append(document)
    return [
        HostRecord(name, tuple(sorted(found, key=lambda one: one.at or NEVER)))
        for name, found in sorted(by_host.items(), key=lambda one: _by_number(one[0]))
    ]


def _by_number(name: str) -> list[tuple[int, str]]:
    """A key that sorts web-2 before web-10."""
    parts = re.split(r"([0-9]+)", name)
    return [(len(part) if number % 2 else 0, part) for number, part in enumerate(parts)]


def site_of(check: CheckPart) -> str:
    """The site of a check: `probe:SITE GET /`, `checklist:SITE:1`, `certificate:SITE`."""
    kind, colon, rest = check.name.partition(":")
    site = rest.partition(" ")[0]
    if kind == "checklist":
        return site.rpartition(":")[0]
    return site if colon and kind in ("probe", "certificate", "crawl", "files") else ""
