"""What a page or a stylesheet makes browsers load: no links that a person has to follow.

Python's own parser reads pages: it takes any markup, and only the start tags matter.
Source: the HTML standard, links and images; CSS Syntax, CSS Fonts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import urljoin

from reconcile.dataclass import dataclass

Use = Literal["script", "module", "style", "image", "font", "manifest", "media", "other"]
_PRELOADED: Mapping[str, Use] = {
    "script": "script",
    "style": "style",
    "image": "image",
    "font": "font",
    "track": "media",
    "video": "media",
    "audio": "media",
}
_INERT = ("template", "noscript")
"""What a browser that runs scripts does not look into."""
_ICONS = frozenset({"icon", "apple-touch-icon", "apple-touch-icon-precomposed", "mask-icon"})
_SCRIPTS = frozenset({"", "text/javascript", "application/javascript", "module"})
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NAMES = re.compile(
    r"@namespace\s[^;{}]*;|@(?:-moz-)?document\s[^{}]*|\bbehavior\s*:[^;}]*", re.IGNORECASE
)
"""What looks like a URL to load, and is a name, or nothing that a browser still knows."""
_STRING = r"""(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)')"""
_URL = re.compile(rf"url\(\s*(?:{_STRING}|([^\s\"'()]+))\s*\)", re.IGNORECASE)
_IMPORT = re.compile(
    rf"@import\s+(?:url\(\s*(?:{_STRING}|([^\s\"'()]+))\s*\)|{_STRING})", re.IGNORECASE
)
_URL_OR_STRING = re.compile(rf"{_URL.pattern}|{_STRING}", re.IGNORECASE)
_FONT_ENDINGS = (".woff2", ".woff", ".ttf", ".otf")
"""In the order in which a browser prefers them; it loads one."""
_CANDIDATE = re.compile(r"[\s,]*([^\s,](?:\S*[^\s,])?)(?:\s+[^,]*)?(?:,|$)")
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}", re.IGNORECASE)


@dataclass(frozen=True)
class PageLink:
    """A URL that a browser loads, and for what; `crossorigin` and `integrity` as written."""

    url: str
    use: Use
    crossorigin: str | None = None
    integrity: str = ""


def page_links(text: str, base: str) -> tuple[PageLink, ...]:
    """Everything that a page loads, each once, as absolute URLs without fragments."""
    parser = _PageParser(base)
    parser.feed(text)
    parser.close()
    return tuple(dict.fromkeys(parser.links))


def style_links(text: str, base: str) -> tuple[PageLink, ...]:
    """Everything that a stylesheet loads."""
    return tuple(dict.fromkeys(_style_links(text, base)))


def _style_links(text: str, base: str) -> Iterator[PageLink]:
    text = _NAMES.sub("", _COMMENT.sub("", text))
    for match in _IMPORT.finditer(text):
        yield from _absolute(next(filter(None, match.groups()), ""), base, "style")
    text = _IMPORT.sub("", text)
    for face in _FONT_FACE.findall(text):
        for url in _loaded_fonts(list(_urls(face))):
            yield from _absolute(url, base, "font", "anonymous")
    for url in _urls(_FONT_FACE.sub("", text)):
        yield from _absolute(url, base, "other")


def _urls(text: str) -> Iterator[str]:
    """What stands in `url()`; a string may contain that word."""
    for match in _URL_OR_STRING.finditer(text):
        yield next(filter(None, match.groups()[:3]), "")


def _loaded_fonts(urls: list[str]) -> list[str]:
    """The forms of a font that a browser of today loads."""
    for ending in _FONT_ENDINGS:
        found = [url for url in urls if re.split("[?#]", url)[0].lower().endswith(ending)]
        if found:
            return found
    return [url for url in urls if ".eot" not in url.lower()]


def _absolute(
    url: str, base: str, use: Use, crossorigin: str | None = None, integrity: str = ""
) -> Iterator[PageLink]:
    url = re.sub(r"[\t\n\r]", "", url.strip())
    if not url or url.startswith("#"):
        return
    try:
        found = urljoin(base, url).partition("#")[0]
    except ValueError:
        return
    if found.startswith(("http://", "https://")):
        yield PageLink(found, use, crossorigin, integrity)


class _PageParser(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[PageLink] = []
        self._base = base
        self._has_base = False
        self._style: list[str] | None = None
        self._inert = 0
        self._media: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """What an element loads; its attributes count as a browser takes the first of each."""
        values = {name: value or "" for name, value in reversed(attrs)}
        if tag in _INERT:
            self._inert += 1
        if self._inert:
            return
        if tag == "base" and values.get("href") and not self._has_base:
            self._base, self._has_base = urljoin(self._base, values["href"]), True
        if tag in ("video", "audio", "picture"):
            self._media.append(tag)
        if tag == "style":
            self._style = []
        if "style" in values:
            self._add(*style_links(values["style"], self._base))
        for url, use in _links_of(tag, values, self._media):
            # Modules and fonts are requested by CORS without being asked to.
            cors = values.get("crossorigin", "anonymous" if use in ("module", "font") else None)
            self._add(*_absolute(url, self._base, use, cors, values.get("integrity", "")))

    def handle_endtag(self, tag: str) -> None:
        """The end of what is inert, of a film, or of a style sheet."""
        if tag in _INERT and self._inert:
            self._inert -= 1
        if self._media and tag == self._media[-1]:
            self._media.pop()
        if tag == "style" and self._style is not None:
            self._add(*style_links("".join(self._style), self._base))
            self._style = None

    def handle_data(self, data: str) -> None:
        """The text of a style sheet."""
        if self._style is not None:
            self._style.append(data)

    def _add(self, *links: PageLink) -> None:
        self.links += links


def _links_of(tag: str, values: Mapping[str, str], media: list[str]) -> Iterator[tuple[str, Use]]:
    if tag == "script":
        kind = values.get("type", "").strip().lower()
        if "src" in values and "nomodule" not in values and kind in _SCRIPTS:
            yield values["src"], "module" if kind == "module" else "script"
    elif tag == "link":
        yield from ((values.get("href", ""), use) for use in _linked(values))
    elif tag == "img" or (tag == "source" and "video" not in media and "audio" not in media):
        yield values.get("src", ""), "image"
        yield from ((url, "image") for url in _candidates(values.get("srcset", "")))
    elif tag in ("video", "audio", "track", "source"):
        yield values.get("src", ""), "media"
        yield values.get("poster", ""), "image"
    elif tag == "input" and values.get("type", "").lower() == "image":
        yield values.get("src", ""), "image"
    elif tag in ("image", "use"):
        yield values.get("href") or values.get("xlink:href", ""), "image"


def _linked(values: Mapping[str, str]) -> Iterator[Use]:
    """What a `link` loads at once; prefetches, alternates and the like are left out."""
    kinds = set() if "disabled" in values else set(values.get("rel", "").lower().split())
    if "stylesheet" in kinds:
        yield "style"
    elif kinds & _ICONS:
        yield "image"
    elif "manifest" in kinds:
        yield "manifest"
    elif "modulepreload" in kinds:
        yield "module"
    elif "preload" in kinds and values.get("as", "").lower() in _PRELOADED:
        yield _PRELOADED[values["as"].lower()]


def _candidates(srcset: str) -> Iterator[str]:
    """The URLs of a srcset: each ends at a blank, its descriptor at a comma."""
    return (match[1] for match in _CANDIDATE.finditer(srcset))
