"""What a person has in another file of nginx, and contradicts the YAML, is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

pytestmark = pytest.mark.process

DEFAULT = """
  catch-all:
    server_names: ["_"]
    listen: [{port}]
    default_server: true
    extra: return 444;
"""


def planned(demo: DemoHost, run: Run, name: str, text: str) -> str:
    """What `plan` shows of a file beside those of the sites."""
    (Path(demo.root) / "nginx/sites-enabled" / name).write_text(text)
    done = run("plan", cwd=demo.root)
    assert 1 == done.returncode, done.stdout
    return " ".join((done.stdout + done.stderr).split())


# nginx reads names in order, and complains of the second.
@pytest.mark.parametrize("name", ["a-default", "default"])
def test_both_default_servers_of_a_port_are_named_with_what_to_do(
    demo: DemoHost, run: Run, name: str
) -> None:
    yaml = Path(demo.file)
    own = yaml.read_text().count("\n") + 2
    yaml.write_text(yaml.read_text() + DEFAULT.format(port=demo.port))

    shown = planned(demo, run, name, f"server {{ listen {demo.port} default_server; }}")

    file = f"{demo.root}/nginx/sites-enabled/{name}"
    assert f"Only one server can be the default of 0.0.0.0:{demo.port}" in shown
    assert f"remove default_server at {file}:1 (or the whole site: rm {file})" in shown
    assert f"remove default_server at {demo.file}:{own}" in shown.replace(
        " reconcile.yaml:", f" {demo.file}:"
    )


def test_a_file_that_is_not_of_the_plan_is_not_blamed_on_the_yaml_alone(
    demo: DemoHost, run: Run
) -> None:
    yaml = Path(demo.file)
    text = yaml.read_text()
    line = "    http_extra: 'upstream shared { server 127.0.0.1:2; }'\n"
    yaml.write_text(text.replace("    max_upload", f"{line}    max_upload"))

    shown = planned(demo, run, "zz", "upstream shared { server 127.0.0.1:1; }")

    assert 'duplicate upstream "shared"' in shown
    assert f"correct {demo.root}/nginx/sites-enabled/zz:1 or that" in shown
