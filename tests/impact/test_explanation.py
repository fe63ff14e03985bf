"""Why a URL is answered as it is: the story that `reconcile explain` tells."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import validate

from reconcile.errors import ReconcileError
from reconcile.nginx.explanation import Explanation, explain, with_listening_address
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.url import parse_url
from reconcile.nginx.running.discover import discover
from reconcile.output.json import to_json
from reconcile.output.schemas import output_schemas
from reconcile.output.url_explanation import explain_text
from reconcile.output.url_explanation_document import explain_document
from reconcile.system.http import HttpAnswer
from tests.impact.conftest import GuidesHost

pytestmark = pytest.mark.process

URL = "http://example.com/static/css/app.css"


def explained(guide: GuidesHost, url: str = URL, address: str | None = None) -> Explanation:
    nginx = discover(guide.workspace().host)
    return explain(nginx, with_listening_address(nginx, parse_url(url, address)))


def line_of(guide: GuidesHost, text: str) -> int:
    lines = guide.site_file.read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if text in line)


def test_the_server_and_the_location_are_reported_with_their_lines(guide: GuidesHost) -> None:
    found = explained(guide)

    enabled = f"{guide.root}/nginx/sites-enabled/myapp.conf"
    assert found.route.server is not None
    assert f"{enabled}:1" == found.route.server.place
    assert [f"{enabled}:{line_of(guide, 'location /static/')}"] == [c.place for c in found.choices]


def test_a_location_of_the_same_server_lost_for_a_reason(guide: GuidesHost) -> None:
    [choice] = explained(guide).choices

    assert [("location /", "a shorter prefix")] == [(r.what, r.why) for r in choice.candidates]


def test_a_hostile_regex_is_named_by_the_line_that_took_the_request(guide: GuidesHost) -> None:
    regex = "    location ~* \\.(css|js)$ { root /nowhere; }\n"
    text = guide.site_file.read_text().replace("    location / {", f"{regex}    location / {{")
    guide.site_file.write_text(text)

    [choice] = explained(guide).choices

    assert choice.place.endswith(f"myapp.conf:{line_of(guide, 'location ~*')}")
    assert "a prefix; a matching regex takes precedence" in [r.why for r in choice.candidates]


def test_after_apply_the_same_regex_is_reported_as_not_matching_first(guide: GuidesHost) -> None:
    guide.yaml += "    extra: |\n      location ~* \\.(css|js)$ { root /nowhere; }\n"
    guide.apply()

    [choice] = explained(guide).choices

    assert "location ^~ /static/" == choice.what
    assert "a regex; ^~ skips regexes" in [r.why for r in choice.candidates]


def test_a_server_with_the_name_on_another_address_is_reported(guide: GuidesHost) -> None:
    found = explained(guide, address="::1")

    why = "has the name, but does not listen on [::]:80 (only on 0.0.0.0:80)"
    assert found.route.server is not None
    assert "only server of this address" == found.route.server_why
    assert [why] == [rival.why for rival in found.server_candidates]


def test_another_answer_at_another_address_is_reported(guide: GuidesHost) -> None:
    [(address, answer)] = explained(guide).other_addresses

    assert "[::1]:80" == address
    assert answer.startswith("404 ")


def test_two_cache_controls_are_two_headers(guide: GuidesHost) -> None:
    values = [h.value for h in explained(guide).headers if h.name == "Cache-Control"]

    assert ["max-age=604800", "public"] == values


def test_a_closed_parent_is_named_with_the_worker_and_the_smallest_fix(guide: GuidesHost) -> None:
    (guide.root / "www").chmod(0o700)

    found = explained(guide)

    assert found.blocked is not None
    assert f"{guide.root}/www" == found.blocked.path
    fix = f"setfacl -m u:www-data:x {guide.root}/www"
    assert ("www-data", fix) == (found.worker.name, found.fix)
    assert "403 " == found.answer[:4]
    assert f"{guide.root}/www denies access to nginx's worker (www-data)" in explain_text(
        URL, found
    )


@pytest.mark.parametrize(
    ("command", "fix"),
    [
        ("chmod 600 FILE", "setfacl -m u:www-data:r FILE"),
        ("chown root:www-data FILE; chmod 600 FILE", "chmod g+r FILE"),
        ("chown www-data FILE; chmod 044 FILE", "chmod u+r FILE"),
        ("setfacl -m u:www-data:- FILE", "setfacl -m u:www-data:r FILE"),
        ("true", ""),
    ],
)
def test_the_smallest_fix_of_a_file_really_lets_the_worker_in(
    guide: GuidesHost, command: str, fix: str
) -> None:
    file = str(guide.root / "www/static/css/app.css")
    subprocess.run(["sh", "-c", command.replace("FILE", file)], check=True)

    printed = explained(guide).fix
    subprocess.run(["sh", "-c", printed], check=True)

    assert fix.replace("FILE", file) == printed
    assert None is explained(guide).blocked


def test_the_acl_of_a_component_is_reported(guide: GuidesHost) -> None:
    subprocess.run(["setfacl", "-m", "u:games:r-x", guide.root / "www"], check=True)

    [acl] = [c.acl for c in explained(guide).path if c.path == f"{guide.root}/www"]

    assert ("user:games:r-x", "mask::r-x") == acl


def test_a_file_that_is_missing_ends_the_way(guide: GuidesHost) -> None:
    found = explained(guide, "http://example.com/static/none")

    assert f"{guide.root}/www/static" == found.path[-1].path
    assert f"{guide.root}/www/static/none does not exist" in explain_text(URL, found)


def test_a_link_on_the_way_is_followed(guide: GuidesHost) -> None:
    (guide.root / "www/static").rename(guide.root / "www/release")
    (guide.root / "www/static").symlink_to("release")

    paths = [Path(c.path).name for c in explained(guide).path]

    assert ["www", "static", "release", "css", "app.css"] == paths[-5:]


def test_where_only_one_address_is_listened_on_it_is_asked_there(guide: GuidesHost) -> None:
    guide.write("nginx/sites-enabled/panel", "server { listen 10.0.0.5:81; return 200 x; }")

    assert Address("10.0.0.5", 81) == explained(guide, "http://x:81/").request.address


def test_without_a_listener_there_is_no_answer(guide: GuidesHost) -> None:
    assert "no answer: nothing listens there" == explained(guide, "http://example.com:81/").answer


@pytest.mark.parametrize(
    ("url", "uri", "host", "address"),
    [
        ("example.com", "/", "example.com", Address("127.0.0.1", 80)),
        ("https://Example.com/a?b=c#d", "/a?b=c", "example.com", Address("127.0.0.1", 443)),
        ("http://[::1]:8080/x", "/x", "[::1]:8080", Address("::1", 8080)),
        ("http://10.0.0.5/x", "/x", "10.0.0.5", Address("10.0.0.5", 80)),
        ("http://h/a b/%2e/é", "/a%20b/%2e/%C3%A9", "h", Address("127.0.0.1", 80)),
    ],
)
def test_a_url_is_sent_as_a_browser_sends_it(
    url: str, uri: str, host: str, address: Address
) -> None:
    asked = parse_url(url)

    assert (uri, host, address) == (asked.uri, asked.host, asked.address)


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://x:99999/", "http:///x", ""])
def test_what_is_no_url_of_a_web_page_is_refused(url: str) -> None:
    with pytest.raises(ReconcileError, match="is not an http or https URL"):
        parse_url(url)


def test_an_invalid_address_is_refused() -> None:
    with pytest.raises(ReconcileError, match="is not an IP address"):
        parse_url(URL, "localhost")


def test_names_from_the_host_cannot_write_on_the_terminal(guide: GuidesHost) -> None:
    found = explained(guide, "http://example.com/static/%1b[31m")

    assert "\x1b" not in explain_text("http://example.com/static/\x1b[31m", found)


def test_the_json_keeps_to_its_schema(guide: GuidesHost) -> None:
    found = explained(guide)
    real = HttpAnswer(200, (("Cache-Control", "public"),))

    document = explain_document(URL, found, "web1", now=datetime.now(UTC), live=real)

    schema = output_schemas()["explain"]
    printed = json.loads(to_json(document))
    validate(printed, schema)
    assert (["Content-Type", "Expires", "Cache-Control"], False) == (
        [header["name"] for header in printed["headers"]][:3],
        printed["live"]["agrees"],
    )
