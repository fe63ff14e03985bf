"""The keys that every location may have, whatever it serves."""

from __future__ import annotations

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.site.access import Access
from reconcile.config.site.headers import ResponseHeaders


class LocationKeys(ConfigModel):
    """Headers, access, raw directives, and protection from removal."""

    headers: ResponseHeaders = Field(
        default={},
        description="Headers of its responses, beside and before those of the site; null removes"
        " one.",
        examples=[{"X-Frame-Options": "SAMEORIGIN"}],
    )
    access: Access | None = Field(
        default=None,
        description="Who is allowed, instead of the site's `access`; null allows everyone.",
    )
    extra: str = Field(default="", description="More nginx directives for this location.")
    prevent_destroy: bool = Field(
        default=False, description="Refuse every plan that would remove it."
    )
