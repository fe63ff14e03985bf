"""Whether a WebSocket gets through to the app."""

from __future__ import annotations

from base64 import b64encode
from secrets import token_bytes
from typing import TYPE_CHECKING

from reconcile.engine.model import Check
from reconcile.verify.http_probe import check_name, target_of

if TYPE_CHECKING:
    from reconcile.config.probes import WebSocketProbe
    from reconcile.verify.http_probe import ProbeClient


def check_websocket(probe: WebSocketProbe, client: ProbeClient) -> Check:
    """101, or what the app answers instead, which is the app's affair. Source: RFC 6455."""
    address = probe.endpoint.addresses[0]
    name = check_name(probe.name, address)
    answer = client.http.request(
        target_of(probe.endpoint, address),
        probe.path,
        headers=(
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", b64encode(token_bytes(16)).decode()),
        ),
        timeout_s=client.timeout_s,
    )
    if answer.error == "no_such_family":
        return Check(name, "skipped", "this host has no such address family")
    if answer.error:
        return Check(name, "fail", f"no response: {answer.error}, {answer.detail}")
    if answer.status == 101:
        return Check(name, "pass", "101")
    refusal = dict(probe.refusals).get(answer.status)
    why = f"as configured: {refusal}" if refusal else f"the app has no WebSocket at {probe.path}"
    return Check(name, "skipped", f"{answer.status}, {why}")
