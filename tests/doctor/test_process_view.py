"""What the processes of nginx and the app see, have and may, which a shell shows otherwise."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.doctor import denial_causes
from reconcile.doctor.denial_causes import container_store
from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rules import load_rule
from reconcile.doctor.unit_sandbox import hidden_by
from reconcile.doctor.units import UnitView
from reconcile.doctor.upstream_apps import UpstreamApp
from reconcile.engine.model import Finding
from reconcile.nginx.running.loaded_config import RunningNginx
from reconcile.system.accounts import Account
from tests.doctor.single_rule import configured, serious

pytestmark = pytest.mark.process

MEDIA = "server { server_name a.test; location /media/ { alias {root}/media/; } APP }"
APP = "location / { proxy_pass http://127.0.0.1:1; }"
GROUP = 64_000
WORKER = Account("www-data", 64_001, 64_001, frozenset({64_001}))
USER = Account("shop", 64_002, 64_002, frozenset({64_002}))


def inspected(root: Path, http: str, **units: str) -> HostInspection:
    """A host with nginx running as WORKER, whose nginx.service has these settings."""
    inspection = HostInspection(configured(root, http.replace("{root}", str(root))))
    inspection.nginx.__dict__["worker"] = WORKER
    inspection.nginx.__dict__["running"] = None
    unit = UnitView("nginx.service", units)
    inspection._readings.__dict__["units"] = {"nginx.service": unit}
    return inspection


def findings(inspection: HostInspection, rule: str) -> list[Finding]:
    return serious(diagnose(inspection, [load_rule(rule)]))


@pytest.fixture
def media(public: Path) -> Path:
    """A folder of the group GROUP, closed to others."""
    folder = public / "media"
    folder.mkdir()
    (folder / "a.jpg").write_text("x")
    os.chown(folder, 0, GROUP)
    folder.chmod(0o770)
    return folder


HIDDEN = {
    "a home": ({"ProtectHome": "yes"}, "ProtectHome", "BindReadOnlyPaths="),
    "an empty home": ({"ProtectHome": "tmpfs"}, "ProtectHome", "BindReadOnlyPaths="),
    "its own /tmp": ({"PrivateTmp": "yes"}, "PrivateTmp", "below /srv or /var/www"),
    "a path": ({"InaccessiblePaths": "-{top}"}, "InaccessiblePaths", "remove InaccessiblePaths="),
    "a blank folder": (
        {"TemporaryFileSystem": "{top}:ro"},
        "TemporaryFileSystem",
        "BindReadOnlyPaths={top}/media",
    ),
    "another root": ({"RootDirectory": "/srv/root"}, "RootDirectory", "remove RootDirectory="),
}


@pytest.mark.parametrize(("settings", "key", "fix"), HIDDEN.values(), ids=HIDDEN)
def test_nginx_sandbox_reports(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    key: str,
    fix: str,
) -> None:
    monkeypatch.setattr("reconcile.doctor.unit_sandbox._HOMES", (str(tmp_path),))
    (tmp_path / "media").mkdir()
    drop_in = tmp_path / "harden.conf"
    set_here = {name: value.format(top=tmp_path) for name, value in settings.items()}
    drop_in.write_text("".join(f"[Service]\n{name}={value}\n" for name, value in set_here.items()))
    if key == "PrivateTmp":
        monkeypatch.setattr("reconcile.doctor.unit_sandbox._temporary", lambda _: (str(tmp_path),))
    inspection = inspected(tmp_path, MEDIA.replace("APP", ""), DropInPaths=str(drop_in), **set_here)

    [finding] = findings(inspection, "nginx-sandbox")

    assert f"nginx.service does not see {tmp_path}/media" in finding.what
    assert f"{drop_in}:2: {key}=" in finding.evidence[0]
    assert fix.format(top=tmp_path) in finding.fix
    assert [] == findings(inspection, "nginx-read")


SHOWN: dict[str, dict[str, str]] = {
    "read-only homes": {"ProtectHome": "read-only"},
    "another path": {"InaccessiblePaths": "/boot"},
    "the folder alone": {
        "TemporaryFileSystem": "{top}",
        "BindReadOnlyPaths": "{top}/media",
    },
    "the folder, from another": {
        "ProtectHome": "tmpfs",
        "BindReadOnlyPaths": "/srv/media:{top}/media:norbind",
    },
    "a read-only system": {"ProtectSystem": "strict"},
}


@pytest.mark.parametrize("settings", SHOWN.values(), ids=SHOWN)
def test_nginx_sandbox_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    monkeypatch.setattr("reconcile.doctor.unit_sandbox._HOMES", (str(tmp_path),))
    (tmp_path / "media").mkdir()
    set_here = {name: value.format(top=tmp_path) for name, value in settings.items()}
    inspection = inspected(tmp_path, MEDIA.replace("APP", ""), **set_here)

    assert [] == findings(inspection, "nginx-sandbox")


@pytest.fixture
def blank() -> Iterator[int]:
    """A process that has an empty /srv, in a mount namespace of its own."""
    command = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs x /srv && echo ok && exec sleep 60",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "ok\n" == process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def test_nginx_sandbox_believes_a_running_worker_more_than_its_unit(
    blank: int, tmp_path: Path
) -> None:
    inspection = inspected(tmp_path, "server { location /a/ { alias /srv/; } }", ProtectHome="yes")
    inspection.nginx.__dict__["running"] = RunningNginx(1, ())
    inspection.nginx.__dict__["worker"] = replace(WORKER, root=f"/proc/{blank}/root")

    assert denial_causes.hiding(inspection, "/srv") == "a mount of its own hides it"
    assert denial_causes.hiding(inspection, "/home") == ""
    [finding] = findings(inspection, "nginx-sandbox")

    assert "nginx.service: a mount of its own hides it" in finding.evidence


@pytest.mark.parametrize(
    ("setting", "path", "is_hidden"),
    [
        ({"BindPaths": "/a:/srv/b", "TemporaryFileSystem": "/srv"}, "/srv/b/c", False),
        ({"BindPaths": "/a:/srv/b", "TemporaryFileSystem": "/srv"}, "/srv/c", True),
        ({"BindReadOnlyPaths": "-/srv/b", "TemporaryFileSystem": "/srv"}, "/srv/b", False),
        ({"InaccessiblePaths": "/srv/a"}, "/srv/ab", False),
    ],
)
def test_a_sandbox_hides_what_systemd_documents(
    setting: dict[str, str], path: str, is_hidden: bool
) -> None:
    assert is_hidden == bool(hidden_by(UnitView("nginx.service", setting), path))


@pytest.mark.parametrize(
    ("setting", "is_reported"),
    [
        ({"TemporaryFileSystem": "{top}"}, True),
        ({"InaccessiblePaths": "-{top}"}, True),
        ({"RootDirectory": "/srv/root"}, True),
        ({"TemporaryFileSystem": "{top}", "BindPaths": "{top}/app.sock"}, False),
        ({"ProtectSystem": "strict"}, False),
    ],
)
def test_a_socket_that_nginx_does_not_have_is_reported(
    tmp_path: Path, setting: dict[str, str], is_reported: bool
) -> None:
    http = "server { location / { proxy_pass http://unix:{root}/app.sock; } }"
    set_here = {name: value.format(top=tmp_path) for name, value in setting.items()}
    inspection = inspected(tmp_path, http, **set_here)

    shared = [one.what for one in findings(inspection, "selinux-sandbox")]

    expected = [f"nginx and the app do not share {tmp_path}/app.sock."] if is_reported else []
    assert expected == shared


def with_database(inspection: HostInspection, account: Account) -> None:
    """The account database has GROUP for this account."""
    current = replace(account, groups=account.groups | {GROUP})
    inspection.host.accounts.user = lambda _: current


def test_stale_groups_reports_a_worker_that_was_not_reloaded(media: Path) -> None:
    inspection = inspected(media.parent, MEDIA.replace("APP", ""))
    inspection.nginx.__dict__["running"] = RunningNginx(1, ())
    with_database(inspection, WORKER)

    [finding] = findings(inspection, "stale-groups")

    assert f"run without the group {GROUP}, which /etc/group has for www-data" in finding.what
    assert "systemctl reload nginx" == finding.fix
    assert [] == findings(inspection, "nginx-read")


@pytest.mark.parametrize("user", ["shop", "root"])
def test_stale_groups_reports_an_app_that_was_not_restarted(media: Path, user: str) -> None:
    inspection = inspected(media.parent, MEDIA.replace("APP", APP))
    unit = UnitView("shop.service", {"User": user})
    inspection.__dict__["apps"] = (UpstreamApp(unit, USER, inspection.servers),)
    with_database(inspection, USER)

    [finding] = findings(inspection, "stale-groups")

    assert f"it cannot write to {media}" in finding.evidence
    assert finding.fix.endswith("systemctl restart shop.service")
    assert (user == "root") == ("--initgroups" in finding.fix)


def test_stale_groups_is_silent_where_the_group_opens_nothing(media: Path) -> None:
    media.chmod(0o700)
    inspection = inspected(media.parent, MEDIA.replace("APP", ""))
    inspection.nginx.__dict__["running"] = RunningNginx(1, ())
    with_database(inspection, WORKER)

    assert [] == findings(inspection, "stale-groups")
    assert 1 == len(findings(inspection, "nginx-read"))


def test_stale_groups_is_silent_where_the_worker_has_its_groups(media: Path) -> None:
    inspection = inspected(media.parent, MEDIA.replace("APP", ""))
    inspection.nginx.__dict__["running"] = RunningNginx(1, ())
    inspection.nginx.__dict__["worker"] = replace(WORKER, groups=WORKER.groups | {GROUP})
    with_database(inspection, WORKER)

    assert [] == findings(inspection, "stale-groups")


STORES = {
    "a volume": ("/var/lib/docker/volumes/web_static/_data/css", "web_static"),
    "a layer": ("/var/lib/docker/overlay2/0a/merged/app/static", ""),
    "a snap's volume": ("/var/snap/docker/common/var-lib-docker/volumes/a/_data", "a"),
    "a user's volume": ("/home/ann/.local/share/docker/volumes/a/_data", "a"),
    "Podman's volume": ("/var/lib/containers/storage/volumes/a/_data", "a"),
    "a user's volume of Podman": ("/home/ann/.local/share/containers/storage/volumes/a/_data", "a"),
}


@pytest.mark.parametrize(("path", "volume"), STORES.values(), ids=STORES)
def test_a_store_of_a_container_engine_is_known_by_its_place(path: str, volume: str) -> None:
    store = container_store(path)

    assert store is not None
    assert volume == store.volume


@pytest.mark.parametrize(
    "path", ["/srv/docker/static", "/var/lib/dockers", "/var/lib/app/volumes/a"]
)
def test_a_folder_beside_it_does_not_match(path: str) -> None:
    assert container_store(path) is None


@pytest.fixture
def store(public: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is laid out like Docker's store, and counts as such."""
    (public / "docker/volumes/web_static/_data").mkdir(parents=True)
    monkeypatch.setattr(denial_causes, "_STORES", re.compile(rf"^({public}/docker)(?:/|$)"))
    return public / "docker"


SERVED = "server { server_name a.test; location /static/ { alias {root}/TO/; } }"


@pytest.mark.parametrize(("mode", "severity"), [(0o710, "error"), (0o711, "note")])
@pytest.mark.parametrize("to", ["docker/volumes/web_static/_data", "link"])
def test_container_storage_reports(store: Path, mode: int, severity: str, to: str) -> None:
    store.chmod(mode)
    (store.parent / "link").symlink_to("docker/volumes/web_static/_data")
    inspection = inspected(store.parent, SERVED.replace("TO", to))

    [finding] = diagnose(inspection, [load_rule("container-storage")]).findings

    assert severity == finding.severity
    assert "those of a new image never arrive" in finding.evidence[2]
    assert "cp -r" in finding.fix
    assert "chmod" not in finding.fix
    assert [] == findings(inspection, "nginx-read")


def test_container_storage_is_silent_about_a_folder_of_the_host(store: Path) -> None:
    (store.parent / "static").mkdir()

    assert [] == findings(
        inspected(store.parent, SERVED.replace("TO", "static")), "container-storage"
    )
