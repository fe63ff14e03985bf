"""Whether a location answers 429 to who asks too often."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.engine.model import Check
from reconcile.verify.http_probe import check_name, target_of

if TYPE_CHECKING:
    from reconcile.config.probes import RateLimitProbe
    from reconcile.system.http import HttpAnswer
    from reconcile.verify.http_probe import ProbeClient

SOURCE = "127.0.0.77"
"""Loopback has sixteen million addresses, and nobody else comes from this one."""
MOST_BURST = 50
LONGEST_S = 3.0
SPARE = 3
"""Requests beyond those that the limit admits."""


def check_rate_limit(probe: RateLimitProbe, client: ProbeClient) -> Check:
    """One check, over IPv4 loopback; what would take too many requests is skipped."""
    address = probe.endpoint.addresses[0]
    name = check_name(probe.name, address)
    if not address.startswith("127.") or probe.burst > MOST_BURST:
        why = f"a burst of {probe.burst}" if probe.burst > MOST_BURST else f"only at {address}"
        return Check(name, "skipped", f"not tried: {why}")
    sent, last, is_beyond = _ask_until_limited(probe, client, address)
    if last.status == 429:
        return Check(name, "pass", f"429 after {sent - 1} requests")
    refusal = dict(probe.refusals).get(last.status)
    if refusal:
        return Check(name, "skipped", f"{last.status}, as configured: {refusal}")
    if last.error:
        return Check(name, "fail", f"no response: {last.error}, {last.detail}")
    if not is_beyond:
        why = f"{sent} requests in {LONGEST_S:.0f} s do not reach the limit"
        return Check(name, "skipped", f"not tried: {why}")
    return Check(name, "fail", f"{sent} requests, and the last was answered {last.status}")


def _ask_until_limited(
    probe: RateLimitProbe, client: ProbeClient, address: str
) -> tuple[int, HttpAnswer, bool]:
    """How many were sent, the last answer, and whether they were more than the limit admits."""
    target = replace(target_of(probe.endpoint, address), source=SOURCE)
    began, sent = time.monotonic(), 0
    while True:
        answer = client.http.request(target, probe.path, method="HEAD", timeout_s=client.timeout_s)
        sent += 1
        elapsed_s = time.monotonic() - began
        admitted = 1 + probe.burst + probe.rate_s * elapsed_s
        is_beyond = sent > admitted + SPARE
        is_refused = answer.status == 429 or answer.status in dict(probe.refusals)
        if is_refused or answer.error or is_beyond or elapsed_s > LONGEST_S:
            return sent, answer, is_beyond
