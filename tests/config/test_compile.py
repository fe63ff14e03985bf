"""A configuration is compiled to the resources of a host."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.config.compile import compile_config
from reconcile.config.host_facts import HostFacts
from reconcile.config.owner import ResolvedOwner
from reconcile.config.site.gunicorn import umask
from reconcile.engine.digest import digest
from reconcile.engine.merge import merge
from reconcile.engine.model import Position
from reconcile.errors import ReconcileError
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.nginx_live import NginxLive
from reconcile.resources.service import CURRENT, Service
from reconcile.resources.tree import Tree
from reconcile.resources.unit import Unit
from tests.support.host_facts import (
    CONF_D,
    HOST,
    IMAGE,
    SANDBOX,
    compile_text,
    conflicts_in,
    desired,
    sites_of,
)
from tests.support.yaml_examples import FILE, SMALLEST, WHOLE, load_text, site

GUNICORN = SMALLEST.replace(
    "service: gunicorn.service}",
    'gunicorn: {directory: /srv/a, python: /srv/v/bin/python, module: "a:a"}, user: www-data}',
)


def test_the_smallest_file_is_a_whole_site() -> None:
    assert {
        "directory:/var",
        "directory:/var/www",
        "directory:/var/www/myapp",
        "directory:/var/www/myapp/static",
        "assets:/var/www/myapp/static",
        "directory:/var/www/myapp/media",
        "tree:/var/www/myapp/media",
        "directory:/etc/nginx/sites-available",
        "file:/etc/nginx/sites-available/myapp.conf",
        "symlink:/etc/nginx/sites-enabled/myapp.conf",
        "service:gunicorn.service",
        "service:nginx.service",
        "nginx_live:/etc/nginx/nginx.conf",
    } == desired(SMALLEST).keys()


def test_parent_directories_are_traversable_by_nginx_and_otherwise_unmanaged() -> None:
    above = desired(SMALLEST)["directory:/var/www"]

    assert {"enterable_by": ("www-data",)} == above.managed()


def test_parent_directories_of_media_are_traversable_by_the_app() -> None:
    text = SMALLEST.replace("service: gunicorn.service", "user: flask")
    text = text.replace("role: media, ", "role: media, owner: {user: flask}, ")

    found = desired(text)

    assert ("www-data", "flask") == found["directory:/var/www/myapp/media"].enterable_by
    assert ("www-data",) == found["directory:/var/www/myapp/static"].enterable_by


def test_static_files_are_synced_from_their_source_and_belong_to_assets() -> None:
    assets = desired(SMALLEST)["assets:/var/www/myapp/static"]

    assert (
        Assets(
            path="/var/www/myapp/static",
            source="/srv/app/app/static",
            user="root",
            group="root",
            dirs=0o755,
            files=0o644,
            prune=False,
            extra={"health.txt": b"ok\n"},
        )
        == assets
    )


def test_static_files_without_a_source_get_an_owner_and_a_health_file() -> None:
    found = desired(SMALLEST.replace(", source: ./app/static", ""))

    assert (
        Tree(path="/var/www/myapp/static", user="root", group="root", dirs=0o755, files=0o644)
        == found["tree:/var/www/myapp/static"]
    )
    assert (
        File(
            path="/var/www/myapp/static/health.txt",
            content=b"ok\n",
            user="root",
            group="root",
            mode=0o644,
        )
        == found["file:/var/www/myapp/static/health.txt"]
    )


@pytest.mark.parametrize("role", ["media", "private"])
def test_uploads_are_protected(role: str) -> None:
    found = desired(SMALLEST.replace("role: media", f"role: {role}"))

    assert found["directory:/var/www/myapp/media"].protected
    assert found["tree:/var/www/myapp/media"].protected


def test_assets_are_not_protected() -> None:
    found = desired(SMALLEST)

    assert not found["directory:/var/www/myapp/static"].protected
    assert not found["assets:/var/www/myapp/static"].protected


def test_an_inline_owner_gets_the_defaults_of_its_role() -> None:
    text = SMALLEST.replace("role: media, ", 'role: media, owner: {user: flask, dirs: "0750"}, ')

    assert (
        Tree(
            path="/var/www/myapp/media",
            user="flask",
            group="www-data",
            dirs=0o750,
            files=0o644,
            protected=True,
        )
        == desired(text)["tree:/var/www/myapp/media"]
    )


def test_an_entry_of_paths_inside_a_location_applies_there_alone() -> None:
    text = SMALLEST + "paths: {/var/www/myapp/media/keep: {owner: assets}}\n"

    tree = desired(text)["tree:/var/www/myapp/media"]

    assert isinstance(tree, Tree)
    assert ("/var/www/myapp/media/keep",) == tree.except_


def test_the_sites_file_is_rendered_for_this_host_and_linked() -> None:
    found = desired(SMALLEST)
    file = found["file:/etc/nginx/sites-available/myapp.conf"]

    assert isinstance(file, File)
    assert ("root", "root", 0o644) == (file.user, file.group, file.mode)
    text = (file.content or b"").decode()
    assert "server_name example.com;" in text
    assert "listen 80" in text
    assert "listen [::]:80" in text
    assert "alias /var/www/myapp/static/;" in text
    assert '"public, max-age=604800"' in text
    assert "proxy_pass http://unix:/run/gunicorn.sock;" in text
    assert {"target": "/etc/nginx/sites-available/myapp.conf"} == found[
        "symlink:/etc/nginx/sites-enabled/myapp.conf"
    ].managed()


def test_without_ipv6_nothing_listens_there() -> None:
    file = desired(SMALLEST, replace(HOST, ipv6=False))[
        "file:/etc/nginx/sites-available/myapp.conf"
    ]

    assert b"[::]" not in (file.managed()["content"])


def test_where_nginx_reads_conf_d_there_is_no_link() -> None:
    found = desired(SMALLEST, replace(HOST, layout=CONF_D))

    assert "file:/etc/nginx/conf.d/myapp.conf" in found
    assert [] == [address for address in found if address.startswith("symlink:")]


def test_a_foreign_service_of_an_app_is_kept_running_with_what_the_yaml_changes_of_it() -> None:
    service = desired(SMALLEST)["service:gunicorn.service"]

    assert Service(unit="gunicorn.service", enabled=True, active=True, runs=CURRENT) == service


ROOTS_UPLOADS = GUNICORN.replace(", user: www-data}", "}").replace(
    "role: media, ", "role: media, owner: {user: root}, "
)


@pytest.mark.parametrize(
    "text",
    [SMALLEST.replace("service: gunicorn.service", "user: root"), ROOTS_UPLOADS],
    ids=["as it is said", "as who owns the uploads"],
)
def test_an_app_that_runs_as_root_is_a_warning(text: str) -> None:
    [finding] = compile_text(text).findings

    assert ("app-as-root", "warning") == (finding.rule, finding.severity)
    assert "myapp's app runs as root" in finding.what
    assert f"{FILE}:5" in finding.evidence


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (SMALLEST, HOST),
        (GUNICORN, HOST),
        (GUNICORN.replace("user: www-data", "user: root"), replace(SANDBOX, privileged=True)),
    ],
    ids=["nothing is said", "a user of its own", "a sandbox"],
)
def test_any_other_app_is_no_warning(text: str, host: HostFacts) -> None:
    assert () == compile_text(text, host).findings


def test_gunicorn_gets_a_unit_and_a_socket_and_runs_as_they_are() -> None:
    found = desired(GUNICORN)
    unit = found["unit:/etc/systemd/system/gunicorn-myapp.service"]
    service = found["service:gunicorn-myapp.service"]

    assert isinstance(unit, Unit)
    assert isinstance(service, Service)
    assert (unit.content or "").startswith("# Managed by reconcile")
    assert "User=www-data" in (unit.content or "")
    assert "ReadWritePaths=/var/www/myapp/media" in (unit.content or "")
    assert digest((unit.content or "").encode()) == service.runs
    assert service.has_managed_unit
    assert {
        "unit:/etc/systemd/system/gunicorn-myapp.socket",
        "unit:/etc/systemd/system/gunicorn-myapp.service",
        "directory:/var/www/myapp/media",
    } == set(service.needs)
    assert "service:gunicorn-myapp.socket" in found


def test_gunicorn_without_an_upstream_listens_on_a_socket_of_its_name() -> None:
    text = GUNICORN.replace('upstream: "unix:/run/gunicorn.sock", ', "")
    socket = desired(text)["unit:/etc/systemd/system/gunicorn-myapp.socket"]

    assert isinstance(socket, Unit)
    assert "ListenStream=/run/gunicorn-myapp.sock" in (socket.content or "")


def test_gunicorn_on_a_port_has_no_socket_unit() -> None:
    found = desired(GUNICORN.replace("unix:/run/gunicorn.sock", "http://127.0.0.1:8000"))

    assert "service:gunicorn-myapp.service" in found
    assert [] == [address for address in found if address.endswith(".socket")]


@pytest.mark.parametrize(
    ("files", "dirs", "mask"),
    [
        (0o644, 0o755, 0o022),
        (0o640, 0o750, 0o027),
        (0o664, 0o2775, 0o002),
        (0o600, 0o700, 0o177),
    ],
)
def test_new_uploads_get_the_declared_modes(files: int, dirs: int, mask: int) -> None:
    found = umask(ResolvedOwner("flask", "flask", dirs, files))

    assert files == 0o666 & ~found
    assert mask & 0o666 == found & 0o666


def test_a_file_of_paths_has_the_content_of_its_source() -> None:
    file = desired(WHOLE)["file:/etc/myapp/app.env"]

    assert (
        File(
            path="/etc/myapp/app.env",
            content=b"KEY=1\n",
            user="root",
            group="www-data",
            mode=0o640,
            sensitive=True,
        )
        == file
    )


def test_a_directory_of_paths_gets_the_modes_of_its_owner() -> None:
    text = "version: 1\npaths: {/srv/x: {owner: {user: www-data}}}"

    assert {"user": "www-data"} == desired(text)["directory:/srv/x"].managed()
    assert {} == desired(text)["directory:/srv"].managed()


def test_a_missing_source_is_reported_with_its_position() -> None:
    with pytest.raises(ReconcileError) as raised:
        compile_text(WHOLE, replace(HOST, sources={}))

    assert "source file for /etc/myapp/app.env does not exist" == raised.value.what
    assert f"/srv/app/app.env was not found ({FILE}:17)" == raised.value.why


def test_nginx_runs_starts_at_boot_and_has_loaded_its_files() -> None:
    found = desired(SMALLEST)
    path = "/etc/nginx/sites-available/myapp.conf"
    content = found[f"file:{path}"].managed()["content"]

    assert (
        NginxLive(
            config="/etc/nginx/nginx.conf",
            serves={path: digest(content)},
            current=True,
            rewrites=(),
        )
        == found["nginx_live:/etc/nginx/nginx.conf"]
    )
    assert (
        Service(
            unit="nginx.service",
            enabled=True,
            active=True,
            needs=(f"file:{path}", "symlink:/etc/nginx/sites-enabled/myapp.conf"),
        )
        == found["service:nginx.service"]
    )


def test_without_sites_nginx_is_unmanaged() -> None:
    assert {} == desired("version: 1")


def test_nginx_is_reloaded_after_the_last_site_is_removed() -> None:
    found = desired("version: 1", replace(HOST, serves_sites=True))

    loaded = {"serves": {}, "current": True, "rewrites": ()}
    assert {"nginx_live:/etc/nginx/nginx.conf": loaded} == {
        address: resource.managed() for address, resource in found.items()
    }


def test_in_an_image_services_are_enabled_and_nothing_runs() -> None:
    found = desired(GUNICORN, IMAGE)

    assert {"enabled": True} == found["service:nginx.service"].managed()
    assert {"enabled": True} == found["service:gunicorn-myapp.service"].managed()
    assert [] == [address for address in found if address.startswith("nginx_live:")]


@pytest.mark.parametrize("text", [SMALLEST, GUNICORN], ids=["a unit of theirs", "a unit of ours"])
def test_in_an_image_without_systemctl_no_service_is_declared(text: str) -> None:
    found = desired(text, replace(IMAGE, has_boot=False))

    assert [] == [address for address in found if address.startswith("service:")]


def test_in_a_sandbox_everything_belongs_to_the_user_of_the_apply() -> None:
    found = desired(GUNICORN.replace(", user: www-data", ""), SANDBOX)
    file = found["file:/etc/nginx/sites-available/myapp.conf"]
    assets, tree = found["assets:/var/www/myapp/static"], found["tree:/var/www/myapp/media"]

    for resource in (file, assets, tree):
        assert ("me", "us") == (resource.managed()["user"], resource.managed()["group"])
    assert ("me",) == found["directory:/var/www"].managed()["enterable_by"]


def test_in_a_sandbox_units_are_in_its_state_directory_and_not_enabled() -> None:
    found = desired(GUNICORN, SANDBOX)
    unit = found["unit:/home/me/state/units/gunicorn-myapp.service"]

    assert "User=" not in unit.managed()["content"]
    assert "enabled" not in found["service:gunicorn-myapp.service"].managed()
    assert found["service:gunicorn-myapp.service"].managed()["active"]


def test_every_resource_has_its_site_and_its_position() -> None:
    declared, _ = merge(compile_text(SMALLEST).declared)
    static = next(item for ref, item in declared.items() if ref.kind == "assets")

    assert ("myapp",) == static.sites
    assert (Position(FILE, 7, 7),) == static.positions
    assert all(item.positions for item in declared.values())


TWO_SITES = """\
version: 1
sites:
  one:
    server_names: [one.test]
    app: {upstream: "unix:/run/a.sock", service: a.service}
    locations: {/static/: {role: static, dir: /srv/shared, source: ./s}}
  two:
    server_names: [two.test]
    app: {upstream: "unix:/run/a.sock", service: a.service}
    locations: {/static/: {role: static, dir: /srv/shared, source: ./s}}
"""


def test_a_resource_of_two_sites_occurs_once_and_belongs_to_both() -> None:
    assert ("one", "two") == sites_of(TWO_SITES, "assets:/srv/shared")
    assert ("one", "two") == sites_of(TWO_SITES, "service:a.service")


def test_conflicting_declarations_are_reported_with_both_positions() -> None:
    text = site("locations: {/m/: {role: media, dir: /srv/x/m}}")
    text += 'paths: {/srv/x/m: {owner: {user: root, dirs: "0700"}}}'

    found = {conflict.field: conflict for conflict in conflicts_in(text)}

    assert {"user", "mode"} == found.keys()
    assert ("0700", "0755") == found["mode"].values
    assert {7, 6} == {place.line for place in found["user"].positions}


APPS = st.sampled_from(
    [
        {"upstream": "unix:/run/a.sock"},
        {"upstream": "http://127.0.0.1:1", "service": "x.service"},
        {"gunicorn": {"directory": "/opt/a", "python": "/opt/p", "module": "a:b"}},
    ]
)
ROLES = st.sets(st.sampled_from(["static", "media", "private"]))


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file of up to three sites, each with an app and directories of its own."""
    sites = {}
    for name in draw(st.sets(st.sampled_from("abc"))):
        roles = sorted(draw(ROLES))
        locations = {f"/{role}/": {"role": role, "dir": f"/srv/{name}/{role}"} for role in roles}
        sites[name] = {
            "server_names": [f"{name}.test"],
            "app": draw(APPS),
            "locations": locations,
        }
    return json.dumps({"version": 1, "sites": sites})


@settings(max_examples=60)
@given(files(), st.sampled_from([HOST, SANDBOX, IMAGE, replace(HOST, ipv6=False)]))
def test_compiling_is_deterministic(text: str, host: HostFacts) -> None:
    assert compile_config(load_text(text), host) == compile_config(load_text(text), host)


@settings(max_examples=60)
@given(files())
def test_sites_with_separate_directories_never_conflict(text: str) -> None:
    assert () == conflicts_in(text)


def test_a_directory_is_required_by_its_contents() -> None:
    found = desired(SMALLEST)
    tree, directory = found["tree:/var/www/myapp/media"], found["directory:/var/www/myapp/media"]

    assert isinstance(directory, Directory)
    assert directory.ref in tree.requires()
    assert found["directory:/var/www"].ref in directory.requires()
