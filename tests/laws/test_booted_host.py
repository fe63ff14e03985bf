"""Random YAMLs on a booted host: real systemd, real nginx, and every apply verified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from reconcile.engine.selection import Selection
from tests.lab import DebianHost
from tests.lab.manifest import differences
from tests.laws.box import FILES, UPLOADS, Event, Yaml, with_variables
from tests.laws.generated import Step, steps
from tests.support import guide_site as site
from tests.support.tally import TALLY

pytestmark = [pytest.mark.host, pytest.mark.nightly]

TRANSITIONS = 300
YAML = "/etc/reconcile/reconcile.yaml"
ROOT = "/srv/host"
PLACES = (
    # Debian's own snippets name a certificate that no host has.
    ("@/nginx/snippets/*.conf", "/etc/nginx/snippets/head*.conf"),
    ("@/nginx/", "/etc/nginx/"),
    ("@/units/", "/etc/systemd/system/"),
    ("@/", f"{ROOT}/"),
    ("/usr/bin/python3", "/opt/apps-venv/bin/python"),
    ("/srv/app", "/srv/myapp"),
    ("/bin/true", "/usr/bin/sleep infinity"),
    ("/bin/false", "/usr/bin/sleep 999999"),
)
UPSTREAM = "[Service]\nExecStart=/usr/bin/python3 -m http.server -d /srv/myapp/static 8001\n"
CERTIFICATE = (
    f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a.test -days 90"
    f" -keyout {ROOT}/etc/tls/key.pem -out {ROOT}/etc/tls/chain.pem 2>/dev/null"
)
REFUSING_LATER_ONES = frozenset({"prevent_destroy", "scope"})
"""Keys that would have one host, which all transitions share, refuse most of those that follow."""
OWN = ("/srv/host", "/etc/nginx", "/etc/systemd/system")
UNITS = ("nginx.service", "gunicorn-a.service", "gunicorn-b.service", "web.service")
APPLIED, REFUSED, ROLLED_BACK = 0, 1, 3


@pytest.fixture
def host(debian_host: DebianHost) -> DebianHost:
    site.deploy(debian_host)
    for name, text in FILES.items():
        debian_host.write(placed(f"@/{name}"), placed(text.replace("{root}", "@")))
    debian_host.run("sh", "-c", CERTIFICATE)
    for name, text in UPLOADS.items():
        debian_host.write(placed(f"@/{name}"), text, user="www-data")
    debian_host.write("/etc/systemd/system/upstream.service", UPSTREAM)
    debian_host.run("systemctl", "daemon-reload")
    debian_host.run("systemctl", "start", "upstream")
    return debian_host


def placed(text: str) -> str:
    """`text` with the places of this host."""
    for name, place in PLACES:
        text = text.replace(name, place)
    return text


@pytest.mark.timeout(4 * 3600)
def test_every_law_holds_between_random_yamls(host: DebianHost) -> None:
    broken: list[tuple[str, Step]] = []

    # The state of the host is part of each example, so none can be tried a second time.
    @settings(max_examples=TRANSITIONS, derandomize=False, phases=(Phase.generate,))
    @given(steps())
    def transition(step: Step) -> None:
        try:
            follow(host, step, number=TALLY["transitions on a booted host"])
        except AssertionError as error:
            broken.append((str(error), step))

    transition()
    if broken:
        pytest.fail("\n\n".join(f"{why}\n{step}" for why, step in broken), pytrace=False)


def follow(host: DebianHost, step: Step, number: int) -> None:
    """Let the events happen, and apply by every law that can be tried here."""
    TALLY["transitions on a booted host"] += 1
    for event in step.events:
        for command in shell(event, number):
            host.run("sh", "-c", command, check=False)
    host.write(YAML, placed(json.dumps(yaml_of(step.yaml))))
    before, uploads = host.manifest(*OWN, units=UNITS), contents(host, "/srv/host/www")
    part = tuple(options(step.selection))
    planned = host.reconcile("plan", *part, timeout_s=120)

    done = host.reconcile("apply", *part, "--auto-approve", "--allow-empty", timeout_s=300)

    said = f"{planned.stdout}{planned.stderr}\n{done.stdout}{done.stderr}"
    assert done.returncode in (APPLIED, REFUSED, ROLLED_BACK), said
    assert (planned.returncode == REFUSED) == (done.returncode == REFUSED), f"candour: {said}"
    if done.returncode != APPLIED:
        TALLY[f"of these ended with {done.returncode}, and nothing had changed"] += 1
        left = differences(before, host.manifest(*OWN, units=UNITS))
        assert not left, f"inverse: {left} {said}"
    lost = [one for one in uploads if one not in contents(host, ROOT)]
    assert not lost, f"places: {lost}"


def options(selection: Selection) -> Iterator[str]:
    """The part that is applied, as it is typed."""
    parts = {
        "--site": selection.sites,
        "--target": selection.targets,
        "--exclude": selection.excludes,
    }
    for option, values in parts.items():
        for value in values:
            yield from (option, placed(value))


def yaml_of(yaml: Yaml) -> dict[str, Any]:
    return {"version": 1, **with_variables(_without(yaml, REFUSING_LATER_ONES))}


def _without(node: Any, keys: frozenset[str]) -> Any:
    if isinstance(node, dict):
        return {key: _without(one, keys) for key, one in node.items() if key not in keys}
    return node


def contents(host: DebianHost, folder: str) -> set[str]:
    """The digest of every upload below `folder`, known by what it begins with."""
    script = (
        f"find {folder} -type f -exec grep -laE '^(an upload|a photo|a bill)' {{}} + | xargs -r cat"
    )
    return {
        sha256(line).hexdigest()
        for line in host.run("sh", "-c", script, check=False).stdout.encode().splitlines()
    }


def shell(event: Event, number: int) -> Iterator[str]:
    """What a person types for an event; nothing for what needs more than a line."""
    verb, *arguments = event
    name, other = (placed(f"@/{argument}") for argument in (*arguments, "")[:2])
    yield from {
        "upload": [
            f"setpriv --reuid=www-data --clear-groups sh -c 'echo an upload {number} > {name}'"
        ],
        "edit": [f"test -d {name} || echo '# by hand {number}' > {name}"],
        "remove": [f"rm -rf {name}"],
        "source": [f"mkdir -p $(dirname {name}) && echo source {number} > {name}"],
        "link": [f"test -e {name} || ln -sn {other} {name}"],
        "mode": [f"chmod {arguments[-1]} {name}"],
        "owner": [f"chown {arguments[-1]} {name}"],
        "stop": [f"systemctl stop {arguments[0]}"],
        "restart": [f"systemctl try-restart {arguments[0]}"],
    }.get(verb, [])
