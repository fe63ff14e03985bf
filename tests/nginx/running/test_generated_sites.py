"""Sites that use all keys at random: nginx accepts each, and the model of nginx reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.config.context import CompileContext, SiteContext
from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.load import load_bytes
from reconcile.config.site.site_probes import site_probes
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


def mapping(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {
        key: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for key, value in required.items()
    }
    return st.fixed_dictionaries(fixed, optional=optional)


EXTRA = st.sampled_from(["proxy_buffers 16 8k;", "add_header X-Extra yes;", ""])
COMMON = {"headers": HEADERS, "access": st.none() | ACCESS, "extra": EXTRA}
STATIC = mapping(
    {"role": "static", "dir": "ROOT/static"},
    cache=st.sampled_from(["week", "none"]),
    fallback=st.just("index.html"),
    cache_by_name=st.just({"*.html": "none", "*-[0-9a]?.js": "hashed"}),
    cors=st.sampled_from(["*", ["https://a.test"], ["https://a.test", "http://b.test:8080"]]),
    **COMMON,
)
MEDIA = mapping(
    {"role": "media", "dir": "ROOT/media"},
    inline=st.sampled_from([["application/pdf"], ["text/csv", "application/pdf"]]),
    **COMMON,
)
PRIVATE = mapping({"role": "private", "dir": "ROOT/private"}, **COMMON)
FILE = mapping({"role": "static", "file": "ROOT/app.py"}, **COMMON)
PROXY = mapping(
    {"role": "proxy"},
    upstream=UPSTREAMS,
    timeout=st.sampled_from(["1s", "300s"]),
    websocket=st.booleans(),
    max_upload=st.just("1MB"),
    rate_limit=mapping({"rate": st.sampled_from(["1r/s", "30r/m"])}, burst=st.integers(0, 9)),
    **COMMON,
)
PREFIX = mapping({"role": "proxy", "strip_prefix": True}, upstream=UPSTREAMS, **COMMON)
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
    {"server_names": ["example.com", "*.example.com"]},
    app=mapping(
        {"upstream": UPSTREAMS}, websocket=st.booleans(), timeout=st.sampled_from(["1s", "90s"])
    ),
    locations=LOCATIONS,
    redirect_from=st.just(["www.test", "*.other.test"]),
    redirects=st.just(
        {"/old/": "/new/", "/x+(y)": {"to": "https://a.test/?b=c", "status": 308}, "/r/": "/"}
    ),
    gzip=st.booleans(),
    http2=st.booleans(),
    default_server=st.booleans(),
    headers=HEADERS,
    error_pages=st.sampled_from([{"404": "./p.html", "50x": "./p.html"}, {"401": "./p.html"}]),
    maintenance=st.sampled_from(
        [{"enabled": True}, {"enabled": True, "allow": ["127.0.0.1", "2001:db8::/32"]}]
    ),
    access=ACCESS,
    trusted_proxies=st.just(["10.0.0.0/8", "2001:db8::1"]),
    tls=mapping(
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
    if context is None:
        return
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
SLOW = [HealthCheck.function_scoped_fixture]


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
