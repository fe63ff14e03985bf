"""A Cache-Control as visitors get it, and the cache policy that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconcile.config.cache_policy import BUILT_IN_CACHE_POLICIES, CachePolicy
from reconcile.config.fields.quantities import MAX_SECONDS, SECONDS

_UNITS = sorted(SECONDS.items(), key=lambda unit: -unit[1])


def policy_of(lines: Sequence[str | None]) -> CachePolicy | None:
    """The policy that means what these header lines mean together; None where none does.

    Several lines are one list to a browser, and what is not private may be shared.
    Source: RFC 9110, section 5.3; RFC 9111, section 5.2.2.
    """
    if not lines or None in lines:
        return None
    said = {word.strip().lower() for line in lines for word in (line or "").split(",")} - {""}
    if said == {"no-store"}:
        return CachePolicy.model_construct(no_store=True)
    ages = {word for word in said if word.startswith("max-age=")}
    rest = said - ages - {"public", "private", "immutable"}
    if len(ages) != 1 or rest or {"public", "private"} <= said:
        return None
    age = ages.pop().removeprefix("max-age=")
    if not age.isascii() or not age.isdigit() or int(age) > MAX_SECONDS:
        return None
    return CachePolicy.model_construct(
        max_age=int(age),
        visibility="private" if "private" in said else "public",
        immutable="immutable" in said,
    )


def name_of(policy: CachePolicy) -> str:
    """What a policy is called: a built-in one by its name, any other by what it says."""
    built_in = (
        name for name, known in BUILT_IN_CACHE_POLICIES.items() if known.header == policy.header
    )
    words = [duration(policy.max_age or 0)]
    words += ["private"] if policy.visibility == "private" else []
    words += ["immutable"] if policy.immutable else []
    return next(built_in, "keep-" + "-".join(words))


def written(policy: CachePolicy) -> dict[str, Any]:
    """The policy as the file has it."""
    said: dict[str, Any] = {"max_age": duration(policy.max_age or 0)}
    said["visibility"] = policy.visibility
    return {**said, "immutable": True} if policy.immutable else said


def duration(seconds: int) -> str:
    """In the largest unit that gives a whole number: `7d`, not `604800s`; weeks as days."""
    fitting = (
        f"{seconds // length}{unit}"
        for unit, length in _UNITS
        if unit != "w" and seconds and seconds % length == 0
    )
    return next(fitting, "0s")
