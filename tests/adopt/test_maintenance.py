"""What closes a hand-written server for maintenance is read as the key that says the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adopt.handwritten import Read, read

APP = "location / { proxy_pass http://unix:/run/gunicorn.sock; }"
PAGE = "/srv/errors/maintenance.html"
FLAG = "/srv/maintenance.on"
BY_PAGE = "error_page 503 /maintenance.html; location = /maintenance.html { internal; root R; }"
BY_NAME = (
    "error_page 503 @closed; location @closed { root R; rewrite ^(.*)$ /maintenance.html break; }"
)
BY_TRY = "error_page 503 @closed; location @closed { root R; try_files /maintenance.html =503; }"
CLOSED = "if (-f /srv/maintenance.on) { return 503; }"


def adopted(lines: str, *, is_on: bool = False) -> Read:
    files = {PAGE: "<h1>soon back</h1>", "/srv/errors/50x.html": "x"} | (
        {FLAG: ""} if is_on else {}
    )
    text = lines.replace("R;", "/srv/errors;", 1)
    server = f"server {{ listen 80; server_name a.test; root /srv; {text} {APP} }}"
    return read(server, included=files)


def site(found: Read) -> dict[str, Any]:
    [entry] = found.sites.values()
    result: dict[str, Any] = entry
    return result


@pytest.mark.parametrize("page", [BY_PAGE, BY_NAME, BY_TRY])
@pytest.mark.parametrize("is_on", [False, True])
def test_a_file_that_closes_the_site_is_read_with_its_page(page: str, is_on: bool) -> None:
    found = adopted(f"{page} {CLOSED}", is_on=is_on)

    assert {"enabled": is_on, "page": PAGE} == site(found)["maintenance"]
    assert {"503": PAGE} == site(found)["error_pages"]
    assert "if (" not in site(found).get("extra", "")
    assert found.told(f"maintenance is turned on by the file {FLAG}")


@pytest.mark.parametrize(
    "condition", ["-f $document_root/maintenance.on", "-e /srv/maintenance.on"]
)
def test_a_file_has_other_spellings(condition: str) -> None:
    found = adopted(f"{BY_PAGE} if ({condition}) {{ return 503; }}")

    assert {"enabled": False, "page": PAGE} == site(found)["maintenance"]


def test_a_page_of_all_failures_is_that_of_maintenance_too() -> None:
    pages = BY_PAGE.replace("503", "500 502 503 504").replace("maintenance.html", "50x.html")

    found = adopted(f"{pages} {CLOSED}")

    assert "/srv/errors/50x.html" == site(found)["maintenance"]["page"]


@pytest.mark.parametrize("admin", ["203.0.113.7", "2001:db8::7"])
def test_an_address_that_alone_gets_the_site_is_let_in(admin: str) -> None:
    found = adopted(f"{BY_PAGE} if ($remote_addr != {admin}) {{ return 503; }}")

    assert {"enabled": True, "page": PAGE, "allow": [admin]} == site(found)["maintenance"]
    assert "if (" not in site(found).get("extra", "")


@pytest.mark.parametrize(
    "lines",
    [
        CLOSED,
        # The page itself is the switch: while the site is open there is none to name.
        f"{BY_PAGE} if (-f /srv/errors/maintenance.html) {{ return 503; }}",
        f"{BY_PAGE} if (-f /srv/$host.on) {{ return 503; }}",
        f"{BY_PAGE} if ($remote_addr = 10.0.0.1) {{ return 503; }}",
        f"{BY_PAGE} if (-f /srv/a) {{ return 503; }} if (-f /srv/b) {{ return 503; }}",
        f"{BY_PAGE} if (-f /srv/a) {{ add_header Retry-After 60 always; return 503; }}",
        f"{BY_PAGE} set $closed 1; if ($remote_addr = 10.0.0.1) {{ set $closed 0; }}"
        " if ($closed) { return 503; }",
    ],
)
def test_what_no_key_expresses_stays_a_directive_and_is_reported(lines: str) -> None:
    found = adopted(lines)

    assert "maintenance" not in site(found)
    assert "return 503" in site(found)["extra"]
    assert found.told("the rule that returns 503 is not read as `maintenance`")


def test_a_server_that_is_never_closed_has_no_note() -> None:
    found = adopted(BY_PAGE)

    assert "maintenance" not in site(found)
    assert not any("503" in note for note in found.notes)


@pytest.mark.parametrize(
    "condition", ["!-f /srv/open", "$remote_addr !~ ^10[.]", "$http_x_admin != yes"]
)
def test_a_server_that_is_closed_to_all_that_can_be_asked_is_reported(condition: str) -> None:
    found = adopted(f"{BY_PAGE} if ({condition}) {{ return 503; }}")

    assert {} == found.sites
    assert any("a.test is not read as a site" in note for note in found.notes)
