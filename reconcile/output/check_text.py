"""Checks and their verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from reconcile.engine.checks import merged_versions
from reconcile.engine.model import Check, CheckStatus
from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style, join_blocks
from reconcile.wording import counted

MOST_PASSED = 10
"""Passed checks that are listed one by one."""

_RANK: dict[CheckStatus, int] = {"pass": 0, "skipped": 1, "unknown": 2, "fail": 3}


def verification_text(
    checks: Sequence[Check], style: Style = PLAIN, *, also: Sequence[Check] = ()
) -> str:
    """List all checks, failed ones last, then the verdict on them and on `also`.

    Of those that passed there is one line a site, where they are many.

    `also` holds checks that were printed before.
    """
    nothing = ["Nothing to verify: the configuration declares no checks."]
    passed = [check for check in checks if check.status == "pass" and not check.warning]
    others = [check for check in checks if check.status != "pass" or check.warning]
    ordered = sorted(others, key=lambda check: _RANK[check.status])
    ending = verdict([*also, *checks], style) or nothing
    return join_blocks([*_passed_lines(passed, style), *checks_text(ordered, style)], ending)


def checks_text(checks: Iterable[Check], style: Style = PLAIN) -> list[str]:
    """Render each check: status, name and detail; once for both IP versions if they agree."""
    return [line for check in merged_versions(checks) for line in _check_lines(check, style)]


def _passed_lines(checks: Sequence[Check], style: Style) -> list[str]:
    """Checks that passed: each by itself where they are few, else how many of each site."""
    if len(merged_versions(checks)) <= MOST_PASSED:
        return checks_text(checks, style)
    counts = Counter(check.name.partition(" ")[0] for check in checks)
    summed = (Check(name, "pass", counted(number, "check")) for name, number in counts.items())
    return checks_text(summed, style)


def _check_lines(check: Check, style: Style) -> list[str]:
    word = check.status.upper() if check.status == "fail" else check.status
    word = "warn" if check.warning else word
    status = "unknown" if check.warning else check.status
    head = style.status(status, f"{word:<8}")
    detail = f": {printable(check.detail)}" if check.detail else ""
    first, *rest = style.wrap(f"{printable(check.name)}{detail}", " " * 10, " " * 10)
    return [f"  {head}{first.lstrip()}", *rest]


def verdict(checks: Sequence[Check], style: Style, *, after: str = "Applied") -> list[str]:
    """Sum up checks in one sentence; [] if there are none."""
    if not checks:
        return []
    found = Counter(check.status for check in checks)
    skipped = f", {found['skipped']} skipped" if found["skipped"] else ""
    missing = f"{counted(found['unknown'], 'check')} could not be run" if found["unknown"] else ""
    known = sum(check.failed_before for check in checks)
    if found["fail"] > known:
        more = f", {missing}" if missing else ""
        text = f"Verification failed: {found['fail']} of {len(checks)} checks{more}{skipped}."
        return [style.error(line) for line in style.wrap(text)]
    warned = sum(check.warning for check in checks)
    warnings = f", {warned} with a warning" if warned else ""
    passed = f"{found['pass']} of {len(checks)} checks passed{warnings}{skipped}"
    if missing:
        text = f"Not verified: {missing}. Nothing failed: {passed}."
        return [style.error(line) for line in style.wrap(text)]
    if known:
        verb = "does" if known == 1 else "do"
        text = f"{after}; {counted(known, 'check')} failed before and still {verb}: {passed}."
        return [style.alarm(line) for line in style.wrap(text)]
    return [style.good(line) for line in style.wrap(f"Verified: {passed}.")]
