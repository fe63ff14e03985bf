"""The settings of an app as its own code reported them, which may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 2000


class InvalidAnswer(ValueError):
    """The output is not an answer of the inspector."""


@dataclass(frozen=True)
class TemplateLink:
    """A file that a template links to; `url` ends with "/" where the rest depends on the request.

    `routed`: the app itself has a route for it, at `endpoint`.
    """

    url: str
    place: str
    routed: bool
    endpoint: str


@dataclass(frozen=True)
class AppFacts:
    """The settings of an app; None where it has no such setting.

    `folders`: name of a setting → the folder that uploads are saved in. `static_url` and
    `media_url` are URL paths, the first without a slash at its end. Units: `most_bytes`.
    """

    static_url: str | None
    static_folder: str | None
    media_url: str | None
    folders: Mapping[str, str]
    most_bytes: int | None
    routes: tuple[tuple[str, str], ...]
    links: tuple[TemplateLink, ...]


def app_facts(answer: Any) -> AppFacts:
    """Parse an answer of the inspector. Errors: InvalidAnswer."""
    try:
        return AppFacts(
            static_url=_optional_text(answer["static_url"]),
            static_folder=_optional_text(answer["static_folder"]),
            media_url=_optional_text(answer.get("media_url")),
            folders={
                _bounded_text(name): _bounded_text(path) for name, path in answer["folders"].items()
            },
            most_bytes=_number(answer["most_bytes"]),
            routes=tuple(
                (_bounded_text(rule), _bounded_text(endpoint))
                for rule, endpoint in answer["routes"]
            ),
            links=tuple(
                TemplateLink(
                    _bounded_text(url), _bounded_text(place), bool(routed), _bounded_text(endpoint)
                )
                for url, place, routed, endpoint in answer["links"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidAnswer(f"{type(error).__name__}: {error}") from None


def _optional_text(value: Any) -> str | None:
    return None if value is None else _bounded_text(value)


def _bounded_text(value: Any) -> str:
    """`value` as a bounded text, as patterns are matched against it. Errors: InvalidAnswer."""
    if len(text := str(value)) > MAX_CHARACTERS:
        raise InvalidAnswer(f"a text of {len(text)} characters")
    return text


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
