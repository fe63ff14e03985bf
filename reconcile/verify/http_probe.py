"""Sends a request to an address of an endpoint, and retries until the response is good."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from reconcile.config.probes import Endpoint
from reconcile.engine.model import Check
from reconcile.system.http import HttpAnswer, HttpTarget, Negotiation

if TYPE_CHECKING:
    from reconcile.system.http import HttpClient

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
MAX_PARALLEL = 16


@dataclass(frozen=True)
class ProbeClient:
    """Sends probes through `http`, and retries failed checks until `deadline`.

    Units: `timeout_s` bounds one exchange; `deadline` is a time of the monotonic clock.
    Setting `cancelled` ends all retries.
    """

    http: HttpClient
    timeout_s: float
    deadline: float
    cancelled: Event = field(default_factory=Event)

    def get(self, endpoint: Endpoint, address: str, path: str) -> HttpAnswer:
        """The response to one GET."""
        return self.http.request(target_of(endpoint, address), path, timeout_s=self.timeout_s)

    def post(
        self, endpoint: Endpoint, address: str, path: str, form: tuple[str, bytes]
    ) -> HttpAnswer:
        """The response to one POST of `form`, a content type and its body."""
        content_type, body = form
        return self.http.request(
            target_of(endpoint, address),
            path,
            method="POST",
            headers=(("Content-Type", content_type),),
            body=body,
            timeout_s=self.timeout_s,
        )

    def negotiate(self, endpoint: Endpoint, address: str, protocol: str) -> Negotiation:
        """The protocol that the server chooses where `protocol` and HTTP/1.1 are offered."""
        offered = (protocol, "http/1.1")
        return self.http.negotiate(target_of(endpoint, address), offered, timeout_s=self.timeout_s)

    def retry_until_ok(self, check: Callable[[], Check]) -> Check:
        """The first good result of `check`, or the last one before the deadline."""
        pause_s = FIRST_PAUSE_S
        while (result := check()).status in ("fail", "unknown"):
            if time.monotonic() + pause_s >= self.deadline or self.cancelled.wait(pause_s):
                return result
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        return result


def target_of(endpoint: Endpoint, address: str) -> HttpTarget:
    """The server of `endpoint` at one of its addresses."""
    return HttpTarget(
        address,
        endpoint.port,
        endpoint.host,
        endpoint.tls,
        address in endpoint.behind_proxy,
        authorization=endpoint.authorization,
    )


def check_name(probe_name: str, address: str) -> str:
    """The name of a probe's check of one address."""
    return f"{probe_name} over {'IPv6' if ':' in address else 'IPv4'}"


def run_parallel(
    checks: Sequence[Callable[[], tuple[Check, ...]]], cancelled: Event
) -> tuple[Check, ...]:
    """The results of all `checks`, in their order."""
    pool = ThreadPoolExecutor(max_workers=min(MAX_PARALLEL, len(checks) or 1))
    try:
        futures = [pool.submit(check) for check in checks]
        return tuple(result for future in futures for result in future.result())
    except BaseException:
        # Ctrl-C must not wait for the remaining retries.
        cancelled.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
