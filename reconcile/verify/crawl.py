"""Checks that a page can load what it names, as far as this host's nginx serves that."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from reconcile.config.probes import CrawlProbe, Endpoint, Scheme
from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.servers import hostname
from reconcile.system.http import HttpAnswer
from reconcile.system.http_connection import HttpConnection
from reconcile.verify.http_probe import target_of
from reconcile.verify.page_links import PageLink, page_links, style_links
from reconcile.verify.subresource import LIMIT, objections, origin_of
from reconcile.wording import counted, first_few

if TYPE_CHECKING:
    from reconcile.verify.http_probe import ProbeClient
    from reconcile.verify.serving import Serving

MOST_LINKS = 150
MOST_BYTES = 32 << 20
LONGEST_S = 10.0
MOST_REDIRECTS = 3
SHOWN = 5
_REDIRECTS = (301, 302, 303, 307, 308)
Headers = tuple[tuple[str, str], ...]


def check_crawl(probe: CrawlProbe, serving: Callable[[], Serving], client: ProbeClient) -> Check:
    """One check: the page is sent, and all that it loads from here is fit for its use."""
    return client.retry_until_ok(lambda: _crawl_check(probe, serving, client))


def _crawl_check(probe: CrawlProbe, serving: Callable[[], Serving], client: ProbeClient) -> Check:
    try:
        check = _Crawl(probe, serving(), client.timeout_s).check()
    except ReconcileError as error:
        check = Check(probe.name, "unknown", in_one_line(error))
    if probe.is_default and check.status in ("fail", "unknown"):
        return Check(probe.name, "pass", check.detail, warning=check.status == "fail")
    return check


@dataclass
class _Crawl:
    probe: CrawlProbe
    serving: Serving
    timeout_s: float
    requested: set[str] = field(default_factory=set)
    to_the_app: int = 0
    elsewhere: int = 0
    left_out: int = 0
    bytes_read: int = 0
    wrong: list[str] = field(default_factory=list)
    _connections: dict[tuple[str, int, str], HttpConnection] = field(default_factory=dict)

    def check(self) -> Check:
        """Fetch the page, then what it loads. Errors: ReconcileError."""
        try:
            return self._check()
        finally:
            for connection in self._connections.values():
                connection.close()

    def _check(self) -> Check:
        name = self.probe.name
        url, page = self._page()
        if page.error:
            return Check(name, "fail", f"no response: {page.detail or page.error}")
        refusal = dict(self.probe.refusals).get(page.status)
        if refusal:
            return Check(name, "skipped", f"{page.status}, as configured: {refusal}")
        if not _is_page(page):
            return Check(name, "skipped", f"{self.probe.path} is not a page: {_in_short(page)}")
        self._follow(url, page)
        if self.wrong:
            return Check(name, "fail", first_few(self.wrong, SHOWN))
        return Check(name, "pass", self._summary())

    def _page(self) -> tuple[str, HttpAnswer]:
        """The page at the end of its redirects within this host, and its URL."""
        return self._redirected(self.probe.endpoint.url(self.probe.path), (), lambda _: True)

    def _redirected(
        self, url: str, headers: Headers, may_follow: Callable[[str], bool]
    ) -> tuple[str, HttpAnswer]:
        answer = self._get(url, headers)
        for _ in range(MOST_REDIRECTS):
            location = next(iter(answer.values("Location")), "")
            target = urljoin(url, location)
            is_redirect = answer.status in _REDIRECTS and location
            if not is_redirect or not self._is_here(target) or not may_follow(target):
                break
            url, answer = target, self._get(target, headers)
        return url, answer

    def _follow(self, page_url: str, page: HttpAnswer) -> None:
        deadline = time.monotonic() + LONGEST_S
        waiting = deque((link, 0) for link in page_links(_page_text(page), page_url))
        known: set[PageLink] = set()
        while waiting:
            link, depth = waiting.popleft()
            if link in known:
                continue
            known.add(link)
            is_late = self.bytes_read > MOST_BYTES or time.monotonic() > deadline
            if is_late or len(known) > MOST_LINKS:
                self.left_out += 1
                continue
            response = self._load(link, page_url)
            is_style = link.use == "style" and response is not None and response.status == 200
            if response and is_style and depth < self.probe.depth + 1:
                further = style_links(_page_text(response), link.url)
                waiting += [(one, depth + 1) for one in further]

    def _load(self, link: PageLink, page_url: str) -> HttpAnswer | None:
        """Request what this nginx serves itself, and note what browsers have against it."""
        if page_url.startswith("https:") and link.url.startswith("http:"):
            self.wrong.append(f"{link.url}: a page of https may not load it over http")
            return None
        if not self._is_here(link.url):
            self.elsewhere += 1
            return None
        if not self._is_by_nginx(link.url):
            self.to_the_app += 1
            return None
        self.requested.add(link.url)
        origin = origin_of(page_url)
        sent = (("Origin", origin),) if link.crossorigin is not None else ()
        _, response = self._redirected(link.url, sent, self._is_by_nginx)
        if response.status in _REDIRECTS:
            return None
        shown = link.url.removeprefix(origin)
        self.wrong += [f"{shown}: {what}" for what in objections(link, origin, response)]
        return response

    def _is_here(self, url: str) -> bool:
        """Whether a server of this nginx has the URL's name and port."""
        parts = urlsplit(url)
        try:
            address = Address(self.probe.endpoint.addresses[0], _port(url))
            server = self.serving.router.servers.find(address, parts.hostname or "").server
        except (Indeterminate, ValueError):
            return False
        own = parts.hostname == hostname(self.probe.endpoint.host)
        return own or parts.hostname in server.names

    def _is_by_nginx(self, url: str) -> bool:
        answer = self.serving.route(self._endpoint(url), self._address, _path(url)).answer
        return answer.kind not in ("pass", "handler", "unknown")

    @property
    def _address(self) -> str:
        return self.probe.endpoint.addresses[0]

    def _endpoint(self, url: str) -> Endpoint:
        parts = urlsplit(url)
        scheme: Scheme = "https" if parts.scheme == "https" else "http"
        found = Endpoint(scheme, parts.hostname or "", _port(url), self.probe.endpoint.addresses)
        own = self.probe.endpoint
        # Another server here is no place for this one's login.
        if (found.host, found.port) != (own.host, own.port):
            is_same_port = found.port == own.port
            return replace(found, behind_proxy=own.behind_proxy if is_same_port else ())
        return self.serving.with_login(own, self._address, _path(url))

    def _get(self, url: str, headers: Headers) -> HttpAnswer:
        endpoint = self._endpoint(url)
        key = (endpoint.host, endpoint.port, endpoint.authorization)
        if key not in self._connections:
            target = target_of(endpoint, self._address)
            self._connections[key] = HttpConnection(target, self.timeout_s)
        answer = self._connections[key].get(_path(url), headers, limit=LIMIT)
        self.bytes_read += len(answer.body)
        return answer

    def _summary(self) -> str:
        return "; ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        yield f"{counted(len(self.requested), 'file')} that it loads from here"
        if self.to_the_app:
            yield f"{self.to_the_app} not requested, from the app"
        if self.elsewhere:
            yield f"{self.elsewhere} from elsewhere"
        if self.left_out:
            yield f"{self.left_out} beyond the limits"


def _is_page(answer: HttpAnswer) -> bool:
    kind = next(iter(answer.values("Content-Type")), "")
    return answer.status == 200 and kind.partition(";")[0].strip().lower() in (
        "text/html",
        "application/xhtml+xml",
    )


def _in_short(answer: HttpAnswer) -> str:
    kind = next(iter(answer.values("Content-Type")), "no type")
    return f"{answer.status}, {kind}"


def _page_text(answer: HttpAnswer) -> str:
    """Enough of its text to find URLs, which are ASCII in practice."""
    return answer.body.decode("utf-8", "replace")


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
