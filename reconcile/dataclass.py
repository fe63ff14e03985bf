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
        """What the standard library's makes, with all methods but `__init__` shared.

        Compiling six methods for every class was an eighth of the time of a plan.
        """
        return partial(_made, kw_only=kw_only)


def _made(cls: type, *, kw_only: bool) -> type:
    made: Any = dataclasses.dataclass(repr=False, eq=False, kw_only=kw_only)(cls)
    fields = dataclasses.fields(made)
    made.__field_names__ = tuple(field.name for field in fields)
    compared = [field.name for field in fields if field.compare]
    made.__compared__ = staticmethod(attrgetter(*compared) if compared else type)
    made.__shown__ = tuple(field.name for field in fields if field.repr)
    for name in ("__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__"):
        if name not in vars(cls):
            setattr(made, name, vars(_Value)[name])
    return cls


def field_names(kind: type) -> tuple[str, ...]:
    """The fields of such a class, in order."""
    names: tuple[str, ...] = getattr(kind, "__field_names__")  # noqa: B009
    return names


class _Value:
    """The methods that all of them share."""

    __compared__: Callable[[object], object]
    """The value of the one field that is compared, or those of all."""
    __shown__: tuple[str, ...]
    __dataclass_fields__: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self.__compared__(self) == self.__compared__(other))

    def __hash__(self) -> int:
        return hash(self.__compared__(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__shown__)
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, value: object) -> None:
        """Each field once, which is what `__init__` does."""
        if name in self.__dict__ or name not in self.__dataclass_fields__:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
