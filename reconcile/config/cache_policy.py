"""Cache policies: how long browsers and proxies may keep a response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconcile.config.config_model import ConfigEntry
from reconcile.config.diagnostics import Violation, suggest
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import quote_text
from reconcile.config.fields.quantities import Duration

if TYPE_CHECKING:
    from reconcile.config.config import Config


class CachePolicy(ConfigEntry):
    """One Cache-Control header."""

    max_age: Duration | None = Field(
        default=None, description="How long a response stays fresh: 1h, 7d, 1y."
    )
    visibility: Literal["public", "private"] = Field(
        default="public", description="private: shared caches must not store the response."
    )
    immutable: bool = Field(
        default=False,
        description="Browsers do not revalidate; only for file names that contain a hash.",
    )
    no_store: bool = Field(default=False, description="Caches do not store the response.")

    @property
    def header(self) -> str:
        """The value of the header. Source: RFC 9111, section 5.2.2; RFC 8246."""
        if self.no_store:
            return "no-store"
        return f"{self.visibility}, max-age={self.max_age}{', immutable' * self.immutable}"

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:  # noqa: ARG002
        """Either an age, or `no_store` alone."""
        if not self.no_store and self.max_age is None:
            yield Violation(
                (*loc, "max_age"), "max_age is missing", "set a duration, or no_store: true"
            )
        for key in ("max_age", "immutable") if self.no_store else ():
            if getattr(self, key):
                yield Violation(
                    (*loc, key), f"{key} cannot be combined with no_store", "remove one of them"
                )


BUILT_IN_CACHE_POLICIES = {
    "week": CachePolicy.model_construct(max_age=7 * 86_400),
    "day": CachePolicy.model_construct(max_age=86_400),
    "hashed": CachePolicy.model_construct(max_age=365 * 86_400, immutable=True),
    "none": CachePolicy.model_construct(no_store=True),
}


def check_cache_name(loc: Loc, name: str | None, config: Config) -> Iterator[Violation]:
    """The name is that of a cache policy."""
    if name is not None and name not in config.cache_policy_names:
        message = f"unknown cache policy {quote_text(name)}"
        yield Violation(loc, message, suggest(name, config.cache_policy_names), is_independent=True)
