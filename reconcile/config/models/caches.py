"""How long browsers and proxies may keep an answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconcile.config.models.section import Section
from reconcile.config.values.units import Duration


class CachePolicy(Section):
    """One Cache-Control header."""

    max_age: Duration | None = Field(
        default=None, description="How long an answer stays fresh: 1h, 7d, 1y."
    )
    visibility: Literal["public", "private"] = Field(
        default="public", description="private keeps shared caches from storing it."
    )
    immutable: bool = Field(
        default=False, description="Never ask again; only for names that hold a hash."
    )
    no_store: bool = Field(default=False, description="Never keep the answer at all.")

    @property
    def header(self) -> str:
        """The whole value of the header. Source: RFC 9111, section 5.2.2; RFC 8246."""
        if self.no_store:
            return "no-store"
        return f"{self.visibility}, max-age={self.max_age}{', immutable' * self.immutable}"


BUILT_IN = {
    "week": CachePolicy.model_construct(max_age=7 * 86_400),
    "day": CachePolicy.model_construct(max_age=86_400),
    "hashed": CachePolicy.model_construct(max_age=365 * 86_400, immutable=True),
    "none": CachePolicy.model_construct(no_store=True),
}
