"""`dataclass(frozen=True)`, cheap to define: a command starts with a hundred of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *,
        frozen: Literal[True],  # noqa: ARG001
        kw_only: bool = False,
    ) -> Callable[[type], type]:
        """What the standard library's makes, with all methods shared.

        Compiling seven methods for every class was a fifth of the time of a plan.
        """
        return partial(_made, kw_only=kw_only)


def _made(cls: type, *, kw_only: bool) -> type:
    standard = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)
    made: Any = standard(cls)
    fields = dataclasses.fields(made)
    made.__field_names__ = tuple(field.name for field in fields)
    made.__field_set__ = frozenset(made.__field_names__)
    made.__positional__ = tuple(field.name for field in fields if not field.kw_only)
    made.__field_defaults__ = {
        field.name: field.default for field in fields if field.default is not dataclasses.MISSING
    }
    made.__factories__ = tuple(
        (field.name, field.default_factory)
        for field in fields
        if field.default_factory is not dataclasses.MISSING
    )
    compared = [field.name for field in fields if field.compare]
    made.__compared__ = staticmethod(attrgetter(*compared) if compared else type)
    made.__shown__ = tuple(field.name for field in fields if field.repr)
    for name in (
        "__init__",
        "__completed__",
        "__eq__",
        "__hash__",
        "__repr__",
        "__setattr__",
        "__delattr__",
    ):
        if name not in vars(cls):
            setattr(made, name, vars(_Value)[name])
    return cls


def field_names(kind: type) -> tuple[str, ...]:
    """The fields of such a class, in order."""
    names: tuple[str, ...] = getattr(kind, "__field_names__")  # noqa: B009
    return names


class _Value:
    """The methods that all of them share."""

    __field_names__: tuple[str, ...]
    __field_set__: frozenset[str]
    __positional__: tuple[str, ...]
    __field_defaults__: dict[str, Any]
    __factories__: tuple[tuple[str, Callable[[], Any]], ...]
    __compared__: Callable[[object], object]
    """The value of the one field that is compared, or those of all."""
    __shown__: tuple[str, ...]

    def __init__(self, *values: Any, **given: Any) -> None:
        fields = dict(zip(self.__positional__, values, strict=False))
        if given or len(fields) != len(self.__field_set__) or len(values) > len(fields):
            fields = self.__completed__(fields, len(values), given)
        self.__dict__.update(fields)

    def __completed__(
        self, named: dict[str, Any], values: int, given: dict[str, Any]
    ) -> dict[str, Any]:
        """All fields, with their defaults. Errors: TypeError."""
        fields = {**self.__field_defaults__, **named, **given}
        for name, make in self.__factories__:
            if name not in fields:
                fields[name] = make()
        is_twice = len(named) != values or not named.keys().isdisjoint(given)
        if is_twice or fields.keys() != self.__field_set__:
            raise TypeError(f"{type(self).__qualname__} has the fields {self.__field_names__}")
        return fields

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self.__compared__(self) == self.__compared__(other))

    def __hash__(self) -> int:
        return hash(self.__compared__(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__shown__)
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, _value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
