"""What visitors will notice stands in the plan, before anything is changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from reconcile.output.text import plan_text
from reconcile.output.visitors import HEADING, SHOWN
from tests.impact.conftest import YAML, GuidesHost

pytestmark = pytest.mark.process

DEFAULT_SERVER = "from the default server in ROOT/nginx/sites-enabled/default"


def test_two_cache_controls_become_one(guide: GuidesHost) -> None:
    was, will_be = guide.noticed()["GET http://example.com/static/css/app.css over IPv4"]

    file = "file ROOT/www/static/css/app.css"
    assert f"{file}, Cache-Control: max-age=604800, Cache-Control: public" == was
    assert f"{file}, Cache-Control: public, max-age=604800" == will_be


def test_over_ipv6_the_default_server_captured_the_name(guide: GuidesHost) -> None:
    was, will_be = guide.noticed()["GET http://example.com/static/css/app.css over IPv6"]

    assert f"404 (ROOT/html/static/css/app.css does not exist), {DEFAULT_SERVER}" == was
    assert will_be.startswith("file ROOT/www/static/css/app.css")


@pytest.mark.parametrize(
    ("request_", "after"),
    [
        ("GET http://example.com/static", "301 to /static/"),
        ("GET http://example.com/static/.env (if it exists)", "404"),
        ("GET http://example.com/media/.env (if it exists)", "404"),
    ],
)
def test_what_the_guide_leaves_open_is_closed(guide: GuidesHost, request_: str, after: str) -> None:
    assert after == guide.noticed()[request_][1]


def test_a_traversal_that_worked_before_is_reported(guide: GuidesHost) -> None:
    text = guide.site_file.read_text().replace("location /static/ {", "location /static {")
    guide.site_file.write_text(text)

    [described] = [request for request in guide.noticed() if "/static../static/" in request]

    assert "file ROOT/www/static/../static/reconcile-sample.jpg" in guide.noticed()[described][0]
    assert "proxied to http://unix:/run/gunicorn.sock" == guide.noticed()[described][1]


def test_a_new_upload_limit_is_shown_by_the_bytes_that_now_pass(guide: GuidesHost) -> None:
    guide.yaml = YAML.replace("    locations:", "    max_upload: 20MB\n    locations:")

    described = [
        (request, *answers) for request, answers in guide.noticed().items() if "POST" in request
    ]

    assert [
        (
            "POST http://example.com/ with 20971520 bytes",
            "413",
            "proxied to http://unix:/run/gunicorn.sock",
        )
    ] == described


def test_a_managed_default_server_is_reported_by_address(guide: GuidesHost) -> None:
    (guide.root / "nginx/sites-enabled/default").unlink()
    guide.write("nginx/sites-enabled/0-other", "server { listen 80; return 410; }")
    guide.yaml = YAML.replace("    app:", "    default_server: true\n    app:")

    was, will_be = guide.noticed()["GET http://127.0.0.1/"]

    assert "410, from the default server in ROOT/nginx/sites-enabled/0-other" == was
    assert will_be.startswith("proxied to http://unix:/run/gunicorn.sock")


def test_the_same_refusal_from_elsewhere_is_not_noticed(guide: GuidesHost) -> None:
    """A visitor sees 404 before and 404 after."""
    (guide.root / "nginx/sites-enabled/myapp.conf").unlink()
    guide.site_file.unlink()

    noticed = guide.noticed()

    statuses = [(was[:4], will_be[:4]) for was, will_be in noticed.values()]
    assert noticed
    assert ("404 ", "404") not in statuses


def test_without_a_listener_yet_there_is_no_answer(guide: GuidesHost) -> None:
    guide.yaml = YAML.replace("    app:", "    listen: [8080]\n    app:")

    noticed = guide.noticed()

    assert "no answer: nothing listens there" == noticed["GET http://example.com:8080/"][0]


def test_a_name_that_is_given_up_is_asked_for_too(guide: GuidesHost) -> None:
    guide.apply()
    guide.yaml = YAML.replace("[example.com]", "[example.org]")

    was, will_be = guide.noticed()["GET http://example.com/"]

    assert "proxied to http://unix:/run/gunicorn.sock" == was
    assert will_be.endswith(DEFAULT_SERVER)


def test_a_folder_that_is_opened_shows_in_the_answer(guide: GuidesHost) -> None:
    guide.apply()
    (guide.root / "www/static").chmod(0o700)

    described = guide.noticed()["GET http://example.com/static/css/app.css"]

    assert "403 (ROOT/www/static/css/app.css denies access to nginx)" == described[0]
    assert "file ROOT/www/static/css/app.css, Cache-Control: public, max-age=604800" == described[1]


def test_an_asset_that_is_missing_shows_in_the_answer(guide: GuidesHost) -> None:
    guide.apply()
    (guide.root / "www/static/css/app.css").unlink()

    described = guide.noticed()["GET http://example.com/static/css/app.css"]

    assert "404 (ROOT/www/static/css/app.css does not exist)" == described[0]


def test_a_plan_shows_a_few_effects_and_all_of_them_on_request(guide: GuidesHost) -> None:
    plan = guide.plan()

    short, full = plan_text(plan), plan_text(plan, full=True)

    changed = len(plan.behaviour_changes)
    shown = short.partition(HEADING)[2].count("\n    GET ")
    assert 0 < shown <= SHOWN < changed
    assert f"# ({changed - shown} more request" in short
    assert changed == full.partition(HEADING)[2].count("\n  GET ")


def test_a_plan_shows_effects_as_requests_that_visitors_send(guide: GuidesHost) -> None:
    short = plan_text(guide.plan()).partition(HEADING)[2]

    assert "GET /static/css/app.css" in short
    assert not any(tried in short for tried in ("../", "127.0.0.1"))


def test_an_unusual_request_that_fails_from_now_on_is_shown(guide: GuidesHost) -> None:
    text = guide.site_file.read_text().replace("location /static/ {", "location /static {")
    guide.site_file.write_text(text)

    short = plan_text(guide.plan()).partition(HEADING)[2]

    assert "GET /static/.env" in short


@pytest.fixture
def forgotten() -> Iterator[None]:
    """The module as a fresh process has it: not imported."""
    kept = sys.modules.pop("reconcile.impact.plan_impact", None)
    yield
    if kept:
        sys.modules["reconcile.impact.plan_impact"] = kept


@pytest.mark.usefixtures("forgotten")
def test_a_plan_with_nothing_to_do_foresees_nothing_and_imports_nothing(guide: GuidesHost) -> None:
    guide.apply()
    sys.modules.pop("reconcile.impact.plan_impact", None)

    assert () == guide.plan().changes
    assert "reconcile.impact.plan_impact" not in sys.modules
