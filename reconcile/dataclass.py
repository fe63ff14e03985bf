"""`dataclass`, cheap to define: a command starts with a hundred of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *,
        frozen: bool,
        kw_only: bool = False,
    ) -> Callable[[type], type]:
        """What the standard library's makes, with all methods shared and its fields read late.

        Compiling seven methods for every class was a fifth of the time of a plan, and reading the
        fields of those that it never uses a tenth of what was left.
        """
        return partial(_made, frozen=frozen, kw_only=kw_only)


def _made(cls: type, *, frozen: bool, kw_only: bool) -> type:
    late = _LateFields(cls, kw_only=kw_only)
    setattr(cls, _FIELDS, late)
    setattr(cls, _SHAPE, _LateShape(late))
    own = vars(cls)
    for name, method in (_FROZEN if frozen else _CHANGEABLE).items():
        if name not in own:
            setattr(cls, name, method)
    return cls


def field_names(kind: type) -> tuple[str, ...]:
    """The fields of such a class, in order."""
    shape: _Shape = getattr(kind, _SHAPE)
    return shape.names


class _Shape:
    """What the fields of a class mean for its values."""

    def __init__(self, cls: type) -> None:
        fields = dataclasses.fields(cls)
        self.names = tuple(field.name for field in fields)
        self.known = frozenset(self.names)
        self.positional = tuple(field.name for field in fields if not field.kw_only)
        self.defaults = {
            field.name: field.default
            for field in fields
            if field.default is not dataclasses.MISSING
        }
        self.factories = tuple(
            (field.name, field.default_factory)
            for field in fields
            if field.default_factory is not dataclasses.MISSING
        )
        compared = [field.name for field in fields if field.compare]
        self.compared: Callable[[object], object] = attrgetter(*compared) if compared else type
        """The value of the one field that is compared, or those of all."""
        self.shown = tuple(field.name for field in fields if field.repr)


class _LateFields:
    """The `__dataclass_fields__` of a class that has not needed them yet."""

    # Two threads may need them first: reading them twice would lose the defaults.
    _lock = RLock()

    def __init__(self, cls: type, *, kw_only: bool) -> None:
        self.cls, self._kw_only = cls, kw_only

    def __get__(self, _value: object, _owner: type) -> dict[str, dataclasses.Field[Any]]:
        with self._lock:
            if vars(self.cls)[_FIELDS] is self:
                dataclasses.dataclass(
                    init=False, repr=False, eq=False, match_args=False, kw_only=self._kw_only
                )(self.cls)
        fields: dict[str, dataclasses.Field[Any]] = vars(self.cls)[_FIELDS]
        return fields


class _LateShape:
    """The `__shape__` of a class that has not needed it yet."""

    def __init__(self, fields: _LateFields) -> None:
        self._fields = fields

    def __get__(self, _value: object, _owner: type) -> _Shape:
        shape = _Shape(self._fields.cls)
        setattr(self._fields.cls, _SHAPE, shape)
        return shape


class _Value:
    """The methods that all of them share."""

    __shape__: _Shape

    def __init__(self, *values: Any, **given: Any) -> None:
        shape = self.__shape__
        fields = dict(zip(shape.positional, values, strict=False))
        if given or len(fields) != len(shape.names) or len(values) > len(fields):
            fields = _completed(type(self), shape, fields, len(values), given)
        self.__dict__.update(fields)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        compared = self.__shape__.compared
        return bool(compared(self) == compared(other))

    def __hash__(self) -> int:
        return hash(self.__shape__.compared(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__shape__.shown)
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, _value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _completed(
    cls: type, shape: _Shape, named: dict[str, Any], values: int, given: dict[str, Any]
) -> dict[str, Any]:
    """All fields, with their defaults. Errors: TypeError."""
    fields = {**shape.defaults, **named, **given}
    for name, make in shape.factories:
        if name not in fields:
            fields[name] = make()
    is_twice = len(named) != values or not named.keys().isdisjoint(given)
    if is_twice or fields.keys() != shape.known:
        raise TypeError(f"{cls.__qualname__} has the fields {shape.names}")
    return fields


_FIELDS, _SHAPE = "__dataclass_fields__", "__shape__"
_CHANGEABLE = {name: vars(_Value)[name] for name in ("__init__", "__eq__", "__repr__")} | {
    "__hash__": None
}
_FROZEN = _CHANGEABLE | {
    name: vars(_Value)[name] for name in ("__hash__", "__setattr__", "__delattr__")
}
