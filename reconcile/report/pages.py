"""The report as HTML: one page, or several where it would be too long for one."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from reconcile.filesystem.user_files import write_user_file
from reconcile.output.escape import printable
from reconcile.report.build_view import build_view
from reconcile.report.host_document import HostDocument
from reconcile.report.host_record import records_of
from reconcile.report.view import CAUSE_WORDS, Printable, ReportView
from reconcile.wording import counted, shortened

MARK = b"<!doctype html>\n<!-- reconcile report -->\n"
"""What a page begins with; a file that does not is never replaced."""
PAGE_BYTES = 170_000
"""Of the blocks of one page; its head and stylesheet come on top."""
LINK_BYTES = 16
"""What a link to another page has more than one to the same."""
HOSTS_A_BLOCK = 250
STYLESHEET = "report.css"
MOST_SHOWN = 2000
"""Characters of one value."""
SILENT_AFTER = timedelta(hours=26)
"""A host that is checked daily, with a random delay, is not silent yet."""
_LINK = re.compile(r'href="#([a-z]-\d+|[a-z]+)"')


@dataclass(frozen=True)
class Section:
    """A part of the report: its id and title, and its blocks, which no page break divides."""

    id: str
    title: str
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class PagePart:
    """A section, or the part of it that is on one page."""

    section: Section
    blocks: tuple[str, ...]
    is_continued: bool


def write_report(
    path: str,
    documents: Iterable[HostDocument],
    *,
    now: datetime,
    silent_after: timedelta = SILENT_AFTER,
) -> list[str]:
    """Write the report about `documents` to `path`, and further pages beside it; their paths.

    Only a page of an earlier report is replaced. Errors: HostError.
    """
    view = build_view(records_of(documents), now=now, silent_after=silent_after)
    pages = render_pages(view, os.path.basename(path))
    paths = [os.path.join(os.path.dirname(path), name) for name in pages]
    # The first page last: what it links to is there.
    for page_path, text in reversed([*zip(paths, pages.values(), strict=True)]):
        write_user_file(page_path, text, replaceable=_is_page)
    return paths


def render_pages(view: ReportView, first_name: str) -> dict[str, bytes]:
    """File name → page; the first has the name `first_name`."""
    sections = _sections(view)
    parts = _paged(sections)
    names = [_page_name(first_name, number) for number in range(1, len(parts) + 1)]
    places = {
        anchor: quote(name)
        for name, page in zip(names, parts, strict=True)
        for part in page
        for anchor in _anchors(part)
    }
    return {
        name: _encoded(_page(view, sections, page, names, number), quote(name), places)
        for number, (name, page) in enumerate(zip(names, parts, strict=True), 1)
    }


def _sections(view: ReportView) -> list[Section]:
    """The sections in their order, without empty ones."""
    render, now = _blocks(), view.made_at.at
    lists = [
        render.hosts_in_state(state, hosts, is_first)
        for state in view.states
        for hosts, is_first in _chunks(state.hosts)
    ]
    sections = [
        Section("hosts", "Hosts", tuple(lists)),
        Section(
            "differences",
            "What differs",
            tuple(_differences(view)),
        ),
        Section("details", "Host by host", tuple(render.host(one, now) for one in view.hosts)),
        Section("impact", "What visitors will notice", tuple(map(render.impact, view.impacts))),
        Section("ignored", "Ignored differences", tuple(map(render.ignored, view.ignored))),
        Section("holds", "Holds", tuple(render.hold(one, now) for one in view.holds)),
    ]
    return [section for section in sections if section.blocks]


def _differences(view: ReportView) -> Iterator[str]:
    """A block for each difference; the first of a cause explains it."""
    render, now = _blocks(), view.made_at.at
    for cause, found in groupby(view.differences, key=lambda one: one.cause):
        heading = CAUSE_WORDS.get(cause, cause)
        for one in found:
            yield render.difference(one, now, heading)
            heading = ""
    if view.more_differences:
        yield render.more_differences(view.more_differences)


def _chunks(hosts: Sequence[Any]) -> Iterator[tuple[tuple[Any, ...], bool]]:
    for number in range(0, len(hosts), HOSTS_A_BLOCK):
        yield tuple(hosts[number : number + HOSTS_A_BLOCK]), number == 0


def _paged(sections: Sequence[Section]) -> list[list[PagePart]]:
    """The blocks of all sections, in pages of about PAGE_BYTES."""
    pages: list[list[PagePart]] = [[]]
    left = PAGE_BYTES
    for section in sections:
        taken: list[str] = []
        is_continued = False
        for block in section.blocks:
            size = len(block.encode()) + LINK_BYTES * block.count('href="#')
            if size > left and left < PAGE_BYTES:
                if taken:
                    pages[-1].append(PagePart(section, tuple(taken), is_continued))
                    is_continued = True
                pages.append([])
                taken, left = [], PAGE_BYTES
            taken.append(block)
            left -= size
        pages[-1].append(PagePart(section, tuple(taken), is_continued))
    return pages


def _page_name(first_name: str, number: int) -> str:
    stem, dot, ending = first_name.rpartition(".")
    if number == 1:
        return first_name
    return f"{stem}-{number}.{ending}" if dot and stem else f"{first_name}-{number}"


def _anchors(part: PagePart) -> Iterator[str]:
    if not part.is_continued:
        yield part.section.id
    for block in part.blocks:
        yield from re.findall(r' id="([a-z]-\d+)"', block)


def _encoded(text: str, name: str, places: dict[str, str]) -> bytes:
    """The page `text`, with links to what is on another page leading there.

    A text of a host has no quote that is not escaped, so it holds no such link.
    """

    def target(found: re.Match[str]) -> str:
        """The link to an anchor, with the page that has it."""
        place = places.get(found[1], name)
        return found[0] if place == name else f'href="{place}#{found[1]}"'

    return MARK + _LINK.sub(target, text).encode()


def _page(
    view: ReportView,
    sections: Sequence[Section],
    parts: Sequence[PagePart],
    names: Sequence[str],
    number: int,
) -> str:
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            view=view,
            sections=sections,
            parts=parts,
            hrefs=list(map(quote, names)),
            number=number,
            stylesheet_digest=_stylesheet_digest(),
        )
    )


def _is_page(old: bytes) -> bool:
    return not old or old.startswith(MARK)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reconcile.report"),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["counted"] = counted
    return environment


def _shown(value: Any) -> Any:
    """A text of a host as it may be printed: no control and no bidi characters, and not too long.

    What HTML would interpret is escaped after this.
    """
    if not isinstance(value, str) or isinstance(value, Printable) or hasattr(value, "__html__"):
        return value
    return printable(shortened(value, MOST_SHOWN))


@cache
def _blocks() -> Any:
    return _environment().get_template("blocks.html.j2").module


@cache
def _stylesheet_digest() -> str:
    """What the page's own policy names as the only stylesheet it may have."""
    text = _environment().get_template(STYLESHEET).render()
    return b64encode(sha256(text.encode()).digest()).decode()
