"""Owners: a user, a group, and the modes of directories and files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field, Tag

from reconcile.config.config_model import ConfigEntry
from reconcile.config.diagnostics import Violation, suggest
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import (
    FieldType,
    InvalidValue,
    UnquotedOctal,
    describe,
    quote_text,
)
from reconcile.config.fields.identifiers import Name, UserName
from reconcile.config.fields.short_form import short_or_mapping

if TYPE_CHECKING:
    from reconcile.config.config import Config

_MODE = re.compile(r"[0-7]{3,4}", re.ASCII)


def parse_dirs_mode(value: Any) -> int:
    """The mode of directories, which their owner has to be able to use."""
    mode = _parse_mode(value, example="0755")
    if mode & 0o4000:
        raise InvalidValue("setuid has no effect on directories", 'use "0755"')
    if mode & 0o700 != 0o700:
        raise InvalidValue(
            f'"{mode:04o}" denies the owner access to the directory', 'use "0755" or "0750"'
        )
    if mode & 0o002 and not mode & 0o1000:
        raise InvalidValue(
            f'"{mode:04o}" lets everyone delete and replace files', 'use "0755" or "0775"'
        )
    return mode


def parse_files_mode(value: Any) -> int:
    """The mode of files: readable by their owner, not setuid, not writable by everyone."""
    mode = _parse_mode(value, example="0644")
    if mode & 0o7000:
        raise InvalidValue(
            f'"{mode:04o}" sets the setuid, setgid or sticky bit on files', 'use "0644"'
        )
    if not mode & 0o400:
        raise InvalidValue(f'"{mode:04o}" denies the owner read access', 'use "0644" or "0640"')
    if mode & 0o002:
        raise InvalidValue(f'"{mode:04o}" lets everyone change the files', 'use "0644" or "0664"')
    return mode


def _parse_mode(value: Any, example: str) -> int:
    # A YAML parser reads 0644 as 420, as 644 or as a text.
    if isinstance(value, UnquotedOctal) or (isinstance(value, int) and not isinstance(value, bool)):
        quoted = str(value).removeprefix("0o").zfill(4)
        raise InvalidValue(f'file modes must be quoted: "{quoted}"')
    if not isinstance(value, str):
        raise InvalidValue(f"expected a mode, got {describe(value)}", f'use "{example}"')
    if not _MODE.fullmatch(value):
        raise InvalidValue(
            f"{quote_text(value)} is not a mode", f'use octal digits, as in "{example}"'
        )
    return int(value, 8)


DirsMode = Annotated[
    int,
    FieldType(
        parse_dirs_mode,
        {
            "type": "string",
            "pattern": r"^(?:[02]?7[0-7][0145]|[13]7[0-7][0-7])$",
            "examples": ["0755", "0750", "2775"],
        },
    ),
]
FilesMode = Annotated[
    int,
    FieldType(
        parse_files_mode,
        {
            "type": "string",
            "pattern": r"^0?[4-7][0-7][0145]$",
            "examples": ["0644", "0640"],
        },
    ),
]


class OwnerEntry(ConfigEntry):
    """A user, a group, and the modes of directories and files.

    In `paths`, what is left out is not managed; in a location it is the role's default.
    """

    user: UserName | None = Field(default=None, description="The owning user, by name.")
    group: UserName | None = Field(default=None, description="The owning group, by name.")
    dirs: DirsMode | None = Field(
        default=None, description="The mode of directories, as a quoted octal number."
    )
    files: FilesMode | None = Field(
        default=None, description="The mode of files, as a quoted octal number."
    )

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:  # noqa: ARG002
        """An owner sets something."""
        if self == OwnerEntry():
            yield Violation(loc, "this owner is empty", "add a user, a group or modes")


class ResolvedOwner(NamedTuple):
    """An owner with everything filled in."""

    user: str
    group: str
    dirs: int
    files: int


BUILT_IN_OWNERS = {
    "assets": OwnerEntry.model_construct(user="root", group="root", dirs=0o755, files=0o644),
    "uploads": OwnerEntry.model_construct(
        user="www-data", group="www-data", dirs=0o755, files=0o644
    ),
}


# Pydantic adds the tag to the location of an error: it must not look like a key.
NAMED, INLINE = "(name)", "(owner)"


OwnerChoice = Annotated[
    Annotated[Name, Tag(NAMED)] | Annotated[OwnerEntry, Tag(INLINE)],
    short_or_mapping(NAMED, INLINE, OwnerEntry),
]
"""The name of an owner, or an inline owner."""


def check_owner_choice(loc: Loc, choice: OwnerChoice | None, config: Config) -> Iterator[Violation]:
    """A name is that of an owner, an inline owner sets something."""
    if isinstance(choice, OwnerEntry):
        yield from choice.check(loc, config)
    elif choice is not None and choice not in config.owner_names:
        message = f"unknown owner {quote_text(choice)}"
        yield Violation(loc, message, suggest(choice, config.owner_names), is_independent=True)
