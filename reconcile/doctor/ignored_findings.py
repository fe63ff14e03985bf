"""Findings that the YAML ignores, with its reason: shown apart, without an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase

from reconcile.config.diagnostics import suggest
from reconcile.doctor.config_view import DeclaredIgnore
from reconcile.doctor.rule import Rule
from reconcile.doctor.rules import IDS
from reconcile.engine.model import Finding
from reconcile.output.findings import Diagnosis, IgnoredFinding

_PUNCTUATION = ".,:;()'\""


def without_ignored(
    diagnosis: Diagnosis, ignores: Sequence[DeclaredIgnore], rules: Sequence[Rule], today: date
) -> Diagnosis:
    """Move each finding that an entry in force matches to `ignored`; a failed check stays.

    Adds a note for each entry that expired, or that matches no finding of the `rules` that ran.
    """
    valid = [one for one in ignores if not one.is_expired(today)]
    found = {
        finding: next((one for one in valid if _matches(one, finding)), None)
        for finding in diagnosis.findings
    }
    used = {*found.values()}
    notes = [
        *(_expired(one) for one in ignores if one not in valid),
        *(_unused(one) for one in valid if one not in used and _has_run(one, rules)),
    ]
    return replace(
        diagnosis,
        findings=(*(finding for finding, entry in found.items() if entry is None), *notes),
        ignored=tuple(_ignored(finding, entry) for finding, entry in found.items() if entry),
    )


def _matches(entry: DeclaredIgnore, finding: Finding) -> bool:
    if not fnmatchcase(finding.rule, entry.rule):
        return False
    return not entry.subject or any(fnmatchcase(word, entry.subject) for word in _words(finding))


def _words(finding: Finding) -> Iterator[str]:
    """The paths, names and prefixes that the finding names."""
    for text in (finding.what, *finding.evidence):
        yield from (word.strip(_PUNCTUATION) for word in text.split())


def _has_run(entry: DeclaredIgnore, rules: Sequence[Rule]) -> bool:
    """Whether the entry could have matched; an id that no rule has never can."""
    is_known = any(fnmatchcase(rule_id, entry.rule) for rule_id in IDS)
    return not is_known or any(fnmatchcase(rule.id, entry.rule) for rule in rules)


def _ignored(finding: Finding, entry: DeclaredIgnore) -> IgnoredFinding:
    return IgnoredFinding(finding.rule, finding.what, entry.reason, _day(entry.until))


def _expired(entry: DeclaredIgnore) -> Finding:
    return Finding(
        "ignore-expired",
        "note",
        f"The ignore rule for {entry.ref} expired on {_day(entry.until)}."
        f" Its reason was: {entry.reason}",
        (entry.place,),
        "Remove the rule, or set a later `until`.",
    )


def _unused(entry: DeclaredIgnore) -> Finding:
    is_known = any(fnmatchcase(rule_id, entry.rule) for rule_id in IDS)
    hint = "" if is_known else suggest(entry.rule, IDS)
    return Finding(
        "ignore-unused",
        "note",
        f"No finding matches the ignore rule for {entry.ref}.",
        (entry.place,),
        f"Remove the rule{f'; {hint}' if hint else '.'}",
    )


def _day(until: date | None) -> str:
    return until.isoformat() if until else ""
