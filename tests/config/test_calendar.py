"""Schedules are those that systemd understands."""

from __future__ import annotations

import subprocess

import pytest

from reconcile.config.fields.calendar import parse_calendar
from reconcile.config.fields.field_type import InvalidValue

VALID = [
    "daily",
    "Weekly",
    "minutely",
    "semiannually",
    "Mon..Fri 03:30",
    "Mon,Wed,Fri *-*-* 10:00",
    "Sat,Sun",
    "Mon-Fri 08:00",
    "*-*-01 04:00:00",
    "*-*~01",
    "2027-01-31",
    "2027-01-31 12:00",
    "01-01",
    "*:0/15",
    "*-*-* *:0/15:00",
    "0/6:30",
    "8..17:*",
    "03:30 UTC",
    "Sun 03:30 Europe/Berlin",
    "*:*:0/30.5",
]
INVALID = [
    "",
    " ",
    "dayly",
    "every day",
    "25:00",
    "12:61",
    "*-13-01",
    "*-*-32",
    "0/0:00",
    "@daily",
    "0 3 * * *",
    "*/5 * * * *",
    "12",
    "UTC",
    "*/2:00",
    "Mon..Fry 10:00",
    "daily\nExecStart=/bin/sh",
    "daily UTC hourly",
]


@pytest.mark.parametrize("text", VALID)
def test_a_schedule_is_accepted(text: str) -> None:
    assert text == parse_calendar(text)


@pytest.mark.parametrize("text", INVALID)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_calendar(text)


@pytest.mark.process
def test_systemd_agrees() -> None:
    def accepts(text: str) -> bool:
        return not subprocess.run(
            ["systemd-analyze", "calendar", "--", text], capture_output=True
        ).returncode

    assert ([], []) == (
        [text for text in VALID if not accepts(text)],
        [text for text in INVALID if accepts(text)],
    )
