"""What nginx's configuration answers on purpose ends no apply."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

pytestmark = pytest.mark.process

PASSWORD = 'auth_basic "staff"; auth_basic_user_file {root}/htpasswd;'
OWN_404 = "error_page 404 /own.html; location = /own.html {{ root {root}/app; internal; }}"
OWN_404_AS_200 = OWN_404.replace("404 /own", "404 =200 /own")
BY_THE_APP = "error_page 404 = @app404; location @app404 {{ return 404 sorry; }}"
CLOSED = "return 503;"
CLOSED_BY_A_FILE = "if (-f {root}/closed) {{ return 503; }}"


def with_extra(demo: DemoHost, lines: str) -> None:
    yaml = Path(demo.file)
    extra = f"    extra: |\n      {lines.format(root=demo.root)}\n"
    head, probes, rest = yaml.read_text().partition("    probes:\n")
    yaml.write_text(head + extra + probes + rest)
    Path(f"{demo.root}/app/own.html").write_text("Nothing here.")
    Path(f"{demo.root}/htpasswd").write_text("ann:{PLAIN}secret\n")
    Path(f"{demo.root}/closed").touch()


@pytest.mark.parametrize(
    ("lines", "skipped"),
    [
        (PASSWORD, "401, as configured: auth_basic staff"),
        (CLOSED, "503, as configured: return 503"),
        (CLOSED_BY_A_FILE, "503, as configured: return 503"),
        (OWN_404, ""),
        (OWN_404_AS_200, ""),
        (BY_THE_APP, ""),
    ],
    ids=["password", "closed", "closed by a file", "own 404", "own 404 as 200", "404 elsewhere"],
)
def test_what_extra_answers_on_purpose_ends_no_apply(
    demo: DemoHost, run: Run, lines: str, skipped: str
) -> None:
    with_extra(demo, lines)

    done = run("apply", "--auto-approve", cwd=demo.root)
    verified = run("verify", cwd=demo.root)
    drifted = run("drift", cwd=demo.root)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert 0 == verified.returncode, verified.stdout
    assert skipped in verified.stdout
    assert 0 == drifted.returncode, drifted.stdout


def test_a_password_for_all_of_nginx_ends_no_apply(demo: DemoHost, run: Run) -> None:
    with_extra(demo, "")
    main = Path(f"{demo.root}/nginx/nginx.conf")
    password = PASSWORD.format(root=demo.root)
    main.write_text(main.read_text().replace("http {", f"http {{ {password}", 1))

    done = run("apply", "--auto-approve", cwd=demo.root)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_a_location_that_hides_files_by_accident_still_rolls_everything_back(
    demo: DemoHost, run: Run
) -> None:
    with_extra(demo, "location = /static/health.txt {{ return 404; }}")

    done = run("apply", "--auto-approve", cwd=demo.root)

    assert 3 == done.returncode, done.stdout
    assert "/static/ serves files" in done.stderr


def test_drift_is_unhealthy_where_the_front_page_of_a_site_without_an_app_is_an_error(
    demo: DemoHost, run: Run
) -> None:
    yaml = Path(demo.file)
    head, _, rest = yaml.read_text().partition("    app:")
    locations = rest.partition("    locations:")[2].partition("    probes:")[0]
    proxy = "proxy_pass http://127.0.0.1:1;"
    yaml.write_text(
        f"{head}    locations:{locations}    extra: |\n      location = / {{ {proxy} }}\n"
    )

    done = run("apply", "--auto-approve", "--no-verify", cwd=demo.root)
    drifted = run("drift", cwd=demo.root)

    assert 0 == done.returncode, done.stderr
    assert 3 == drifted.returncode, drifted.stdout
    assert "/ answers over IPv4 and IPv6: expected no 5xx, got 502" in drifted.stdout
