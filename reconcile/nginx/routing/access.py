"""Access control: allow, deny, basic authentication and satisfy."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Literal

from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request_context import RequestContext, StatusResult

Verdict = Literal["passes", "no rule"] | StatusResult


def check_access(context: RequestContext) -> StatusResult | None:
    """The status that denies the request, None where it is allowed."""
    verdicts = (_by_address(context), _by_password(context))
    refusals = [verdict for verdict in verdicts if isinstance(verdict, StatusResult)]
    if context.scope.argument("satisfy", "all") == "any":
        refusals = [] if "passes" in verdicts else refusals[-1:]
    return refusals[0] if refusals else None


def access_rules(scope: Scope) -> tuple[Directive, ...]:
    """The allow and deny directives in force at a level, in nginx's order."""
    level = scope.nearest("allow", "deny")
    return tuple(d for d in level.directives if d.name in ("allow", "deny")) if level else ()


def _by_address(context: RequestContext) -> Verdict:
    for rule in access_rules(context.scope):
        if _covers(rule.args[0], context.request.client):
            if rule.name == "allow":
                return "passes"
            return StatusResult(403, reason=f"deny {rule.args[0]} ({rule.place})")
    return "no rule"


def _covers(written: str, client: str) -> bool:
    if written == "all":
        return True
    if written == "unix:" or client.startswith("unix:"):
        return written == "unix:" and client.startswith("unix:")
    try:
        return ip_address(client) in ip_network(written, strict=False)
    except ValueError:
        raise Indeterminate(f"{written} is not a valid address range") from None


def _by_password(context: RequestContext) -> Verdict:
    realm = context.scope.argument("auth_basic", "off")
    if realm == "off":
        return "no rule"
    if context.request.is_logged_in:
        return "passes"
    if context.request.headers.get("authorization"):
        raise Indeterminate("the password file decides")
    return StatusResult(401, reason=f"auth_basic {realm}")
