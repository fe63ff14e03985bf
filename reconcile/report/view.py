"""What the page shows, ready for its template: texts, links and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

STATE_WORDS = {
    "in_sync": "In sync",
    "drifted": "Drifted",
    "unhealthy": "Unhealthy",
    "unknown": "Unknown",
    "silent": "Silent",
}
STATE_HELP = {
    "in_sync": "as declared, and every check passes",
    "drifted": "something differs from the configuration",
    "unhealthy": "as declared, but a check fails",
    "unknown": "could not be read: its state is unknown",
    "silent": "no reading for longer than the limit",
}
CAUSE_WORDS = {
    "drift": "Drift: changed on the host since the last apply",
    "both": "Drift and pending: changed on the host, and in the configuration since",
    "pending": "Pending: declared, but not applied yet",
    "upgrade": "Upgrade: a newer reconcile renders it otherwise",
}


class Printable(str):
    """A text that is already safe to print."""

    __slots__ = ()


@dataclass(frozen=True)
class TimeView:
    """A time in UTC."""

    iso: str

    @cached_property
    def at(self) -> datetime:
        """The time itself."""
        return datetime.fromisoformat(self.iso)

    @property
    def text(self) -> str:
        """As people read it."""
        return self.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

    def age(self, now: datetime) -> str:
        """How long ago it was, or how far ahead: `3 days`."""
        seconds = abs((now - self.at).total_seconds())
        units = ((86_400, "day"), (3600, "hour"), (60, "minute"))
        for size, unit in units:
            if seconds >= size:
                number = int(seconds // size)
                return f"{number} {unit}{'s' if number > 1 else ''}"
        return "a moment"


@dataclass(frozen=True)
class HostLink:
    """A host by its name and state, and where the page describes it.

    `note` is what one would open it for: why it is unknown, how long it is silent.
    """

    name: str
    id: str
    state: str
    note: str = ""


@dataclass(frozen=True)
class DiffLine:
    """A line of a difference; `kind` is add, remove, hunk, or empty."""

    kind: str
    text: str


@dataclass(frozen=True)
class DifferenceView:
    """One difference and all hosts that have it."""

    id: str
    key: str
    address: str
    action: str
    cause: str
    because: str
    hosts: tuple[HostLink, ...]
    since: TimeView | None
    applies: tuple[str, ...]
    commands: tuple[str, ...]
    lines: tuple[DiffLine, ...]
    left_out: int
    are_texts_omitted: bool


@dataclass(frozen=True)
class CheckView:
    """A check; `status` is pass, warn, fail, unknown or skipped."""

    status: str
    title: str
    detail: str


@dataclass(frozen=True)
class ChecklistView:
    """The checklist of one site; `same_as` is a host above with the same one, which passes."""

    site: str
    items: tuple[CheckView, ...]
    same_as: HostLink | None = None

    @property
    def passed(self) -> int:
        """How many items pass."""
        return sum(item.status == "pass" for item in self.items)

    @property
    def is_good(self) -> bool:
        """Whether no item fails or is unknown."""
        return all(item.status in ("pass", "skipped") for item in self.items)


@dataclass(frozen=True)
class PassedView:
    """The checks that pass, and how many were skipped; `same_as` as in a checklist."""

    names: tuple[str, ...]
    skipped: int
    same_as: HostLink | None = None


@dataclass(frozen=True)
class CertificateView:
    """When the certificate of a site ends; `level` is ok, soon or over."""

    site: str
    end: TimeView
    level: str


@dataclass(frozen=True)
class FindingView:
    """A finding with its evidence and its fix."""

    severity: str
    rule: str
    what: str
    evidence: tuple[str, ...]
    fix: str
    apply_fixes: bool


@dataclass(frozen=True)
class ApplyView:
    """An apply of the history."""

    number: int
    at: TimeView
    user: str
    command: str
    commit: str
    result: str
    error: str


@dataclass(frozen=True)
class HostDifference:
    """A difference of a host, and where the page shows it."""

    id: str
    address: str
    sign: str
    cause: str


@dataclass(frozen=True)
class HostView:
    """All that is known about one host."""

    link: HostLink
    at: TimeView | None
    last_state: str
    why_unknown: str
    fix: str
    facts: tuple[tuple[str, str], ...]
    command: str
    differences: tuple[HostDifference, ...]
    unread: tuple[tuple[str, str], ...]
    checklists: tuple[ChecklistView, ...]
    bad_checks: tuple[CheckView, ...]
    passed: PassedView
    certificates: tuple[CertificateView, ...]
    findings: tuple[FindingView, ...]
    history: tuple[ApplyView, ...]
    hold: str
    omitted: int


@dataclass(frozen=True)
class ImpactView:
    """A request that will be answered otherwise, and on which hosts."""

    request: str
    before: str
    after: str
    hosts: tuple[HostLink, ...]


@dataclass(frozen=True)
class IgnoredView:
    """An ignored difference, when that ends, and on which hosts."""

    subject: str
    reason: str
    until: str
    level: str
    hosts: tuple[HostLink, ...]


@dataclass(frozen=True)
class HoldView:
    """A hold and its host."""

    host: HostLink
    user: str
    reason: str
    since: TimeView | None
    until: TimeView | None


@dataclass(frozen=True)
class StateView:
    """The hosts in one state."""

    id: str
    key: str
    word: str
    help: str
    hosts: tuple[HostLink, ...]


@dataclass(frozen=True)
class ReportView:
    """The whole report."""

    made_at: TimeView
    version: str
    silent_after: str
    states: tuple[StateView, ...]
    differences: tuple[DifferenceView, ...]
    more_differences: int
    hosts: tuple[HostView, ...]
    impacts: tuple[ImpactView, ...]
    ignored: tuple[IgnoredView, ...]
    holds: tuple[HoldView, ...]

    @property
    def host_count(self) -> int:
        """How many hosts there are."""
        return len(self.hosts)

    @property
    def verdict(self) -> str:
        """The report in one sentence."""
        good = sum(len(state.hosts) for state in self.states if state.key == "in_sync")
        if self.host_count == 1:
            [host] = self.hosts
            return f"{host.link.name}: {STATE_WORDS[host.link.state].lower()}"
        if good == self.host_count:
            return f"All {good} hosts are in sync"
        return f"{good} of {self.host_count} hosts {'is' if good == 1 else 'are'} in sync"
