"""Times at which something runs, as systemd writes them. Source: systemd.time(7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str

LIMIT = 200
WORDS = (
    *("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually"),
    *("yearly", "annually"),
)
_HINT = 'use hourly, daily, weekly, or an expression such as "Mon..Fri 03:30" or "*:0/15"'
_DAY = (
    r"(?:mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?"
    r"|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
_WEEKDAYS = re.compile(rf"{_DAY}(?:(?:\.\.|-|,){_DAY})*,?", re.IGNORECASE)
_DATE = re.compile(r"(?:([^-~]+)-)?([^-~]+)[-~]([^-~]+)")
_TIME = re.compile(r"([^:]+):([^:]+)(?::([^:]+))?")
_ZONE = re.compile(r"[A-Z]{3,4}|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+")
_VALUE = re.compile(r"(\d+(?:\.\d{1,6})?)(?:\.\.(\d+(?:\.\d{1,6})?))?(?:/(\d+(?:\.\d{1,6})?))?")


def parse_calendar(value: Any) -> str:
    """A word such as `daily`, or a calendar expression."""
    text = require_str(value, "a schedule", _HINT)
    if len(text) > LIMIT:
        raise InvalidValue(f"the schedule is longer than {LIMIT} characters")
    if problem := _problem(text):
        raise InvalidValue(f"{quote_text(text)} is not a schedule: {problem}", _HINT)
    return text


def _problem(text: str) -> str:
    """Why systemd would not understand `text`; "" if it would."""
    if text.lower() in WORDS:
        return ""
    words = text.split(" ")
    if not all(words):
        return "it is empty" if not text.strip() else "its parts are separated by one space"
    if _WEEKDAYS.fullmatch(words[0]):
        del words[0]
    problems = [*_date_problems(words), *_time_problems(words)]
    if len(words) == 1 and text not in words and _ZONE.fullmatch(words[0]):
        del words[0]
    return next(
        iter([*problems, *(f"{quote_text(word)} is not valid in a schedule" for word in words)]), ""
    )


def _date_problems(words: list[str]) -> Iterator[str]:
    match = _DATE.fullmatch(words[0]) if words and ":" not in words[0] else None
    # America/Port-au-Prince is a time zone.
    if match and not words[0][0].isalpha():
        del words[0]
        year, month, day = match.groups()
        yield from _part_problems("year", year or "*", 1970, 2199)
        yield from _part_problems("month", month, 1, 12)
        yield from _part_problems("day", day, 1, 31)


def _time_problems(words: list[str]) -> Iterator[str]:
    match = _TIME.fullmatch(words[0]) if words else None
    if match:
        del words[0]
        hour, minute, second = match.groups()
        yield from _part_problems("hour", hour, 0, 23)
        yield from _part_problems("minute", minute, 0, 59)
        yield from _part_problems("second", second or "0", 0, 59)


def _part_problems(name: str, text: str, least: int, most: int) -> Iterator[str]:
    for item in text.split(","):
        if item == "*":
            continue
        if match := _VALUE.fullmatch(item):
            first, last, every = (None if one is None else float(one) for one in match.groups())
            if any(not least <= one < most + 1 for one in (first, last) if one is not None):
                yield f"the {name} {item} is not between {least} and {most}"
            elif every is not None and every <= 0:
                yield f"the {name} repeats every {match[3]}"
        else:
            yield f"{quote_text(item)} is not a valid {name}"


Calendar = Annotated[
    str,
    FieldType(
        parse_calendar,
        {"type": "string", "minLength": 1, "maxLength": LIMIT, "examples": ["daily", "*:0/15"]},
    ),
]
