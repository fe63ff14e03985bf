"""What a command of a fleet found, as the JSON that scripts read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from reconcile import __version__
from reconcile.engine.digest import digest
from reconcile.errors import ExitCode
from reconcile.fleet.answer import EXIT_CODES, HostAnswer, State
from reconcile.fleet.work import Command
from reconcile.output.documents import FORMAT_VERSION, Document

STOPPED: int = ExitCode.HELD
"""A limit was reached: the rest was not asked."""
PRECEDENCE = (
    ExitCode.VERIFICATION_FAILED,
    ExitCode.ERROR,
    ExitCode.STALE_PLAN,
    ExitCode.CHANGES,
)
CHANGES = ("resource_changes", "behaviour_changes", "summary")
COMPARED: Mapping[Command, tuple[str, ...]] = {
    "plan": (*CHANGES, "findings", "unknown", "conflicts"),
    "apply": CHANGES,
    "drift": (*CHANGES, "unknown", "conflicts", "checks"),
    "verify": ("checks",),
    "doctor": ("findings",),
}
"""What makes the plans of two hosts equal."""
_GROUPED: frozenset[State] = frozenset({"drift", "applied", "failed", "stale", "error"})


class FleetSummary(Document):
    """Numbers of hosts; each is in one of those that follow `hosts`."""

    hosts: int
    in_sync: int = Field(description="In sync, applied, or healthy")
    drift: int = Field(description="With changes, drift or problems")
    failed: int = Field(description="Failed and rolled back, or their checks fail")
    stale: int = Field(description="Changed after they were planned")
    unknown: int = Field(description="With an error, or an answer that cannot be relied on")
    unreachable: int
    silent: int = Field(description="Without a recent reading: `status` only")
    skipped: int = Field(description="Not contacted, as a limit was reached")


class FleetGroup(Document):
    """Hosts for which the plan, or what was found, is the same."""

    digest: str
    hosts: list[str]
    plan: dict[str, Any]


class FleetHostItem(Document):
    """One host; `step` of the rollout is null where there are none."""

    state: State
    exit_code: int | None = Field(description="That of the command on the host")
    step: int | None
    elapsed_s: float
    problem: str
    document: dict[str, Any] | None = Field(description="What the host answered")


class FleetDocument(Document):
    """`reconcile fleet … --json`."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str = __version__
    timestamp: str
    command: Command
    summary: FleetSummary
    groups: list[FleetGroup]
    hosts: dict[str, FleetHostItem]
    stopped_by: str = Field(description="The limit that ended the rollout; empty for none")
    exit_code: int


def fleet_document(
    command: Command,
    answers: Mapping[str, HostAnswer],
    *,
    now: datetime,
    exit_code: int,
    steps: Mapping[str, int] | None = None,
    stopped_by: str = "",
    plans: Mapping[str, Mapping[str, Any]] | None = None,
) -> FleetDocument:
    """Build the object of a command from the answers of all hosts, and the `plans` applied."""
    return FleetDocument(
        timestamp=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        command=command,
        summary=summarize([*answers.values()]),
        groups=groups_of(command, answers, plans),
        hosts={
            name: FleetHostItem(
                state=answer.state,
                exit_code=answer.exit_code,
                step=steps.get(name) if steps else None,
                elapsed_s=answer.elapsed_s,
                problem=answer.problem,
                document=dict(answer.document) if answer.document is not None else None,
            )
            for name, answer in answers.items()
        },
        stopped_by=stopped_by,
        exit_code=exit_code,
    )


def summarize(answers: Sequence[HostAnswer]) -> FleetSummary:
    """Count hosts by how they ended."""
    count = Counter(answer.state for answer in answers)
    return FleetSummary(
        hosts=len(answers),
        in_sync=count["in_sync"] + count["applied"],
        drift=count["drift"],
        failed=count["failed"],
        stale=count["stale"],
        unknown=count["unknown"] + count["error"] + count["locked"],
        unreachable=count["unreachable"],
        silent=count["silent"],
        skipped=count["skipped"],
    )


def groups_of(
    command: Command,
    answers: Mapping[str, HostAnswer],
    plans: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[FleetGroup]:
    """Hosts by equal plans, the largest group first; by default the plan is in the answer."""
    found: dict[str, FleetGroup] = {}
    for name, answer in answers.items():
        document = answer.document if plans is None else plans.get(name)
        if document is None or answer.state not in _GROUPED:
            continue
        plan = compared_part(command, document)
        group = found.setdefault(digest(plan), FleetGroup(digest=digest(plan), hosts=[], plan=plan))
        group.hosts.append(name)
    return sorted(found.values(), key=lambda group: -len(group.hosts))


def compared_part(command: Command, document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a plan in which hosts that need the same agree."""
    found = {key: document[key] for key in COMPARED.get(command, ()) if key in document}
    if isinstance(found.get("checks"), list):
        found["checks"] = [one for one in found["checks"] if _is_bad(one)]
    if isinstance(found.get("findings"), list):
        # Notes name what is a host's own, such as the values of its variables.
        found["findings"] = [one for one in found["findings"] if not _is_note(one)]
    return found


def _is_note(finding: Any) -> bool:
    return isinstance(finding, dict) and finding.get("severity") == "note"


def _is_bad(check: Any) -> bool:
    return isinstance(check, dict) and check.get("status") not in ("pass", "skipped")


def exit_code_of(answers: Sequence[HostAnswer], *, changes: bool, stopped: bool = False) -> int:
    """The worst code of all hosts; 2 for changes only where `changes` count."""
    codes = {EXIT_CODES.get(answer.state, 0) for answer in answers}
    if stopped:
        return STOPPED
    if not changes:
        codes.discard(ExitCode.CHANGES)
    return next((int(code) for code in PRECEDENCE if code in codes), 0)
