"""Caching that nginx forces on the app's own answers, private ones included."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, warning


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for proxy in inspection.proxy_locations:
        found = proxy.scope.inherited("expires")
        written = " ".join(found[-1].args) if found else "off"
        # A variable may well be off for just these answers.
        if written not in ("off", "epoch", "-1") and "$" not in written:
            yield warning(
                f"expires {written} overwrites what the app of {proxy.server.names[0]} says of"
                " caching, private, no-store included.",
                f"{found[-1].place}: expires {written};",
                proxy.evidence,
                fix=f"{proxy.scope.directive.place}: expires off; where requests are passed on.",
            )


RULE = Rule("expires-over-proxy", (), check)
