"""Visitors of a host: requests at a steady rate, each answer a line; a program of its own.

Runs inside the network of a host, fed to a Python on standard input. Time is CLOCK_MONOTONIC,
which all processes of a machine share. It ends when its standard input is closed.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from itertools import cycle
from typing import Any

TIMEOUT_S = 15
SLOW_CHUNK = 16_384
SLOW_PAUSE_S = 0.02
KEPT = ("Cache-Control", "Content-Type", "Content-Encoding")
# The server closed a connection between two requests: nothing of an answer has come.
CLOSED_BEFORE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)

_print_lock = threading.Lock()


class Visitor(threading.Thread):
    """One client with one connection, which it keeps open unless `fresh`."""

    def __init__(self, wanted: dict[str, Any], every_s: float, address: str) -> None:
        super().__init__(daemon=True)
        self.urls: Iterator[list[str]] = cycle(wanted["urls"])
        self.fresh, self.slow = bool(wanted.get("fresh")), bool(wanted.get("slow"))
        self.encoding = str(wanted.get("encoding", ""))
        self.body = str(wanted["body"]).encode() if "body" in wanted else None
        self.every_s, self.address = every_s, address
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        next_at = time.monotonic()
        for host, url in self.urls:
            started = time.monotonic()
            answer = self.ask(host, url)
            answer.update({"host": host, "url": url, "start": started, "end": time.monotonic()})
            answer["encoding"] = self.encoding
            with _print_lock:
                print(json.dumps(answer), flush=True)
            next_at = max(next_at + self.every_s, time.monotonic() - self.every_s)
            time.sleep(max(0.0, next_at - time.monotonic()))

    def ask(self, host: str, url: str) -> dict[str, object]:
        """One request; asked again where its reused connection was closed before an answer."""
        reused = self.connection is not None
        try:
            return self.exchange(host, url)
        except CLOSED_BEFORE as error:
            self.close()
            if not reused:
                return {"error": repr(error)}
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return {"error": repr(error)}
        try:
            return {**self.exchange(host, url), "retried": True}
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return {"error": f"retried: {error!r}"}

    def exchange(self, host: str, url: str) -> dict[str, object]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
        headers = {"Host": host, "Connection": "close" if self.fresh else "keep-alive"}
        if self.encoding:
            headers["Accept-Encoding"] = self.encoding
        method = "GET" if self.body is None else "POST"
        self.connection.request(method, url, body=self.body, headers=headers)
        response = self.connection.getresponse()
        body = self.read(response)
        encoded = response.headers.get("Content-Encoding")
        answer: dict[str, object] = {
            "status": response.status,
            "headers": {name: response.headers[name] for name in KEPT if name in response.headers},
            "sha256": hashlib.sha256(unpacked(body, encoded)).hexdigest(),
            "begins": body[:60].decode(errors="replace"),
        }
        if self.fresh or response.will_close:
            self.close()
        return answer

    def read(self, response: http.client.HTTPResponse) -> bytes:
        if not self.slow:
            return response.read()
        parts = []
        while part := response.read(SLOW_CHUNK):
            parts.append(part)
            time.sleep(SLOW_PAUSE_S)
        # `read` with a size takes an early end for the end.
        if response.length:
            raise http.client.IncompleteRead(b"".join(parts), response.length)
        return b"".join(parts)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def unpacked(body: bytes, encoding: str | None) -> bytes:
    return zlib.decompress(body, wbits=31) if encoding == "gzip" else body


def main(asked: str) -> None:
    """Start the visitors that `asked` (JSON) describes: `address`, `rate` and `visitors`."""
    wanted = json.loads(asked)
    every_s = len(wanted["visitors"]) / wanted["rate"]
    for one in wanted["visitors"]:
        Visitor(one, every_s, wanted["address"]).start()
        time.sleep(every_s / len(wanted["visitors"]))
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
