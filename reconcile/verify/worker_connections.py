"""Connections to every worker of nginx: each keeps files of its own open, and may answer alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from reconcile.system.http import HttpTarget
from reconcile.system.http_connection import HttpConnection
from reconcile.system.sockets import accepted_by

ROUNDS = 6
"""How often connections are opened until every worker has one."""
PAUSE_S = 0.05
"""How much longer each round waits before it begins; the first does not."""
PER_WORKER = 4
"""Connections of a round for each worker: the kernel wakes the one that it likes."""
MOST_WORKERS = 16
MOST_CONNECTIONS = 128


@dataclass(frozen=True)
class WorkerConnections:
    """One connection for each worker that was met, of `workers`; 0 where they are not known."""

    connections: tuple[HttpConnection, ...]
    workers: int

    @property
    def description(self) -> str:
        """How many of the workers were met."""
        met = len(self.connections)
        if self.workers == 0:
            return f"over {met} connections" if met > 1 else ""
        return "by every worker" if met == self.workers else f"by {met} of {self.workers} workers"


@contextmanager
def worker_connections(
    target: HttpTarget, workers: Sequence[int], *, timeout_s: float
) -> Iterator[WorkerConnections]:
    """Connect until each of the processes `workers` has accepted a connection, or give up.

    Where the processes cannot be examined, there are as many connections as should suffice.
    """
    opened: list[HttpConnection] = []
    try:
        yield _met(opened, target, workers[:MOST_WORKERS], timeout_s)
    finally:
        for connection in opened:
            connection.close()


def _met(
    opened: list[HttpConnection], target: HttpTarget, workers: Sequence[int], timeout_s: float
) -> WorkerConnections:
    met: dict[int, HttpConnection] = {}
    for number in range(ROUNDS):
        # A busy machine gives a worker time only now and then.
        time.sleep(number * PAUSE_S)
        added = [HttpConnection(target, timeout_s) for _ in range(PER_WORKER * len(workers) or 1)]
        opened += [connection for connection in added if connection.open()]
        by_ends = {ends: one for one in opened if (ends := one.ends) is not None}
        owners = accepted_by([pid for pid in workers if pid not in met], tuple(by_ends))
        for ends, connection in by_ends.items():
            pid = owners.get(ends.own[1])
            if pid is not None:
                met.setdefault(pid, connection)
        if len(met) == len(workers) or not opened or len(opened) >= MOST_CONNECTIONS:
            break
    if not met:
        return WorkerConnections(tuple(opened[: PER_WORKER * (len(workers) or 1)]), 0)
    return WorkerConnections(tuple(met.values()), len(workers))
