"""A limit that this machine cannot reach in time is neither proven nor broken."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconcile.config.probes import Endpoint, RateLimitProbe
from reconcile.system.http import HttpAnswer
from reconcile.verify import rate_limit_probe
from reconcile.verify.http_probe import ProbeClient

ENDPOINT = Endpoint("http", "example.com", 80, ("127.0.0.1", "::1"))


@pytest.mark.parametrize(
    ("each_s", "limited_after", "status"),
    [
        (0.001, 3, "pass"),
        # Nothing answers 429, although far more was asked for than the limit admits.
        (0.001, 10_000, "fail"),
        # Two requests a second are never too many for ten.
        (0.5, 10_000, "skipped"),
    ],
)
def test_a_limit_is_proven_by_what_was_asked_of_it(
    monkeypatch: pytest.MonkeyPatch, each_s: float, limited_after: int, status: str
) -> None:
    sent, clock = count(1), count()
    monkeypatch.setattr(rate_limit_probe.time, "monotonic", lambda: next(clock) * each_s)

    def request(*_: Any, **__: Any) -> HttpAnswer:
        return HttpAnswer(429 if next(sent) > limited_after else 200)

    client = ProbeClient(cast(Any, SimpleNamespace(request=request)), 5, 0)
    probe = RateLimitProbe("/login", "s", ENDPOINT, "/login", rate_s=10, burst=2)

    check = rate_limit_probe.check_rate_limit(probe, client)

    assert status == check.status, check.detail
