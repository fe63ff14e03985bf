"""A desired state as JSON and back: plain values, and of classes only those that a plan has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date
from importlib import import_module
from typing import Any

from reconcile.config.outline import ConfigOutline
from reconcile.engine.ignore_rules import IgnoredField
from reconcile.engine.model import Conflict, Declared, Finding, Position
from reconcile.engine.moves import Moves
from reconcile.engine.resource import Ref
from reconcile.resources import registry
from reconcile.system import HostSettings
from reconcile.workspace.desired_state import DesiredState

_CLASSES: dict[str, Any] = {
    one.__name__: one
    for one in (
        *(DesiredState, Declared, Conflict, Finding, Position, Ref, Moves, IgnoredField),
        *(ConfigOutline, HostSettings),
    )
}
_MODULES = {name: kind for kind, name in registry.MODULES.items()} | {
    "PasswordFile": "password_file",
    "ReleaseStep": "release",
}
"""The modules of the other classes, imported where a state has one."""


class StateCodec:
    """Encodes and decodes with the contents of source files, which are kept nowhere else.

    `sources`: path → content. Errors: TypeError for a value that no state has.
    """

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        self._sources = sources
        self._paths = {content: path for path, content in sources.items() if content}
        self._decoders: dict[str, Callable[[list[Any]], Any]] = {
            "tuple": lambda items: tuple(map(self.decode, items)),
            "set": lambda items: frozenset(map(self.decode, items)),
            "dict": lambda items: {self.decode(k): self.decode(v) for k, v in items},
            "date": lambda items: date.fromisoformat(items[0]),
            "bytes": lambda items: items[0].encode("latin-1"),
            "source": lambda items: self._sources[items[0]],
        }

    def encode(self, value: Any) -> Any:
        """The value as JSON: what is no scalar is a list that begins with its type."""
        if value is None or isinstance(value, str | int | float):
            return value
        if isinstance(value, bytes):
            path = self._paths.get(value)
            return ["bytes", value.decode("latin-1")] if path is None else ["source", path]
        if isinstance(value, date):
            return ["date", value.isoformat()]
        if isinstance(value, frozenset):
            return ["set", *map(self.encode, sorted(value))]
        if isinstance(value, Mapping):
            return ["dict", *([self.encode(k), self.encode(v)] for k, v in value.items())]
        if type(value) is tuple:
            return ["tuple", *map(self.encode, value)]
        return self._encode_class(value)

    def _encode_class(self, value: Any) -> list[Any]:
        name = type(value).__name__
        if _class(name) is not type(value):
            raise TypeError(f"{name} is no part of a desired state")
        if isinstance(value, tuple):
            return [name, *map(self.encode, value)]
        given = (one.name for one in fields(value) if _differs(one, value))
        return [name, {key: self.encode(getattr(value, key)) for key in given}]

    def decode(self, value: Any) -> Any:
        """The value. Errors: KeyError, TypeError, ValueError where it is damaged."""
        if type(value) is not list:
            return value
        decoder = self._decoders.get(value[0])
        if decoder is not None:
            return decoder(value[1:])
        made = _class(value[0])
        if issubclass(made, tuple):
            return made(*map(self.decode, value[1:]))
        return made(**{name: self.decode(item) for name, item in value[1].items()})


def _differs(field: Any, value: Any) -> bool:
    return field.default is MISSING or getattr(value, field.name) != field.default


def _class(name: str) -> Any:
    """Errors: KeyError for one that no state has."""
    if name not in _CLASSES:
        module = import_module(f"reconcile.resources.{_MODULES[name]}")
        _CLASSES[name] = getattr(module, name)
    return _CLASSES[name]
