"""Example hosts, and what a file compiles to on them."""

from __future__ import annotations

from dataclasses import replace

from reconcile.config.compile import CompiledConfig, compile_config
from reconcile.config.host_facts import HostFacts
from reconcile.engine.merge import merge
from reconcile.engine.model import Conflict
from reconcile.engine.resource import Ref, Resource
from reconcile.nginx.model.layout import Layout
from tests.support.yaml_examples import load_text

DEBIAN = Layout(
    sites_folder=("sites-enabled", "/etc/nginx/sites-enabled"),
    worker_user="www-data",
    pid_path="/run/nginx.pid",
    error_log="/var/log/nginx/error.log",
    listens=(),
)
CONF_D = replace(DEBIAN, sites_folder=("conf.d", "/etc/nginx/conf.d"))
HOST = HostFacts(
    hostname="web1",
    nginx_config="/etc/nginx/nginx.conf",
    nginx_binary="/usr/sbin/nginx",
    nginx_version="1.22.1",
    layout=DEBIAN,
    worker_user="www-data",
    sources={"/srv/app/app.env": b"KEY=1\n"},
)
SANDBOX = replace(
    HOST,
    service_manager="process",
    has_boot=False,
    privileged=False,
    user="me",
    group="us",
    worker_user="me",
    state_dir="/home/me/state",
    unit_dir="/home/me/state/units",
)
IMAGE = replace(HOST, service_manager="none")


def compile_text(text: str, host: HostFacts = HOST) -> CompiledConfig:
    return compile_config(load_text(text), host)


def desired(text: str, host: HostFacts = HOST) -> dict[str, Resource]:
    """The desired resources by address; the file must not conflict with itself."""
    merged, conflicts = merge(compile_text(text, host).declared)
    assert () == conflicts
    return {str(ref): item.resource for ref, item in merged.items()}


def conflicts_in(text: str, host: HostFacts = HOST) -> tuple[Conflict, ...]:
    return merge(compile_text(text, host).declared)[1]


def sites_of(text: str, address: str, host: HostFacts = HOST) -> tuple[str, ...]:
    return merge(compile_text(text, host).declared)[0][Ref.parse(address)].sites
