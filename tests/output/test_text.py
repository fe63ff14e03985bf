"""What a person reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconcile.engine.apply_report import Report
from reconcile.engine.drift_report import Drift
from reconcile.engine.model import Change, FieldChange, Plan
from reconcile.output.check_text import verification_text
from reconcile.output.error import error_text
from reconcile.output.style import Style
from reconcile.output.text import drift_text, failure_text, plan_text, report_text, totals
from reconcile.resources.file import File
from tests.output import samples

Golden = Callable[[str, str], None]


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("everything", samples.EVERYTHING),
        ("conflict", samples.CONFLICTING),
        ("clean", samples.CLEAN),
        ("hostile", samples.HOSTILE),
        ("gone", samples.GONE),
        ("pruned", samples.PRUNED),
    ],
)
def test_a_plan_reads_as_agreed(name: str, plan: Plan, golden: Golden) -> None:
    golden(f"{name}.txt", plan_text(plan))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_first_plan_of_a_small_site_reads_as_agreed(width: int, golden: Golden) -> None:
    golden(f"first_{width}.txt", plan_text(samples.FIRST, Style(width=width)))


def test_all_of_the_first_plan_reads_as_agreed(golden: Golden) -> None:
    golden("first_full.txt", plan_text(samples.FIRST, full=True))


def test_a_plan_on_a_narrow_terminal_reads_as_agreed(golden: Golden) -> None:
    golden("narrow.txt", plan_text(samples.EVERYTHING, Style(width=50)))


@pytest.mark.parametrize("plan", [samples.FIRST, samples.EVERYTHING, samples.GONE, samples.PRUNED])
@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_of_a_plan_breaks_inside_of_a_word(width: int, plan: Plan) -> None:
    for line in plan_text(plan, Style(width=width)).splitlines():
        assert len(line) <= width


def test_the_first_plan_of_a_small_site_is_read_at_a_glance() -> None:
    assert len(plan_text(samples.FIRST, Style(width=80)).splitlines()) <= 40


def test_what_is_created_is_one_line() -> None:
    shown = plan_text(samples.FIRST).splitlines()

    for change in samples.FIRST.changes:
        assert 1 == sum(str(change.ref) in line.split() for line in shown)


def test_no_digest_is_shown() -> None:
    assert "sha256" not in plan_text(samples.FIRST, full=True)


def test_deletions_have_their_own_heading_with_the_number_of_files() -> None:
    shown = plan_text(samples.GONE, Style(colour=True))

    assert "\n\n\x1b[1;31m3 resources will be destroyed, with 13 files:\x1b[0m\n" in shown
    assert f"\x1b[31m- file:{samples.AVAILABLE}\x1b[0m" in shown
    assert "\x1b[1;31m3 to destroy\x1b[0m." in shown


def test_files_that_go_inside_of_an_update_are_counted_too() -> None:
    assert "0 to destroy. 1 file is removed." in plan_text(samples.PRUNED)


def test_a_text_is_shown_without_what_changes_at_every_apply() -> None:
    text = (
        "# Managed by reconcile (site a)\n"
        "    location = /.reconcile-generation {\n"
        "        if ($remote_addr != $server_addr) { return 404; }\n"
        "        if ($args != %s) { return 404; }\n"
        "        return 200 %s;\n    }\n%s\n"
    )
    old, new = (text % (token * 32, token * 32, rest) for token, rest in (("a", "x"), ("b", "y")))
    before, after = (File(path="/a", content=side.encode()) for side in (old, new))
    fields = (FieldChange("content", old, new),)
    change = Change(before.ref, before, after, fields=fields)

    shown = plan_text(replace(samples.CLEAN, changes=(change,)))

    changed = [line[6:] for line in shown.splitlines() if line[6:7] in ("+", "-")]
    assert ["-x", "+y"] == changed
    assert "aaaa" not in shown


def test_a_summary_lists_addresses_only(golden: Golden) -> None:
    golden("summary.txt", plan_text(samples.EVERYTHING, summary=True))


@pytest.mark.parametrize(
    ("name", "report"), [("applied", samples.APPLIED), ("rolled_back", samples.ROLLED_BACK)]
)
def test_a_report_reads_as_agreed(name: str, report: Report, golden: Golden) -> None:
    golden(f"{name}.txt", f"{report_text(report)}\n{failure_text(report)}".rstrip())


def test_a_failure_is_reported_once() -> None:
    shown = report_text(samples.ROLLED_BACK) + failure_text(samples.ROLLED_BACK)

    assert 1 == shown.count("expected 200, got 403")
    assert 1 == shown.count("Verification failed")


def test_colour_changes_no_character_of_the_text() -> None:
    coloured = plan_text(samples.EVERYTHING, Style(colour=True))

    assert "\x1b[" in coloured
    assert plan_text(samples.EVERYTHING) == re.sub(r"\x1b\[[0-9;]*m", "", coloured)


def test_the_legend_lists_only_the_actions_present() -> None:
    only_created = replace(samples.CLEAN, changes=(samples.CREATED,))

    legend = [
        line for line in plan_text(only_created).splitlines() if re.match(r"  [+~-] \w", line)
    ]

    assert legend[:1] == ["  + create"]
    assert "destroy\n" not in plan_text(only_created)


def test_a_secret_is_never_shown() -> None:
    shown = plan_text(samples.EVERYTHING, full=True)

    assert "TOKEN" not in shown
    assert "(sensitive) -> (sensitive)" in shown


def test_nothing_from_the_host_reaches_the_terminal_raw() -> None:
    assert all(c.isprintable() or c == "\n" for c in plan_text(samples.HOSTILE))


def test_a_failed_reading_is_never_called_in_sync() -> None:
    blind = replace(samples.EVERYTHING, changes=())

    assert "No changes." not in plan_text(blind)
    assert "1 reading failed: the plan is incomplete." in totals(blind)


def test_a_long_text_is_cut_unless_all_of_it_is_wanted() -> None:
    long = "".join(f"line {n}\n" for n in range(100))
    field = FieldChange("content", "", long)
    plan = replace(samples.CLEAN, changes=(samples.change("/a", {}, {}, field),))

    assert "# (40 more lines, --full shows them)" in plan_text(plan)
    assert "+line 99" in plan_text(plan, full=True)


def test_only_a_line_feed_ends_a_line() -> None:
    field = FieldChange("content", "a\x0cb\n", "a\x0cc\n")
    plan = replace(samples.CLEAN, changes=(samples.change("/a", {}, {}, field),))

    assert r"-a\x0cb" in plan_text(plan)


def test_a_missing_newline_at_the_end_is_shown() -> None:
    field = FieldChange("content", "a\nb\n", "a\nb")
    plan = replace(samples.CLEAN, changes=(samples.change("/a", {}, {}, field),))

    assert "No newline at end of file" in plan_text(plan)


def test_checks_and_verdict_read_as_agreed(golden: Golden) -> None:
    golden("verification.txt", verification_text(samples.CHECKS))


def test_an_error_shows_what_why_and_fix() -> None:
    shown = error_text("nginx refuses", "line one\nline two", "Correct it.")

    expected = "Error: nginx refuses\n  why: line one\n       line two\n  fix: Correct it."
    assert expected == shown


def test_no_line_of_prose_is_wider_than_the_terminal() -> None:
    shown = error_text("word " * 40, "word " * 40, "word " * 40, Style(width=60))

    assert max(map(len, shown.splitlines())) <= 60


def test_an_unchanged_resource_is_listed_only_in_full() -> None:
    same: Change = samples.change("/same", {}, {})
    plan = replace(samples.CLEAN, changes=(same,))

    assert "/same" not in plan_text(plan)
    assert "Unchanged:\n    file:/same\n" in plan_text(plan, full=True)


def test_what_needs_no_change_has_no_cause() -> None:
    plan = replace(samples.CLEAN, changes=(samples.change("/same", {}, {}),))

    assert "pending" not in plan_text(plan, full=True)


def test_a_digest_is_shown_as_far_as_a_person_compares_it() -> None:
    before, after = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
    field = FieldChange("runs", before, after)
    plan = replace(samples.CLEAN, changes=(samples.change("/a", {}, {}, field),))

    assert '~ runs = "sha256:aaaaaaaaaaaa…" -> "sha256:bbbbbbbbbbbb…"' in plan_text(plan)


def test_a_resource_that_is_missing_is_listed_without_a_field() -> None:
    plan = replace(samples.CLEAN, changes=(samples.CREATED,))

    shown = drift_text(Drift(plan, (), "2026-11-22T08:00:00Z"))

    assert f"  {samples.CREATED.ref}  2026-11-22T08:00:00Z, pending\n" in shown
