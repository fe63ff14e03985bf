"""A server that somebody set up by hand is adopted as it is, watched, and taken over at last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconcile.config.config import Config
from reconcile.config.load import load_bytes
from tests.doctor.conftest import SERVICE, SOCKET
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site
from tests.support.guide import GUIDE
from tests.support.nginx_reload import reload_nginx

pytestmark = pytest.mark.host

YAML = "/etc/reconcile/reconcile.yaml"
OLD = "/etc/nginx/sites-available/myapp"
TWO_SITES = Path(__file__).parents[2] / "examples/two-sites"


def guide(host: DebianHost, *then: str) -> None:
    """Stock Debian with the guide's commands typed in, its Gunicorn started by a socket."""
    host.put_tree(site.APP, "/srv/myapp")
    host.run("mkdir", "-p", site.STATIC, site.MEDIA, "/etc/reconcile")
    host.run("cp", "-r", "/srv/myapp/static/.", site.STATIC)
    host.write(f"{site.STATIC}/health.txt", "ok\n")
    host.write(f"{site.MEDIA}/sample.txt", "upload-test\n")
    host.run("chown", "-R", "www-data:www-data", "/var/www/myapp")
    host.write(OLD, GUIDE)
    host.run("ln", "-s", "../sites-available/myapp", "/etc/nginx/sites-enabled/myapp")
    own = f"Environment=UPLOAD_FOLDER={site.MEDIA}"
    unit = SERVICE.format(d="/srv/myapp", bind="", unit=own).replace("/srv/myapp/app", "/srv/myapp")
    host.write("/etc/systemd/system/gunicorn.service", unit)
    host.write("/etc/systemd/system/gunicorn.socket", SOCKET.format(path="/run/gunicorn.sock"))
    for command in (*then, "systemctl daemon-reload", "systemctl start gunicorn.socket"):
        host.run("sh", "-c", command)
    reload_nginx(host)


def adopt(host: DebianHost, *options: str) -> Config:
    """Adopt into the usual place; anything but success is a failure of the test."""
    host.run("rm", "-f", YAML)
    host.reconcile("adopt", "-o", YAML, *options, check=True)
    return load_bytes(host.read(YAML), YAML)


def assert_in_sync(host: DebianHost) -> None:
    done = host.reconcile("plan", "--detailed-exitcode")
    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr


@pytest.fixture(scope="module")
def guided(module_hosts: Boot) -> DebianHost:
    host = module_hosts("guided")
    guide(host)
    return host


def test_adoption_changes_nothing_and_the_plan_after_it_is_empty(guided: DebianHost) -> None:
    before = guided.manifest(exclude=["/var/log/journal"], mtimes=True)

    done = guided.reconcile("adopt", cwd="/")

    assert 0 == done.returncode, done.stderr
    assert before == guided.manifest(exclude=["/var/log/journal"], mtimes=True)
    guided.write(YAML, done.stdout)
    assert_in_sync(guided)


def test_all_that_the_guide_made_is_in_the_yaml(guided: DebianHost) -> None:
    spec = adopt(guided)

    found = spec.sites["myapp"]
    assert ({"default", "myapp"}, ("example.com",)) == (spec.sites.keys(), found.server_names)
    assert OLD == found.adopted
    assert found.app is not None
    assert ("unix:/run/gunicorn.sock", "gunicorn.service") == (
        found.app.upstream,
        found.app.service,
    )
    assert [("/static/", "static", "week"), ("/media/", "media", "day")] == [
        (prefix, one.role, one.effective_cache) for prefix, one in found.locations.items()
    ]
    assert GUIDE == spec.paths[OLD].content


def test_json_holds_the_file_and_the_notes(guided: DebianHost) -> None:
    document = json.loads(guided.reconcile("adopt", "--json", "--site", "example.com").stdout)

    assert (["myapp"], True, 0) == (
        document["sites"],
        document["plan_is_empty"],
        document["exit_code"],
    )
    assert {"myapp"} == load_bytes(document["yaml"].encode(), "it").sites.keys()


def test_doctor_finds_the_same_with_and_without_the_adopted_yaml(guided: DebianHost) -> None:
    def rules() -> set[tuple[str, str]]:
        document = json.loads(guided.reconcile("doctor", "--json").stdout)
        assert [] == document["unknown"]
        return {(one["rule"], one["severity"]) for one in document["findings"]}

    guided.run("rm", "-f", YAML)
    before = rules()
    adopt(guided)

    assert before == rules()


def test_a_hand_edit_is_drift_and_apply_heals_it(guided: DebianHost) -> None:
    adopt(guided)
    guided.reconcile("apply", "--auto-approve", check=True)
    guided.run("sed", "-i", "s/7d/8d/", OLD)
    reload_nginx(guided)

    drift = guided.reconcile("drift")

    assert 2 == drift.returncode, drift.stdout
    assert "-        expires 8d;" in drift.stdout
    guided.reconcile("apply", "--auto-approve", check=True)
    assert GUIDE.encode() == guided.read(OLD)
    assert ["max-age=604800", "public"] == guided.http("GET", "/static/health.txt").lines(
        "Cache-Control"
    )
    assert_in_sync(guided)


def test_a_site_that_is_switched_off_by_hand_is_drift_too(guided: DebianHost) -> None:
    adopt(guided)
    guided.run("rm", "/etc/nginx/sites-enabled/myapp")
    reload_nginx(guided)

    assert 2 == guided.reconcile("drift").returncode

    guided.reconcile("apply", "--auto-approve", check=True)
    assert 200 == guided.http("GET", "/static/health.txt").status
    assert_in_sync(guided)


def test_a_file_that_is_there_is_never_written_over(guided: DebianHost) -> None:
    guided.write(YAML, "mine\n")

    done = guided.reconcile("adopt", "-o", YAML)

    assert (1, b"mine\n") == (done.returncode, guided.read(YAML))
    assert "already exists" in done.stderr


def test_an_ordinary_user_gets_unknown_parts_reported(debian_host: DebianHost) -> None:
    guide(debian_host, f"chmod 0700 {site.MEDIA}")

    done = debian_host.run("/usr/local/bin/reconcile", "adopt", user="daemon", check=False)

    assert 1 == done.returncode, done.stderr
    found = load_bytes(done.stdout.encode(), "it").sites
    assert ({"default", "myapp"}, {"/static/"}) == (found.keys(), found["myapp"].locations.keys())
    assert f"/media/ is left out: {site.MEDIA} cannot be read" in done.stderr
    assert "shows no changes: that needs root" in done.stderr
    assert "is empty." not in done.stderr


def test_a_configuration_that_only_root_may_read_is_reported(guided: DebianHost) -> None:
    guided.run("chmod", "0600", OLD)

    done = guided.run("/usr/local/bin/reconcile", "adopt", user="daemon", check=False)

    guided.run("chmod", "0644", OLD)
    assert (1, "") == (done.returncode, done.stdout)
    assert "Permission denied" in done.stderr


def test_an_unknown_site_is_an_error(guided: DebianHost) -> None:
    done = guided.reconcile("adopt", "--site", "nope")

    assert (1, "") == (done.returncode, done.stdout)
    assert "Unknown site: nope" in done.stderr


def test_an_nginx_that_serves_an_older_file_is_reported(debian_host: DebianHost) -> None:
    guide(debian_host)
    debian_host.run("sed", "-i", "s/7d/8d/", OLD)

    done = debian_host.reconcile("adopt")

    assert 1 == done.returncode, done.stderr
    assert "the configuration still produces changes: nginx_live:" in done.stderr
    assert "Reload nginx" in done.stderr


def test_deviations_are_kept_and_reported_with_the_fix(
    debian_host: DebianHost,
) -> None:
    more = f"cd {site.MEDIA} && touch b c d && chown www-data:www-data c d && chmod 600 c"
    install = f"printf '[Install]\\nWantedBy=multi-user.target\\n' >> {site.UNIT_FILE}"
    guide(debian_host, more, install, "systemctl enable gunicorn.service")

    spec = adopt(debian_host)

    rules = {(rule.ref, rule.field) for rule in spec.ignore}
    assert (f"tree:{site.MEDIA}", "mode") in rules
    text = debian_host.read(YAML).decode()
    assert "mode 0600 -> 0644: 1 file (c)" in text
    assert "without it the next apply fixes them." in " ".join(text.replace("#", "").split())
    assert_in_sync(debian_host)
    left = text[: text.index("\nignore:")] + "\n"
    debian_host.write(YAML, left)
    assert f"tree:{site.MEDIA}" in site.plan(debian_host).addresses


def test_the_stock_site_alone_is_adopted(debian_host: DebianHost) -> None:
    debian_host.run("mkdir", "/etc/reconcile")

    spec = adopt(debian_host)

    assert {"default"} == spec.sites.keys()
    assert spec.sites["default"].default_server
    assert_in_sync(debian_host)


def test_sites_that_reconcile_wrote_are_found_again_when_its_state_is_lost(
    debian_host: DebianHost,
) -> None:
    debian_host.put_tree(TWO_SITES, "/etc/reconcile")
    debian_host.reconcile("apply", "--auto-approve", check=True)
    debian_host.run("rm", "-r", "/var/lib/reconcile")

    spec = adopt(debian_host)

    adopted = {name: one.adopted for name, one in spec.sites.items() if name != "default"}
    assert {"shop": None, "blog": None} == adopted
    assert_in_sync(debian_host)


def test_a_gunicorn_that_reconcile_set_up_is_found_again(debian_host: DebianHost) -> None:
    site.deploy(debian_host)
    site.apply(debian_host)
    debian_host.run("rm", "-r", "/var/lib/reconcile")

    app = adopt(debian_host).sites["myapp"].app

    assert app is not None
    assert app.gunicorn is not None
    assert ("/srv/myapp", "app:app") == (app.gunicorn.directory, app.gunicorn.module)
    assert_in_sync(debian_host)


def test_an_edited_generated_file_is_adopted_like_any_other(
    debian_host: DebianHost,
) -> None:
    site.deploy(debian_host)
    site.apply(debian_host)
    debian_host.run("rm", "-r", "/var/lib/reconcile")
    debian_host.run("sed", "-i", "s/604800/604801/", site.SITE_FILE)
    reload_nginx(debian_host)

    spec = adopt(debian_host)

    assert site.SITE_FILE == spec.sites["myapp"].adopted
    assert_in_sync(debian_host)


def test_an_adopted_site_is_taken_over_with_proof_of_what_visitors_will_notice(
    debian_host: DebianHost,
) -> None:
    guide(debian_host)
    adopt(debian_host, "--site", "myapp")
    debian_host.reconcile("apply", "--auto-approve", check=True)
    text = debian_host.read(YAML).decode()
    kept = [line for line in text.splitlines() if not line.startswith("    adopted: ")]
    whole = "\n".join(kept) + "\n"
    rules = whole[whole.index("\nignore:") :] if "\nignore:" in whole else ""
    debian_host.write(YAML, whole[: whole.index("\npaths:")] + rules)

    planned = site.plan(debian_host)
    site.apply(debian_host)

    noticed = {one["request"]: one["after"] for one in planned.document["behaviour_changes"]}
    assert "301 to /static/" == noticed["GET http://example.com/static"]
    assert {f"file:{OLD}", f"file:{site.SITE_FILE}"} <= planned.addresses
    assert (False, True) == (debian_host.exists(OLD), debian_host.exists(site.SITE_FILE))
    assert ["public, max-age=604800"] == debian_host.http("GET", "/static/health.txt").lines(
        "Cache-Control"
    )
    assert b"upload-test\n" == debian_host.read(f"{site.MEDIA}/sample.txt")
    assert_in_sync(debian_host)
