"""Configurations of one host, drawn at random, and what visitors get from each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from random import Random
from typing import Any

from tests.lab import DebianHost

URL = tuple[str, str]
"""A host name and a path."""
YAML = "/etc/reconcile/reconcile.yaml"
SOURCE = "/etc/reconcile/source"
SITE, OTHER = "example.com", "other.test"
FILES = ("app.js", "css/site.css", "css/print.css", "js/main.js", "big.bin")
SIZE = {"big.bin": 1_000_000}
BODY = "x" * 50_000

APP = """
import hashlib, time
from flask import Flask, request
app = Flask(__name__)

@app.get("/")
def index():
    return "the app"

@app.get("/slow")
def slow():
    time.sleep(0.7)
    return "slowly"

@app.get("/protected")
def protected():
    return "", 200, {"X-Accel-Redirect": "/private/doc.txt"}

@app.post("/echo")
def echo():
    return hashlib.sha256(request.get_data()).hexdigest()
"""


@dataclass(frozen=True)
class State:
    """One configuration, by what it chooses of each kind."""

    shape: str = "wide"
    root: str = "/var/www/myapp/static"
    version: int = 1
    cache: str = "week"
    prune: bool = False
    precompress: bool = False
    extra: int = 0
    port: bool = False
    alias: bool = False
    upload: str = ""
    workers: int = 2
    media: str = "/var/www/myapp/media"
    files_role: str = "static"
    public: str = "link 1"
    private: str = "/srv/private1"
    other: str = "/var/www/other"
    conf: bool = False
    dropin: bool = False
    robots: str = ""
    split: bool = False
    service: str = "gunicorn"

    def yaml(self) -> str:
        """The configuration; JSON is YAML."""
        sites = {"myapp": self._site()}
        if self.other:
            sites["other"] = {
                "server_names": [OTHER],
                "locations": {"/n/": _static(self.other, f"{SOURCE}/css", "day")},
            }
        return json.dumps({"version": 1, "sites": sites, "paths": dict(self._paths())}, indent=1)

    def _site(self) -> dict[str, Any]:
        gunicorn = {
            "directory": "/srv/myapp",
            "python": "/opt/apps-venv/bin/python",
            "module": "app:app",
            "workers": self.workers,
        }
        return {
            "server_names": [SITE, "www.example.com"] if self.alias else [SITE],
            "listen": [80, 8080] if self.port else [80],
            **({"max_upload": self.upload} if self.upload else {}),
            "app": {
                "upstream": f"unix:/run/{self.service}.sock",
                "service": f"{self.service}.service",
                "user": "www-data",
                "gunicorn": gunicorn,
            },
            "locations": dict(self._locations()),
            "extra": "\n".join(self._extra()),
        }

    def _extra(self) -> Iterator[str]:
        yield f"add_header X-Extra {self.extra};"
        yield f"location /pub/ {{ alias {self._public()}/; }}"

    def _public(self) -> str:
        """What is served through a link, or from where that leads."""
        place = f"/srv/rel{self.public[-1]}" if self.public.startswith("plain") else "/srv/current"
        return f"{place}/pub"

    def _locations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        more: dict[str, Any] = {"prune": self.prune}
        if self.precompress:
            more["precompress"] = ["gzip"]
        if self.shape == "wide":
            yield "/static/", _static(self.root, f"{SOURCE}/all", self.cache, **more)
        if self.shape == "narrow":
            for name in ("css", "js"):
                at, source = f"{self.root}/{name}", f"{SOURCE}/all/{name}"
                yield f"/static/{name}/", _static(at, source, self.cache, **more)
        if self.shape == "split":
            yield "/static/", _static(self.root, f"{SOURCE}/rest", self.cache, **more)
            yield "/static/css/", _static("/srv/css", f"{SOURCE}/all/css", self.cache, **more)
        yield "/media/", {"role": "media", "dir": self.media}
        yield "/files/", {"role": self.files_role, "dir": "/srv/files"}
        yield "/private/", {"role": "private", "dir": self.private}

    def _paths(self) -> Iterator[tuple[str, dict[str, Any]]]:
        if self.public.startswith("link"):
            yield "/srv/current", {"link": f"/srv/rel{self.public[-1]}"}
        if self.conf:
            conf = {"content": "add_header X-Conf yes always;\n"}
            yield "/etc/nginx/conf.d/extra.conf", conf
        if self.dropin:
            dropin = {"content": "[Service]\nEnvironment=EXTRA=yes\n"}
            yield f"/etc/systemd/system/{self.service}.service.d/extra.conf", dropin
        if self.robots:
            yield f"{self.root}/{self.robots}", {"content": f"{self.robots} of paths\n"}

    def answers(self) -> dict[URL, str]:
        """By URL, the digest of what every visitor gets who asks for it."""
        return {url: hashlib.sha256(body).hexdigest() for url, body in self._bodies()}

    def _bodies(self) -> Iterator[tuple[URL, bytes]]:
        for name in FILES:
            if self.shape != "narrow" or "/" in name:
                yield (SITE, f"/static/{name}"), content(name, self.version)
        if self.robots and (self.shape != "narrow" or "/" in self.robots):
            yield (SITE, f"/static/{self.robots}"), f"{self.robots} of paths\n".encode()
        yield (SITE, "/media/photo.jpg"), f"photo of {self.media}".encode()
        if self.files_role != "private":
            yield (SITE, "/files/doc.txt"), b"a document"
        yield (SITE, "/pub/page.txt"), f"page {self.public[-1]}".encode()
        yield (SITE, "/protected"), f"doc of {self.private}".encode()
        yield (SITE, "/"), b"the app"
        yield (SITE, "/slow"), b"slowly"
        yield (SITE, "/echo"), hashlib.sha256(BODY.encode()).hexdigest().encode()
        if self.other:
            yield (OTHER, "/n/site.css"), content("css/site.css", self.version)

    def lay_source(self, host: DebianHost) -> None:
        """Build the source of this version: all of it, and the part without css/."""
        files = {name: content(name, self.version) for name in FILES}
        files[f"only{self.version}.txt"] = b"comes and goes"
        host.run("rm", "-rf", f"{SOURCE}/all", f"{SOURCE}/rest", f"{SOURCE}/css")
        for name, data in files.items():
            host.write(f"{SOURCE}/all/{name}", data)
        host.run("cp", "-a", f"{SOURCE}/all", f"{SOURCE}/rest")
        host.run("rm", "-r", f"{SOURCE}/rest/css")
        host.run("cp", "-a", f"{SOURCE}/all/css", f"{SOURCE}/css")


def _static(root: str, source: str, cache: str, **more: Any) -> dict[str, Any]:
    return {"role": "static", "dir": root, "source": source, "cache": cache, **more}


def content(name: str, version: int) -> bytes:
    """What the file of that name holds in that version; of one length in all versions."""
    line = f"{name} of version {version}\n".encode()
    return line * (SIZE.get(name, 60_000) // len(line))


CHOICES: Mapping[str, tuple[Any, ...]] = {
    "shape": ("wide", "narrow", "split"),
    "root": ("/var/www/myapp/static", "/var/www/myapp/assets"),
    "version": (1, 2, 3),
    "cache": ("week", "day", "none"),
    "prune": (False, True),
    "precompress": (False, True),
    "extra": (0, 1, 2),
    "port": (False, True),
    "alias": (False, True),
    "upload": ("", "5MB", "20MB"),
    "workers": (2, 3),
    "media": ("/var/www/myapp/media", "/srv/media"),
    "files_role": ("media", "private"),
    "public": ("link 1", "link 2", "plain 1", "plain 2"),
    "private": ("/srv/private1", "/srv/private2"),
    "other": ("", "/var/www/other", "/srv/other"),
    "conf": (False, True),
    "dropin": (False, True),
    "robots": ("", "robots.txt", "js/main.js"),
    "service": ("gunicorn", "web"),
}


FIRST = State(prune=True, precompress=True)
CHOSEN: tuple[Mapping[str, Any], ...] = (
    {"shape": "split", "version": 2},
    {"root": "/var/www/myapp/assets", "public": "plain 1"},
    {"workers": 3, "dropin": True, "media": "/srv/media"},
    {"shape": "narrow", "robots": "js/main.js", "private": "/srv/private2"},
    {"shape": "wide", "other": "/srv/other", "files_role": "media", "service": "web"},
    {"prune": False, "precompress": False, "extra": 1, "conf": True, "public": "link 2"},
    {"version": 3, "port": True, "alias": True, "conf": False, "dropin": False, "upload": "5MB"},
    {"root": "/var/www/myapp/static", "robots": "robots.txt", "workers": 2, "port": False},
)
"""Every kind of change, a few at a time."""


def chosen() -> Iterator[State]:
    """The same transitions in every run."""
    yield (state := FIRST)
    for values in CHOSEN:
        yield (state := replace(state, **values))


def random_walk(seed: int) -> Iterator[State]:
    """A first state, then each with one to three things chosen anew."""
    random, state = Random(seed), FIRST
    yield state
    queue: list[str] = []
    while True:
        queue = queue or random.sample(sorted(CHOICES), len(CHOICES))
        changed = {queue.pop() for _ in range(min(len(queue), random.randint(1, 3)))}
        state = replace(state, **{name: _another(random, state, name) for name in sorted(changed)})
        yield state


def _another(random: Random, state: State, name: str) -> Any:
    return random.choice([value for value in CHOICES[name] if value != getattr(state, name)])


def changes(before: State, after: State) -> str:
    """What differs, for a person."""
    names = (field.name for field in fields(State))
    differing = (name for name in names if getattr(before, name) != getattr(after, name))
    return ", ".join(
        f"{name}: {getattr(before, name)!r} -> {getattr(after, name)!r}" for name in differing
    )


def deploy(host: DebianHost) -> None:
    """The app, uploads, releases and documents."""
    host.write("/srv/myapp/app.py", APP)
    for media in CHOICES["media"]:
        host.write(f"{media}/photo.jpg", f"photo of {media}", user="www-data")
    for private in CHOICES["private"]:
        host.write(f"{private}/doc.txt", f"doc of {private}")
    for number in (1, 2):
        host.write(f"/srv/rel{number}/pub/page.txt", f"page {number}")
    host.write("/srv/files/doc.txt", "a document")


def visitors() -> list[dict[str, Any]]:
    """Who asks for what; an app's answer may take a while, so others do not wait for it."""
    every = State(robots="robots.txt").answers()
    own = [url for url in every if url[1] not in ("/slow", "/echo", "/", "/protected")]
    visitor = partial(dict, urls=own)
    return [
        *(visitor(urls=own[number:] + own[:number]) for number in range(3)),
        *(visitor(encoding="gzip", urls=own[number:] + own[:number]) for number in range(3)),
        visitor(fresh=True),
        visitor(slow=True, urls=[(SITE, "/static/big.bin")]),
        visitor(urls=[(SITE, "/"), (SITE, "/protected")]),
        visitor(urls=[(SITE, "/protected"), (SITE, "/")], fresh=True),
        visitor(urls=[(SITE, "/slow")]),
        visitor(urls=[(SITE, "/echo")], fresh=True, body=BODY),
    ]
