"""From the bytes of compose files to one service and its mounts. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from reconcile.doctor.compose.interpolate import Unresolved, env_file, interpolated
from reconcile.doctor.compose.mounts import BadCompose, Mount, is_true, mounts_of

if TYPE_CHECKING:
    from yaml import MappingNode, SafeLoader

OVERRIDES = {
    f"{name}.{ending}": f"{name}.override.{ending}"
    for name in ("compose", "docker-compose")
    for ending in ("yaml", "yml")
}
"""Files that Docker Compose reads beside another one of that name, without being told."""
_VOLUMES = "/var/lib/docker/volumes"


@dataclass(frozen=True)
class ServiceView:
    """One service. `user` is "" where the image decides; `elsewhere` names what was not read."""

    name: str
    mounts: tuple[Mount, ...]
    user: str
    volumes: Mapping[str, Any]
    project: str
    elsewhere: tuple[str, ...]

    def mount_at(self, path: str) -> Mount | None:
        """The innermost mount that `path` of the container lies in."""
        covering = [mount for mount in self.mounts if mount.covers(path)]
        return max(covering, key=lambda mount: len(mount.target), default=None)

    def folder_of(self, mount: Mount) -> str:
        """The host's folder behind a bind or volume, "" where only its driver knows it."""
        if mount.kind == "bind":
            return mount.source
        told = self.volumes.get(mount.source) or {}
        options = told.get("driver_opts") or {}
        if options.get("type") == "none" and options.get("device"):
            return posixpath.join(str(options["device"]), mount.subpath).rstrip("/")
        if options or told.get("driver", "local") != "local":
            return ""
        usual = mount.source if is_true(told.get("external")) else f"{self.project}_{mount.source}"
        name = told.get("name") or usual
        return posixpath.join(_VOLUMES, str(name), "_data", mount.subpath).rstrip("/")


def read_service(
    files: tuple[bytes, ...], env: bytes, name: str, *, folder: str
) -> ServiceView | None:
    """The service `name` of a compose file and its override; None where there is none.

    Errors: BadCompose, Unresolved.
    """
    values = env_file(env.decode("utf-8", "replace"))
    documents = tuple(map(_document, files))
    services = [s for d in documents if (s := _part(d, "services").get(name)) is not None]
    if not services:
        return None
    merged = _merged([_filled(_only(one), values) for one in services], folder)
    volumes = {k: _filled(v, values) for d in documents for k, v in _part(d, "volumes").items()}
    project = _project(documents, values, folder)
    elsewhere = tuple(
        key for key in ("extends", "volumes_from") if any(key in one for one in services)
    ) + (("include",) if any("include" in one for one in documents) else ())
    return ServiceView(name, *merged, volumes, project, elsewhere)


def _document(data: bytes) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.load(data, _loader())  # noqa: S506  a safe one, of texts
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadCompose(" ".join(str(error).split())) from None
    if not isinstance(document, dict):
        raise BadCompose("it is no mapping")
    return document


@cache
def _loader() -> type[SafeLoader]:
    """As Compose reads: 33:33 is a text, and no number of base 60 as in YAML 1.1."""
    import yaml

    kept = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:null")

    class Texts(yaml.SafeLoader):
        yaml_implicit_resolvers = {
            first: [(tag, form) for tag, form in forms if tag in kept]
            for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def flatten_mapping(self, node: MappingNode) -> None:
            """Each key once: what is merged twice at every level would double at each."""
            super().flatten_mapping(node)
            pairs = {str(key.value): (key, value) for key, value in node.value}
            node.value = list(pairs.values())

    return Texts


def _part(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = {} if document.get(key) is None else document[key]
    if not isinstance(found, dict):
        raise BadCompose(f"{key} is no mapping")
    return found


def _only(service: Any) -> dict[str, Any]:
    """What is asked of a service: a variable elsewhere in it may well have no value here."""
    if not isinstance(service, dict):
        raise BadCompose("the service is no mapping")
    return {key: service[key] for key in ("volumes", "tmpfs", "user") if key in service}


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return interpolated(value, values)
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one, values) for key, one in value.items()}
    return value


def _merged(services: list[dict[str, Any]], folder: str) -> tuple[tuple[Mount, ...], str]:
    """Mounts by their target, the user as said last. Source: 13-merge.md."""
    mounts = {mount.target: mount for one in services for mount in mounts_of(one, folder)}
    users = [str(one["user"]) for one in services if one.get("user") is not None]
    return tuple(mounts.values()), users[-1] if users else ""


def _project(documents: tuple[dict[str, Any], ...], values: Mapping[str, str], folder: str) -> str:
    """What names of volumes begin with. Source: 04-version-and-name.md."""
    named = [str(one["name"]) for one in documents if one.get("name")]
    written = values.get("COMPOSE_PROJECT_NAME") or (named[-1] if named else "")
    try:
        name = interpolated(written, values) if written else posixpath.basename(folder)
    except Unresolved:
        name = ""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")
