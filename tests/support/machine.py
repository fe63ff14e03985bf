"""A folder of the real filesystem with real kinds, planned and applied for real."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconcile.engine.apply import apply
from reconcile.engine.apply_report import Event, Report
from reconcile.engine.data_protection import find_protection
from reconcile.engine.history import Actor
from reconcile.engine.model import Check, Declared, Plan
from reconcile.engine.observe import observe
from reconcile.engine.planner import make_plan
from reconcile.engine.protection_record import protected_on, read_owned
from reconcile.engine.recovery import recover
from reconcile.engine.resource import Ref, Resource
from reconcile.engine.rollback import rollback_applies
from reconcile.engine.rollback_plan import plan_rollback
from reconcile.engine.safety_checks import with_refusals
from reconcile.engine.verification import Verification
from reconcile.errors import ReconcileError
from reconcile.resources import registry
from reconcile.system import Host, HostSettings
from reconcile.system.lock import lock
from reconcile.system.planned_host import PlannedHost

BY = Actor("tester", "reconcile apply")


def make(ref: Ref) -> Resource:
    return registry.load(ref.kind).from_name(ref.name)


def all_is_well() -> tuple[Check, ...]:
    return (Check("probe", "pass"),)


@dataclass
class Machine:
    """What lies under `root` is the host; our own memory is in `state`."""

    root: str
    state: str
    events: list[Event] = field(default_factory=list)
    verify_rolled_back: Callable[[], Sequence[Check]] = all_is_well

    @property
    def host(self) -> Host:
        return Host(HostSettings(service_manager="process", state_dir=self.state))

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def plan(self, *declared: Resource, host: Host | None = None) -> Plan:
        host = host or self.host
        desired = {item.ref: Declared(item, ("shop",)) for item in declared}
        rows = read_owned(host).rows
        undeclared = {ref: rows[ref] for ref in sorted(rows.keys() - desired.keys())}
        world = PlannedHost(host)
        observation = observe(desired, undeclared, make, world)
        recorded = protected_on(host, rows)
        plan = make_plan(
            desired,
            observation.readings,
            rows,
            host="web1",
            created=observation.created,
            held=observation.held,
            protection=find_protection(desired, observation.readings, recorded, (host, world)),
        )
        return with_refusals(plan, world)

    def apply(
        self,
        *declared: Resource,
        verify: Callable[[], Sequence[Check]] = all_is_well,
        roll_back: bool = True,
        replan: Callable[[], Plan] | None = None,
    ) -> Report:
        host = self.host
        with lock(host, "reconcile apply"):
            return self.apply_locked(
                host, *declared, verify=verify, roll_back=roll_back, replan=replan
            )

    def apply_locked(
        self,
        host: Host,
        *declared: Resource,
        verify: Callable[[], Sequence[Check]] = all_is_well,
        roll_back: bool = True,
        replan: Callable[[], Plan] | None = None,
    ) -> Report:
        recover(host, self.events.append)
        return apply(
            self.plan(*declared, host=host),
            host,
            Verification(verify, self.verify_rolled_back),
            on_event=self.events.append,
            by=BY,
            replan=replan,
            roll_back=roll_back,
        )

    def recover(self) -> tuple[str, ...]:
        host = self.host
        with lock(host, "reconcile apply"):
            return recover(host, self.events.append)

    def take_back(self, to: int | None = None) -> tuple[str, ...]:
        host = self.host
        with lock(host, "reconcile rollback"):
            recover(host, self.events.append)
            applies = plan_rollback(host.state, to).applies
            done = rollback_applies(host, applies, BY, self.events.append)
            if done.remaining:
                left = "; ".join(what for _, what in done.remaining)
                raise ReconcileError("The rollback left something", left, "")
            return done.notes

    def manifest(self) -> dict[str, tuple[object, ...]]:
        """Every path below the root: kind, mode, owner, content, and a file's mtime."""
        return {
            str(path.relative_to(self.root)): _facts(path) for path in Path(self.root).rglob("*")
        }


def _facts(path: Path) -> tuple[object, ...]:
    st = path.lstat()
    owner = (stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid)
    if path.is_symlink():
        return (*owner, os.readlink(path))
    return (*owner, path.read_bytes(), st.st_mtime_ns) if path.is_file() else owner


def in_box(box: Path) -> Machine:
    (box / "root").mkdir(parents=True)
    return Machine(str(box / "root"), str(box / "state"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return in_box(tmp_path / "box")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where thousands of flushes cost nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def swift_machine(memory: Path) -> Machine:
    return in_box(memory / "box")
