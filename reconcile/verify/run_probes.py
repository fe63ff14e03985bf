"""Sends all probes of a host at once, and retries those that fail until time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from reconcile.config.probes import (
    AlpnProbe,
    CertificateProbe,
    CrawlProbe,
    FilesProbe,
    HttpProbe,
    Probe,
    RateLimitProbe,
    UploadDirectoryProbe,
    UploadProbe,
    WebSocketProbe,
)
from reconcile.engine.model import Check
from reconcile.system.canary import Canary
from reconcile.verify.crawl import check_crawl
from reconcile.verify.evaluate import evaluate
from reconcile.verify.form_upload import check_form_upload
from reconcile.verify.http_probe import ProbeClient, check_name, run_parallel
from reconcile.verify.login import with_logins
from reconcile.verify.rate_limit_probe import check_rate_limit
from reconcile.verify.served_bytes import check_files
from reconcile.verify.serving import Serving
from reconcile.verify.upload_directory import check_upload_directory, create_canary, remove_canary
from reconcile.verify.websocket import check_websocket

if TYPE_CHECKING:
    from reconcile.system import Host

RETRY_S = 5.0
"""How long a bad response may come from a reload in progress, or an app that starts."""
TIMEOUT_S = 5.0
"""How long one exchange may take."""
START_TIMEOUT_S = 30.0
"""How long one may take with an app that was just started, and accepts before it can answer."""


@dataclass
class CreatedCanary:
    """A canary, registered before it is written so that an interruption cannot leave it behind."""

    canary: Canary = field(default_factory=Canary.new)
    failure: Check | None = None


Canaries = dict[UploadDirectoryProbe, CreatedCanary]


def run_probes(
    probes: Sequence[Probe],
    host: Host,
    *,
    retry_s: float = RETRY_S,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Check, ...]:
    """One check for each probe and address, in the order of `probes`.

    Errors: none; a probe that cannot be sent is a failed check. All canaries are removed; where
    that is impossible, a failed check reports it.
    """
    probes = with_logins(probes, host)
    client = ProbeClient(host.http, timeout_s, time.monotonic() + retry_s)
    canaries: Canaries = {}
    try:
        # Before any thread starts: a canary is written by a fork.
        for probe in probes:
            if isinstance(probe, UploadDirectoryProbe):
                others = [one.canary for one in canaries.values()]
                created = canaries[probe] = CreatedCanary()
                created.failure = create_canary(probe, host, created.canary, others)
        serving = cache(partial(Serving, host))
        checks = run_parallel(
            [partial(_run_probe, probe, canaries, serving, client) for probe in probes],
            client.cancelled,
        )
    finally:
        not_removed = _remove_canaries(canaries, host)
    return checks + not_removed


def _remove_canaries(canaries: Canaries, host: Host) -> tuple[Check, ...]:
    """A failed check for each that could not be removed; one never written needs no removal."""
    failures = (
        remove_canary(probe, host, created.canary)
        for probe, created in canaries.items()
        if created.failure is None
    )
    return tuple(check for check in failures if check is not None)


def _run_probe(
    probe: Probe, canaries: Canaries, serving: Callable[[], Serving], client: ProbeClient
) -> tuple[Check, ...]:
    if isinstance(probe, HttpProbe):
        return tuple(
            client.retry_until_ok(partial(_check_http, probe, client, address))
            for address in probe.endpoint.addresses
        )
    if isinstance(probe, AlpnProbe):
        return tuple(
            client.retry_until_ok(partial(_check_alpn, probe, client, address))
            for address in probe.endpoint.addresses
        )
    if isinstance(probe, RateLimitProbe):
        return (client.retry_until_ok(partial(check_rate_limit, probe, client)),)
    if isinstance(probe, WebSocketProbe):
        return (client.retry_until_ok(partial(check_websocket, probe, client)),)
    if isinstance(probe, UploadProbe):
        return (check_form_upload(probe, client),)
    if isinstance(probe, FilesProbe):
        return check_files(probe, serving, client)
    if isinstance(probe, CertificateProbe):
        # Brings ssl and cryptography, which a site without a certificate does without.
        from reconcile.verify.site_certificate import check_certificate

        return (check_certificate(probe, serving, client),)
    if isinstance(probe, CrawlProbe):
        return (check_crawl(probe, serving, client),)
    created = canaries[probe]
    if created.failure:
        return (created.failure,)
    return check_upload_directory(probe, created.canary, client)


def _check_http(probe: HttpProbe, client: ProbeClient, address: str) -> Check:
    if probe.logs_in and not probe.endpoint.authorization:
        return Check(check_name(probe.name, address), "skipped", "no login: root can read it alone")
    response = client.get(probe.endpoint, address, probe.path)
    # That the login itself is refused is what this probe is for.
    expect = replace(probe.expect, refusals=()) if probe.logs_in else probe.expect
    return evaluate(check_name(probe.name, address), response, expect)


def _check_alpn(probe: AlpnProbe, client: ProbeClient, address: str) -> Check:
    name = check_name(probe.name, address)
    answer = client.negotiate(probe.endpoint, address, probe.protocol)
    if answer.error == "no_such_family":
        return Check(name, "skipped", "this host has no such address family")
    if answer.error:
        return Check(name, "fail", f"no TLS connection: {answer.error}, {answer.detail}")
    chosen = answer.protocol or "none"
    if chosen != probe.protocol:
        return Check(name, "fail", f"the server chose {chosen}, expected {probe.protocol}")
    return Check(name, "pass", chosen)
