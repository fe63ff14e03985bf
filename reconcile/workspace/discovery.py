"""The facts of a host that a configuration is compiled with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.config.host_facts import HostFacts
from reconcile.engine.scopes import owned_elsewhere
from reconcile.errors import ReconcileError
from reconcile.nginx.certbot import CERTBOT_TIMER, chain_path, key_path
from reconcile.nginx.model.media_types import added_types
from reconcile.system.name_lookup import local_names, resolvers
from reconcile.workspace.release_sources import read_release_sources
from reconcile.workspace.source_files import read_sources

_CERTIFICATE_PATHS = (
    r"(?m)^ *ssl_certificate ([^;\s\"']+);",
    r"(?m)^ *ssl_certificate_key ([^;\s\"']+);",
)

if TYPE_CHECKING:
    from reconcile.config.outline import ConfigOutline
    from reconcile.engine.ledger import Ledger
    from reconcile.nginx.running.discover import NginxInstallation
    from reconcile.system import Host, HostSettings


def discover_facts(outline: ConfigOutline, nginx: NginxInstallation) -> HostFacts:
    """The facts that every user may read; no sources, no certificates. Errors: ReconcileError."""
    host = nginx.host
    accounts, settings = host.accounts, host.settings
    reads = nginx.config_paths
    applier = host.managing_account
    worker = outline.worker_user or nginx.layout.worker_user
    return HostFacts(
        hostname=host.name,
        nginx_config=settings.nginx_config,
        nginx_binary=nginx.binary,
        nginx_version=nginx.version,
        layout=nginx.layout,
        # Started by anyone but root, nginx cannot change its user.
        worker_user=worker if applier.uid == 0 else applier.name,
        service_manager=settings.service_manager,
        has_boot=host.services.has_boot,
        ipv6=nginx.ipv6,
        privileged=applier.uid == 0,
        user=applier.name,
        group=accounts.group_name(applier.gid),
        state_dir=settings.state_dir,
        unit_dir=os.path.dirname(host.services.unit_path("any.service")),
        pages_dir=_pages_dir(settings, privileged=applier.uid == 0),
        passwords_dir=os.path.join(os.path.dirname(settings.nginx_config), "reconcile-passwords"),
        worker_group=_worker_group(host, worker),
        nginx_reads=frozenset(filter(nginx.would_read, outline.readable_paths)),
        nginx_files=reads,
        static_encodings=nginx.static_encodings,
        added_types=added_types(nginx.readable_tree),
        http2=nginx.http2,
        resolvers=resolvers(_file_text(host, "/etc/resolv.conf")),
        local_names=local_names(_file_text(host, "/etc/hosts")),
    )


def complete_facts(
    facts: HostFacts, outline: ConfigOutline, host: Host, ledger: Ledger
) -> HostFacts:
    """`facts` with the source files, the certificates and what the ledger records.

    Errors: HostError, if a source or a certificate cannot be read.
    """
    names = outline.certificates
    present = frozenset(name for name in names if has_certificate(host, name))
    sources, private = read_sources(outline, host)
    return replace(
        facts,
        sources=sources,
        private_sources=private,
        certificates=present,
        former_certificates=dict(_former_certificates(outline, facts, present, host)),
        certbot_timer=bool(outline.obtained_certificates) and _has_timer(host),
        release_sources=read_release_sources(outline, host),
        serves_sites=any(ref.kind == "nginx_live" for ref in ledger.rows),
        other_files=frozenset(ref.name for ref in owned_elsewhere(ledger) if ref.kind == "file"),
    )


def _former_certificates(
    outline: ConfigOutline, facts: HostFacts, present: frozenset[str], host: Host
) -> Iterator[tuple[str, tuple[str, str]]]:
    """What sites that still wait for certbot are served with, so that they stay encrypted."""
    for name, certificate in outline.obtained_certificates.items():
        text = "" if certificate in present else _file_text(host, facts.layout.file_path(name))
        found = (re.search(one, text) for one in _CERTIFICATE_PATHS)
        paths = [one[1] for one in found if one]
        exist = [host.files.stat(path, follow=True) is not None for path in paths]
        if len(paths) == len(_CERTIFICATE_PATHS) and all(exist):
            yield name, (paths[0], paths[1])


def _has_timer(host: Host) -> bool:
    timer = host.services.status(CERTBOT_TIMER)
    return timer.loaded and not timer.masked


def _pages_dir(settings: HostSettings, *, privileged: bool) -> str:
    """Where nginx's workers can read pages; of a sandbox, inside of it."""
    if not privileged:
        return os.path.join(settings.state_dir, "pages")
    # Nobody but root can enter the state directory itself.
    in_sandbox = settings.service_manager == "process"
    return f"{settings.state_dir}-pages" if in_sandbox else HostFacts.pages_dir


def _worker_group(host: Host, worker: str) -> str:
    try:
        return host.accounts.group_name(host.accounts.user(worker).gid)
    except ReconcileError:
        # Other resources report that there is no such account.
        return worker


def _file_text(host: Host, path: str) -> str:
    found = host.files.content(path)
    return found[1].decode("utf-8", "replace") if found else ""


def has_certificate(host: Host, name: str) -> bool:
    """Whether certbot has issued it. Errors: HostError, where that cannot be read."""
    paths = (chain_path(name), key_path(name))
    return all(host.files.stat(path, follow=True) is not None for path in paths)
