"""A configuration without its host, for reviews and CI: on Debian, with its packages' defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from posixpath import abspath, dirname, join
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from reconcile.config.compile import CompiledConfig, compile_config
from reconcile.config.host_facts import HostFacts
from reconcile.config.load import load, load_bytes
from reconcile.engine.ledger import LedgerRow
from reconcile.engine.merge import merge
from reconcile.engine.model import ConfigOrigin, Finding, Plan
from reconcile.engine.planner import ROOT, make_plan
from reconcile.filesystem.path import relative_to
from reconcile.nginx.model.layout import Layout
from reconcile.system import Host
from reconcile.workspace.source_files import read_sources

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.engine.model import Conflict, Declared
    from reconcile.engine.resource import Ref

HOST_NAME = "offline"
NGINX_VERSION = "1.22.1"
LAYOUT = Layout(
    sites_folder=("sites-enabled", "/etc/nginx/sites-enabled"),
    worker_user="www-data",
    pid_path="/run/nginx.pid",
    error_log="/var/log/nginx/error.log",
    listens=(),
)
ASSUMED = {"os": "Debian 12", "nginx": NGINX_VERSION, "sites": LAYOUT.enabled_dir, "user": "root"}
"""What `render` reports of the assumed host."""
NOT_COMPARED = Finding(
    "offline",
    "note",
    "Without the host: nginx's own files, the contents of `source` folders and uploads"
    " are not compared.",
)


class OfflineConfig(NamedTuple):
    """A configuration and what it declares on the assumed host, each resource once."""

    config: Config
    compiled: CompiledConfig
    declared: Mapping[Ref, Declared]
    conflicts: tuple[Conflict, ...]


def compile_offline(config: Config, original: Config | None = None) -> OfflineConfig:
    """What `config` declares on the assumed host.

    `original`: the same file where it lies, if `config` was read as if it lay elsewhere; its
    sources are read there. Errors: ReconcileError, where a source cannot be read.
    """
    original = original or config
    contents, _ = read_sources(original.outline(), Host(original.host_settings()))
    compiled = compile_config(config, _facts(config, _moved(contents, original, config)))
    return OfflineConfig(config, compiled, *merge(compiled.declared))


def plan_offline(
    old: str, config: Config, variables: Mapping[str, str] = MappingProxyType({})
) -> Plan:
    """What an apply of `config` changes on a host that matches the version of it at `old`.

    Errors: ConfigErrors; ReconcileError, where the version or a source cannot be read.
    """
    original = load(old, variables)
    base = compile_offline(load_bytes(original.data, config.file, variables), original)
    return _plan_between(base, compile_offline(config))


def _plan_between(base: OfflineConfig, new: OfflineConfig) -> Plan:
    observed = {ref: item.resource.as_created(ROOT) for ref, item in base.declared.items()}
    rows = {ref: LedgerRow(created=True, sites=item.sites) for ref, item in base.declared.items()}
    return make_plan(
        new.declared,
        {ref: observed.get(ref) for ref in {*observed, *new.declared}},
        rows,
        host=HOST_NAME,
        config=ConfigOrigin(new.config.file, new.config.digest, None),
        conflicts=new.conflicts,
        findings=(*new.compiled.findings, NOT_COMPARED),
    )


def _moved(contents: Mapping[str, bytes], original: Config, config: Config) -> dict[str, bytes]:
    """The contents by the paths that they have in `config`, where the original's lie elsewhere."""
    old, new = (dirname(abspath(one.file)) for one in (original, config))
    below = ((path, relative_to(path, old), content) for path, content in contents.items())
    return {
        path if relative is None else join(new, relative): content
        for path, relative, content in below
    }


def _facts(config: Config, sources: Mapping[str, bytes]) -> HostFacts:
    nginx = config.host.nginx
    folders = {LAYOUT.enabled_dir, "/etc/nginx/conf.d"}
    facts = HostFacts(
        hostname=HOST_NAME,
        nginx_config=config.host_settings().nginx_config,
        nginx_binary=nginx.binary or "/usr/sbin/nginx",
        nginx_version=NGINX_VERSION,
        layout=LAYOUT,
        worker_user=nginx.user or LAYOUT.worker_user,
    )
    return replace(
        facts,
        state_dir=config.host_settings().state_dir,
        sources=sources,
        certificates=frozenset(config.certificate_names()),
        nginx_reads=frozenset(p for p in config.readable_paths() if dirname(p) in folders),
        static_encodings=frozenset({"gzip"}),
    )
