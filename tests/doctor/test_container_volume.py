"""Uploads of a container land in a mount that stays, is what nginx serves, and can be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.output.findings import Diagnosis
from tests.doctor.single_rule import ask, configured, serious

YAML = """
version: 1
sites:
  shop:
    server_names: [shop.test]
    app: {{upstream: "http://127.0.0.1:8000"}}
    locations:
      /media/: {{role: media, dir: {root}/media}}
containers:
  - {{compose: ./compose.yaml, service: {service}, mounts: {{/media/: /app/media}}}}
"""


def asked(root: Path, web: str, more: str = "", service: str = "web") -> Diagnosis:
    (root / "media").mkdir(exist_ok=True)
    os.chown(root / "media", 1000, 1000)
    (root / "compose.yaml").write_text(f"services:\n  web: {web}\n{more}\n")
    host = configured(root, "server { listen 8099; server_name shop.test; }")
    return ask("container-volume", host, root, YAML.format(root=root, service=service))


FAULTS = {
    "no mount": ("{image: app}", "no volume is mounted there"),
    "a mount beside": ("{volumes: ['./media:/app/medias']}", "no volume is mounted there"),
    "memory": ("{tmpfs: [/app/media]}", "a tmpfs is mounted there"),
    "no name": ("{volumes: [/app/media]}", "the volume has no name"),
    "read-only": ("{volumes: ['./media:/app/media:ro']}", "/app/media is mounted read-only"),
    "elsewhere": ("{volumes: ['./uploads:/app/media']}", "saves uploads in {root}/uploads"),
    "a level too deep": ("{volumes: ['./media:/app']}", "saves uploads in {root}/media/media"),
    "a volume of Docker's": (
        "{volumes: ['up:/app/media']}",
        "saves uploads in /var/lib/docker/volumes/{project}_up/_data",
    ),
    "the wrong user": (
        "{volumes: ['./media:/app/media'], user: '33:33'}",
        "runs as 33:33 and cannot write",
    ),
}


@pytest.mark.parametrize(("web", "what"), FAULTS.values(), ids=FAULTS)
def test_container_volume_reports(tmp_path: Path, web: str, what: str) -> None:
    project = tmp_path.name.lower()

    [finding] = serious(asked(tmp_path, web))

    assert "error" == finding.severity
    assert what.replace("{root}", str(tmp_path)).replace("{project}", project) in finding.what
    assert finding.evidence
    assert finding.fix


FINE = {
    "the very folder": "{volumes: ['./media:/app/media'], user: '1000:1000'}",
    "by a variable": "{volumes: ['${MEDIA:-./media}:/app/media'], user: '1000'}",
    "a folder above": "{volumes: ['./:/app'], user: '1000:1000'}",
    "the long form": "{volumes: [{type: bind, source: ./media, target: /app/media}], user: '0'}",
    "through a link": "{volumes: ['./link:/app/media'], user: '1000:1000'}",
    "the image's user": "{volumes: ['./media:/app/media']}",
    "the one name that every image has": "{volumes: ['./media:/app/media'], user: root}",
    "a name of the host's": (
        "{volumes: ['./media:/app/media', './passwd:/etc/passwd:ro'], user: app}"
    ),
    "a number with a group's name": "{volumes: ['./media:/app/media'], user: '1000:app'}",
}


@pytest.mark.parametrize("web", FINE.values(), ids=FINE)
def test_container_volume_is_silent(tmp_path: Path, web: str) -> None:
    (tmp_path / "link").symlink_to("media")
    (tmp_path / "passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")

    assert [] == serious(asked(tmp_path, web))


CERTAIN = ("root", "root:root", "'0:0'", "'1000:app'")


@pytest.mark.parametrize("user", CERTAIN)
def test_container_volume_notes_nothing_where_the_user_is_certain(
    tmp_path: Path, user: str
) -> None:
    assert () == asked(tmp_path, f"{{volumes: [./media:/app/media], user: {user}}}").findings


def test_container_volume_resolves_a_name_by_the_hosts_own_passwd(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("app:x:33:33::/:/bin/sh\n")
    web = "{volumes: [./media:/app/media, ./passwd:/etc/passwd:ro], user: app}"

    [finding] = serious(asked(tmp_path, web))

    assert "runs as app (33:33) and cannot write" in finding.what


@pytest.mark.parametrize("user", ["app", "app:app", "'33:app'", "''"])
def test_container_volume_notes_how_a_user_of_the_image_becomes_certain(
    tmp_path: Path, user: str
) -> None:
    [finding] = asked(tmp_path, f"{{volumes: [./media:/app/media], user: {user}}}").findings

    assert "note" == finding.severity
    assert "depends on the image" in finding.what
    assert f"docker compose -f {tmp_path}/compose.yaml run --rm --entrypoint id web" in finding.fix


def test_container_volume_notes_nothing_where_anybody_may_write(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media").chmod(0o777)

    assert () == asked(tmp_path, "{volumes: [./media:/app/media], user: app}").findings


def test_container_volume_takes_a_volume_that_is_the_folder(tmp_path: Path) -> None:
    more = f"volumes: {{up: {{driver_opts: {{type: none, o: bind, device: {tmp_path}/media}}}}}}"

    assert [] == serious(asked(tmp_path, "{volumes: ['up:/app/media'], user: '1000'}", more))


def test_container_volume_asks_any_site_that_has_the_prefix(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {web: {volumes: ['./media:/app/media'], user: '0'}}"
    )
    other = YAML.replace(
        "sites:\n",
        """sites:
  other:
    server_names: [other.test]
    locations:
      /media/: {{role: media, dir: {root}/other}}
""",
    ).format(root=tmp_path, service="web")
    host = configured(tmp_path, "server { listen 8099; server_name shop.test; }")
    (tmp_path / "media").mkdir()

    assert [] == serious(ask("container-volume", host, tmp_path, other))


def test_container_volume_reads_the_override_and_the_env_file(tmp_path: Path) -> None:
    override = "services: {web: {volumes: ['${WHERE}:/app/media'], user: '1000'}}"
    (tmp_path / "compose.override.yaml").write_text(override)
    (tmp_path / ".env").write_text("WHERE=./media\n")

    assert [] == serious(asked(tmp_path, "{image: app}"))


def test_container_volume_names_a_service_that_is_not_there(tmp_path: Path) -> None:
    [finding] = serious(asked(tmp_path, "{image: app}", service="wob"))

    assert finding.what.endswith("compose.yaml has no service wob.")


UNKNOWN = {
    "a variable of a shell": ("{volumes: ['$MEDIA:/app/media']}", "MEDIA has no value in .env"),
    "another driver": ("{volumes: ['up:/app/media']}\nvolumes: {up: {driver: nfs}}", "its driver"),
    "what it extends": ("{extends: {service: base}}", "reconcile does not read its extends"),
    "no compose file": ("[", "while parsing"),
}


@pytest.mark.parametrize(("web", "why"), UNKNOWN.values(), ids=UNKNOWN)
def test_container_volume_that_is_indeterminate_is_unknown(
    tmp_path: Path, web: str, why: str
) -> None:
    found = asked(tmp_path, web)

    assert [] == [f for f in found.findings if f.severity != "note"]
    [unknown] = found.unknown
    assert why in unknown.reason
