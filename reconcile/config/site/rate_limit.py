"""How often one client may ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.probes import RateLimitProbe
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.nginx.render.site_view import RateLimitView

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext

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
        default=0, description="How many requests may exceed the rate at once."
    )


def check_no_limit(loc: Loc, limit: RateLimit | None) -> Iterator[Violation]:
    """A page loads many files at once, which cost the host little."""
    if limit:
        message = "a limit is for what is passed on, never for files"
        yield Violation((*loc, "rate_limit"), message, "remove it, or use role: proxy")


def rate_limit_probe(site: SiteContext, key: str, limit: RateLimit) -> RateLimitProbe:
    """Who asks too often gets 429."""
    count, _, unit = limit.rate.partition("r/")
    return RateLimitProbe(
        site.probe_name(f"{key} limits a client to {limit.rate}"),
        site.name,
        main_endpoint(site),
        key,
        int(count) / (60 if unit == "m" else 1),
        limit.burst,
    )


def rate_limit_view(limit: RateLimit | None) -> RateLimitView | None:
    """What nginx's template is given."""
    return RateLimitView(limit.rate, limit.burst) if limit else None
