"""Reads the mounts of a service from a compose file, in its common forms.

What other files or a shell determine (`extends`, `include`, variables without a value) is unknown.
Source: the Compose Specification, 05-services.md, 12-interpolation.md, 13-merge.md.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import yaml
from yaml import MappingNode, SafeLoader

MAX_BYTES = 128 << 10
OVERRIDES = {
    f"{name}.{ending}": f"{name}.override.{ending}"
    for name in ("compose", "docker-compose")
    for ending in ("yaml", "yml")
}
"""Compose file → the override file that Docker Compose reads too."""

Kind = Literal["bind", "volume", "tmpfs", "other"]
_KINDS: dict[str, Kind] = {"bind": "bind", "volume": "volume", "tmpfs": "tmpfs"}
_VOLUMES = "/var/lib/docker/volumes"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = re.compile(rf"\$(?:(\$)|({_NAME})|\{{({_NAME})(?:(:?)-([^{{}}$]*))?\}})|\$")
_ASSIGNMENT = re.compile(
    rf"""^\s*(?:export\s+)?({_NAME})\s*=\s*(?:'([^']*)'|"([^"$]*)"|([^'"$]*?))\s*(?:\s\#.*)?$"""
)


class UnsupportedCompose(ValueError):
    """The file is invalid, or has a form that is not supported here."""


@dataclass(frozen=True)
class ServiceMount:
    """Something at `target` inside the container.

    `source` is a path of the host for a bind, the name of a volume ("" for one without), and
    "" otherwise; `subpath` is the part of a volume that is mounted.
    """

    kind: Kind
    source: str
    target: str
    read_only: bool = False
    subpath: str = ""

    def covers(self, path: str) -> bool:
        """Whether `path` of the container lies in this mount."""
        return f"{path}/".startswith(self.target.rstrip("/") + "/")

    def inside(self, path: str) -> str:
        """Where `path` of the container lies below the source: "" for the source itself."""
        return posixpath.relpath(path, self.target).removeprefix(".").strip("/")


@dataclass(frozen=True)
class ServiceView:
    """One service. `user` is "" where the image sets it; `unread_keys` name other sources."""

    name: str
    mounts: tuple[ServiceMount, ...]
    user: str
    volumes: Mapping[str, Any]
    project: str
    unread_keys: tuple[str, ...]

    def mount_at(self, path: str) -> ServiceMount | None:
        """The innermost mount that `path` of the container lies in."""
        covering = [mount for mount in self.mounts if mount.covers(path)]
        return max(covering, key=lambda mount: len(mount.target), default=None)

    def folder_of(self, mount: ServiceMount) -> str:
        """The host's folder behind a bind or volume, "" where only its driver knows it.

        Errors: NotRead where a variable in it has no value.
        """
        if mount.kind == "bind":
            return mount.source
        volume = _as_mapping(self.volumes.get(mount.source), mount.source)
        options = _as_mapping(volume.get("driver_opts"), "driver_opts")
        if options.get("type") == "none" and options.get("device"):
            return posixpath.join(str(options["device"]), mount.subpath).rstrip("/")
        if options or volume.get("driver", "local") != "local":
            return ""
        usual = (
            mount.source if _is_true(volume.get("external")) else f"{self.project}_{mount.source}"
        )
        name = str(volume.get("name") or usual)
        if "$" in name:
            raise UnsupportedCompose(f"the name of the volume {mount.source} has a variable")
        return posixpath.join(_VOLUMES, name, "_data", mount.subpath).rstrip("/")


def read_service(
    files: tuple[bytes, ...], env: bytes, name: str, *, folder: str
) -> ServiceView | None:
    """The service `name` of a compose file and its override; None where there is none.

    Errors: NotRead.
    """
    values = env_file(env.decode("utf-8", "replace"))
    documents = tuple(map(_parse_yaml, files))
    found = [s for d in documents if (s := _as_mapping(d.get("services"), "services").get(name))]
    services = [_as_mapping(service, name) for service in found]
    if not services:
        return None
    mounts = [mount for service in services for mount in _mounts(service, values, folder)]
    users = [service["user"] for service in services if service.get("user") is not None]
    volumes: dict[str, Any] = {}
    for document in documents:
        volumes |= _as_mapping(document.get("volumes"), "volumes")
    return ServiceView(
        name=name,
        mounts=tuple({mount.target: mount for mount in mounts}.values()),
        user=_interpolated(users[-1], values) if users else "",
        volumes=volumes,
        project=_project(documents, values, folder),
        unread_keys=tuple(
            key
            for key in ("extends", "volumes_from", "include")
            if any(key in one for one in (*services, *documents))
        ),
    )


def _parse_yaml(data: bytes) -> Mapping[str, Any]:
    try:
        document = yaml.load(data, _loader())  # noqa: S506  a safe one, of texts
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnsupportedCompose(" ".join(str(error).split())) from None
    return _as_mapping(document, "the file")


@cache
def _loader() -> type[SafeLoader]:
    """A loader for which 33:33 is a string, as for Compose, not a number of YAML 1.1."""
    kept = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:null")

    class StringLoader(yaml.SafeLoader):
        """Loads every scalar as a string."""

        yaml_implicit_resolvers = {
            first: [(tag, form) for tag, form in forms if tag in kept]
            for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def flatten_mapping(self, node: MappingNode) -> None:
            """Merge with each key once: repeated merges would double at every level."""
            super().flatten_mapping(node)
            pairs = {str(key.value): (key, value) for key, value in node.value}
            node.value = list(pairs.values())

    return StringLoader


def _as_mapping(value: Any, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UnsupportedCompose(f"{name} is not a mapping")
    return value


def _mounts(
    service: Mapping[str, Any], values: Mapping[str, str], folder: str
) -> Iterator[ServiceMount]:
    """Lists and mappings in there are read one level deep: aliases could make them endless."""
    for one in _as_list(service.get("volumes"), "volumes"):
        yield (
            _parse_short(_interpolated(one, values), folder)
            if isinstance(one, str)
            else _parse_long(_as_mapping(one, "an entry of volumes"), values, folder)
        )
    temporary = service.get("tmpfs")
    for one in [temporary] if isinstance(temporary, str) else _as_list(temporary, "tmpfs"):
        yield ServiceMount(
            "tmpfs", "", _container_path(_interpolated(one, values).partition(":")[0])
        )


def _parse_short(written: str, folder: str) -> ServiceMount:
    """`[SOURCE:]TARGET[:MODE,…]`."""
    source, colon, rest = written.partition(":")
    if not colon:
        return ServiceMount("volume", "", _container_path(source))
    target, _, modes = rest.partition(":")
    read_only = "ro" in modes.split(",")
    if source.startswith((".", "/", "~")):
        return ServiceMount("bind", _absolute(source, folder), _container_path(target), read_only)
    return ServiceMount("volume", source, _container_path(target), read_only)


def _parse_long(written: Mapping[str, Any], values: Mapping[str, str], folder: str) -> ServiceMount:
    def first(*names: str) -> str:
        """The first of these keys that has a value, interpolated."""
        return next(
            (_interpolated(written[name], values) for name in names if written.get(name)), ""
        )

    kind, source = _KINDS.get(first("type"), "other"), first("source", "src")
    subpath = _as_mapping(written.get("volume"), "volume").get("subpath") or ""
    return ServiceMount(
        kind,
        _absolute(source, folder) if kind == "bind" else source,
        _container_path(first("target", "dst", "destination")),
        _is_true(first("read_only", "readonly")),
        _interpolated(subpath, values),
    )


def _as_list(value: Any, name: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise UnsupportedCompose(f"{name} is not a list")
    return value or []


def _container_path(path: str) -> str:
    if not path.startswith("/"):
        raise UnsupportedCompose(f'"{path}" is not an absolute path inside the container')
    return posixpath.normpath(path)


def _absolute(source: str, folder: str) -> str:
    if source.startswith("~"):
        raise UnsupportedCompose(
            f"{source} depends on the home of the user that starts the containers"
        )
    return posixpath.normpath(posixpath.join(folder, source))


def _is_true(value: Any) -> bool:
    return value in ("true", "True", "TRUE")


def _project(
    documents: tuple[Mapping[str, Any], ...], values: Mapping[str, str], folder: str
) -> str:
    """What names of volumes begin with. Source: 04-version-and-name.md."""
    named = [one["name"] for one in documents if isinstance(one.get("name"), str)]
    name = values.get("COMPOSE_PROJECT_NAME") or (named[-1] if named else "")
    written = _interpolated(name, values) if name else posixpath.basename(folder)
    return re.sub(r"[^a-z0-9_-]", "", written.lower()).lstrip("_-")


def _interpolated(written: Any, values: Mapping[str, str]) -> str:
    """A scalar with `$NAME`, `${NAME}` and `${NAME:-default}` filled in; `$$` is a dollar.

    Errors: NotRead for other forms, and for a variable without a value or default. Compose takes
    the empty text there, unless a shell that is unknown here has the value.
    """
    if not isinstance(written, str):
        raise UnsupportedCompose("a list or mapping was found where a string is expected")

    def value(found: re.Match[str]) -> str:
        """The value of one variable."""
        dollar, plain, braced, or_empty, default = found.groups()
        name = plain or braced
        if dollar or (name in values and (values[name] or not or_empty)):
            return dollar or values[name]
        if default is None:
            raise UnsupportedCompose(f"{name or written[:40]} has no value in .env")
        return str(default)

    return _VARIABLE.sub(value, written)


def env_file(text: str) -> dict[str, str]:
    """The assignments of a .env file, without quotes; those that hold variables are left out."""
    found = map(_ASSIGNMENT.match, text.splitlines())
    return {match[1]: match[2] or match[3] or match[4] or "" for match in found if match}
