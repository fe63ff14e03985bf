"""Checks: which of them fail an apply, and how several are shown as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reconcile.engine.model import Check

_VERSION = r" over IPv[46]\b"


def failed_checks(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that fail an apply: failed or unknown, and not before it."""
    return tuple(
        check for check in checks if check.status in ("fail", "unknown") and not check.failed_before
    )


def failure_reasons(checks: Iterable[Check]) -> str:
    """Why an apply that `checks` do not let stand has failed: each with what it found."""
    return "; ".join(f"{check.name}: {check.detail or check.status}" for check in checks)


def merged_versions(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Checks that differ only in their IP version as one, in the place of the first."""
    alike: dict[tuple[str, ...], list[Check]] = {}
    for check in checks:
        key = (without_version(check.name), check.status, check.detail)
        alike.setdefault(key, []).append(check)
    return tuple(_merge_versions(group) for group in alike.values())


def without_version(name: str) -> str:
    """The name of a check without the IP version that it was asked over."""
    return re.sub(_VERSION, "", name)


def _merge_versions(group: Sequence[Check]) -> Check:
    versions = {match[0] for check in group if (match := re.search(_VERSION, check.name))}
    if len(versions) < 2:
        return group[0]
    return replace(group[0], name=re.sub(_VERSION, " over IPv4 and IPv6", group[0].name, count=1))
