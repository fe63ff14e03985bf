"""Random YAMLs of the whole schema, and random things that happen to a host between applies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from reconcile.config.document import Loc
from reconcile.config.load import list_errors
from reconcile.engine.selection import Selection
from tests.laws.box import ROOT, Event, Yaml, document
from tests.laws.generated_sites import (
    OWNER,
    OWNER_CHOICE,
    OWNERS,
    USERS,
    Values,
    a_few,
    at,
    one_of,
    sites,
)

FILE = "/srv/host/reconcile.yaml"

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
UNIT_CONTENTS = (
    "[Service]\nEnvironmentFile=-@/etc/web.env\nExecStart=/bin/true\n"
    "[Install]\nWantedBy=multi-user.target\n",
    "[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n",
)
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
    "src/pages/404.html",
    "src.htpasswd",
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
    """What happens to the host, and the YAML, or the part of it, that is applied then."""

    events: tuple[Event, ...]
    yaml: Yaml
    selection: Selection = Selection.ALL


@st.composite
def host_paths(draw: st.DrawFn) -> dict[str, Any]:
    """Files, links and folders."""
    found = {}
    for name in draw(st.lists(one_of(*FILE_PATHS), unique=True, max_size=4)):
        keys = {"owner": OWNER_CHOICE, "sensitive": one_of(True), "prevent_destroy": one_of(True)}
        found[at(name)] = {**draw(_contents(name)), **draw(a_few(keys, most=1))}
    for name in draw(st.lists(one_of(*LINK_PATHS), unique=True, max_size=2)):
        targets = CONF_TARGETS if name.startswith("nginx/") else LINK_TARGETS
        found[at(name)] = {"link": at(draw(one_of(*targets)))}
    for name in draw(st.lists(one_of(*FOLDER_PATHS), unique=True, max_size=2)):
        found[at(name)] = {"owner": draw(OWNER_CHOICE)}
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


SERVICE = st.fixed_dictionaries(
    {"command": one_of(["/usr/bin/python3", "-V"], ["/usr/bin/python3", "-c", "pass"])},
    optional={
        "user": one_of(*USERS),
        "directory": one_of("/srv"),
        "environment": one_of({"MODE": "one"}),
        "environment_file": one_of(at("etc/web.env")),
        "writable": one_of([at("www/uploads")]),
        "code": one_of(at("src"), at("rel1"), at("current")),
        "schedule": one_of("daily", "Mon..Fri 03:30"),
        "moved_from": one_of("worker", "jobs"),
    },
)
IGNORED = ("file:*.js", "file:@/nginx/*", "directory:@/www/*", "symlink:*", "tree:*", "unit:*")
FIELDS = ("content", "mode", "user", "target")
SECTIONS: dict[str, Values] = {
    "owners": st.dictionaries(one_of(*OWNERS), OWNER, min_size=1, max_size=1),
    "cache_policies": st.fixed_dictionaries(
        {
            "short": one_of(
                {"max_age": "1h"},
                {"max_age": "1y", "visibility": "private", "immutable": True},
                {"no_store": True},
            )
        }
    ),
    "ignore": st.lists(
        st.fixed_dictionaries(
            {"ref": one_of(*IGNORED), "field": one_of(*FIELDS), "reason": one_of("by hand")},
            optional={"until": one_of("2001-01-01", "2099-01-01")},
        ),
        min_size=1,
        max_size=2,
    ),
    "vars": a_few(
        {
            "domain": one_of("a.test"),
            "folder": one_of(at("www"), at("www/static")),
            "workers": one_of(3),
            "on": one_of(True),
        },
        most=3,
        least=2,
    ),
    "services": st.dictionaries(one_of("worker", "jobs"), SERVICE, min_size=1, max_size=2),
    "host": one_of({"nginx": {"user": "daemon"}}),
}
"""The other sections, which a YAML mostly has not."""
SCOPE = one_of("shop", "docs")


@st.composite
def yamls(draw: st.DrawFn) -> Yaml:
    """A valid YAML: of what is drawn, the parts that break no rule."""
    named = draw(one_of("", "a", "a", "b", "ab", "ab"))
    more = draw(one_of({}, a_few(SECTIONS, most=2)))
    scope = draw(one_of(*[{}] * 9, SCOPE.map(lambda name: {"scope": name})))
    return without_errors(
        {
            **more,
            **scope,
            "owners": {"team": {"user": "daemon", "group": "daemon"}, **more.get("owners", {})},
            "paths": draw(host_paths()),
            "sites": {name: draw(sites(name)) for name in named},
        }
    )


def without_errors(yaml: Yaml) -> Yaml:
    """`yaml` without the entries and locations that break a rule."""
    while errors := [loc for loc, _ in _errors(yaml)]:
        _remove(yaml, errors[0])
    return yaml


def _errors(yaml: Yaml) -> tuple[tuple[Loc, str], ...]:
    text = json.dumps(document(yaml)).replace(ROOT, "/srv/host")
    return list_errors(text.encode(), FILE)


DEEPEST = {"sites": 4, "locations": 5}
"""How much of an error's place is removed at most; elsewhere it is the entry."""


def _remove(yaml: Yaml, loc: Loc) -> None:
    """Remove what the error is about; an entry that lacks something goes as a whole."""
    depth = max(DEEPEST.get(str(key), 2) for key in (loc[0], *loc[2:3]))
    above: Any = None
    node: Any = yaml
    for key in loc[:depth]:
        name = key if isinstance(key, int) else key.replace("/srv/host", ROOT)
        if name not in (range(len(node)) if isinstance(node, list) else node):
            break
        above, last, node = node, name, node[name]
    del above[last]


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.tuples(st.just("upload"), st.sampled_from(UPLOADED)),
    st.tuples(st.just("edit"), st.sampled_from(EDITED)),
    st.tuples(st.just("remove"), st.sampled_from(REMOVED)),
    st.tuples(st.just("source"), st.sampled_from(CHANGED_SOURCES)),
    st.tuples(st.just("turn"), st.sampled_from(("src/css", "src/app.js", "rel1/static/css"))),
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


PATTERNS = ("file:*", "assets:*", "directory:*", "nginx_live:*", "service:*", "*:@/www/*")
SELECTIONS: st.SearchStrategy[Selection] = one_of(
    Selection(sites=("a",)),
    Selection(sites=("b",)),
    one_of(*PATTERNS).map(lambda pattern: Selection(targets=(pattern,))),
    one_of(*PATTERNS).map(lambda pattern: Selection(excludes=(pattern,))),
)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Events, and a YAML that is mostly applied as a whole."""
    events = tuple(draw(st.lists(EVENTS, max_size=2)))
    selection = draw(one_of(*[Selection.ALL] * 5, SELECTIONS))
    return Step(events, draw(yamls()), selection)


def ways(most: int = 3) -> st.SearchStrategy[list[Step]]:
    """The steps from one state of a host to another."""
    return st.lists(steps(), min_size=1, max_size=most)


def protected_dirs(yaml: Yaml) -> Iterator[str]:
    """The folders of users' data in `yaml`, relative to the host."""
    for site in yaml.get("sites", {}).values():
        written = site.get("app", {}).get("gunicorn", {}).get("writable", ())
        yield from (folder.removeprefix(f"{ROOT}/") for folder in written)
        for location in site.get("locations", {}).values():
            if location["role"] in ("media", "private"):
                yield location["dir"].removeprefix(f"{ROOT}/")
    for service in yaml.get("services", {}).values():
        yield from (path.removeprefix(f"{ROOT}/") for path in service.get("writable", ()))
