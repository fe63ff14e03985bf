"""Probes of sites with a password log in, where nginx itself asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.config.probes import (
    AlpnProbe,
    CertificateProbe,
    HttpProbe,
    Probe,
    Refusals,
    UploadDirectoryProbe,
)
from reconcile.system.probe_login import authorization, read_password

if TYPE_CHECKING:
    from reconcile.system import Host

ASKS = "auth_basic"
"""Begins what a refusal of nginx's own says; an app that asks for passwords gets none of ours."""


def with_logins(probes: Sequence[Probe], host: Host) -> tuple[Probe, ...]:
    """`probes`, with the login where they would be refused without."""
    if not any(_is_asked(probe) for probe in probes):
        return tuple(probes)
    password = read_password(host)
    return tuple(probes if password is None else _logged_in(probes, authorization(password)))


def _logged_in(probes: Sequence[Probe], value: str) -> Iterator[Probe]:
    for probe in probes:
        if not _is_asked(probe):
            yield probe
        else:
            yield replace(probe, endpoint=replace(probe.endpoint, authorization=value))


def _is_asked(probe: Probe) -> bool:
    """Whether it gets no further without a password, and does not prove just that."""
    if isinstance(probe, AlpnProbe | CertificateProbe):
        return False
    if isinstance(probe, HttpProbe) and 401 in probe.expect.status:
        return False
    return any(status == 401 and why.startswith(ASKS) for status, why in _refusals(probe))


def _refusals(probe: Probe) -> Refusals:
    if isinstance(probe, HttpProbe | UploadDirectoryProbe):
        return probe.expect.refusals
    return () if isinstance(probe, AlpnProbe | CertificateProbe) else probe.refusals
