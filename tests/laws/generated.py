"""Random YAMLs of the whole schema, and random things that happen to a host between applies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from reconcile.config.document import Loc
from reconcile.config.load import list_errors
from tests.laws.box import ROOT, SETTINGS, Event, Yaml

FILE = "/srv/host/reconcile.yaml"

STATIC_DIRS = ("www/static", "www/static/css", "www/static/img", "www/shop/assets", "www/shop")
DATA_DIRS = ("www/media", "www/media/2026", "www/private", "www/uploads")
DIRS = STATIC_DIRS + DATA_DIRS
SOURCES = ("src", "src/css", "current/static", "rel1/static", "www/static")
CODE = ("src", "rel1", "current", "etc/app")
PREFIXES = ("/static/", "/static/css/", "/media/", "/private/", "/files/")
OWNERS = ("assets", "uploads", "team")
USERS = ("root", "www-data", "daemon")
DIR_MODES = ("0755", "0750", "2775")
FILE_MODES = ("0644", "0640", "0664")

FILE_PATHS = (
    "www/static/app.js",
    "www/static/css/extra.css",
    "www/static/health.txt",
    "www/shop/assets/app.js",
    "www/media/2026/readme.txt",
    "www/index.html",
    "etc/web.env",
    "etc/app/app.env",
    "nginx/conf.d/extra.conf",
    "nginx/snippets/headers.conf",
    "nginx/sites-enabled/own",
    "units/web.service",
    "units/vendor.service",
    "units/web.service.d/extra.conf",
    "units/gunicorn-a.service.d/limits.conf",
    "units/vendor.service.d/extra.conf",
)
LINK_PATHS = ("current", "www/static/latest", "www/static/css", "www/shop", "nginx/conf.d/own.conf")
LINK_TARGETS = ("rel1", "rel2", "src/css", "www/media", "www/static")
CONF_TARGETS = ("etc/hand.conf", "etc/hand.conf", "etc/none.conf", "rel1")
FOLDER_PATHS = ("www", "www/static", "www/static/css", "www/media", "www/shop/assets", "etc/app")
UNITS = ("web.service", "vendor.service")
UNIT_CONTENTS = (
    "[Service]\nEnvironmentFile=-@/etc/web.env\nExecStart=/bin/true\n"
    "[Install]\nWantedBy=multi-user.target\n",
    "[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n",
)
EXTRA = ("", "add_header X-Extra yes;", "include @/nginx/snippets/*.conf;")

EDITED = (
    "www/static/app.js",
    "www/static/by-hand.txt",
    "www/static/css/site.css",
    "www/static/css/site.css.gz",
    "www/shop/assets/by-hand.txt",
    "www/index.html",
    "etc/web.env",
    "nginx/sites-available/a.conf",
    "nginx/conf.d/extra.conf",
    "nginx/conf.d/own.conf",
    "units/gunicorn-a.service",
    "units/web.service",
    "units/web.service.d/extra.conf",
)
UPLOADED = ("www/media/2026/new.jpg", "www/media/a.png", "www/private/b.pdf", "www/uploads/c.txt")
CHANGED_SOURCES = (
    "src/app.js",
    "src/css/new.css",
    "rel1/static/new.js",
    "src/fonts/f.woff",
    "src.env",
)
REMOVED = (
    "www/static",
    "www/static/css",
    "www/static/app.js",
    "www/shop",
    "src/css/print.css",
    "src/img",
    "current",
    "etc/web.env",
    "nginx/sites-enabled/a.conf",
    "nginx/sites-available/b.conf",
    "units/gunicorn-a.service",
    "units/web.service.d",
)


@dataclass(frozen=True)
class Step:
    """What happens to the host, and the YAML that is applied then."""

    events: tuple[Event, ...]
    yaml: Yaml


def at(name: str) -> str:
    """The path of `name` in a YAML."""
    return f"{ROOT}/{name}"


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The value, or more often None."""
    return st.one_of(st.none(), st.none(), values)


@st.composite
def owners(draw: st.DrawFn) -> dict[str, Any]:
    """What an owner sets; all of it, or a part."""
    return _present(
        user=draw(some(st.sampled_from(USERS))),
        group=draw(some(st.sampled_from(USERS))),
        dirs=draw(some(st.sampled_from(DIR_MODES))),
        files=draw(some(st.sampled_from(FILE_MODES))),
    )


@st.composite
def locations(draw: st.DrawFn) -> dict[str, Any]:
    role = draw(st.sampled_from(("static", "static", "static", "media", "private")))
    usual, other = (STATIC_DIRS, DATA_DIRS) if role == "static" else (DATA_DIRS, STATIC_DIRS)
    folder = draw(st.sampled_from((*usual, *usual, *other)))
    found = {"role": role, "dir": at(folder), "owner": draw(some(_owner_choice()))}
    if role != "static":
        return _present(**found)
    source = draw(st.one_of(st.none(), *(st.just(at(name)) for name in SOURCES)))
    return _present(
        **found,
        source=source,
        prune=(draw(st.booleans()) or None) if source else None,
        precompress=(draw(some(st.just(["gzip"])))) if source else None,
        cache=draw(some(st.sampled_from(("week", "hashed")))),
    )


def _owner_choice() -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(OWNERS), owners())


@st.composite
def apps(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(("upstream", "service", "gunicorn")))
    user = draw(some(st.sampled_from(("www-data", "daemon"))))
    code = draw(some(st.sampled_from(CODE).map(at))) if kind != "upstream" else None
    if kind == "gunicorn":
        gunicorn = {"directory": "/srv/app", "python": "/usr/bin/python3", "module": "app:app"}
        workers = draw(st.sampled_from((1, 3)))
        return _present(user=user, code=code, gunicorn={**gunicorn, "workers": workers})
    service = draw(st.sampled_from(UNITS)) if kind == "service" else None
    return _present(user=user, upstream="http://127.0.0.1:8001", service=service, code=code)


@st.composite
def sites(draw: st.DrawFn, name: str) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(PREFIXES), unique=True, max_size=3))
    return _present(
        server_names=[f"{name}.test"],
        app=draw(st.one_of(st.none(), apps())),
        locations={key: draw(locations()) for key in keys},
        extra=draw(st.sampled_from(EXTRA)) or None,
        http_extra=draw(some(st.just(f"map $uri $of_{name} {{ default 1; }}"))),
        probe_front_page=draw(some(st.just(False))),
        max_upload=draw(some(st.sampled_from(("1MB", "20MB")))),
    )


@st.composite
def host_paths(draw: st.DrawFn) -> dict[str, Any]:
    found = {}
    for name in draw(st.lists(st.sampled_from(FILE_PATHS), unique=True, max_size=4)):
        found[at(name)] = _present(**draw(_contents(name)), owner=draw(some(_owner_choice())))
    for name in draw(st.lists(st.sampled_from(LINK_PATHS), unique=True, max_size=2)):
        targets = CONF_TARGETS if name.startswith("nginx/") else LINK_TARGETS
        found[at(name)] = {"link": at(draw(st.sampled_from(targets)))}
    for name in draw(st.lists(st.sampled_from(FOLDER_PATHS), unique=True, max_size=2)):
        found[at(name)] = {"owner": draw(_owner_choice())}
    return found


def _contents(name: str) -> st.SearchStrategy[dict[str, str]]:
    """The content of the file of that name, which its readers accept but for a few."""
    if name.startswith("nginx/"):
        texts = st.sampled_from(("# one\n", "# two\n", "# three\n", "# four\n", "oops"))
    else:
        texts = st.sampled_from(UNIT_CONTENTS if name.endswith(".service") else ("one\n", "two\n"))
    written = texts.map(lambda text: {"content": text})
    if name.startswith(("nginx/", "units/")):
        return written
    return st.one_of(written, written, st.just({"source": at("src.env")}))


@st.composite
def yamls(draw: st.DrawFn) -> Yaml:
    """A valid YAML: of what is drawn, the parts that break no rule."""
    named = draw(st.dictionaries(st.sampled_from(OWNERS), owners(), max_size=1))
    yaml = {
        "owners": {"team": {"user": "daemon", "group": "daemon"}, **named},
        "paths": draw(host_paths()),
        "sites": {
            name: draw(sites(name)) for name in draw(st.sets(st.sampled_from("ab"), min_size=0))
        },
    }
    return without_errors(yaml)


def without_errors(yaml: Yaml) -> Yaml:
    """`yaml` without the entries and locations that break a rule."""
    while errors := [loc for loc, _ in _errors(yaml)]:
        _remove(yaml, errors[0])
    return yaml


def _errors(yaml: Yaml) -> tuple[tuple[Loc, str], ...]:
    text = json.dumps({**SETTINGS, **yaml}).replace(ROOT, "/srv/host")
    return list_errors(text.encode(), FILE)


def _remove(yaml: Yaml, loc: Loc) -> None:
    keys = [str(key).replace("/srv/host", ROOT) for key in loc]
    is_location = keys[0] == "sites" and len(keys) > 3 and keys[2] == "locations"
    *above, last = keys[:4] if is_location else keys[:2]
    node: Any = yaml
    for key in above:
        node = node[key]
    del node[last]


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.tuples(st.just("upload"), st.sampled_from(UPLOADED)),
    st.tuples(st.just("edit"), st.sampled_from(EDITED)),
    st.tuples(st.just("remove"), st.sampled_from(REMOVED)),
    st.tuples(st.just("source"), st.sampled_from(CHANGED_SOURCES)),
    st.tuples(
        st.just("link"),
        st.sampled_from(("www/static", "www/shop", "www/static/css", "current", "etc/app")),
        st.sampled_from(("www/media", "rel1", "www/real", "www/media/2026", "src/css")),
    ),
    st.tuples(
        st.just("move"),
        st.sampled_from(("www", "www/media", "www/static", "src", "www/static/css")),
        st.sampled_from(("data", "www-moved", "rel1/moved")),
    ),
    st.tuples(
        st.just("bind"),
        st.sampled_from(("www/media", "www/media/2026", "rel1", "src/css")),
        st.sampled_from(("www/static", "www/shop", "www/static/css", "www/uploads")),
    ),
    st.tuples(
        st.just("mode"),
        st.sampled_from(("www", "www/static", "www/media/2026/photo.jpg", "www/static/app.js")),
        st.sampled_from(("0700", "0600", "0755")),
    ),
    st.tuples(
        st.just("owner"),
        st.sampled_from(("www/media", "www/static", "www/static/app.js", "etc/web.env")),
        st.sampled_from(USERS),
    ),
    st.tuples(
        st.sampled_from(("stop", "restart")),
        st.sampled_from(("nginx.service", "gunicorn-a.service", "web.service")),
    ),
)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    return Step(tuple(draw(st.lists(EVENTS, max_size=2))), draw(yamls()))


def ways(most: int = 3) -> st.SearchStrategy[list[Step]]:
    """The steps from one state of a host to another."""
    return st.lists(steps(), min_size=1, max_size=most)


def protected_dirs(yaml: Yaml) -> Iterator[str]:
    """The folders of users' data in `yaml`, relative to the host."""
    for site in yaml.get("sites", {}).values():
        for location in site.get("locations", {}).values():
            if location["role"] != "static":
                yield location["dir"].removeprefix(f"{ROOT}/")


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
