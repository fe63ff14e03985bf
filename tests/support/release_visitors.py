"""Visitors of an app that is released again and again; run alone, inside of a host's network.

They keep their connections, load a page with its asset, wait for a slow one, and upload. A
repeated request on a reused connection that closed before its first byte is no failure. Until
standard input ends; then the versions and the failures, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException

UPLOAD = b"x" * 200_000
PAUSE_S = 0.12
PAGE = re.compile(rb"href=(\S+)>version (\S+)")


class Visitor(threading.Thread):
    """One browser."""

    def __init__(self, kind: str, stop: threading.Event) -> None:
        super().__init__()
        self.kind, self.stop = kind, stop
        self.connection = HTTPConnection("127.0.0.1", 80, timeout=20)
        self.count = 0
        self.failures: list[str] = []
        self.versions: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            getattr(self, self.kind)()
            self.count += 1
            time.sleep(PAUSE_S)

    def page(self) -> None:
        """The page, and what it names."""
        found = PAGE.search(self.get("/"))
        if found is None:
            self.failures.append("a page without a version")
            return
        self.versions.append(found[2].decode())
        self.get(found[1].decode())

    def slow(self) -> None:
        self.get("/slow")

    def upload(self) -> None:
        if self.ask("POST", "/echo", UPLOAD) != str(len(UPLOAD)).encode():
            self.failures.append("an upload got lost")

    def get(self, path: str) -> bytes:
        return self.ask("GET", path, None)

    def ask(self, method: str, path: str, body: bytes | None) -> bytes:
        """The answer to a request; anything but a 200 is a failure."""
        was_open = self.connection.sock is not None
        for is_last in (not was_open, True):
            try:
                self.connection.request(method, path, body, {"Host": "example.com"})
                response = self.connection.getresponse()
                content = response.read()
            except (HTTPException, OSError) as error:
                self.connection.close()
                if is_last:
                    self.failures.append(f"{method} {path}: {error!r}")
                    return b""
                continue
            if response.status != 200:
                self.failures.append(f"{method} {path}: {response.status}")
            return content
        return b""


def main() -> None:
    stop = threading.Event()
    visitors = [Visitor(kind, stop) for kind in ["page"] * 5 + ["slow"] * 2 + ["upload"] * 2]
    for visitor in visitors:
        visitor.start()
    sys.stdin.read()
    stop.set()
    for visitor in visitors:
        visitor.join()
    print(
        json.dumps(
            {
                "count": sum(one.count for one in visitors),
                "failures": [failure for one in visitors for failure in one.failures],
                "versions": sorted({version for one in visitors for version in one.versions}),
            }
        )
    )


if __name__ == "__main__":
    main()
