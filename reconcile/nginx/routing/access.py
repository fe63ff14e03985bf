"""Who may ask: allow and deny, basic authentication, and satisfy."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Literal

from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.tree import Directive
from reconcile.nginx.routing.location_match import Undecidable
from reconcile.nginx.routing.request_context import Status, Visit

Verdict = Literal["passes", "no rule"] | Status


def check_access(visit: Visit) -> Status | None:
    """The refusal that a visitor gets here, if any. Errors: Undecidable at a password."""
    verdicts = (_by_address(visit), _by_password(visit))
    refusals = [verdict for verdict in verdicts if isinstance(verdict, Status)]
    if visit.scope.argument("satisfy", "all") == "any":
        refusals = [] if "passes" in verdicts else refusals[-1:]
    return refusals[0] if refusals else None


def access_rules(scope: Scope) -> tuple[Directive, ...]:
    """The allow and deny that hold at a level, in the order nginx tries them."""
    level = scope.nearest("allow", "deny")
    return tuple(d for d in level.directives if d.name in ("allow", "deny")) if level else ()


def _by_address(visit: Visit) -> Verdict:
    for rule in access_rules(visit.scope):
        if _covers(rule.args[0], visit.request.client):
            if rule.name == "allow":
                return "passes"
            return Status(403, reason=f"deny {rule.args[0]} ({rule.place})")
    return "no rule"


def _covers(written: str, client: str) -> bool:
    if written == "all":
        return True
    if written == "unix:" or client.startswith("unix:"):
        return written == "unix:" and client.startswith("unix:")
    try:
        return ip_address(client) in ip_network(written, strict=False)
    except ValueError:
        raise Undecidable(f"{written} is no address range that we can read") from None


def _by_password(visit: Visit) -> Verdict:
    realm = visit.scope.argument("auth_basic", "off")
    if realm == "off":
        return "no rule"
    if visit.request.headers.get("authorization"):
        raise Undecidable("the password file decides")
    return Status(401, reason=f"auth_basic {realm}")
