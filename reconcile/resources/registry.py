"""Which module holds which kind. A new kind is one file and one line here."""

from __future__ import annotations

from importlib import import_module

from reconcile.engine.model import Resource

MODULES = {
    "directory": "Directory",
    "file": "File",
    "symlink": "Symlink",
    "tree": "Tree",
    "assets": "Assets",
    "unit": "Unit",
    "service": "Service",
    "nginx_live": "NginxLive",
    "certificate": "Certificate",
    "release": "Release",
}


def load(kind: str) -> type[Resource]:
    """The class of `kind`, imported when first asked for; KeyError where unknown."""
    module = import_module(f"reconcile.resources.{kind}")
    loaded: type[Resource] = getattr(module, MODULES[kind])
    return loaded


def removes_name(kind: str) -> bool:
    """Whether nothing is left at the path of its name once one of `kind` is removed."""
    return kind in MODULES and load(kind).is_name_removed
