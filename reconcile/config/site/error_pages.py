"""Pages of a site's own for errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import splitext
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Tag

from reconcile.config.copied_file import copied_file
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.path_types import SourcePath
from reconcile.config.probes import Expectation, HttpProbe
from reconcile.config.site.extra import extra_directives, place_in_extra
from reconcile.engine.model import Declared
from reconcile.nginx.render.site_view import ErrorPageView
from reconcile.resources.directory import Directory

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

INTERCEPT = "intercept"
SERVER_FAILURES = ("500", "502", "503", "504")
"""What `50x` stands for."""
_OF_NGINX_ITSELF = frozenset({"444", "494", "495", "496", "497", "498", "499"})
SUFFIXES = (".html", ".htm", ".txt", ".json")
_EXCERPT = 200

ErrorKey = Annotated[
    str,
    regex_str(
        r"[45][0-9][0-9]|50x|intercept",
        "an error",
        hint="use a status such as 404, or 50x; `intercept: true` replaces the app's errors too",
        examples=("404", "50x"),
    ),
]
# Pydantic adds the tag to the location of an error: it must not look like a key.
PAGE, FLAG = "(page)", "(flag)"


def _error_page_tag(value: Any) -> str:
    return FLAG if isinstance(value, bool) else PAGE


ErrorPages = dict[
    ErrorKey,
    Annotated[
        Annotated[SourcePath, Tag(PAGE)] | Annotated[bool, Tag(FLAG)],
        Discriminator(_error_page_tag),
    ],
]


def page_sources(pages: ErrorPages) -> dict[str, str]:
    """The file of each error."""
    return {key: page for key, page in pages.items() if isinstance(page, str)}


def check_error_pages(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """Each error has one page, which browsers can show."""
    here = (*loc, "error_pages")
    for key, page in site.error_pages.items():
        if (key == INTERCEPT) != isinstance(page, bool):
            expected = "true or false" if key == INTERCEPT else "a file"
            yield Violation((*here, key), f"{key} has to be {expected}")
        elif isinstance(page, str):
            yield from check_page((*here, key), page)
        if key in _OF_NGINX_ITSELF:
            yield Violation((*here, key), f"nginx sends no page with {key}", "remove it")
    if site.error_pages.get(INTERCEPT) and not site.app:
        yield Violation((*here, INTERCEPT), "intercept needs an app", "remove it")
    codes = {code: key for key in page_sources(site.error_pages) for code in _codes(key, {})}
    for directive in extra_directives(site.extra):
        for code in directive.args if directive.name == "error_page" else ():
            if code in codes:
                place = place_in_extra(config, loc, directive)
                message = f"`extra` has a page for {code} too ({place})"
                yield Violation((*here, codes[code]), message, "remove one of them")


def check_page(loc: Loc, page: str) -> Iterator[Violation]:
    """The file has a type that is sent as it is."""
    if splitext(page)[1] not in SUFFIXES:
        yield Violation(
            loc, "this is not a page", f"its name has to end with {', '.join(SUFFIXES)}"
        )


def _codes(key: str, pages: ErrorPages) -> tuple[str, ...]:
    """The statuses of a key; a status of its own is before `50x`."""
    codes = SERVER_FAILURES if key == "50x" else (key,)
    return tuple(code for code in codes if code == key or code not in pages)


def page_file(key: str, source: str) -> str:
    """The name of a page in the directory of pages."""
    return key + splitext(source)[1]


def error_page_views(pages: ErrorPages) -> tuple[ErrorPageView, ...]:
    """What nginx's template is given."""
    views = (
        ErrorPageView(tuple(map(int, _codes(key, pages))), page_file(key, source))
        for key, source in page_sources(pages).items()
    )
    return tuple(view for view in views if view.codes)


def compile_pages(site: SiteContext) -> Iterator[Declared]:
    """The pages, and the directory that nginx sends them from."""
    pages = page_sources(site.declared.error_pages)
    for key, source in pages.items():
        loc = site.loc("error_pages", key)
        file = f"{site.pages_dir}/{page_file(key, source)}"
        yield site.declare(copied_file(site.context, file, source, loc), "error_pages", key)
    if pages:
        yield from declare_pages_dir(site, "error_pages")


def declare_pages_dir(site: SiteContext, *loc: str) -> Iterator[Declared]:
    """The directory of pages, and those above it."""
    facts, users = site.facts, (site.facts.worker_user,)
    yield from site.context.parent_directories(site.pages_dir, site.loc(*loc), (site.name,), users)
    directory = Directory(
        path=site.pages_dir,
        user=facts.user,
        group=facts.group,
        mode=0o755,
        enterable_by=users,
    )
    yield site.declare(directory, *loc)


def error_page_probes(site: SiteContext) -> Iterator[HttpProbe]:
    """What nginx does not find is answered with the page, and still with 404."""
    source = page_sources(site.declared.error_pages).get("404")
    path = _missing_path(site)
    if source is None or path is None:
        return
    body = excerpt(site.facts.sources.get(source, b""))
    expect = Expectation(frozenset({404}), body=body)
    yield site.http_probe("404 is answered with its page", path, expect)


def _missing_path(site: SiteContext) -> str | None:
    """A path for which nginx itself answers 404."""
    for prefix, location in site.declared.locations.items():
        if location.role in ("static", "media"):
            return f"{prefix}.reconcile-missing"
    return None if site.upstream else "/.reconcile-missing"


def excerpt(content: bytes) -> str | None:
    """A part of a page that shows that a response is this page."""
    text = content.decode("utf-8", "ignore").strip()
    return re.sub(r"\ufffd.*", "", text[:_EXCERPT]).strip() or None
