"""One run over the hosts of a fleet: what each is given, and the connections to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

from reconcile.errors import ReconcileError
from reconcile.filesystem.private_folder import PrivateFolders
from reconcile.fleet.answer import HostAnswer
from reconcile.fleet.connections import Connections, members_of
from reconcile.fleet.fleet_file import Fleet
from reconcile.fleet.package import Package, Packer
from reconcile.fleet.rollout import Order, StepShare, StopLimits, resolve_steps
from reconcile.fleet.run import Asks, ask_all
from reconcile.fleet.target import Target
from reconcile.fleet.work import Command, Job, Work

OnAnswer = Callable[[str, HostAnswer], HostAnswer]


class Session:
    """The chosen hosts of a fleet, each with what it is given."""

    def __init__(
        self, fleet: Fleet, targets: Sequence[Target], connections: Asks, packer: Packer
    ) -> None:
        self.fleet = fleet
        self.targets = {target.name: target for target in targets}
        self.connections = connections
        self.work = Work(fleet, packer)
        # All of them before any host is asked: no error in a YAML comes up halfway.
        self.packages: dict[str, Package] = {
            name: self.work.package(target) for name, target in self.targets.items()
        }

    def job(self, name: str, command: Command) -> Job:
        """The job of a host."""
        return self.work.job(self.targets[name], command, self.packages[name])

    def ask(
        self, command: Command, names: Sequence[str], on_answer: OnAnswer
    ) -> dict[str, HostAnswer]:
        """The answers of hosts to a command, in the order of the hosts."""
        parallel = self.fleet.rollout.parallel
        answers = ask_all(
            tuple(names),
            parallel,
            self.connections,
            lambda name: self.job(name, command),
            on_answer,
        )
        return {name: answers[name] for name in names}

    def order(self) -> Order:
        """The steps of a rollout over these hosts, and what stops it."""
        section = self.fleet.rollout
        tags = {name: target.tags for name, target in self.targets.items()}
        stop = section.stop
        limits = StopLimits(_limit(stop.failed, len(tags)), _limit(stop.unreachable, len(tags)))
        return Order(resolve_steps(section.parts, tags), section.parallel, limits)


def _limit(share: StepShare | None, total: int) -> int | None:
    return None if share is None else share.of(total)


@contextmanager
def open_session(
    fleet: Fleet, limit: Sequence[str] = (), names: Collection[str] | None = None
) -> Iterator[Session]:
    """The session for all hosts, or those that `limit` or `names` choose.

    Errors: ReconcileError.
    """
    members = members_of(fleet)
    targets = choose(members.targets, limit)
    if names is not None:
        targets = tuple(target for target in targets if target.name in names)
    with PrivateFolders().new() as folder:
        connections = Connections(members, fleet.rollout.parallel)
        yield Session(fleet, targets, connections, Packer(folder))


def choose(targets: Sequence[Target], limit: Sequence[str]) -> tuple[Target, ...]:
    """The hosts with a tag or a name of `limit`, in which names may be shell globs.

    Errors: ReconcileError for a part that chooses no host: it is mistyped.
    """
    if not targets:
        raise ReconcileError("The fleet has no hosts", "", "Add hosts, or correct the inventory.")
    chosen = set[str]()
    for part in limit:
        found = {one.name for one in targets if part in one.tags or fnmatchcase(one.name, part)}
        if not found:
            raise ReconcileError(
                f"--limit {part} chooses no host",
                "no host has that tag or name",
                "Name a tag, a host, or a pattern such as 'web-*'. No host was contacted.",
            )
        chosen |= found
    return tuple(one for one in targets if not limit or one.name in chosen)
