"""Sites that use all keys at random: nginx accepts each, and the model of nginx reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reconcile.config.config_model import ConfigModel
from reconcile.config.context import CompileContext, SiteContext
from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.load import load_bytes
from reconcile.config.site.app import App
from reconcile.config.site.file_location import FileLocation
from reconcile.config.site.gunicorn import Gunicorn
from reconcile.config.site.location import Location
from reconcile.config.site.maintenance import Maintenance
from reconcile.config.site.proxy_location import ProxyLocation
from reconcile.config.site.rate_limit import RateLimit
from reconcile.config.site.site import Site
from reconcile.config.site.site_probes import site_probes
from reconcile.config.site.tls import Tls
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.worker_view import WorkerView, worker_account
from reconcile.resources.file import File
from reconcile.verify.recorded_probes import _decode, _encode
from tests.nginx.running.conftest import World, host_with
from tests.support.host_facts import HOST

pytestmark = pytest.mark.process

TEXTS = st.text(alphabet="ab 0;{}\"'\\#%*/=-", min_size=1, max_size=12).map(
    lambda text: f"a{text}z"
)
HEADERS = st.dictionaries(st.sampled_from(["X-A", "Content-Security-Policy"]), TEXTS, max_size=2)
ACCESS = st.sampled_from(
    [
        {"basic": "./htpasswd"},
        {"allow": ["10.0.0.0/8", "2001:db8::/32"]},
        {"basic": "./htpasswd", "allow": ["127.0.0.1"], "satisfy": "all"},
    ]
)
UPSTREAMS = st.sampled_from(
    [
        "unix:ROOT/app.sock",
        "http://127.0.0.1:9",
        "http://backend.invalid:9",
        ["http://127.0.0.1:9", "unix:ROOT/app.sock", "http://[::1]:9"],
    ]
)


GENERATED: dict[type[ConfigModel], set[str]] = {}
"""The keys of each model that some site here has."""
# Not of nginx: the app's frameworks are compared by doctor, and the rest is of other files.
ELSEWHERE = {
    Site: {"adopted"},  # a file of its own
    Location: {"rate_limit"},  # refused for files
    FileLocation: {"rate_limit"},
    App: {"django", "flask", "release"},
    Tls: {"letsencrypt"},  # asked of a host with certbot's files
}


def mapping(
    model: type[ConfigModel], required: dict[str, Any], **optional: Any
) -> st.SearchStrategy[dict[str, Any]]:
    GENERATED.setdefault(model, set()).update(required, optional)
    fixed = {
        key: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for key, value in required.items()
    }
    return st.fixed_dictionaries(fixed, optional=optional)


EXTRA = st.sampled_from(["proxy_buffers 16 8k;", "add_header X-Extra yes;", ""])
OPEN_OR_NOT = st.none() | ACCESS
COMMON = {
    "headers": HEADERS,
    "access": OPEN_OR_NOT,
    "extra": EXTRA,
    "prevent_destroy": st.booleans(),
}
CACHE = st.sampled_from(["week", "day", "hashed", "none"])
STATIC = mapping(
    Location,
    {"role": "static", "dir": "ROOT/static"},
    cache=CACHE,
    source=st.just("./src"),
    owner=st.just("assets"),
    prune=st.booleans(),
    keep=st.just("7d"),
    precompress=st.just(["gzip"]),
    fallback=st.just("index.html"),
    cache_by_name=st.just({"*.html": "none", "*-[0-9a]?.js": "hashed"}),
    cors=st.sampled_from(["*", ["https://a.test"], ["https://a.test", "http://b.test:8080"]]),
    **COMMON,
)
MEDIA = mapping(
    Location,
    {"role": "media", "dir": "ROOT/media"},
    cache=CACHE,
    owner=st.sampled_from(["uploads", {"user": "www-data", "dirs": "0750"}]),
    cache_by_name=st.just({"*.pdf": "none"}),
    cors=st.sampled_from(["*", ["https://a.test"]]),
    inline=st.sampled_from([["application/pdf"], ["text/csv", "application/pdf"]]),
    **COMMON,
)
PRIVATE = mapping(Location, {"role": "private", "dir": "ROOT/private"}, **COMMON)
FILE = mapping(FileLocation, {"role": "static", "file": "ROOT/app.py"}, cache=CACHE, **COMMON)
PROXY = mapping(
    ProxyLocation,
    {"role": "proxy"},
    upstream=UPSTREAMS,
    timeout=st.sampled_from(["1s", "300s"]),
    websocket=st.booleans(),
    max_upload=st.just("1MB"),
    rate_limit=mapping(
        RateLimit, {"rate": st.sampled_from(["1r/s", "30r/m"])}, burst=st.integers(0, 9)
    ),
    **COMMON,
)
PREFIX = mapping(
    ProxyLocation, {"role": "proxy", "strip_prefix": True}, upstream=UPSTREAMS, **COMMON
)
GUNICORN = mapping(
    Gunicorn,
    {"directory": "ROOT", "python": "/usr/bin/python3", "module": "app:app"},
    workers=st.integers(1, 9),
    threads=st.integers(1, 9),
    worker_class=st.just("gthread"),
    timeout=st.just("20s"),
    max_requests=st.just(500),
    args=st.just(["--log-level", "debug"]),
    environment=st.just({"MODE": "production"}),
    environment_file=st.just("/etc/myapp/app.env"),
    writable=st.just(["ROOT/instance"]),
)
LOCATIONS = st.fixed_dictionaries(
    {},
    optional={
        "/static/": STATIC,
        "/media/": MEDIA,
        "/protected/": PRIVATE,
        "/favicon.ico": FILE,
        "/.well-known/x": FILE,
        "/api/": PREFIX,
        "/login": PROXY,
        "/a.b+@c/": PROXY,
    },
)
SITES = mapping(
    Site,
    {"server_names": ["example.com", "*.example.com"]},
    # The world's ports; `written` adds that of TLS.
    listen=st.just(["PORT"]),
    app=mapping(
        App,
        {"upstream": UPSTREAMS},
        websocket=st.booleans(),
        timeout=st.sampled_from(["1s", "90s"]),
        service=st.just("myapp.service"),
        user=st.just("www-data"),
        code=st.just("ROOT/static"),
        gunicorn=GUNICORN,
    ),
    max_upload=st.sampled_from(["1KB", "20MB"]),
    moved_from=st.just("old"),
    prevent_destroy=st.booleans(),
    probe_front_page=st.booleans(),
    probes=st.just([{"get": "/static/health.txt", "expect": {"status": 200}}]),
    extra=st.sampled_from(["proxy_buffers 16 8k;", "ssl_protocols TLSv1.3;", "gzip off;"]),
    http_extra=st.just("map $uri $of_myapp { default 1; }"),
    locations=LOCATIONS,
    redirect_from=st.just(["www.test", "*.other.test"]),
    redirects=st.just(
        {"/old/": "/new/", "/x+(y)": {"to": "https://a.test/?b=c", "status": 308}, "/r/": "/"}
    ),
    gzip=st.booleans(),
    http2=st.booleans(),
    default_server=st.booleans(),
    headers=HEADERS,
    error_pages=st.sampled_from(
        [
            {"404": "./p.html", "50x": "./p.html"},
            {"401": "./p.html"},
            {"404": "./p.html", "intercept": True},
        ]
    ),
    maintenance=mapping(
        Maintenance,
        {"enabled": st.booleans()},
        page=st.just("./p.html"),
        allow=st.just(["127.0.0.1", "2001:db8::/32"]),
    ),
    access=ACCESS,
    trusted_proxies=st.just(["10.0.0.0/8", "2001:db8::1"]),
    tls=mapping(
        Tls,
        {"certificate": "ROOT/certificate.pem", "key": "ROOT/key.pem"},
        redirect=st.booleans(),
        hsts=st.sampled_from(["1y", {"max_age": "1y", "subdomains": True, "preload": True}]),
    ),
)
SOURCES = {"htpasswd": b"a:$6$x$y\n", "p.html": b"<p>page</p>"}


def rooted(value: Any, root: Path) -> Any:
    """The values with the world's folder for ROOT."""
    if isinstance(value, dict):
        return {key: rooted(one, root) for key, one in value.items()}
    if isinstance(value, list):
        return [rooted(one, root) for one in value]
    return value.replace("ROOT", str(root)) if isinstance(value, str) else value


@pytest.mark.parametrize("model", GENERATED, ids=lambda model: model.__name__)
def test_a_site_here_may_have_every_key(model: type[ConfigModel]) -> None:
    keys = {field.alias or name for name, field in model.model_fields.items()}

    assert keys - ELSEWHERE.get(model, set()) == GENERATED[model]


def written(world: World, site: dict[str, Any], *, is_named: bool) -> SiteContext | None:
    """The site in the world's nginx; None where the file contradicts itself."""
    root = world.root
    listen: list[Any] = [world.port]
    listen += [f"{world.tls_port} ssl"] if "tls" in site else []
    document = {"version": 1, "sites": {"myapp": rooted(site, root) | {"listen": listen}}}
    try:
        config = load_bytes(json.dumps(document).encode(), f"{root}/reconcile.yaml")
    except ConfigErrors:
        return None
    facts = replace(
        HOST,
        sources={f"{root}/{name}": content for name, content in SOURCES.items()},
        pages_dir=f"{root}/pages",
        passwords_dir=f"{root}/passwords",
        resolvers=("127.0.0.1",) if is_named else (),
    )
    if not is_named and "backend" in json.dumps(document):
        return None
    context = CompileContext(config, facts).sites["myapp"]
    world.nginx.site("myapp", context.nginx_content)
    return context


def accepted(world: World, site: dict[str, Any], *, is_named: bool) -> None:
    """Nginx accepts the site, its probes are recorded whole, and the model knows every answer."""
    context = written(world, site, is_named=is_named)
    # What contradicts itself is not counted.
    assume(context)
    assert context is not None
    result = world.nginx.run("-t")

    assert 0 == result.returncode, (result.stderr, context.nginx_content.decode())
    probes = tuple(site_probes(context))
    assert probes == tuple(_decode(json.loads(json.dumps(_encode(one)))) for one in probes)
    router = Router(discover(host_with(world.nginx)).tree)
    for path in PATHS:
        request = Request(path, "example.com", Address("127.0.0.1", world.port), client="::1")
        assert router.route(request).answer


PATHS = ("/", "/static/x.html", "/api/x", "/login", "/old/a", "/favicon.ico")
FILES = ("/static/health.txt", "/media/sample.txt", "/protected/report.txt")
ASKED = (*PATHS, *FILES, "/static", "/x")
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]


@settings(max_examples=50, suppress_health_check=SLOW)
@given(SITES, st.booleans())
def test_nginx_and_its_model_accept_every_site(
    with_tls: World, site: dict[str, Any], is_named: bool
) -> None:
    accepted(with_tls, site, is_named=is_named)


@pytest.mark.nightly
@settings(max_examples=2_000, suppress_health_check=SLOW)
@given(SITES, st.booleans())
def test_nginx_and_its_model_accept_two_thousand_sites(
    with_tls: World, site: dict[str, Any], is_named: bool
) -> None:
    accepted(with_tls, site, is_named=is_named)


def asked(world: World, site: dict[str, Any]) -> None:
    """What nginx answers is what its model says, as far as it knows the status."""
    context = written(world, site, is_named=True)
    if context is None:
        return
    for name, content in SOURCES.items():
        (world.root / name).write_bytes(content)
    for item in context.declared.compile("myapp", context.context):
        if isinstance(item.resource, File) and item.resource.path.startswith(str(world.root)):
            Path(item.resource.path).parent.mkdir(parents=True, exist_ok=True)
            Path(item.resource.path).write_bytes(item.resource.content or b"")
    world.nginx.start()
    try:
        nginx = discover(host_with(world.nginx))
        router = Router(nginx.tree, nginx.build.prefix)
        files = WorkerView(nginx.host, worker_account(nginx))
        for path in ASKED:
            address = Address("127.0.0.1", world.port)
            found = router.route(Request(path, "example.com", address, client="127.0.0.1"), files)
            if found.answer.kind in ("unknown", "pass") or found.answer.status is None:
                continue
            sent = world.ask(path).status
            assert found.answer.status == sent, (path, found.answer, context.nginx_content)
    finally:
        world.nginx.stop()


@settings(max_examples=10, suppress_health_check=SLOW)
@given(SITES)
def test_nginx_answers_as_its_model_predicts(with_tls: World, site: dict[str, Any]) -> None:
    asked(with_tls, site)


@pytest.mark.nightly
@settings(max_examples=400, suppress_health_check=SLOW)
@given(SITES)
def test_nginx_answers_as_its_model_predicts_every_night(
    with_tls: World, site: dict[str, Any]
) -> None:
    asked(with_tls, site)
