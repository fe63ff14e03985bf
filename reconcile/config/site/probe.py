"""Probes of the file, beside those that every location has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.http_values import HeaderName, HeaderValue, UrlPath
from reconcile.config.probes import Expectation, Probe, UploadProbe
from reconcile.config.site.listen_ports import main_endpoint

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site


FormField = Annotated[
    str,
    regex_str(r"[A-Za-z0-9_.\[\]-]+", "the name of a form field", examples=("file",), limit=128),
]


class ExpectSettings(ConfigModel):
    """The response that a probe expects."""

    status: Annotated[int, Field(ge=100, le=599)] = Field(
        default=200, description="The status code."
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="Headers that occur exactly once, with exactly this value."
    )
    body: str | None = Field(default=None, description="A text that the body contains.")
    served_by: Literal["nginx", "app"] | None = Field(
        default=None, description="Which of them made the response."
    )


class GetProbeSettings(ConfigModel):
    """Request a path."""

    get: UrlPath = Field(description="The path to request.")
    expect: ExpectSettings = Field(
        default=ExpectSettings.model_construct(),
        description="The response that is expected; 200 by default.",
    )


class UploadProbeSettings(ConfigModel):
    """Upload a file to the app, and request it."""

    upload: UrlPath = Field(description="The path that accepts uploads.")
    field: FormField = Field(default="file", description="The name of the form field.")
    then_get: UrlPath = Field(
        description="Where the file is served afterwards; {filename} stands for that key of the "
        "app's JSON response.",
        examples=["/media/{filename}"],
    )


# Pydantic adds the tag to the location of an error: it must not look like a key.
GET, UPLOAD = "(get)", "(upload)"


def _discriminate(value: Any) -> str:
    if isinstance(value, dict):
        return UPLOAD if "upload" in value else GET
    return UPLOAD if isinstance(value, UploadProbeSettings) else GET


ProbeSettings = Annotated[
    Annotated[GetProbeSettings, Tag(GET)] | Annotated[UploadProbeSettings, Tag(UPLOAD)],
    Discriminator(_discriminate),
]


def check_probes(loc: Loc, site: Site) -> Iterator[Violation]:
    """A probe that needs an app has one."""
    for index, probe in enumerate(site.probes if not site.app else ()):
        if not isinstance(probe, GetProbeSettings):
            yield Violation((*loc, "probes", index), "an upload probe needs an app")
        elif probe.expect.served_by == "app":
            yield Violation((*loc, "probes", index), "this site has no app")


def compile_probe(site: SiteContext, settings: GetProbeSettings | UploadProbeSettings) -> Probe:
    """The probe of an entry of `probes`."""
    if isinstance(settings, GetProbeSettings):
        expect = Expectation(
            frozenset({settings.expect.status}),
            headers=tuple(settings.expect.headers.items()),
            body=settings.expect.body,
            served_by=settings.expect.served_by,
        )
        return site.http_probe(f"GET {settings.get}", settings.get, expect)
    prefix, folder = _serving_location(site, settings.then_get)
    return UploadProbe(
        name=site.probe_name(f"POST {settings.upload}"),
        site=site.name,
        endpoint=main_endpoint(site),
        path=settings.upload,
        field=settings.field,
        then_get=settings.then_get,
        dir=folder,
        prefix=prefix,
    )


def _serving_location(site: SiteContext, then_get: str) -> tuple[str | None, str | None]:
    """Prefix and directory of the media location that serves `then_get`."""
    candidates = [item for item in site.by_role("media") if then_get.startswith(item[0])]
    if not candidates:
        return None, None
    prefix, location = max(candidates, key=lambda item: len(item[0]))
    return prefix, location.dir
