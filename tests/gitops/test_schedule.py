"""What a schedule consists of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import HostError
from reconcile.gitops.schedule_units import HEADER, Schedule, ScheduleNames, checked_command, to_utc
from reconcile.system.timers import remove_file, write_file

COMMAND = ("/opt/reconcile/bin/python", "-I", "-m", "reconcile", "drift", "--quiet")


def test_a_check_may_write_only_to_its_configured_paths() -> None:
    text = Schedule(COMMAND, "hourly", ("/var/lib/reconcile",)).units["reconcile-drift.service"]

    assert "ProtectSystem=strict\n" in text
    assert "ReadWritePaths=/var/lib/reconcile\n" in text
    assert f"ExecStart={' '.join(COMMAND)}\n" in text


def test_checks_of_many_hosts_do_not_come_at_once() -> None:
    text = Schedule(COMMAND, "*:0/15", (), delay_s=120).units["reconcile-drift.timer"]

    assert "OnCalendar=*:0/15\nRandomizedDelaySec=120\n" in text


def test_cron_runs_the_same_command_at_a_minute_of_its_own() -> None:
    text = Schedule(COMMAND, "hourly", (), minute=17).cron

    assert f"17 * * * * root {' '.join(COMMAND)}\n" in text
    assert text.startswith(HEADER)


def test_each_scope_has_a_schedule_of_its_own() -> None:
    names = ScheduleNames("shop.v2")

    units = Schedule(COMMAND, "hourly", (), names=names).units

    assert {"reconcile-drift-shop.v2.service", "reconcile-drift-shop.v2.timer"} == units.keys()
    assert "Unit=reconcile-drift-shop.v2.service\n" in units[names.timer]
    assert "/etc/cron.d/reconcile-drift-shop_v2" == names.cron_file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun 2026-11-22 18:17:02 UTC", "2026-11-22T18:17:02Z"),
        ("", ""),
        ("n/a", ""),
    ],
)
def test_the_next_run_is_formatted_like_every_other_time(text: str, expected: str) -> None:
    assert expected == to_utc(text)


def test_a_time_that_cron_cannot_express_is_refused() -> None:
    with pytest.raises(ReconcileError, match="not supported with cron"):
        _ = Schedule(COMMAND, "*:0/15", ()).cron


@pytest.mark.parametrize("part", ["/a b", "/a;reboot", "$(id)", "/a\nExecStart=/bin/x", "`id`", ""])
def test_nothing_in_a_schedule_means_more_than_itself(part: str) -> None:
    with pytest.raises(ReconcileError, match="cannot be used in a schedule"):
        checked_command((*COMMAND, part), "hourly")


def test_a_time_brings_no_further_line() -> None:
    with pytest.raises(ReconcileError, match="is not a calendar expression"):
        checked_command(COMMAND, "hourly\nOnBootSec=0")


def test_a_file_of_someone_else_is_neither_written_nor_removed(tmp_path: Path) -> None:
    file = tmp_path / "reconcile-drift"
    file.write_text("mine")

    with pytest.raises(HostError):
        write_file(str(file), HEADER, HEADER)
    with pytest.raises(ReconcileError, match="was not removed"):
        remove_file(str(file), HEADER)

    assert ("mine", 1) == (file.read_text(), len(os.listdir(tmp_path)))
