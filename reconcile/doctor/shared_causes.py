"""One finding for each cause: what else it leads to is listed in the evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reconcile.doctor.diagnosis import RANK
from reconcile.doctor.guide_rows import BEYOND
from reconcile.engine.model import Finding
from reconcile.output.findings import Diagnosis

MOST_EFFECTS = 8
"""Lines about other effects of a cause that a finding shows."""
# Whose errors about a location explain why a request to it fails.
_EXPLAINING = frozenset(
    {
        *("root-doubling", "alias-slash", "alias-target", "file-names", "container-storage"),
        *("nginx-sandbox", "stale-groups", "nginx-read", "route-shadowed", "try-files-misses"),
        *(
            "if-drops-try-files",
            "unreachable-location",
            "greedy-regex",
            "dup-server",
            "selinux-sandbox",
        ),
    }
)
_COMMAND = re.compile(
    r"^(?:chgrp|chmod|chown|cp|find|install|mkdir|printf|restorecon|rm|setfacl|setsebool"
    r"|semanage|systemctl) "
)
_COMMENT = re.compile(r"  # .*$")


def with_one_finding_per_cause(diagnosis: Diagnosis) -> Diagnosis:
    """Fold the findings that share a cause into the first that names it."""
    groups: dict[object, list[Finding]] = {}
    for finding in sorted(diagnosis.findings, key=lambda one: one.is_symptom):
        groups.setdefault(_group(finding, diagnosis.findings), []).append(finding)
    folded = {group[0]: _folded(group) for group in groups.values()}
    kept = (folded[one] for one in diagnosis.findings if one in folded)
    return replace(diagnosis, findings=tuple(kept))


def _group(finding: Finding, every: Sequence[Finding]) -> object:
    if finding.cause:
        return finding.cause
    if finding.is_symptom and (leader := _explanation(finding, every)):
        return _group(leader, every)
    return finding.rule, finding.severity, finding.what, finding.fix


def _explanation(symptom: Finding, every: Iterable[Finding]) -> Finding | None:
    """The first error that is about the same directive."""
    about = {*symptom.evidence}
    explaining = (one for one in every if one.rule in _EXPLAINING and one.severity == "error")
    return next((one for one in explaining if about & {*one.evidence}), None)


def _folded(group: Sequence[Finding]) -> Finding:
    first, *others = group
    if not others:
        return first
    effects = list(dict.fromkeys(_effects(first, others)))
    left = len(effects) - MOST_EFFECTS
    shown = [*effects[:MOST_EFFECTS], *([f"also: {left} more like these"] if left > 0 else [])]
    causes = [one for one in group if not one.is_symptom] or [first]
    return replace(
        first,
        severity=min((one.severity for one in group), key=RANK.__getitem__),
        evidence=(*first.evidence, *shown),
        fix=_combine_fixes([one.fix for one in causes]),
        apply_fixes=all(one.apply_fixes for one in causes),
        source=_covered_rows(group),
    )


def _covered_rows(group: Iterable[Finding]) -> str:
    """The rows of the guide that any of them covers."""
    rows = dict.fromkeys(row for one in group for row in one.source.split("; ") if row)
    return "; ".join([row for row in rows if row != BEYOND] or rows)


def _effects(first: Finding, others: Iterable[Finding]) -> Iterable[str]:
    head, colon, _ = first.what.partition(": ")
    for other in others:
        if other.what == first.what:
            yield from (line for line in other.evidence if line not in first.evidence)
        else:
            yield f"also: {other.what.removeprefix(head + colon) if colon else other.what}"


def _combine_fixes(fixes: Iterable[str]) -> str:
    """One fix that does what all of them do."""
    different = list(dict.fromkeys(filter(None, fixes)))
    if len(different) < 2:
        return "".join(different)
    if not all(map(_COMMAND.match, different)):
        return " Also: ".join(different)
    parts = [part for fix in different for part in _COMMENT.sub("", fix).split(" && ")]
    # A restart comes after all that it is for.
    last = [part for number, part in enumerate(parts) if part not in parts[number + 1 :]]
    return " && ".join(
        one for one in last if not any(_contains_command(other, one) for other in last)
    )


def _contains_command(command: str, other: str) -> bool:
    """Whether a command does what `other` does, to more paths."""
    words, fewer = command.split(), other.split()
    return len(words) > len(fewer) and words[:3] == fewer[:3] and {*fewer} < {*words}
