"""Checks and the verdict over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from reconcile.engine.model import Check, CheckStatus, merged_versions
from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style
from reconcile.wording import counted

_RANK: dict[CheckStatus, int] = {"pass": 0, "skipped": 1, "unknown": 2, "fail": 3}


def verification_text(
    checks: Sequence[Check], style: Style = PLAIN, *, also: Sequence[Check] = ()
) -> str:
    """All checks and the verdict over them, and over those shown before (`also`).

    What failed comes last: it is what one sees at the end of a long list.
    """
    nothing = ["Nothing to verify: the configuration asks for no request."]
    ordered = sorted(checks, key=lambda check: _RANK[check.status])
    ending = verdict([*also, *checks], style) or nothing
    return "\n\n".join("\n".join(block) for block in (checks_text(ordered, style), ending) if block)


def checks_text(checks: Iterable[Check], style: Style = PLAIN) -> list[str]:
    """A line for each check: its status, its name, what it found.

    One for both IP versions where they agree.
    """
    return [line for check in merged_versions(checks) for line in check_lines(check, style)]


def check_lines(check: Check, style: Style = PLAIN) -> list[str]:
    word = check.status.upper() if check.status == "fail" else check.status
    head = style.status(check.status, f"{word:<8}")
    detail = f": {printable(check.detail)}" if check.detail else ""
    first, *rest = style.wrap(f"{printable(check.name)}{detail}", " " * 10, " " * 10)
    return [f"  {head}{first.lstrip()}", *rest]


def verdict(checks: Sequence[Check], style: Style) -> list[str]:
    """One sentence, [] where nothing was checked."""
    if not checks:
        return []
    found = Counter(check.status for check in checks)
    skipped = f", {found['skipped']} skipped" if found["skipped"] else ""
    missing = f"{counted(found['unknown'], 'check')} could not be run" if found["unknown"] else ""
    if found["fail"]:
        more = f", {missing}" if missing else ""
        text = f"Verification failed: {found['fail']} of {len(checks)} checks{more}{skipped}."
        return [style.error(line) for line in style.wrap(text)]
    passed = f"{found['pass']} of {len(checks)} checks passed{skipped}"
    if missing:
        text = f"Not verified: {missing}. Nothing failed: {passed}."
        return [style.error(line) for line in style.wrap(text)]
    return [style.good(line) for line in style.wrap(f"Verified: {passed}.")]
