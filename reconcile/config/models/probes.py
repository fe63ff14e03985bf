"""Questions put to the running site, beside those that every location gets by itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from reconcile.config.models.section import Section
from reconcile.config.values.requests import FieldName, HeaderName, HeaderValue, UrlPath


class Expect(Section):
    """What a good answer is."""

    status: Annotated[int, Field(ge=100, le=599)] = Field(
        default=200, description="The status code."
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="Headers that come exactly once, with exactly this value."
    )
    body: str | None = Field(default=None, description="A text that the body holds.")
    served_by: Literal["nginx", "app"] | None = Field(
        default=None, description="Who has to answer: nginx itself, or the app."
    )


class GetProbe(Section):
    """Fetch a path."""

    get: UrlPath = Field(description="The path to fetch.")
    expect: Expect = Field(
        default=Expect.model_construct(), description="What a good answer is; 200 by default."
    )


class UploadProbe(Section):
    """Send a file to the app and fetch it back."""

    upload: UrlPath = Field(description="The path that takes uploads.")
    field: FieldName = Field(default="file", description="The form's field.")
    then_get: UrlPath = Field(
        description="Where the file is served afterwards; {filename} stands for that key of the "
        "app's JSON answer.",
        examples=["/media/{filename}"],
    )


# Tags stand in the place of an error: they must not look like keys.
GET, UPLOAD = "(get)", "(upload)"


def _form(value: Any) -> str:
    if isinstance(value, dict):
        return UPLOAD if "upload" in value else GET
    return UPLOAD if isinstance(value, UploadProbe) else GET


SiteProbe = Annotated[
    Annotated[GetProbe, Tag(GET)] | Annotated[UploadProbe, Tag(UPLOAD)], Discriminator(_form)
]
