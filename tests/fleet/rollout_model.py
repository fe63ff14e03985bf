"""What a rollout is, in a few lines: who is asked, given the order in which hosts end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

from reconcile.fleet.rollout import Order, Outcome

Event = tuple[str, str]


def events_of(
    order: Order, ends: Iterable[tuple[str, Outcome]], before: Mapping[str, Outcome]
) -> list[Event]:
    """The starts between these ends; what ended `before` an interruption counts, unasked."""
    ends, counts, events = iter(ends), Counter(before.values()), list[Event]()
    most = {"failed": order.limits.failed, "unreachable": order.limits.unreachable}

    def is_over() -> bool:
        return any(limit and counts[kind] >= limit for kind, limit in most.items())  # type: ignore[index]

    for step in order.steps:
        waiting, running = deque(name for name in step if name not in before), set[str]()
        while True:
            while waiting and len(running) < order.parallel and not is_over():
                running.add(waiting[0])
                events.append(("start", waiting.popleft()))
            if not running:
                break
            name, outcome = next(ends, ("", "other"))
            if not name:
                return events
            running.remove(name)
            counts[outcome] += 1
            events.append(("end", name))
    return events


def ends_in(events: Sequence[Event]) -> list[str]:
    """The hosts that ended, in their order."""
    return [name for event, name in events if event == "end"]
