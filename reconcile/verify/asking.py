"""Putting one question to every address of an endpoint, and again until it has settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from reconcile.engine.model import Check
from reconcile.system.http import HttpAnswer, HttpTarget
from reconcile.verify.model import Endpoint

if TYPE_CHECKING:
    from reconcile.system.http import HttpClient

PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Asker:
    """Whom to ask through, and until when a bad answer may still turn good.

    Units: `timeout_s` bounds one exchange; `until` is on the monotonic clock.
    `given_up` ends all waiting at once.
    """

    http: HttpClient
    timeout_s: float
    until: float
    given_up: Event = field(default_factory=Event)

    def get(self, endpoint: Endpoint, address: str, path: str) -> HttpAnswer:
        return self.http.request(target(endpoint, address), path, timeout_s=self.timeout_s)

    def post(
        self, endpoint: Endpoint, address: str, path: str, form: tuple[str, bytes]
    ) -> HttpAnswer:
        kind, body = form
        return self.http.request(
            target(endpoint, address),
            path,
            method="POST",
            headers=(("Content-Type", kind),),
            body=body,
            timeout_s=self.timeout_s,
        )

    def settled(self, check: Callable[[], Check]) -> Check:
        """The first good result of `check`, or the last bad one before time is up."""
        pause_s = PAUSE_S
        while (result := check()).status in ("fail", "unknown"):
            if time.monotonic() + pause_s >= self.until or self.given_up.wait(pause_s):
                return result
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        return result


def target(endpoint: Endpoint, address: str) -> HttpTarget:
    return HttpTarget(address, endpoint.port, endpoint.host, endpoint.tls)


def over(address: str) -> str:
    """How `address` is asked, for the name of a check."""
    return "IPv6" if ":" in address else "IPv4"


def in_parallel(
    checks: Sequence[Callable[[], tuple[Check, ...]]], given_up: Event
) -> tuple[Check, ...]:
    """The results of all `checks`, in their order, as fast as the slowest."""
    # Costs 10 ms to import, and a plan asks nothing.
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, len(checks) or 1))
    try:
        asked = [pool.submit(check) for check in checks]
        return tuple(result for future in asked for result in future.result())
    except BaseException:
        # Ctrl-C must not wait until the last answer has settled.
        given_up.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
