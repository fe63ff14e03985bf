"""How often one client may ask."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.fields.field_type import regex_str
from reconcile.nginx.render.site_view import RateLimitView

Rate = Annotated[
    str,
    regex_str(
        r"[1-9][0-9]{0,5}r/[sm]",
        "a rate",
        hint="use 10r/s or 30r/m",
        examples=("10r/s", "30r/m"),
    ),
]


class RateLimit(ConfigModel):
    """Requests of one address, or of one IPv6 network of 64 bits; beyond them the answer is 429."""

    rate: Rate = Field(description="Requests per second or minute: 10r/s, 30r/m.")
    burst: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="How many more may come at once."
    )


def rate_limit_view(limit: RateLimit | None) -> RateLimitView | None:
    """What nginx's template is given."""
    return RateLimitView(limit.rate, limit.burst) if limit else None
