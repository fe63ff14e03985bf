"""What a browser has against a subresource that this host sends it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconcile.nginx.model.media_types import SCRIPT_TYPES

if TYPE_CHECKING:
    from reconcile.system.http import HttpAnswer
    from reconcile.verify.page_links import PageLink

LIMIT = 4 << 20
"""Bytes that are read of a page or of one subresource."""
LONG_S = 31 * 86_400
"""Seconds above which visitors keep a file for longer than anybody waits for a fix."""
_VERSION = re.compile(
    r"[._~-](?=[A-Za-z0-9_-]*[0-9A-Z])[A-Za-z0-9_-]{6,}[.]|^[0-9a-f]{16,}[.]|\d+[.]\d+"
)
"""A hash of the content, or a number such as 5.3."""
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d+)", re.IGNORECASE)
_INTEGRITY = re.compile(r"(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+={0,2})")
_BAD_SCRIPT = ("image/", "audio/", "video/", "text/csv", "text/html")


def objections(link: PageLink, page_origin: str, response: HttpAnswer) -> Iterator[str]:
    """Why a browser refuses it, or visitors keep it for too long; nothing where all is well."""
    if response.error:
        yield f"no complete response: {response.detail or response.error}"
        return
    if response.status != 200:
        yield f"got {response.status}"
        return
    yield from _wrong_type(link, response)
    yield from _cors(link, page_origin, response)
    yield from _integrity(link, response)
    yield from _caching(link, response)


def origin_of(url: str) -> str:
    """Scheme and authority, as an Origin header has them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _wrong_type(link: PageLink, response: HttpAnswer) -> Iterator[str]:
    sent = next(iter(response.values("Content-Type")), "")
    essence = sent.partition(";")[0].strip().lower()
    options = response.values("X-Content-Type-Options")
    is_strict = any(value.lower() == "nosniff" for value in options)
    if not _fits(link, essence, is_strict=is_strict):
        yield f"its type {essence or '(none)'} does not fit {_ROLES[link.use]}"


_ROLES = {
    "script": "a script",
    "module": "a module",
    "style": "a stylesheet",
    "image": "an image",
    "font": "a font",
    "manifest": "a manifest",
    "media": "a film or sound",
    "other": "what a stylesheet loads",
}


def _fits(link: PageLink, essence: str, *, is_strict: bool) -> bool:
    """Source: the Fetch standard, "should response be blocked"; the HTML standard for modules."""
    if link.use == "module" or (link.use == "script" and is_strict):
        return essence in SCRIPT_TYPES
    if link.use == "script":
        return not essence.startswith(_BAD_SCRIPT)
    if link.use == "style":
        return essence == "text/css"
    if urlsplit(link.url).path.lower().endswith(".svg") and link.use in ("image", "other"):
        return essence == "image/svg+xml"
    # Their bytes tell browsers what they are; a page in their place is an error page.
    return essence != "text/html"


def _cors(link: PageLink, page_origin: str, response: HttpAnswer) -> Iterator[str]:
    if link.crossorigin is None or origin_of(link.url) == page_origin:
        return
    allowed = response.values("Access-Control-Allow-Origin")
    needs_credentials = link.crossorigin == "use-credentials"
    accepted = (page_origin,) if needs_credentials else ("*", page_origin)
    if len(allowed) != 1 or allowed[0] not in accepted:
        shown = " and ".join(allowed) or "none"
        yield f"Access-Control-Allow-Origin has to be {page_origin}, got {shown}"
    elif needs_credentials and response.values("Access-Control-Allow-Credentials") != ("true",):
        yield "Access-Control-Allow-Credentials has to be true"


def _integrity(link: PageLink, response: HttpAnswer) -> Iterator[str]:
    found = _INTEGRITY.findall(link.integrity)
    if not found or len(response.body) >= LIMIT:
        return
    strongest = max(name for name, _ in found)
    digest = hashlib.new(strongest, response.body).digest()
    named = (text for name, text in found if name == strongest)
    expected = {text.replace("-", "+").replace("_", "/") for text in named}
    if base64.b64encode(digest).decode() not in expected:
        yield f"its {strongest} differs from that of integrity="


def _caching(link: PageLink, response: HttpAnswer) -> Iterator[str]:
    values = response.values("Cache-Control")
    if len(values) > 1:
        yield f"Cache-Control was sent {len(values)} times: {' and '.join(values)}"
        return
    value = values[0].lower() if values else ""
    age = _MAX_AGE.search(value)
    is_long = "immutable" in value or (age is not None and int(age[1]) > LONG_S)
    if is_long and not _names_a_version(link.url):
        yield f"browsers cache it ({values[0]}), and its name would not change with its content"


def _names_a_version(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.query or _VERSION.search(parts.path.rpartition("/")[2]))
