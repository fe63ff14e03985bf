"""A release: the folder, units and socket of one version, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.config.host_facts import HostFacts, SourceFacts
from reconcile.resources.assets import Assets
from reconcile.resources.file import File
from reconcile.resources.release import Release
from reconcile.resources.service import Service
from reconcile.resources.symlink import Symlink
from reconcile.resources.unit import Unit
from tests.support.host_facts import HOST, desired
from tests.support.yaml_examples import errors_in

YAML = """\
version: 1
sites:
  shop:
    server_names: [example.com]
    app:
      user: www-data
      gunicorn:
        python: "{release}/.venv/bin/python"
        module: "app:app"
        environment: {HOME_DIR: "{release}/home"}
      release:
        source: ./app
        into: /srv/shop
        steps:
          - [python3, -m, venv, .venv]
          - {run: [.venv/bin/flask, db, upgrade], timeout: 5m, irreversible: true}
    locations:
      /static/: {role: static, dir: /var/www/shop/static, source: "{release}/static"}
      /media/: {role: media, dir: /var/www/shop/media}
"""


def host(content: str = "sha256:1") -> HostFacts:
    return replace(HOST, release_sources={"shop": SourceFacts(content, 34)})


def release(text: str = YAML, facts: HostFacts | None = None) -> Release:
    found = desired(text, facts or host())["release:shop"]
    assert isinstance(found, Release)
    return found


def test_each_release_has_a_folder_units_and_a_socket_of_its_own() -> None:
    resources = desired(YAML, host())
    found = release()

    assert f"/srv/shop/releases/{found.id}" == found.path
    unit = resources[f"unit:/etc/systemd/system/gunicorn-shop-{found.id}.service"]
    socket = resources[f"unit:/etc/systemd/system/gunicorn-shop-{found.id}.socket"]
    assert isinstance(unit, Unit)
    assert isinstance(socket, Unit)
    assert f"WorkingDirectory={found.path}\n" in (unit.content or "")
    assert f"ExecStart={found.path}/.venv/bin/python -m gunicorn" in (unit.content or "")
    assert f'Environment="HOME_DIR={found.path}/home"' in (unit.content or "")
    assert f"ListenStream=/run/gunicorn-shop-{found.id}.sock\n" in (socket.content or "")


def test_nginx_and_the_link_are_led_to_it_after_it_was_checked() -> None:
    resources = desired(YAML, host())
    found = release()
    nginx = resources["file:/etc/nginx/sites-available/shop.conf"]
    link = resources["symlink:/srv/shop/current"]

    assert isinstance(nginx, File)
    assert isinstance(link, Symlink)
    assert f"unix:/run/gunicorn-shop-{found.id}.sock;".encode() in (nginx.content or b"")
    assert found.path == link.target
    assert found.ref in nginx.requires() & link.requires()
    service = resources[f"service:gunicorn-shop-{found.id}.service"]
    assert isinstance(service, Service)
    assert {service.ref, resources["assets:/var/www/shop/static"].ref} <= found.requires()


def test_a_declared_socket_and_service_get_the_id_into_their_names() -> None:
    text = YAML.replace(
        "      user: www-data\n",
        "      user: www-data\n      upstream: unix:/run/shop.sock\n      service: web.service\n",
    )
    found = release(text)

    assert f"unix:/run/shop-{found.id}.sock" == found.upstream
    assert f"web-{found.id}.service" == found.unit


def test_static_files_are_copied_from_the_release() -> None:
    assets = desired(YAML, host())["assets:/var/www/shop/static"]

    assert isinstance(assets, Assets)
    assert f"{release().path}/static" == assets.source
    assert "release:shop" == assets.built_by


def test_the_id_depends_on_the_source_the_steps_and_the_environment() -> None:
    texts = (
        YAML,
        YAML.replace("db, upgrade", "db, check"),
        YAML.replace("HOME_DIR:", "OTHER_DIR:"),
        YAML.replace("module:", "environment_file: /etc/shop.env\n        module:"),
    )

    ids = {release(text).id for text in texts} | {release(YAML, host("sha256:2")).id}

    assert len(texts) + 1 == len(ids)


def test_a_time_limit_or_a_number_of_workers_makes_no_other_release() -> None:
    changed = YAML.replace("5m", "6m").replace("module:", "workers: 7\n        module:")

    assert release().id == release(changed).id


def test_what_the_app_writes_is_never_part_of_a_release() -> None:
    text = YAML.replace("module:", "writable: [/srv/shop/data]\n        module:").replace(
        "source: ./app", "source: ./app\n        exclude: [docs]"
    )

    assert ("docs", "/media/", "/data/") == release(text).excluded


def test_a_step_runs_in_the_sandbox_of_the_service_and_writes_its_release() -> None:
    found = release()
    step = found.commands[1]

    assert (".venv/bin/flask", "db", "upgrade") == step.argv
    assert (300, True) == (step.timeout_s, step.irreversible)
    assert {
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        f"ReadWritePaths=-{found.path}",
    } <= {*step.properties}


def test_without_a_release_nothing_changes_for_nginx() -> None:
    text = YAML.replace('"{release}/.venv/bin/python"', "/opt/v/bin/python").replace(
        "{release}/", "./"
    )
    start, end = text.index("      release:"), text.index("    locations:")
    plain = (text[:start] + text[end:]).replace(
        "gunicorn:\n", "gunicorn:\n        directory: /srv\n"
    )

    resources = desired(plain, HOST)

    assert not any(address.startswith("release:") for address in resources)
    assert "service:gunicorn-shop.service" in resources


def changed(old: str, new: str) -> str:
    assert old in YAML
    return YAML.replace(old, new)


REFUSED = {
    "code beside it": (
        changed("user: www-data", "code: /srv/shop"),
        "the code is that of the release: `code` and `release` exclude each other",
    ),
    "another directory": (
        changed("module:", "directory: /srv/other\n        module:"),
        "the app runs in its release, not in /srv/other",
    ),
    "a port, which two instances cannot share": (
        changed("user: www-data", "upstream: http://127.0.0.1:8000"),
        "two releases run at once and cannot share a port",
    ),
    "no gunicorn": (
        YAML.replace(
            YAML[YAML.index("      gunicorn:") : YAML.index("      release:")], ""
        ).replace("user: www-data", "upstream: unix:/run/shop.sock"),
        "`release` needs `gunicorn`",
    ),
    "a source that holds the releases": (
        changed("source: ./app", "source: /srv"),
        "the source and /srv/shop/releases contain each other",
    ),
    "a system directory": (changed("into: /srv/shop", "into: /etc"), "/etc belongs to the system"),
    "files that are served from there": (
        changed("/var/www/shop/media", "/srv/shop/releases/media"),
        "/srv/shop/releases and the directory that /media/ serves contain each other",
    ),
    "what the app writes in there": (
        changed("module:", "writable: [/srv/shop/releases/data]\n        module:"),
        "what the app writes, /srv/shop/releases/data, is never part of a release",
    ),
    "files behind the link": (
        changed("/var/www/shop/media", "/srv/shop/current/media"),
        "/srv/shop/current and the directory that /media/ serves contain each other",
    ),
    "static files that are served from the release": (
        changed(
            'dir: /var/www/shop/static, source: "{release}/static"', "dir: /srv/shop/current/static"
        ),
        'use source: "{release}/static", and a directory outside',
    ),
    "static files that are copied from behind the link": (
        changed('source: "{release}/static"', "source: /srv/shop/current/static"),
        "/srv/shop/current/static is of the release before until after the switch",
    ),
    "what the app writes behind the link": (
        changed("module:", "writable: [/srv/shop/current/data]\n        module:"),
        "what the app writes, /srv/shop/current/data, is never part of a release",
    ),
    "what a step writes into all of them": (
        changed("timeout: 5m", "writable: [/srv/shop/releases/data], timeout: 5m"),
        "what a step writes, /srv/shop/releases/data, is never part of a release",
    ),
    "what a service writes behind the link": (
        f"{YAML}services:\n  w: {{command: [/bin/true], writable: [/srv/shop/current]}}\n",
        "what the service writes, /srv/shop/current, is never part of a release",
    ),
    "a path behind the link": (
        f"{YAML}paths:\n  /srv/shop/current/.env: {{content: x}}\n",
        "releases come and go in /srv/shop/current",
    ),
    "a source behind the link": (
        changed("source: ./app", "source: /srv/shop/current/app"),
        "the source and /srv/shop/current contain each other",
    ),
    "another site's files in there": (
        f"{YAML}  two:\n    server_names: [two.example]\n    locations:\n"
        "      /m/: {role: media, dir: /srv/shop/releases/m}\n",
        "/srv/shop/releases and the directory that /m/ serves contain each other",
    ),
    "another app's releases in there": (
        YAML
        + YAML[YAML.index("  shop:") :]
        .replace("shop:", "two:", 1)
        .replace("/www/shop", "/www/2")
        .replace("example.com", "two.example")
        .replace("into: /srv/shop", "into: /srv/shop/releases/two"),
        "releases come and go in /srv/shop/releases",
    ),
    "a socket whose name has no room for the ID": (
        changed("user: www-data", f"upstream: unix:/run/{'x' * 85}.sock"),
        "with the ID of a release its socket's path is too long: 94 bytes at most",
    ),
    "a step for a shell": (
        changed("[python3, -m, venv, .venv]", "[python3, -m, venv, .venv, '&&', date]"),
        "no shell reads a step, so && is an argument",
    ),
    "a release in a path": (
        f'{YAML}paths:\n  /etc/shop: {{link: "{{release}}/etc"}}\n',
        "{release} stands for a release in the keys of its site alone",
    ),
    "compatible with nothing": (
        changed("timeout: 5m, irreversible: true", "backward_compatible: true"),
        "`backward_compatible` is only for irreversible steps",
    ),
    "no time at all": (changed("5m", "0s"), "the timeout of a step is from 1s to 1d"),
    "an empty step": (changed("[python3, -m, venv, .venv]", "[]"), "is empty"),
    "a line break in a step": (
        changed("[python3, -m, venv, .venv]", '["a\\nb"]'),
        "is not an argument",
    ),
    "no service manager": (
        changed("version: 1\n", "version: 1\nhost: {service_manager: none}\n"),
        "releases need a service manager, and host.service_manager is none",
    ),
    "an adopted file": (
        changed("    app:\n", "    adopted: /etc/nginx/sites-available/shop\n    app:\n"),
        "each release changes nginx's file, and an adopted one is not changed",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_release_can_be_is_refused(text: str, message: str) -> None:
    assert message in "\n".join(errors_in(text))


def test_an_error_in_the_release_is_reported_alone() -> None:
    [found] = errors_in(changed("into: /srv/shop", 'into: "/srv/my shop"'))

    assert "is not safe in a systemd unit" in found


def test_a_release_is_named_only_where_there_is_one() -> None:
    start, end = YAML.index("      release:"), YAML.index("    locations:")

    found = "\n".join(errors_in(YAML[:start] + YAML[end:]))

    assert "{release} stands for a release, and the app has none" in found


def test_two_sites_have_separate_folders() -> None:
    other = YAML[YAML.index("  shop:") :].replace("shop:", "two:", 1).replace("/www/shop", "/www/2")
    text = YAML + other.replace("example.com", "two.example")

    assert "the releases of shop are in /srv/shop/releases too" in "\n".join(errors_in(text))


OTHER_SITE = """\
  second:
    server_names: [second.example]
    app: {upstream: "unix:/run/shop.sock"}
"""


def test_another_site_cannot_be_led_to_the_socket_of_a_release() -> None:
    text = YAML.replace("    app:\n", '    app:\n      upstream: "unix:/run/shop.sock"\n', 1)

    found = "\n".join(errors_in(text + OTHER_SITE))

    assert "nothing listens there: each release of shop has its own socket" in found
    assert "add these server_names to shop" in found


def test_a_location_of_the_app_names_no_socket_of_it() -> None:
    text = YAML.replace("    app:\n", '    app:\n      upstream: "unix:/run/shop.sock"\n', 1)

    found = "\n".join(
        errors_in(f'{text}      /api/: {{role: proxy, upstream: "unix:/run/shop.sock"}}\n')
    )

    assert "nothing listens there: each release of shop has its own socket" in found
    assert "without one the location leads to the app" in found


WORKER = (
    YAML
    + """\
services:
  worker: {command: ["{release}/.venv/bin/celery", worker], directory: "{release}"}
"""
)


def test_a_worker_of_the_release_is_restarted_with_it_once_it_was_checked() -> None:
    resources = desired(WORKER, host())
    found = release(WORKER)
    unit, service = (
        resources["unit:/etc/systemd/system/worker.service"],
        resources["service:worker.service"],
    )

    assert isinstance(unit, Unit)
    assert f"ExecStart={found.path}/.venv/bin/celery worker\n" in (unit.content or "")
    assert f"WorkingDirectory={found.path}\n" in (unit.content or "")
    assert found.ref in service.requires()


@pytest.mark.parametrize("keys", ["directory", "code"])
def test_a_worker_behind_the_link_is_restarted_with_the_release_too(keys: str) -> None:
    command = '["/srv/shop/current/bin/w", "--at=/srv/shop/current", /srv/shop/current.d]'
    text = f"{YAML}services:\n  worker: {{command: {command}, {keys}: /srv/shop/current}}\n"
    resources = desired(text, host())
    found = release(text)
    unit, service = (
        resources["unit:/etc/systemd/system/worker.service"],
        resources["service:worker.service"],
    )

    assert isinstance(unit, Unit)
    expected = f"ExecStart={found.path}/bin/w --at={found.path} /srv/shop/current.d\n"
    assert expected in (unit.content or "")
    assert f"WorkingDirectory={found.path}\n" in (unit.content or "")
    assert found.ref in service.requires()


def test_a_worker_names_a_release_only_where_there_is_one() -> None:
    start, end = WORKER.index("    app:"), WORKER.index("    locations:")
    text = (WORKER[:start] + WORKER[end:]).replace("{release}/static", "./static")

    assert "{release} stands for the release of the one app" in "\n".join(errors_in(text))


@pytest.mark.parametrize("name", ["flask", "django"])
def test_the_examples_are_valid(name: str) -> None:
    text = (Path(__file__).parents[2] / f"examples/releases/{name}.yaml").read_text()

    assert [] == errors_in(text)
    facts = replace(HOST, release_sources={"myapp": SourceFacts("sha256:1", 9)})
    assert "release:myapp" in desired(text, facts)
