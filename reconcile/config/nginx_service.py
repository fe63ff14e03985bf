"""Nginx itself: it runs, and has loaded the files of all sites."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname

from reconcile.config.context import CompileContext
from reconcile.config.host_path import file_content, is_withheld
from reconcile.engine.digest import digest
from reconcile.engine.model import Declared
from reconcile.filesystem.path import is_inside
from reconcile.resources.nginx_live import NginxLive
from reconcile.resources.service import Service

UNIT = "nginx.service"


def compile_nginx(context: CompileContext) -> Iterator[Declared]:
    """The service, and the configuration that it has loaded."""
    facts, names = context.facts, tuple(context.sites)
    if names and facts.has_services:
        service = Service(
            unit=UNIT,
            enabled=True if facts.has_boot else None,
            active=True if facts.runs_services else None,
            needs=tuple(_config_refs(context)),
            reads=facts.nginx_files,
        )
        yield context.declare(service, ("sites",), names)
    if facts.runs_services and (names or facts.serves_sites or _writes_config(context)):
        files = _config_files(context)
        loaded = NginxLive(
            config=facts.nginx_config,
            serves={path: digest(content) for path, content in sorted(files.items())},
            current=True,
            rewrites=(),
            reads=facts.nginx_files,
            others=facts.other_files,
        )
        yield context.declare(loaded, ("sites",), names)


def _writes_config(context: CompileContext) -> bool:
    """Whether `paths` has files or links that nginx reads, or will read."""
    folder = dirname(context.facts.nginx_config)
    paths = context.config.readable_paths()
    return bool(context.facts.nginx_reads) or any(is_inside(path, folder) for path in paths)


def _config_refs(context: CompileContext) -> Iterator[str]:
    """The resources that nginx reads when it starts."""
    for site in context.sites.values():
        yield f"file:{site.nginx_file}"
        if link := context.facts.layout.link_path(site.name):
            yield f"symlink:{link}"


def _config_files(context: CompileContext) -> dict[str, bytes]:
    """The files of sites and of `paths` that nginx reads, with their contents."""
    paths, sites = context.config.paths, context.sites.values()
    adopted = {site.declared.adopted for site in sites if site.declared.adopted}
    generated = {site.nginx_file: site.nginx_content for site in sites if not site.declared.adopted}
    declared = {
        path: file_content(context, path, paths[path])
        for path in sorted(adopted | context.facts.nginx_reads)
        if path in paths and paths[path].form == "file" and not is_withheld(context, paths[path])
    }
    return generated | declared
