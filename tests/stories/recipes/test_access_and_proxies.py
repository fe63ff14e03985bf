"""The recipes of TLS, access, limits, redirects and proxies, applied and asked from outside."""

from __future__ import annotations

import re

import pytest

from tests.stories import acme
from tests.support.proven_recipes import proves
from tests.support.recipe_host import FROM_THERE, PASSWORD, STRANGER, RecipeHost

pytestmark = [pytest.mark.host, pytest.mark.nightly]

SIGN = """
mkdir -p /etc/ssl/private
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -batch -days 90 \\
  -subj /CN=example.com -addext subjectAltName=DNS:example.com \\
  -keyout /etc/ssl/private/example.key -out /etc/ssl/certs/example.pem
"""
GUNICORN = """
[Service]
WorkingDirectory=/srv/myapp
ExecStart=/opt/apps-venv/bin/gunicorn --bind unix:/run/gunicorn.sock --user www-data \\
  --group www-data app:app
[Install]
WantedBy=multi-user.target
"""
TRUSTED = ("--cacert", "/root/example.pem")


def with_certificate(site: RecipeHost) -> None:
    """Lay the certificate that the recipe names; the visitor trusts it."""
    site.host.run("sh", "-euc", SIGN)
    site.visitor.write("/root/example.pem", site.host.read("/etc/ssl/certs/example.pem"))


@proves("HTTPS with a certificate of one's own")
def test_http2_over_tls_and_a_redirect_to_it(site: RecipeHost) -> None:
    with_certificate(site)
    site.start_app()

    site.apply()

    answer = site.get("https://example.com/", "--http2", *TRUSTED)
    plain = site.get("http://example.com/a?b=c")
    received = site.received("https://example.com/received", *TRUSTED)
    assert ("2", 200, True) == (answer.version, answer.status, "version 1" in answer.body)
    assert (301, ["https://example.com/a?b=c"]) == (plain.status, plain.lines("Location"))
    assert "https" == received["X-Forwarded-Proto"]


@proves("HTTPS by Let's Encrypt")
def test_the_advised_command_obtains_the_certificate(site: RecipeHost) -> None:
    site.start_app()
    site.apply()
    assert 200 == site.get("http://example.com/").status
    planned = " ".join(site.reconcile("plan").stdout.split())
    advised = re.search(r"After the apply: certbot (.*?) && reconcile apply", planned)
    assert advised is not None, planned
    acme.found(site.host, "example.com", "www.example.com")
    acme.certbot(site.host, *advised[1].split())

    site.apply()

    for name in ("example.com", "www.example.com"):
        answer = site.get(f"https://{name}/", "--http2", "--insecure")
        assert ("2", 200) == (answer.version, answer.status)
        assert 301 == site.get(f"http://{name}/").status


@proves("HSTS for all subdomains")
def test_hsts_is_sent_over_tls_alone(site: RecipeHost) -> None:
    with_certificate(site)
    site.start_app()

    site.apply()

    sent = site.get("https://example.com/", *TRUSTED).lines("Strict-Transport-Security")
    assert ["max-age=31536000; includeSubDomains; preload"] == sent
    assert [] == site.get("http://example.com/").lines("Strict-Transport-Security")


@proves("Larger uploads")
def test_an_upload_below_the_limit_passes_and_one_beyond_is_413(site: RecipeHost) -> None:
    site.host.write("/etc/systemd/system/gunicorn.service", GUNICORN)
    site.host.run("systemctl", "enable", "--now", "gunicorn.service")

    site.apply()

    posted = {}
    for megabytes in (45, 55):
        site.visitor.run("truncate", "--size", f"{megabytes}M", "/root/sent")
        posted[megabytes] = site.get("http://example.com/size", "--data-binary", "@/root/sent")
    assert (200, str(45 << 20)) == (posted[45].status, posted[45].body)
    assert 413 == posted[55].status


@proves("www leads to the bare name")
def test_other_names_lead_to_the_first(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    for name in ("www.example.com", "old.example.net"):
        answer = site.get(f"http://{name}/a?b=c")
        assert (301, ["http://example.com/a?b=c"]) == (answer.status, answer.lines("Location"))
    assert 200 == site.get("http://example.com/a").status


@proves("A password for the admin pages")
def test_the_admin_pages_ask_for_a_password_and_all_else_does_not(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    denied, wrong, right = (
        site.get("http://example.com/admin/x", *login)
        for login in ((), ("--user", "anna:wrong"), PASSWORD)
    )
    assert (401, 401, 200) == (denied.status, wrong.status, right.status)
    assert "Basic realm=" in denied.lines("WWW-Authenticate")[0]
    assert "app: admin/x" == right.body
    assert 200 == site.get("http://example.com/").status


@proves("A password for the whole site")
def test_a_password_or_an_address_lets_in(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    asked = [
        site.get("http://staging.example.com/any", *way).status
        for way in ((), PASSWORD, FROM_THERE)
    ]
    assert [401, 200, 200] == asked
    here = ("--header", "Host: staging.example.com", "--output", "/dev/null")
    loopback = site.host.run("curl", "-s", "-w", "%{http_code}", *here, "http://127.0.0.1/any")
    assert "401" == loopback.stdout


@proves("WebSockets")
def test_a_websocket_echoes_through_nginx(site: RecipeHost) -> None:
    uvicorn = ("/usr/bin/python3", "-m", "uvicorn", "--port", "8000", "main:app")
    site.start("app-8000", "/srv/myapp", *uvicorn)
    site.wait_for_port(8000)

    site.apply()

    assert "echo hello" == site.echoed("/ws/chat", "hello")
    assert "asgi: http /" == site.get("http://example.com/").body


@proves("A limit for the login page")
def test_the_seventh_login_at_once_is_429(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    asked = [site.get("http://example.com/login").status for _ in range(7)]
    assert [*[200] * 6, 429] == asked
    assert 200 == site.get("http://example.com/login", *FROM_THERE).status
    assert 200 == site.get("http://example.com/").status


@proves("A maintenance page")
def test_maintenance_is_503_for_all_but_the_admin(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    closed = site.get("http://example.com/any")
    assert (503, "<h1>soon back</h1>\n") == (closed.status, closed.body)
    assert ["no-store"] == closed.lines("Cache-Control")
    assert closed.lines("Retry-After")
    assert "app: any" == site.get("http://example.com/any", *FROM_THERE).body
    site.reconcile("drift")
    site.edit("enabled: true", "enabled: false")
    site.apply()
    assert "app: any" == site.get("http://example.com/any").body


@proves("Old URLs")
def test_old_urls_lead_to_the_new_ones(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    old = site.get("http://example.com/old/a%20b?c=d")
    shop = site.get("http://example.com/shop")
    split = site.get("http://example.com/old/%0d%0aSet-Cookie:%20a")
    assert (301, ["/new/a%20b?c=d"]) == (old.status, old.lines("Location"))
    assert (302, ["https://shop.example.com/"]) == (shop.status, shop.lines("Location"))
    assert [] == split.lines("Set-Cookie")


@proves("Behind a load balancer")
def test_only_the_balancer_is_trusted(site: RecipeHost) -> None:
    site.start_app()
    forged = ("--header", "X-Forwarded-For: 198.51.100.9", "--header", "X-Forwarded-Proto: https")

    site.apply()

    trusted = site.received("http://example.com/received", *forged)
    stranger = site.received("http://example.com/received", *forged, *FROM_THERE)
    assert ("198.51.100.9", "https") == (trusted["X-Real-Ip"], trusted["X-Forwarded-Proto"])
    assert (STRANGER, "http") == (stranger["X-Real-Ip"], stranger["X-Forwarded-Proto"])


@proves("One more header for the app")
def test_the_app_gets_one_more_header_and_keeps_the_others(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    received = site.received("http://example.com/received")
    assert ("blue", "example.com") == (received["X-Tenant"], received["Host"])
    assert site.visitor.address == received["X-Real-Ip"]


@proves("Several upstreams")
def test_both_upstreams_answer_and_one_alone_is_enough(site: RecipeHost) -> None:
    site.start_app(8001)
    site.start_app(8002)
    site.apply()

    def workers() -> set[str]:
        return {site.received("http://example.com/received")["pid"] for _ in range(20)}

    assert 2 == len(workers())
    site.host.run("systemctl", "stop", "app-8002")
    assert 1 == len(workers())


@proves("A second app below /api")
def test_the_second_app_gets_its_path_without_the_prefix(site: RecipeHost) -> None:
    site.start_app()
    site.host.run("cp", "-r", "/srv/myapp", "/srv/api")
    site.host.run("sed", "-i", "s/app: {/api: {/", "/srv/api/app.py")
    site.start_app(9000, directory="/srv/api")

    site.apply()

    assert "api: users/7" == site.get("http://example.com/api/users/7").body
    assert "app: users/7" == site.get("http://example.com/users/7").body
    site.visitor.run("truncate", "--size", "2M", "/root/sent")
    assert 413 == site.get("http://example.com/api/size", "--data-binary", "@/root/sent").status


@proves("Private downloads")
def test_a_private_file_comes_through_the_app_alone(site: RecipeHost) -> None:
    site.start_app()
    site.apply()
    site.host.write("/srv/myapp/protected/report.pdf", "secret", user="www-data")

    through, direct = (
        site.get(f"http://example.com/{place}/report.pdf") for place in ("download", "protected")
    )
    part = site.get("http://example.com/download/report.pdf", "--range", "0-2")

    assert (200, "secret") == (through.status, through.body)
    assert (206, "sec") == (part.status, part.body)
    assert (404, False) == (direct.status, "secret" in direct.body)
