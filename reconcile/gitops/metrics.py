"""A drift check as metrics, for node_exporter's textfile collector."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from reconcile import __version__
from reconcile.engine.drift_report import STATES
from reconcile.engine.model import CheckStatus
from reconcile.filesystem.user_files import write_user_file
from reconcile.gitops.drift_alert import seconds_between

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift

READABLE = 0o644
"""node_exporter runs as another user, and the metrics contain no secrets."""
FIRST_LINE = b"# HELP reconcile_"
PREFIX = "reconcile_drift_"


def write_metrics(path: str, drift: Drift) -> None:
    """Write the metrics to `path` atomically. Errors: HostError."""
    write_user_file(path, metrics_text(drift), mode=READABLE, replaceable=_is_replaceable)


def metrics_text(drift: Drift) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    _add_values(registry, drift)
    _labelled(registry, drift)
    _certificates(registry, drift)
    return generate_latest(registry)


def _is_replaceable(old: bytes) -> bool:
    return not old or old.startswith(FIRST_LINE)


def _add_values(registry: CollectorRegistry, drift: Drift) -> None:
    since = drift.first_seen
    values: dict[str, tuple[str, float | None]] = {
        "in_sync": ("1 if the host matches the configuration.", drift.in_sync),
        "healthy": ("1 if every probe passes.", drift.healthy),
        "apply_in_progress": (
            "1 if an apply was in progress during the check.",
            bool(drift.applying),
        ),
        "unknown_readings": ("Readings that failed.", len(drift.plan.unknown)),
        "ignored_changes": ("Changes that an ignore rule suppresses.", drift.plan.ignored),
        "first_seen_timestamp_seconds": (
            "Time since which anything differs; absent if nothing does.",
            _epoch(since),
        ),
        "age_seconds": (
            "How long anything has differed; 0 if nothing does.",
            seconds_between(since, drift.at) if since else 0.0,
        ),
        "last_run_timestamp_seconds": ("Start time of this check.", _epoch(drift.at)),
        "last_success_timestamp_seconds": (
            "Time when the host was last in sync and healthy; absent if never.",
            _epoch(drift.last_success),
        ),
        "duration_seconds": ("Duration of this check.", drift.elapsed_s),
    }
    for name, (help_text, value) in values.items():
        if value is not None:
            Gauge(PREFIX + name, help_text, registry=registry).set(value)


def _labelled(registry: CollectorRegistry, drift: Drift) -> None:
    info = Gauge("reconcile_info", "The version.", ["version"], registry=registry)
    info.labels(__version__).set(1)
    state = Gauge(PREFIX + "state", "1 for the current state.", ["state"], registry=registry)
    for name in STATES:
        state.labels(name).set(name == drift.state)
    changes = Gauge(
        PREFIX + "changes", "Changes by kind and cause.", ["kind", "cause"], registry=registry
    )
    counted = Counter((change.ref.kind, change.cause) for change in drift.plan.changes)
    for (kind, cause), count in sorted(counted.items()):
        changes.labels(kind, cause).set(count)
    probes = Gauge(PREFIX + "probes", "Probes by result.", ["status"], registry=registry)
    results = Counter(check.status for check in drift.checks)
    for status in get_args(CheckStatus):
        probes.labels(status).set(results[status])


def _certificates(registry: CollectorRegistry, drift: Drift) -> None:
    expiry = Gauge(
        "reconcile_certificate_expiry_timestamp_seconds",
        "When the certificate that a site sends expires.",
        ["site"],
        registry=registry,
    )
    for check in drift.checks:
        if check.expires is not None:
            expiry.labels(check.name.partition(":")[2]).set(_epoch(check.expires) or 0.0)


def _epoch(at: str | None) -> float | None:
    return datetime.fromisoformat(at).timestamp() if at else None
