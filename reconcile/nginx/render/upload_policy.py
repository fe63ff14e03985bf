"""Which uploads browsers show, and the Content-Security-Policy that each kind of them has."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.nginx.model.media_types import TypeLines, type_lines
from reconcile.nginx.model.web_types import WEB_TYPES
from reconcile.nginx.render.quote import Raw
from reconcile.nginx.render.site_view import LocationView

POLICY = "Content-Security-Policy"
SANDBOX = "sandbox; default-src 'none'"
PLAYER_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; img-src 'self'; media-src 'self';"
    " style-src 'unsafe-inline'"
)
"""Browsers make a page around an image, sound or film, which loads the file from its origin.

No script runs in it, as `allow-scripts` is missing."""
PDF_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"
"""Browsers' viewers of PDF do not start in a sandbox."""

_PDF = "application/pdf"
_SVG = "image/svg+xml"
_PLAYED = ("image/", "audio/", "video/")
# Images, sound, film and plain text run nothing. SVG and PDF can, and are left out on purpose.
_SHOWN = type_lines(
    {
        ending: kind
        for ending, kind in WEB_TYPES.items()
        if kind.startswith(_PLAYED) and kind != _SVG
    }
    | {"txt": "text/plain"}
)


def shown_types(location: LocationView) -> TypeLines:
    """The types of uploads that browsers show; an ending has the first of its types."""
    chosen = {ending: media_type for media_type, endings in _SHOWN for ending in endings}
    for media_type, endings in location.inline:
        for ending in endings:
            chosen.setdefault(ending, media_type)
    return type_lines(chosen)


def policies_by_name(location: LocationView) -> Iterator[tuple[Raw, str]]:
    """A pattern of nginx for a URL, and the policy of the uploads that it matches.

    Whatever matches none of them has the sandbox.
    """
    policies: dict[str, list[str]] = {PLAYER_POLICY: [], PDF_POLICY: []}
    for media_type, endings in shown_types(location):
        if media_type == _PDF:
            policies[PDF_POLICY] += endings
        elif media_type.startswith(_PLAYED):
            policies[PLAYER_POLICY] += endings
    for policy, found in policies.items():
        if found:
            yield Raw(f"~*[.]({'|'.join(found)})$"), policy
