"""Paths: absolute, normalized, and safe in the files that will contain them."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Any

from reconcile.config.fields.field_type import (
    FieldType,
    InvalidValue,
    ParseContext,
    UnpackedSource,
    quote_text,
    require_str,
)

MAX_LENGTH = 1024

# What could end a word or a string in nginx's configuration, or begin a variable or comment.
UNSAFE_IN_NGINX = ";{}$\"'\\#"
# What a systemd unit would expand or split.
UNSAFE_IN_UNITS = UNSAFE_IN_NGINX + "% \t"

RELEASE = "{release}"
"""Stands for the folder of the release that is made of this file."""

# An empty, `.` or `..` component of an absolute path.
_NOT_NORMALIZED = re.compile(r"/(?:/|\.{1,2}(?:/|$))")


def parse_path(value: Any, context: ParseContext) -> str:
    """An absolute path without a trailing slash; a relative one starts at the file's folder."""
    path = require_str(value, "a path")
    if not path:
        raise InvalidValue("the path is empty")
    if path.startswith("/"):
        return parse_absolute(path)
    if context.sources != "beside":
        raise InvalidValue(
            f"{quote_text(path)} is relative, but standard input has no folder",
            "begin it with /",
        )
    return _join_to(context.folder, path)


def parse_source(value: Any, context: ParseContext) -> str:
    """The path of what is copied to the host: beside the YAML, or what is packed with it."""
    if context.sources == "beside":
        return parse_path(value, context)
    path = require_str(value, "a path")
    if context.sources == "none":
        raise UnpackedSource(
            f"{quote_text(path)} is a source, which a YAML from standard input cannot have",
            "pack it, and add --files TAR",
        )
    return _packed_path(path, context.folder)


def parse_readable(value: Any, context: ParseContext) -> str:
    """The path of what is only read: the host's own file, or what is packed with the YAML."""
    is_own = isinstance(value, str) and value.startswith("/")
    return (parse_path if is_own else parse_source)(value, context)


def _packed_path(path: str, folder: str) -> str:
    name = posixpath.normpath(path)
    if not path or path.startswith("/") or name.split("/", 1)[0] == "..":
        raise InvalidValue(
            f"{quote_text(path)} is not a path within the archive of --files",
            "name a source by its relative name in there",
        )
    return _join_to(folder, name)


def _join_to(folder: str, path: str) -> str:
    return _check_length(posixpath.normpath(posixpath.join(folder, path)))


def parse_absolute(value: Any) -> str:
    """An absolute, normalized path, without a trailing slash."""
    path = require_str(value, "an absolute path")
    if not path.startswith("/"):
        raise InvalidValue(f"{quote_text(path)} is not an absolute path", "begin it with /")
    if _NOT_NORMALIZED.search(path):
        raise InvalidValue(
            f"{quote_text(path)} is not normalized", f'use "{posixpath.normpath(path)}"'
        )
    return _check_length(path.rstrip("/") or "/")


def parse_key(value: Any) -> str:
    """An absolute path in the one spelling that makes equal paths equal keys."""
    path = parse_absolute(value)
    if path != value:
        raise InvalidValue(f"{quote_text(value)} ends with a slash", f'use "{path}"')
    return path


def parse_nginx_path(value: Any, context: ParseContext) -> str:
    """A path that nginx's configuration will contain."""
    return _refuse(UNSAFE_IN_NGINX, parse_path(value, context), "nginx's configuration")


def parse_unit_path(value: Any, context: ParseContext) -> str:
    """A path that a systemd unit will contain."""
    return _refuse(UNSAFE_IN_UNITS, parse_path(value, context), "a systemd unit")


def parse_release_path(value: Any, context: ParseContext) -> str:
    """A path as `parse_path` takes it, or one in the release: `{release}/static`."""
    return _in_release(value) or parse_path(value, context)


def parse_release_source(value: Any, context: ParseContext) -> str:
    """A path as `parse_source` takes it, or one in the release."""
    return _in_release(value) or parse_source(value, context)


def parse_release_unit_path(value: Any, context: ParseContext) -> str:
    """A path as `parse_unit_path` takes it, or one in the release."""
    inside = _in_release(value)
    if inside:
        _refuse(UNSAFE_IN_UNITS, inside.removeprefix(RELEASE), "a systemd unit")
    return inside or parse_unit_path(value, context)


def _in_release(value: Any) -> str:
    """The path where it begins with {release}; "" for any other."""
    if not isinstance(value, str) or not (value == RELEASE or value.startswith(f"{RELEASE}/")):
        return ""
    below = value.removeprefix(RELEASE)
    return RELEASE + (parse_absolute(below).rstrip("/") if below else "")


def _check_length(path: str) -> str:
    if len(path) > MAX_LENGTH:
        raise InvalidValue(f"the path is longer than {MAX_LENGTH} characters")
    if any(len(name.encode("utf-8", "surrogateescape")) > 255 for name in path.split("/")):
        raise InvalidValue("a name in the path is longer than 255 bytes")
    if not path.isprintable():
        raise InvalidValue(f"{quote_text(path)} contains unprintable characters")
    return path


def _refuse(unsafe: str, path: str, place: str) -> str:
    found = next((character for character in path if character in unsafe), None)
    if found:
        raise InvalidValue(f"{quote_text(path)} contains {found!r}, which is not safe in {place}")
    return path


def _schema(example: str, characters: str) -> dict[str, Any]:
    return {
        "type": "string",
        "pattern": f"^{characters}$",
        "maxLength": MAX_LENGTH,
        "examples": [example],
    }


Path = Annotated[
    str, FieldType(parse_path, _schema("./app/static", r"[^\x00-\x1f\x7f]+"), needs_context=True)
]
SourcePath = Annotated[
    str,
    FieldType(parse_source, _schema("./app/static", r"[^\x00-\x1f\x7f]+"), needs_context=True),
]
ReadablePath = Annotated[
    str,
    FieldType(parse_readable, _schema("./compose.yaml", r"[^\x00-\x1f\x7f]+"), needs_context=True),
]
ReleasePath = Annotated[
    str,
    FieldType(
        parse_release_path,
        _schema("{release}/static", r"[^\x00-\x1f\x7f]+"),
        needs_context=True,
    ),
]
ReleaseSourcePath = Annotated[
    str,
    FieldType(
        parse_release_source,
        _schema("./app/static", r"[^\x00-\x1f\x7f]+"),
        needs_context=True,
    ),
]
AbsolutePath = Annotated[
    str,
    FieldType(parse_key, _schema("/var/www/myapp", r"/(?:[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f/])?")),
]
NginxPath = Annotated[
    str,
    FieldType(
        parse_nginx_path,
        _schema("/var/www/myapp/static", r"""[^\x00-\x1f\x7f;{}$"'\\#]+"""),
        needs_context=True,
    ),
]
UnitPath = Annotated[
    str,
    FieldType(
        parse_unit_path,
        _schema("/srv/myapp", r"""[^\x00-\x20\x7f;{}$"'\\#%]+"""),
        needs_context=True,
    ),
]
ReleaseUnitPath = Annotated[
    str,
    FieldType(
        parse_release_unit_path,
        _schema("{release}/.venv/bin/python", r"""(?:\{release\})?[^\x00-\x20\x7f;{}$"'\\#%]*"""),
        needs_context=True,
    ),
]
