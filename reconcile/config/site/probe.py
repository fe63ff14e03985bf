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
from reconcile.config.probes import CrawlProbe, Expectation, Probe, UploadProbe
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
        default=None, description="Whether nginx or the app makes the response."
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


class CrawlProbeSettings(ConfigModel):
    """Request a page, and what it makes browsers load from this host."""

    crawl: UrlPath = Field(description="The path of the page.", examples=["/"])
    depth: Annotated[int, Field(ge=1, le=5)] = Field(
        default=1, description="How many levels of stylesheet imports are followed."
    )


# Pydantic adds the tag to the location of an error: it must not look like a key.
GET, UPLOAD, CRAWL = "(get)", "(upload)", "(crawl)"


def _probe_tag(value: Any) -> str:
    if isinstance(value, dict):
        return CRAWL if "crawl" in value else UPLOAD if "upload" in value else GET
    if isinstance(value, CrawlProbeSettings):
        return CRAWL
    return UPLOAD if isinstance(value, UploadProbeSettings) else GET


AnyProbeSettings = GetProbeSettings | UploadProbeSettings | CrawlProbeSettings
ProbeSettings = Annotated[
    Annotated[GetProbeSettings, Tag(GET)]
    | Annotated[UploadProbeSettings, Tag(UPLOAD)]
    | Annotated[CrawlProbeSettings, Tag(CRAWL)],
    Discriminator(_probe_tag),
]


def check_probes(loc: Loc, site: Site) -> Iterator[Violation]:
    """A probe that needs an app has one, be it behind a location alone."""
    has_app = site.app is not None or bool(site.proxied)
    for index, probe in enumerate(site.probes if not has_app else ()):
        if isinstance(probe, UploadProbeSettings):
            yield Violation((*loc, "probes", index), "an upload probe needs an app")
        elif isinstance(probe, GetProbeSettings) and probe.expect.served_by == "app":
            yield Violation((*loc, "probes", index), "this site has no app")


def default_crawl(site: SiteContext) -> Iterator[Probe]:
    """The start page of a site with an app, unless the file declares what to crawl."""
    declared = site.declared
    if declared.app and not any(isinstance(one, CrawlProbeSettings) for one in declared.probes):
        yield _crawl_probe(site, CrawlProbeSettings(crawl="/"), is_default=True)


def _crawl_probe(
    site: SiteContext, settings: CrawlProbeSettings, *, is_default: bool = False
) -> CrawlProbe:
    return CrawlProbe(
        name=site.probe_name(f"crawl {settings.crawl}"),
        site=site.name,
        endpoint=main_endpoint(site),
        path=settings.crawl,
        depth=settings.depth,
        is_default=is_default,
    )


def compile_probe(site: SiteContext, settings: AnyProbeSettings) -> Probe:
    """The probe of an entry of `probes`."""
    if isinstance(settings, CrawlProbeSettings):
        return _crawl_probe(site, settings)
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
