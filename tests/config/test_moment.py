"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.fields.moment import parse_moment

NOW = datetime.now(UTC)


def local(*parts: int) -> datetime:
    return datetime(*parts).astimezone()  # type: ignore[arg-type] # whole numbers, six at most


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", NOW + timedelta(minutes=90)),
        ("2d", NOW + timedelta(days=2)),
        ("2027-01-31", local(2027, 2, 1)),
        ("2027-01-31T18:30", local(2027, 1, 31, 18, 30)),
        ("2027-01-31 18:30", local(2027, 1, 31, 18, 30)),
        ("2027-01-31T18:30Z", datetime(2027, 1, 31, 18, 30, tzinfo=UTC)),
        ("2027-01-31T18:30+02:00", datetime(2027, 1, 31, 16, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_duration_a_day_or_a_time(text: str, moment: datetime) -> None:
    assert moment == parse_moment(text, NOW)


def test_a_time_of_day_is_the_next_one() -> None:
    later = NOW.astimezone() + timedelta(hours=1)
    earlier = NOW.astimezone() - timedelta(hours=1)

    for at in (later, earlier):
        found = parse_moment(f"{at:%H:%M}", NOW)
        assert f"{at:%H:%M}" == f"{found:%H:%M}"
        assert NOW < found <= NOW + timedelta(days=1)


@pytest.mark.parametrize(
    "text", ["", "soon", "5", "h", "25:00", "2027-02-30", "-2h", "99999999999y"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_moment(text, NOW)
