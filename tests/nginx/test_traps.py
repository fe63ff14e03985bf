"""The traps that a static site falls into, each seen in a real answer and foretold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconcile.nginx.routing.headers import sent_headers, values_of
from tests.support.ports import free_port
from tests.support.real_nginx import Running, running

pytestmark = pytest.mark.process


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The guide's application folder, and things beside it that nobody should get."""
    tmp_path.chmod(0o755)
    files = {
        "myapp/static/health.txt": "ok",
        "myapp/static/css/app.css": "css",
        "myapp/static/.env": "secret",
        "myapp/static/.git/HEAD": "ref",
        "myapp/app.py": "code",
        "myapp/staticsecret.txt": "sibling",
        "myapp/media/page.html": "<script>",
        "other/css/app.css": "stolen",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@contextmanager
def serving(site: Path, locations: str) -> Iterator[Running]:
    port, app = free_port(), free_port()
    text = locations.replace("@S@", f"{site}/myapp").replace("@O@", str(site / "other"))
    text = text.replace("@APP@", f"http://127.0.0.1:{app}")
    block = f"""
        server {{ listen 127.0.0.1:{port}; absolute_redirect off; {text} }}
        server {{ listen 127.0.0.1:{app}; add_header Cache-Control "private, no-store";
                  location / {{ return 200 "app"; }} }}
    """
    with running(site, block, port) as nginx:
        assert nginx is not None
        yield nginx


APP = "location / { proxy_pass @APP@; }"


@pytest.mark.parametrize(
    ("location", "health", "bare", "parent", "sibling"),
    [
        ("/static/ { alias @S@/static/; }", "200 ok", "200 app", "200 app", "200 app"),
        ("/static { alias @S@/static/; }", "200 ok", "301", "200 code", "404"),
        ("/static/ { alias @S@/static; }", "404", "200 app", "200 app", "200 app"),
        ("/static { alias @S@/static; }", "200 ok", "301", "404", "200 sibling"),
        ("/static/ { root @S@; }", "200 ok", "200 app", "200 app", "200 app"),
        ("/static/ { root @S@/static/; }", "404", "200 app", "200 app", "200 app"),
    ],
)
def test_the_slash_matrix(
    site: Path, location: str, health: str, bare: str, parent: str, sibling: str
) -> None:
    uris = ["/static/health.txt", "/static", "/static../app.py", "/staticsecret.txt"]
    with serving(site, f"location {location} {APP}") as nginx:
        assert [health, bare, parent, sibling] == [told(nginx, uri) for uri in uris]


def told(nginx: Running, uri: str, method: str = "GET") -> str:
    """The answer in short, after making sure that it was foretold."""
    answered, route = nginx.ask(uri, method=method), nginx.predict(uri, method=method)
    predicted = route.answer
    assert answered.status == (predicted.status or 200), predicted
    assert answered.one("Location") == predicted.target or predicted.kind == "pass"
    body = answered.body.decode() if answered.status == 200 else ""
    if predicted.kind == "file":
        assert Path(predicted.path or "").read_text() == body
    assert (body == "app") == (predicted.kind == "pass")
    return f"{answered.status} {body}".strip()


def test_an_alias_without_its_slash_names_the_glued_path(site: Path) -> None:
    with serving(site, "location /static/ { alias @S@/static; }") as nginx:
        route = nginx.predict("/static/health.txt")

    assert f"{site}/myapp/statichealth.txt" == route.answer.path


def test_a_caret_prefix_skips_the_servers_dotfile_rule(site: Path) -> None:
    dotfiles = r"location ~ /\. { return 404; }"
    uris = ["/static/.env", "/static/.git/HEAD", "/static/health.txt"]

    with serving(site, f"{dotfiles} location ^~ /static/ {{ alias @S@/static/; }}") as nginx:
        assert ["200 secret", "200 ref", "200 ok"] == [told(nginx, uri) for uri in uris]
    with serving(site, f"{dotfiles} location /static/ {{ alias @S@/static/; }}") as nginx:
        assert ["404", "404", "200 ok"] == [told(nginx, uri) for uri in uris]
    nested = f"location ^~ /static/ {{ alias @S@/static/; {dotfiles} }}"
    with serving(site, nested) as nginx:
        assert ["404", "404", "200 ok"] == [told(nginx, uri) for uri in uris]


def test_a_regex_location_takes_requests_from_a_plain_prefix(site: Path) -> None:
    shadow = r"location ~* \.(css|js)$ { root @O@; rewrite ^/static(.*) $1 break; }"
    plain = "location /static/ { alias @S@/static/; }"

    with serving(site, f"{plain} {shadow}") as nginx:
        assert "200 stolen" == told(nginx, "/static/css/app.css")
        hop = nginx.predict("/static/css/app.css").hops[-1]
    assert r"location ~* \.(css|js)$" == str(hop.scope)
    assert ["location /static/"] == [str(beaten) for beaten in hop.runners_up]
    assert "first matching regex, which takes precedence over the longest prefix" == hop.why
    with serving(site, f"{plain.replace('/static/', '^~ /static/', 1)} {shadow}") as nginx:
        assert "200 css" == told(nginx, "/static/css/app.css")


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ('add_header Cache-Control "public, max-age=1";', ("public, max-age=1",)),
        ("expires 7d;", ("max-age=604800",)),
        ("expires 7d; add_header Cache-Control public;", ("max-age=604800", "public")),
        ("expires off; add_header Cache-Control public;", ("public",)),
        ("expires epoch;", ("no-cache",)),
        ("expires -1;", ("no-cache",)),
        ("expires 0;", ("max-age=0",)),
        ("expires max;", ("max-age=315360000",)),
    ],
)
def test_expires_and_add_header_make_two_cache_control_lines(
    site: Path, directives: str, expected: tuple[str, ...]
) -> None:
    with serving(site, f"location /static/ {{ alias @S@/static/; {directives} }}") as nginx:
        assert expected == told_header(nginx, "/static/health.txt", "Cache-Control")


def told_header(nginx: Running, uri: str, name: str) -> tuple[str | None, ...]:
    """A header's lines in the answer, after making sure that they were foretold."""
    answered = nginx.ask(uri).all(name)
    assert answered == values_of(sent_headers(nginx.predict(uri)), name)
    return answered


def test_an_add_header_of_its_own_drops_the_inherited_ones(site: Path) -> None:
    locations = """
        add_header X-Content-Type-Options nosniff always;
        location /static/ { alias @S@/static/; add_header X-Own 1; }
        location /media/ { alias @S@/media/; }
    """
    with serving(site, locations) as nginx:
        assert () == told_header(nginx, "/static/health.txt", "X-Content-Type-Options")
        assert ("nosniff",) == told_header(nginx, "/media/page.html", "X-Content-Type-Options")


def test_only_always_reaches_an_error(site: Path) -> None:
    headers = "add_header X-Always 1 always; add_header X-Sometimes 1;"
    with serving(site, f"location /static/ {{ alias @S@/static/; {headers} }}") as nginx:
        assert ("1",) == told_header(nginx, "/static/none.txt", "X-Always")
        assert () == told_header(nginx, "/static/none.txt", "X-Sometimes")


def test_a_private_location_is_404_from_outside(site: Path) -> None:
    with serving(site, "location /p/ { internal; alias @S@/media/; }") as nginx:
        assert "404" == told(nginx, "/p/page.html")


def test_a_body_over_the_limit_is_413(site: Path) -> None:
    with serving(site, f"client_max_body_size 5; {APP}") as nginx:
        request = nginx.predict("/upload", method="POST", body=b"sixsix")
        answered = nginx.ask("/upload", method="POST", body=b"sixsix")

    assert 413 == answered.status == request.answer.status


def test_an_unreadable_file_is_403() -> None:
    from reconcile.nginx.model.config_loader import load
    from reconcile.nginx.routing.request import Request
    from reconcile.nginx.routing.router import Router
    from tests.support.real_nginx import overlay

    class Denied:
        def kind(self, path: str) -> str:
            return "denied"

    text = b"http { server { location / { root /srv; } } }"
    router = Router(load("/n/c", overlay({"/n/c": text})))

    answer = router.route(Request("/a.css"), Denied()).answer  # type: ignore[arg-type]

    assert ("error", 403, "/srv/a.css") == (answer.kind, answer.status, answer.path)
