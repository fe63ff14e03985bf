"""What the configurations of several scopes may declare: directories, and nginx itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reconcile.config.host_facts import HostFacts
from reconcile.config.nginx_service import UNIT
from reconcile.config.site.letsencrypt import RENEWAL_HOOK
from reconcile.engine.model import Declared
from reconcile.nginx.certbot import CERTBOT_TIMER, WEBROOT
from reconcile.resources.directory import Directory
from reconcile.resources.nginx_live import NginxLive
from reconcile.resources.service import Service


def with_sharing(declared: Iterable[Declared], facts: HostFacts) -> Iterator[Declared]:
    """`declared`, where what no scope has to itself is marked as shared."""
    common = {WEBROOT, RENEWAL_HOOK, CERTBOT_TIMER, facts.pages_dir, facts.passwords_dir}
    for item in declared:
        yield replace(item, shared=True) if _is_shared(item, common) else item


def _is_shared(item: Declared, common: set[str]) -> bool:
    resource = item.resource
    if isinstance(resource, Directory):
        is_passage = resource.user is None and resource.group is None and resource.mode is None
        return is_passage or resource.path in common
    is_nginx = isinstance(resource, Service) and resource.unit == UNIT
    return is_nginx or isinstance(resource, NginxLive) or resource.name in common
