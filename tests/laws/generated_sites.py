"""Random sites: an app, locations of every role, and a few of all the other keys."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.laws.box import ROOT

STATIC_DIRS = ("www/static", "www/static/css", "www/static/img", "www/shop/assets", "www/shop")
DATA_DIRS = ("www/media", "www/media/2026", "www/private", "www/uploads")
SOURCES = ("src", "src/css", "current/static", "rel1/static", "www/static")
CODE = ("src", "rel1", "current", "etc/app")
PREFIXES = ("/static/", "/static/css/", "/media/", "/private/", "/files/")
URLS = ("/favicon.ico", "/login")
SERVED_FILES = ("www/static/app.js", "www/index.html", "www/shop/assets/app.js")
OWNERS = ("assets", "uploads", "team")
USERS = ("root", "www-data", "daemon")
DIR_MODES = ("0755", "0750", "2775")
FILE_MODES = ("0644", "0640", "0664")
UNITS = ("web.service", "vendor.service")
WRITABLE = ("www/instance", "www/uploads", "www/instance/data")

Values = st.SearchStrategy[Any]


def at(name: str) -> str:
    """The path of `name` in a YAML."""
    return f"{ROOT}/{name}"


def one_of(*values: Any) -> Values:
    """One of the values, or of the strategies, each as often."""
    # Not st.one_of, which flattens: what has many forms would be drawn more often.
    if not any(isinstance(one, st.SearchStrategy) for one in values):
        return st.sampled_from(values)
    return st.sampled_from(
        [one if isinstance(one, st.SearchStrategy) else st.just(one) for one in values]
    ).flatmap(lambda one: one)


def a_few(keys: dict[str, Values], most: int, least: int = 0) -> Values:
    """A mapping of at most so many of the keys."""
    chosen = st.lists(st.sampled_from(sorted(keys)), unique=True, min_size=least, max_size=most)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: keys[name] for name in sorted(names)})
    )


def with_all(required: dict[str, Any], keys: dict[str, Values], most: int) -> Values:
    """The required values, and a few of the keys."""
    return a_few(keys, most).map(lambda more: {**required, **more})


OWNER = a_few(
    {
        "user": one_of(*USERS),
        "group": one_of(*USERS),
        "dirs": one_of(*DIR_MODES),
        "files": one_of(*FILE_MODES),
    },
    most=3,
)
"""What an owner sets; all of it, or a part."""
OWNER_CHOICE = one_of(*OWNERS, OWNER)
NETWORKS = one_of(["192.0.2.0/24"], ["127.0.0.1", "198.51.100.7"])
ACCESS = st.fixed_dictionaries(
    {}, optional={"basic": one_of(at("src.htpasswd")), "allow": NETWORKS, "satisfy": one_of("all")}
)
HEADERS = one_of(
    {"X-Frame-Options": "DENY"},
    {"X-Content-Type-Options": None},
    {"Content-Security-Policy": "default-src 'self'", "X-Quoted": 'a "b" \\c'},
)
EXTRA = one_of("add_header X-Extra yes;", "include @/nginx/snippets/*.conf;")
CACHE = one_of("week", "hashed", "short")
ADDRESS = "http://127.0.0.1:8001"
UPSTREAM = one_of(ADDRESS, "unix:@/app.sock", [ADDRESS, "http://127.0.0.1:8002"])
OF_EVERY_LOCATION = {
    "headers": HEADERS,
    "access": one_of(None, ACCESS),
    "extra": EXTRA,
    "prevent_destroy": one_of(True),
}
STATIC_KEYS = {
    **OF_EVERY_LOCATION,
    "owner": OWNER_CHOICE,
    "cache": CACHE,
    "prune": one_of(True),
    "keep": one_of("7d"),
    "precompress": one_of(["gzip"]),
    "fallback": one_of("index.html"),
    "cache_by_name": one_of({"*.html": "none", "*-????????.js": "hashed"}),
    "cors": one_of("*", ["https://example.test"]),
}
DATA_KEYS = {
    **OF_EVERY_LOCATION,
    "owner": OWNER_CHOICE,
    "cache": CACHE,
    "cache_by_name": one_of({"*.pdf": "none"}),
    "cors": one_of("*"),
    "inline": one_of(["application/pdf"]),
}
FILE_KEYS = {**OF_EVERY_LOCATION, "cache": CACHE}
PROXY_KEYS = {
    **OF_EVERY_LOCATION,
    "upstream": UPSTREAM,
    "strip_prefix": one_of(True),
    "timeout": one_of("300s"),
    "websocket": one_of(True, False),
    "max_upload": one_of("50MB"),
    "rate_limit": one_of({"rate": "10r/m", "burst": 5}, {"rate": "5r/s"}),
}


@st.composite
def locations(draw: st.DrawFn) -> dict[str, Any]:
    """Files of any role, or what is passed on, below a prefix."""
    role = draw(one_of("static", "static", "static", "media", "private", "proxy"))
    if role == "proxy":
        return draw(with_all({"role": role}, PROXY_KEYS, most=3))
    usual, other = (STATIC_DIRS, DATA_DIRS) if role == "static" else (DATA_DIRS, STATIC_DIRS)
    found = {"role": role, "dir": at(draw(one_of(*usual, *usual, *other)))}
    if role != "static":
        return draw(with_all(found, DATA_KEYS, most=2))
    source = draw(one_of(None, *map(at, SOURCES)))
    return draw(with_all({**found, "source": source} if source else found, STATIC_KEYS, most=3))


SINGLE_URL = one_of(
    with_all({"role": "proxy"}, PROXY_KEYS, most=2),
    one_of(*map(at, SERVED_FILES)).flatmap(
        lambda file: with_all({"role": "static", "file": file}, FILE_KEYS, most=1)
    ),
)
GUNICORN_KEYS = {
    "workers": one_of(1, 3),
    "threads": one_of(4),
    "worker_class": one_of("gthread", "uvicorn.workers.UvicornWorker"),
    "timeout": one_of("20s"),
    "max_requests": one_of(500),
    "args": one_of(["--log-level", "debug"]),
    "environment": one_of({"MODE": "production"}, {"MODE": 'a "b" %n $x'}),
    "environment_file": one_of(at("etc/app/app.env"), at("src.env")),
    "writable": st.lists(one_of(*map(at, WRITABLE)), min_size=1, max_size=2, unique=True),
}
GUNICORN_PATHS = {
    "directory": one_of("/srv/app"),
    "python": one_of("/usr/bin/python3"),
    "module": one_of("app:app"),
}
GUNICORN = st.tuples(st.fixed_dictionaries(GUNICORN_PATHS), a_few(GUNICORN_KEYS, most=3)).map(
    lambda pair: {**pair[0], **pair[1]}
)
APP_KEYS = {
    "code": one_of(*map(at, CODE)),
    "upstream": UPSTREAM,
    "user": one_of("www-data", "daemon"),
    "websocket": one_of(True),
    "timeout": one_of("120s"),
}
APP = one_of(
    UPSTREAM.flatmap(lambda upstream: with_all({"upstream": upstream}, APP_KEYS, most=2)),
    one_of(*UNITS).flatmap(
        lambda unit: with_all({"upstream": ADDRESS, "service": unit}, APP_KEYS, most=2)
    ),
    GUNICORN.flatmap(lambda gunicorn: with_all({"gunicorn": gunicorn}, APP_KEYS, most=2)),
    GUNICORN.map(lambda gunicorn: {"gunicorn": gunicorn, "service": "web.service"}),
)
TLS = st.fixed_dictionaries(
    {"certificate": one_of(at("etc/tls/chain.pem")), "key": one_of(at("etc/tls/key.pem"))},
    optional={
        "redirect": one_of(False),
        "hsts": one_of("1y", {"max_age": "1y", "subdomains": True, "preload": True}),
    },
)
MAINTENANCE = st.fixed_dictionaries(
    {"enabled": one_of(True, False)},
    optional={"page": one_of(at("src/pages/maintenance.html")), "allow": NETWORKS},
)


@st.composite
def sites(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A site with locations, mostly an app, and a few of the other keys."""
    prefixes = draw(st.lists(one_of(*PREFIXES), unique=True, max_size=3))
    urls = draw(one_of([], [], st.lists(one_of(*URLS), unique=True, max_size=1)))
    app = draw(one_of(None, APP))
    found = {
        "server_names": [f"{name}.test"],
        "locations": {
            **{key: draw(locations()) for key in prefixes},
            **{key: draw(SINGLE_URL) for key in urls},
        },
        **({"app": app} if app else {}),
    }
    return draw(with_all(found, site_keys(name), most=3))


def site_keys(name: str) -> dict[str, Values]:
    """The keys of a site that it mostly has not."""
    return {
        "redirect_from": one_of([f"www.{name}.test"]),
        "listen": one_of(
            [8080], [80, "127.0.0.1:8081"], [80, "8443 ssl"], [80, "8090 proxy_protocol"]
        ),
        "default_server": one_of(True),
        "tls": TLS,
        "http2": one_of(True, False),
        "gzip": one_of(True, False),
        "max_upload": one_of("1MB", "20MB"),
        "headers": HEADERS,
        "access": ACCESS,
        "trusted_proxies": one_of(["10.0.0.0/8"]),
        "redirects": one_of(
            {"/old/": "/new/"}, {"/shop": {"to": "https://shop.test/", "status": 302}}
        ),
        "error_pages": one_of(
            {"404": at("src/pages/404.html")},
            {"50x": at("src/pages/50x.html"), "404": at("src/pages/404.html"), "intercept": True},
        ),
        "maintenance": MAINTENANCE,
        "extra": EXTRA,
        "http_extra": one_of(f"map $uri $of_{name} {{ default 1; }}"),
        "adopted": one_of(at("nginx/sites-enabled/own"), at("nginx/conf.d/extra.conf")),
        "probe_front_page": one_of(False),
        "moved_from": one_of("b" if name == "a" else "a"),
        "prevent_destroy": one_of(True),
    }
