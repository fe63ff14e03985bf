"""The keys of a configuration file: which ones a place has, and which places a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reconcile.config.document import Loc


def keys_at(loc: Loc, model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that a mapping at `loc` of a file may have."""
    annotations: list[Any] = [model]
    for part in loc:
        annotations = [below for one in annotations for below in _annotations_below(one, part)]
    models = [model for one in annotations for model in _models(one)]
    return tuple(dict.fromkeys(name for model in models for name in _fields_by_key(model)))


def _annotations_below(annotation: Any, part: str | int) -> Iterator[Any]:
    """The annotations of the value at `part` of a value; `part` may be the tag of a union."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        is_tag = part in _tags(annotation)
        yield from [arguments[0]] if is_tag else _annotations_below(arguments[0], part)
    elif origin in (Union, UnionType):
        tagged = [argument for argument in arguments if part in _tags(argument)]
        for argument in tagged or arguments:
            yield from _annotations_below(argument, part)
    elif origin in (dict, Mapping):
        yield arguments[1]
    elif origin is tuple:
        yield arguments[0]
    elif _is_model(annotation) and part in _fields_by_key(annotation):
        yield _fields_by_key(annotation)[str(part)].annotation


def _fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by their names in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _tags(annotation: Any) -> list[Any]:
    extras = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return [extra.tag for extra in extras if hasattr(extra, "tag")]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if _is_model(annotation):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, UnionType):
        for argument in get_args(annotation):
            yield from _models(argument)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def places_of(key: str, model: type[BaseModel]) -> tuple[str, ...]:
    """The mappings that may have `key`, as `sites.*.app`; `*` stands for any name."""
    found = (".".join(place) for name, place in _keys(model) if name == key)
    return tuple(dict.fromkeys(found))


def _keys(annotation: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each key of a value and of what it holds, with the place of its mapping."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if _is_model(annotation):
        for name, field in _fields_by_key(annotation).items():
            yield name, place
            yield from _keys(field.annotation, (*place, name))
    elif origin in (Annotated, tuple):
        yield from _keys(arguments[0], place)
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _keys(argument, place)
    elif origin in (dict, Mapping):
        yield from _keys(arguments[1], (*place, "*"))
