"""A site that a hand-written file serves, and files whose content is in the YAML."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.engine.digest import digest
from reconcile.resources.file import File
from reconcile.resources.nginx_live import NginxLive
from tests.support.host_facts import HOST, compile_text, desired
from tests.support.yaml_examples import errors_in, load_text

OLD = "/etc/nginx/sites-available/myapp"
ADOPTED = f"""
version: 1
paths:
  {OLD}:
    content: |
      server {{ listen 80; }}
  /etc/nginx/sites-enabled/myapp: {{link: {OLD}}}
sites:
  myapp:
    server_names: [example.com]
    adopted: {OLD}
    app: {{upstream: "unix:/run/gunicorn.sock", service: gunicorn.service}}
    locations:
      /static/: {{role: static, dir: /var/www/myapp/static}}
      /media/: {{role: media, dir: /var/www/myapp/media}}
"""
TEXT = b"server { listen 80; }\n"


def test_a_generated_file_never_replaces_an_adopted_one() -> None:
    files = {ref for ref in desired(ADOPTED) if ref.startswith(("file:", "symlink:"))}

    assert {f"file:{OLD}", "symlink:/etc/nginx/sites-enabled/myapp"} == files


def test_a_files_text_can_be_written_in_the_yaml() -> None:
    file = desired(ADOPTED)[f"file:{OLD}"]

    assert isinstance(file, File)
    assert TEXT == file.content


def test_nginx_has_to_load_an_adopted_file() -> None:
    live = desired(ADOPTED)["nginx_live:/etc/nginx/nginx.conf"]

    assert isinstance(live, NginxLive)
    assert {OLD: digest(TEXT)} == live.serves


def test_nginx_has_to_load_every_file_of_paths_that_it_reads() -> None:
    text = "version: 1\npaths:\n  /etc/nginx/conf.d/a.conf: {content: 'gzip on;'}\n"
    others = "sites:\n  s: {server_names: [a.test], adopted: /etc/x, app: {upstream: 'http://b:1'}}"
    host = replace(HOST, nginx_reads=frozenset({"/etc/nginx/conf.d/a.conf"}))

    live = desired(text + others, host)["nginx_live:/etc/nginx/nginx.conf"]

    assert isinstance(live, NginxLive)
    assert {"/etc/nginx/conf.d/a.conf": digest(b"gzip on;")} == live.serves


def test_of_an_adopted_site_its_app_and_the_bytes_of_its_files_are_probed() -> None:
    names = [probe.name for probe in compile_text(ADOPTED).probes]

    assert [
        "probe:myapp the app answers",
        "probe:myapp /static/ sends what is on the disk",
        "probe:myapp /media/ sends what is on the disk",
        "probe:myapp crawl /",
    ] == names


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{content: a, source: ./b}", "`content` and `source` exclude each other"),
        ("{content: a, link: /b}", "`content` cannot be combined with `link`"),
        ("{owner: assets}", f"`paths` declares {OLD} as a directory"),
    ],
)
def test_a_contradiction_is_an_error(entry: str, message: str) -> None:
    text = ADOPTED.replace("\n    content: |\n      server { listen 80; }\n", f" {entry}\n")

    assert message in [error.split(": ")[1].split(" (")[0] for error in errors_in(text)]


def test_an_adopted_file_is_a_path() -> None:
    assert OLD == load_text(ADOPTED).sites["myapp"].adopted


def test_an_adopted_file_and_its_link_belong_to_their_site() -> None:
    sites = {str(one.resource.ref): one.sites for one in compile_text(ADOPTED).declared}

    assert ("myapp",) == sites[f"file:{OLD}"]
    assert ("myapp",) == sites["symlink:/etc/nginx/sites-enabled/myapp"]
