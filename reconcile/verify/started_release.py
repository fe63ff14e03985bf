"""Checks of a release that was started beside the one in use, before visitors get to it.

Its own socket is asked, so nginx and what it adds take no part; the files that its front page
names have to be where nginx will find them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from reconcile.config.probes import SERVER_ERRORS, Expectation
from reconcile.config.site.probe import GetProbeSettings
from reconcile.dataclass import dataclass
from reconcile.engine.model import Check
from reconcile.filesystem.host_error import HostError
from reconcile.system.http import HttpAnswer, HttpTarget
from reconcile.system.http_connection import HttpConnection
from reconcile.verify.evaluate import mismatches
from reconcile.verify.failures_before import NO_FAILURES, FailuresBefore
from reconcile.verify.page_links import page_links, style_links
from reconcile.verify.subresource import LIMIT
from reconcile.wording import first_few

if TYPE_CHECKING:
    from reconcile.config.site.location import Location
    from reconcile.config.site.site import Site
    from reconcile.resources.release import Release
    from reconcile.system import Host

READY_S = 30.0
"""How long a new version may take until it is ready."""
RETRY_S = 5.0
TIMEOUT_S = 5.0
PAUSE_S = 0.2
SHOWN = 5
FIRST_ERROR = 400
Objections = Callable[[HttpAnswer], Iterable[str]]
_NO_ERROR = Expectation(not_status=SERVER_ERRORS)


def check_started(
    release: Release,
    site: Site,
    host: Host,
    before: FailuresBefore = NO_FAILURES,
    *,
    probes: bool = True,
) -> tuple[Check, ...]:
    """Whether the new instance is ready; with `probes`, also what visitors will ask it for.

    `site` has each key as it is for this release. What failed `before` is no fault of it.
    """
    asked = _StartedRelease(release, site, host, before)
    ready = asked.ready()
    if not probes or any(check.status == "fail" for check in ready):
        return ready
    return (*ready, *asked.pages(), *asked.assets())


@dataclass(frozen=True)
class _StartedRelease:
    release: Release
    site: Site
    host: Host
    before: FailuresBefore

    def ready(self) -> tuple[Check, ...]:
        """Whether it answers the path that shows it."""
        path = self.release.ready
        if path is None:
            return ()
        return (self._ask(f"{path} is ready", path, _unready, READY_S),)

    def pages(self) -> Iterator[Check]:
        """The front page, and every page of the app that the file names."""
        if self.site.probe_front_page:
            yield self._excused(
                "the app answers",
                self._ask("/ answers", "/", partial(mismatches, expect=_NO_ERROR)),
            )
        for probe in self.site.probes:
            if isinstance(probe, GetProbeSettings) and self._is_of_the_app(probe):
                status = frozenset({probe.expect.status})
                expect = Expectation(status=status, body=probe.expect.body)
                check = self._ask(probe.get, probe.get, partial(mismatches, expect=expect))
                yield self._excused(f"GET {probe.get}", check)

    def _is_of_the_app(self, probe: GetProbeSettings) -> bool:
        path = probe.get.partition("?")[0]
        others = (*self.site.all_locations, *self.site.redirects)
        is_elsewhere = any(
            path.startswith(key) if key.endswith("/") else path == key for key in others
        )
        return probe.expect.served_by == "app" or not (is_elsewhere or probe.expect.served_by)

    def assets(self) -> Iterator[Check]:
        """Whether the files exist that its front page names and that nginx serves."""
        page = self._request("/")
        if page.error or not _is_page(page):
            return
        name = self._name("files that / loads")
        missing = [*dict.fromkeys(self._missing(page))]
        if not missing:
            yield Check(name, "pass", "all of them exist")
            return
        known = {*self._missing(self._page_in_use)} if self._page_in_use else set(missing)
        new = [path for path in missing if path not in known]
        if new:
            yield Check(name, "fail", f"no such file: {first_few(new, SHOWN)}")
        else:
            yield Check(name, "pass", f"no such file: {first_few(missing, SHOWN)}", warning=True)

    @cached_property
    def _page_in_use(self) -> HttpAnswer | None:
        """The front page of the release in use, None for none."""
        link = self.host.files.stat(self.release.link)
        if link is None:
            return None
        previous = self.host.files.readlink(self.release.link).rpartition("/")[2]
        if previous == self.release.id:
            return None
        upstream = self.release.upstream.replace(self.release.id or "", previous)
        page = self._request("/", upstream)
        return None if page.error or not _is_page(page) else page

    def _missing(self, page: HttpAnswer | None) -> Iterator[str]:
        base = f"http://{self.release.host_name}/"
        for link in page_links(_body_text(page), base) if page else ():
            path = self._own_path(link.url)
            yield from self._missing_file(path, is_style=link.use == "style") if path else ()

    def _missing_file(self, path: str, *, is_style: bool) -> Iterator[str]:
        content = self._content_of(path)
        if content is False:
            yield path
        elif is_style and isinstance(content, bytes):
            base = f"http://{self.release.host_name}{path}"
            for link in style_links(content.decode("utf-8", "replace"), base):
                below = self._own_path(link.url)
                if below and self._content_of(below) is False:
                    yield below

    def _own_path(self, url: str) -> str:
        """The path of a URL of this site; "" for any other."""
        parts = urlsplit(url)
        return unquote(parts.path) if parts.hostname in self.site.server_names else ""

    def _content_of(self, path: str) -> bytes | bool:
        """What nginx will send; False where it finds no file, True where it asks something else."""
        key = max(
            (key for key in self.site.all_locations if path.startswith(key)), key=len, default=""
        )
        location = self.site.locations.get(key)
        if location is None or location.role != "static" or location.fallback or ".." in path:
            return True
        return next(self._files_at(location, path.removeprefix(key)), False)

    def _files_at(self, location: Location, relative: str) -> Iterator[bytes | bool]:
        """The file in the source, which is copied at the switch, or where it is served from."""
        for folder in filter(None, (location.source, location.dir)):
            try:
                found = self.host.files.content(f"{folder}/{relative}", LIMIT)
            except HostError:
                # It is there; whether nginx may read it is checked once it is served.
                yield True
                continue
            if found is not None:
                yield found[1]

    def _ask(self, what: str, path: str, objections: Objections, retry_s: float = RETRY_S) -> Check:
        deadline = time.monotonic() + retry_s
        while True:
            answer = self._request(path)
            wrong = (
                [f"no response: {answer.detail or answer.error}"]
                if answer.error
                else [*objections(answer)]
            )
            if not wrong:
                return Check(self._name(what), "pass", f"{answer.status}")
            if time.monotonic() + PAUSE_S >= deadline:
                return Check(self._name(what), "fail", "; ".join(wrong))
            time.sleep(PAUSE_S)

    def _request(self, path: str, upstream: str = "") -> HttpAnswer:
        target = HttpTarget(upstream or self.release.upstream, 80, self.release.host_name)
        scheme = "https" if self.release.https else "http"
        headers = (("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", scheme))
        connection = HttpConnection(target, TIMEOUT_S)
        try:
            return connection.get(path, headers, limit=LIMIT)
        finally:
            connection.close()

    def _name(self, what: str) -> str:
        return f"release:{self.release.site} {self.release.id} {what}"

    def _excused(self, probe: str, check: Check) -> Check:
        """The check, marked where the same failed before this apply."""
        name = f"probe:{self.release.site} {probe}"
        if check.status == "fail" and any(one.startswith(name) for one in self.before.failed):
            return Check(check.name, check.status, check.detail, before_apply="fail")
        return check


def _unready(answer: HttpAnswer) -> Iterator[str]:
    if answer.status >= FIRST_ERROR:
        yield f"expected a status below {FIRST_ERROR}, got {answer.status}"


def _is_page(answer: HttpAnswer) -> bool:
    kind = next(iter(answer.values("Content-Type")), "")
    return answer.status == 200 and kind.partition(";")[0].strip().lower() == "text/html"


def _body_text(answer: HttpAnswer) -> str:
    return answer.body.decode("utf-8", "replace")
