"""Visitors of an app that is released again and again; run alone, inside of a host's network.

They keep their connections, load a page with its asset, wait for a slow one, and upload. A
repeated request on a reused connection that closed before its first byte is no failure. Until
standard input ends; then the versions, the failures and the uploads, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import deque
from http.client import HTTPConnection, HTTPException

UPLOAD = b"x" * 200_000
PAUSE_S = 0.12
PAGE = re.compile(rb"href=(\S+)>version (\S+)")
OLD_PAGES = 10
KINDS = ("page",) * 5 + ("slow",) * 2 + ("upload",) * 2


class Visitor(threading.Thread):
    """One browser."""

    def __init__(
        self, number: int, kind: str, host: str, min_rate: float, stop: threading.Event
    ) -> None:
        super().__init__()
        self.began, self.min_rate = time.monotonic(), min_rate
        self.number, self.kind, self.host, self.stop = number, kind, host, stop
        self.connection = HTTPConnection("127.0.0.1", 80, timeout=120)
        self.count = 0
        self.failures: list[str] = []
        self.versions: list[str] = []
        self.uploads: dict[str, str] = {}
        self.open_pages: deque[str] = deque(maxlen=OLD_PAGES)

    def run(self) -> None:
        while not self.stop.is_set():
            getattr(self, self.kind)()
            self.pause()

    def pause(self) -> None:
        """Until the next visit; on a slow machine short enough for the rate."""
        is_behind = self.count < self.min_rate * (time.monotonic() - self.began)
        time.sleep(PAUSE_S / 10 if is_behind else PAUSE_S)

    def page(self) -> None:
        """The page, what it names, and what one names that was loaded a while ago."""
        found = PAGE.search(self.get("/"))
        if found is None:
            self.failures.append("a page without a version")
            return
        self.versions.append(found[2].decode())
        self.open_pages.append(found[1].decode())
        self.get(self.open_pages[-1])
        self.get(self.open_pages[0])

    def slow(self) -> None:
        self.get("/slow")

    def upload(self) -> None:
        if self.ask("POST", "/echo", UPLOAD) != str(len(UPLOAD)).encode():
            self.failures.append("an upload got lost")

    def photo(self) -> None:
        """An upload that the app stores, and nginx serves from then on."""
        name = f"{self.host}-{self.number}-{self.count}.jpg"
        content = f"{name} {self.count} ".encode() * 5_000
        if self.ask("POST", f"/photos/{name}", content) == b"stored":
            self.uploads[name] = content.decode()
            if self.get(f"/media/{name}") != content:
                self.failures.append(f"{name} is another one than was uploaded")

    def get(self, path: str) -> bytes:
        return self.ask("GET", path, None)

    def ask(self, method: str, path: str, body: bytes | None) -> bytes:
        """The answer to a request; anything but a 200 is a failure."""
        self.count += 1
        was_open = self.connection.sock is not None
        for is_last in (not was_open, True):
            try:
                self.connection.request(method, path, body, {"Host": self.host})
                response = self.connection.getresponse()
                content = response.read()
            except (HTTPException, OSError) as error:
                self.connection.close()
                if is_last:
                    self.failures.append(f"{time.time():.2f} {method} {path}: {error!r}")
                    return b""
                continue
            if response.status != 200:
                self.failures.append(f"{time.time():.2f} {method} {path}: {response.status}")
            return content
        return b""

    def look_for_uploads(self) -> None:
        """All that were stored, once more."""
        for name, content in self.uploads.items():
            if self.get(f"/media/{name}") != content.encode():
                self.failures.append(f"the upload {name} is lost")


def main(host: str = "example.com", min_rate: str = "0", *kinds: str) -> None:
    stop = threading.Event()
    wanted = kinds or KINDS
    share = float(min_rate) / wanted.count("page")
    visitors = [Visitor(number, kind, host, share, stop) for number, kind in enumerate(wanted)]
    began = time.monotonic()
    for visitor in visitors:
        visitor.start()
    sys.stdin.read()
    elapsed_s = time.monotonic() - began
    stop.set()
    for visitor in visitors:
        visitor.join()
    count = sum(one.count for one in visitors)
    for visitor in visitors:
        visitor.look_for_uploads()
    print(
        json.dumps(
            {
                "count": count,
                "rate": count / elapsed_s,
                "failures": [failure for one in visitors for failure in one.failures],
                "versions": sorted({version for one in visitors for version in one.versions}),
                "uploads": sum(len(one.uploads) for one in visitors),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
