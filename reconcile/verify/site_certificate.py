"""Checks that browsers accept the certificate of a site, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.system.sent_certificate import SentCertificate, first_certificate, sent_certificate
from reconcile.verify.http_probe import ProbeClient, target_of

if TYPE_CHECKING:
    from reconcile.config.probes import CertificateProbe
    from reconcile.verify.serving import Serving

WARN_BEFORE = timedelta(days=21)
"""How long before it expires; a third of its time for one that is valid for less than 63 days."""
MOST_NAMES = 10
RENEW = "certbot renew, then systemctl reload nginx"


def check_certificate(
    probe: CertificateProbe, serving: Callable[[], Serving], client: ProbeClient
) -> Check:
    """One check: it is valid now and for some time; its names, chain and file only warn."""
    return client.retry_until_ok(lambda: _certificate_check(probe, serving, client))


def _certificate_check(
    probe: CertificateProbe, serving: Callable[[], Serving], client: ProbeClient
) -> Check:
    names = [name.replace("*", "reconcile-probe") for name in probe.names if name[0] != "~"]
    try:
        sent = {name: _sent(probe, name, client) for name in names[:MOST_NAMES]}
    except OSError as error:
        return Check(probe.name, "fail", f"no TLS connection: {error.strerror or error}")
    if not sent:
        return Check(probe.name, "skipped", "the site has no plain name")
    first = next(iter(sent.values()))
    expires = first.valid_until.isoformat()
    invalid = _invalid(first)
    if invalid:
        return Check(probe.name, "fail", invalid, expires=expires)
    warnings = [*_expiring(first), *_problems(sent), *_not_loaded(probe, first, serving)]
    kind = "self-signed, " if first.is_self_signed else ""
    detail = "; ".join(warnings) or f"{kind}expires {_when(first)}"
    return Check(probe.name, "pass", detail, warning=bool(warnings), expires=expires)


def _sent(probe: CertificateProbe, name: str, client: ProbeClient) -> SentCertificate:
    endpoint = replace(probe.endpoint, host=name)
    target = target_of(endpoint, endpoint.addresses[0])
    return sent_certificate(target, timeout_s=client.timeout_s)


def _invalid(sent: SentCertificate) -> str:
    now = datetime.now(UTC)
    if sent.valid_until <= now:
        return f"it expired on {sent.valid_until:%Y-%m-%d %H:%M} UTC: {RENEW}"
    if sent.valid_from > now:
        return f"it is not valid before {sent.valid_from:%Y-%m-%d %H:%M} UTC"
    return ""


def _expiring(sent: SentCertificate) -> Iterator[str]:
    before = min(WARN_BEFORE, (sent.valid_until - sent.valid_from) / 3)
    if sent.valid_until - datetime.now(UTC) < before:
        yield f"it expires {_when(sent)}, and was not renewed: {RENEW}"


def _when(sent: SentCertificate) -> str:
    days = (sent.valid_until - datetime.now(UTC)).days
    return f"in {days} {'day' if days == 1 else 'days'}, on {sent.valid_until:%Y-%m-%d}"


def _problems(sent: dict[str, SentCertificate]) -> Iterator[str]:
    """What browsers have against it under each name; a self-signed one is so on purpose."""
    by_problem: dict[str, list[str]] = {}
    for name, one in sent.items():
        if one.problem and not one.is_self_signed:
            by_problem.setdefault(one.problem.partition(", certificate is")[0], []).append(name)
    for problem, names in by_problem.items():
        yield f"browsers refuse it for {', '.join(names)}: {problem}"


def _not_loaded(
    probe: CertificateProbe, sent: SentCertificate, serving: Callable[[], Serving]
) -> Iterator[str]:
    """Whether nginx still sends an older one than the file has, as far as that may be read."""
    with suppress(ReconcileError, ValueError):
        found = serving().host.files.content(probe.certificate)
        if found and first_certificate(found[1]) != sent.der:
            yield f"it is not that of {probe.certificate}: systemctl reload nginx"
