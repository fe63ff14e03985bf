"""A site with a certificate of certbot's, from nothing to HTTPS; the authority is a test server."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.lab.manifest import differences
from tests.stories import acme
from tests.support import guide_site as site
from tests.support.wait import wait_for

pytestmark = pytest.mark.host

YAML = site.with_line("tls: {letsencrypt: example.com}\n    max_upload: 20MB").replace(
    "      user: www-data\n",
    "      user: www-data\n      flask: {directory: /srv/myapp, module: 'app:app'}\n",
)
LIVE = "/etc/nginx/nginx.conf"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/reconcile-nginx"
PROOFS = "/var/www/letsencrypt/.well-known/acme-challenge"


@dataclass(frozen=True)
class Waiting:
    """A host after the first apply, without a certificate, and what was said of it."""

    host: DebianHost
    answered: int
    proof: bytes
    reported: str
    doctor: dict[str, Any]


@dataclass(frozen=True)
class Certified:
    """The same host with TLS; `planned` is the plan that turned it on."""

    host: DebianHost
    planned: site.Planned


@pytest.fixture(scope="module")
def waiting(module_hosts: Boot) -> Waiting:
    host = module_hosts("tls1")
    site.deploy(host, YAML)
    site.apply(host)
    doctor = json.loads(host.reconcile("doctor", "--json").stdout)
    host.write(f"{PROOFS}/token", "proof\n")
    proof = host.http("GET", "/.well-known/acme-challenge/token").body
    host.run("rm", "-r", "/var/www/letsencrypt/.well-known")
    answered = host.http("GET", "/static/css/app.css").status
    return Waiting(host, answered, proof, host.reconcile("plan").stdout, doctor)


@pytest.fixture(scope="module")
def certified(waiting: Waiting) -> Certified:
    """certbot has run as the plan said."""
    host = waiting.host
    acme.found(host, "example.com")
    acme.certbot(host, *advised(waiting.reported).split())
    planned = site.plan(host)
    site.apply(host)
    return Certified(host, planned)


def advised(reported: str) -> str:
    """What certbot is to be called with."""
    found = re.search(
        r"After the apply: certbot (.*?) && reconcile apply", " ".join(reported.split())
    )
    assert found is not None, reported
    return found[1]


def serious(doctor: dict[str, Any]) -> list[Any]:
    """What was found and what could not be examined, notes aside."""
    return [one for one in doctor["findings"] if one["severity"] != "note"] + doctor["unknown"]


def test_the_site_comes_up_so_that_certbot_can_prove_its_name(waiting: Waiting) -> None:
    assert (200, b"proof\n") == (waiting.answered, waiting.proof)


def test_doctor_is_silent_before_certbot_has_run(waiting: Waiting) -> None:
    assert [] == serious(waiting.doctor)


def test_the_plan_shows_how_to_get_the_certificate(waiting: Waiting) -> None:
    wanted = "certonly --webroot -w /var/www/letsencrypt --cert-name example.com -d example.com"

    assert wanted == advised(waiting.reported)


def test_the_authority_has_fetched_the_proof_from_nginx(certified: Certified) -> None:
    log = certified.host.read("/var/log/nginx/access.log").decode()

    assert re.search(r'"GET /\.well-known/acme-challenge/\S+ HTTP/1\.1" 200 .*Pebble', log)


def test_the_plan_after_certbot_is_tls_and_nothing_else(certified: Certified) -> None:
    assert {f"file:{site.SITE_FILE}", f"nginx_live:{LIVE}"} == certified.planned.addresses
    [change] = [
        one
        for one in certified.planned.document["resource_changes"]
        if one["address"] == f"file:{site.SITE_FILE}"
    ]
    assert "listen 443 ssl" in change["change"]["after"]["content"]


def test_with_the_certificate_an_apply_turns_tls_on(certified: Certified) -> None:
    host = certified.host

    assert 301 == host.http("GET", "/").status
    assert acme.kept_serial(host, "example.com") == acme.served_serial(host, "example.com")
    assert set() == site.plan(host).addresses


def test_a_hook_that_nginx_refuses_fails_with_the_reason(certified: Certified) -> None:
    host = certified.host
    host.write("/etc/nginx/conf.d/broken.conf", "nonsense;\n")

    done = host.run(HOOK, check=False)
    host.run("rm", "/etc/nginx/conf.d/broken.conf")
    host.run(HOOK)

    assert (1, True) == (done.returncode, 'unknown directive "nonsense"' in done.stderr)


def test_verify_ticks_every_box(certified: Certified) -> None:
    done = certified.host.reconcile("verify")

    boxes = [line for line in done.stdout.splitlines() if line.startswith("  [")]
    assert (0, 10) == (done.returncode, len([box for box in boxes if box.startswith("  [x]")]))


def test_doctor_is_silent_on_it_notes_aside(certified: Certified) -> None:
    done = certified.host.reconcile("doctor", "--json")

    assert ([], "") == (serious(json.loads(done.stdout)), done.stderr)


def test_for_an_ordinary_user_the_certificate_is_unknown_not_missing(certified: Certified) -> None:
    command = ("/usr/local/bin/reconcile", "verify", "--json")
    done = certified.host.run(*command, user="games", cwd="/etc/reconcile", check=False)

    checks = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert (1, "unknown") == (done.returncode, checks["probe:myapp"]["status"])
    assert "cannot check its certificate" in checks["probe:myapp"]["detail"]
    assert {"unknown"} == {checks[f"checklist:myapp:{n}"]["status"] for n in (4, 6, 8, 9)}


def test_doctor_asks_the_app_of_the_host_itself(certified: Certified) -> None:
    host = certified.host
    app = host.read("/srv/myapp/app.py")
    host.write("/srv/myapp/app.py", app.decode() + "app.config['UPLOAD_FOLDER'] = '/srv/other'\n")

    reported = json.loads(host.reconcile("doctor", "--json").stdout)
    host.write("/srv/myapp/app.py", app.decode())

    [finding] = [one for one in reported["findings"] if one["rule"] == "upload-dir-mismatch"]
    assert "saves uploads in /srv/other, but nginx serves /var/www/myapp/media." in finding["what"]


AUTO = """
  auto:
    server_names: [auto.example.com]
    tls: {letsencrypt: {name: auto.example.com, email: ann@example.com, run: true}}
    locations: {/private/: {role: private, dir: /srv/private}}
"""


@pytest.fixture(scope="module")
def trusting(certified: Certified) -> DebianHost:
    """The same host, on which certbot needs no options to find the authority."""
    host = certified.host
    host.run("sh", "-c", "echo 127.0.0.1 auto.example.com www.auto.example.com >>/etc/hosts")
    settings = f"server = {acme.DIRECTORY}\nno-verify-ssl = true\n"
    host.write("/etc/letsencrypt/cli.ini", settings)
    return host


def test_a_refused_challenge_leaves_the_host_as_it_was(trusting: DebianHost) -> None:
    host = trusting
    host.write(
        "/etc/reconcile/reconcile.yaml", YAML + AUTO.replace("[auto.", "[nowhere.test, auto.")
    )
    before = host.manifest(exclude=("/etc/letsencrypt",))

    done = host.reconcile("apply", "--auto-approve")

    assert (3, True) == (done.returncode, "Domain: nowhere.test" in done.stderr), done.stderr
    assert {} == differences(before, host.manifest(exclude=("/etc/letsencrypt",)))


@pytest.fixture(scope="module")
def obtained(trusting: DebianHost) -> DebianHost:
    """The same host with a certificate that an apply has obtained."""
    host = trusting
    host.write("/etc/reconcile/reconcile.yaml", YAML + AUTO)
    site.apply(host)
    return host


def test_one_apply_obtains_the_certificate_and_serves_it(obtained: DebianHost) -> None:
    host = obtained

    kept = acme.kept_serial(host, "auto.example.com")

    assert kept == acme.served_serial(host, "auto.example.com")
    assert 301 == host.http("GET", "/", host="auto.example.com").status


def test_renewed_certificates_are_served_by_themselves(obtained: DebianHost) -> None:
    host = obtained
    names = ("example.com", "auto.example.com")
    before = [acme.kept_serial(host, name) for name in names]

    output = acme.renew(host)

    renewed = [acme.kept_serial(host, name) for name in names]
    assert not {*before}.intersection(renewed)
    wait_for(
        lambda: renewed == [acme.served_serial(host, name) for name in names],
        "the new certificates",
    )
    assert "error output" not in output.stdout + output.stderr
    assert set() == site.plan(host).addresses


@pytest.mark.nightly
def test_the_next_apply_certifies_a_name_that_was_added(obtained: DebianHost) -> None:
    host = obtained
    names = "[auto.example.com, www.auto.example.com]"
    host.write("/etc/reconcile/reconcile.yaml", YAML + AUTO.replace("[auto.example.com]", names))

    site.apply(host)

    serial = acme.kept_serial(host, "auto.example.com")
    assert serial == acme.served_serial(host, "www.auto.example.com")


@pytest.mark.nightly
def test_an_account_that_the_authority_has_forgotten_leaves_the_host_as_it_was(
    obtained: DebianHost,
) -> None:
    host = obtained
    site.apply(host)
    # Pebble keeps its accounts in memory.
    host.run("systemctl", "restart", "authority.service")
    other = YAML + AUTO.replace("name: auto.example.com", "name: other.example.com")
    host.write("/etc/reconcile/reconcile.yaml", other)
    before = host.manifest(exclude=("/etc/letsencrypt",))
    served = acme.served_serial(host, "auto.example.com")

    done = host.reconcile("apply", "--auto-approve")

    assert (3, True) == (done.returncode, "certbot did not obtain" in done.stderr), done.stderr
    assert {} == differences(before, host.manifest(exclude=("/etc/letsencrypt",)))
    assert served == acme.served_serial(host, "auto.example.com")
