"""A moment as people write it: a duration from now, a day, or a time."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.fields.quantities import SECONDS, parse_duration

_HINT = "use 2h, 18:30, 2027-01-31 or 2027-01-31T18:30"


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that `text` names at `now`, in local time where it has no zone.

    A day means its end, and a time of day the next one. Errors: InvalidValue.
    """
    if text[-1:] in SECONDS and text[:-1].isdecimal():
        return now + timedelta(seconds=parse_duration(text))
    try:
        if ":" in text and "-" not in text and len(text) <= len("18:30:00"):
            return _next(time.fromisoformat(text), now)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text[:40]!r} is not a moment", _HINT) from None
    if len(text) <= len("2027-01-31"):
        found += timedelta(days=1)
    return found.astimezone()


def _next(of_day: time, now: datetime) -> datetime:
    today = datetime.combine(now.astimezone().date(), of_day)
    later = (today, today + timedelta(days=1))
    return next(at for at in map(datetime.astimezone, later) if at > now)
