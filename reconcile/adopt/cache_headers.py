"""Conversion of Cache-Control headers into cache policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconcile.config.cache_policy import BUILT_IN_CACHE_POLICIES, CachePolicy
from reconcile.config.fields.quantities import MAX_SECONDS, SECONDS

_UNITS = sorted(SECONDS.items(), key=lambda unit: -unit[1])


def parse_policy(lines: Sequence[str | None]) -> CachePolicy | None:
    """Return the policy that is equivalent to these header lines, None if there is none.

    Several lines form one list; without `private` a response may be shared.
    Source: RFC 9110, section 5.3; RFC 9111, section 5.2.2.
    """
    if not lines or None in lines:
        return None
    words = {word.strip().lower() for line in lines for word in (line or "").split(",")} - {""}
    if words == {"no-store"}:
        return CachePolicy.model_construct(no_store=True)
    ages = {word for word in words if word.startswith("max-age=")}
    rest = words - ages - {"public", "private", "immutable"}
    if len(ages) != 1 or rest or {"public", "private"} <= words:
        return None
    age = ages.pop().removeprefix("max-age=")
    if not age.isascii() or not age.isdigit() or int(age) > MAX_SECONDS:
        return None
    return CachePolicy.model_construct(
        max_age=int(age),
        visibility="private" if "private" in words else "public",
        immutable="immutable" in words,
    )


def policy_name(policy: CachePolicy) -> str:
    """Return the name of an equal built-in policy, else one derived from the values."""
    built_in = (
        name for name, known in BUILT_IN_CACHE_POLICIES.items() if known.header == policy.header
    )
    words = [format_duration(policy.max_age or 0)]
    words += ["private"] if policy.visibility == "private" else []
    words += ["immutable"] if policy.immutable else []
    return next(built_in, "keep-" + "-".join(words))


def policy_values(policy: CachePolicy) -> dict[str, Any]:
    """Return the policy as a mapping for the YAML."""
    values: dict[str, Any] = {"max_age": format_duration(policy.max_age or 0)}
    values["visibility"] = policy.visibility
    return {**values, "immutable": True} if policy.immutable else values


def format_duration(seconds: int) -> str:
    """Format in the largest unit that divides evenly: `7d`, not `604800s`; never weeks."""
    fitting = (
        f"{seconds // length}{unit}"
        for unit, length in _UNITS
        if unit != "w" and seconds and seconds % length == 0
    )
    return next(fitting, "0s")
