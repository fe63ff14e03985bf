"""The mounts of a service: short and long form. Source: Compose Specification, 05-services.md."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal["bind", "volume", "tmpfs", "other"]
_KINDS: dict[str, Kind] = {"bind": "bind", "volume": "volume", "tmpfs": "tmpfs"}


class BadCompose(ValueError):
    """The file is not what the specification has."""


@dataclass(frozen=True)
class Mount:
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
        return f"{path}/".startswith(self.target.rstrip("/") + "/")

    def inside(self, path: str) -> str:
        """Where `path` of the container lies below the source: "" for the source itself."""
        return posixpath.relpath(path, self.target).removeprefix(".").strip("/")


def mounts_of(service: Mapping[str, Any], folder: str) -> tuple[Mount, ...]:
    """Every mount of a service whose values are interpolated; relative sources start at `folder`.

    Errors: BadCompose.
    """
    written = service.get("volumes") or []
    if not isinstance(written, list):
        raise BadCompose("volumes is not a list")
    return (*(_mount(one, folder) for one in written), *_temporary(service.get("tmpfs")))


def _mount(written: Any, folder: str) -> Mount:
    found = _short(written) if isinstance(written, str) else _long(written)
    if found.kind == "bind":
        return replace(found, source=_absolute(found.source, folder))
    return found


def _short(written: str) -> Mount:
    """`[SOURCE:]TARGET[:MODE,…]`."""
    first, colon, rest = written.partition(":")
    if not colon:
        return Mount("volume", "", _target(first))
    target, _, modes = rest.partition(":")
    is_path = first.startswith((".", "/", "~"))
    read_only = "ro" in modes.split(",")
    return Mount("bind" if is_path else "volume", first, _target(target), read_only)


def _long(written: Any) -> Mount:
    if not isinstance(written, Mapping):
        raise BadCompose(f"{written!r} is no volume")
    options = written.get("volume") or {}
    return Mount(
        _KINDS.get(str(written.get("type")), "other"),
        str(written.get("source") or written.get("src") or ""),
        _target(written.get("target") or written.get("dst") or written.get("destination")),
        is_true(written.get("read_only") or written.get("readonly")),
        str(options.get("subpath") or "") if isinstance(options, Mapping) else "",
    )


def _temporary(written: Any) -> Iterator[Mount]:
    for one in [written] if isinstance(written, str) else written or []:
        yield Mount("tmpfs", "", _target(str(one).partition(":")[0]))


def _target(written: Any) -> str:
    if not isinstance(written, str) or not written.startswith("/"):
        raise BadCompose(f"{written!r} is no absolute path inside the container")
    return posixpath.normpath(written)


def is_true(value: Any) -> bool:
    """Whether a text of the file means yes."""
    return str(value).lower() == "true"


def _absolute(source: str, folder: str) -> str:
    if source.startswith("~"):
        # Whose home it is, only the one who starts the containers knows.
        raise BadCompose(f"{source} begins at the home of whoever starts the containers")
    return posixpath.normpath(posixpath.join(folder, source))
