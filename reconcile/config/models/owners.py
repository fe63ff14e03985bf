"""Who owns what, and with which modes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from reconcile.config.models.section import Section
from reconcile.config.values.names import Name, UserName
from reconcile.config.values.units import DirsMode, FilesMode


class Owner(Section):
    """A user, a group, and the modes of directories and files.

    What is left out is not managed in `paths`, and as the role has it by default in a location.
    """

    user: UserName | None = Field(default=None, description="The owning user, by name.")
    group: UserName | None = Field(default=None, description="The owning group, by name.")
    dirs: DirsMode | None = Field(
        default=None, description="The mode of directories, as a quoted octal number."
    )
    files: FilesMode | None = Field(
        default=None, description="The mode of files, as a quoted octal number."
    )


BUILT_IN = {
    "assets": Owner.model_construct(user="root", group="root", dirs=0o755, files=0o644),
    "uploads": Owner.model_construct(user="www-data", group="www-data", dirs=0o755, files=0o644),
}


# Tags stand in the place of an error: they must not look like keys.
BY_NAME, IN_PLACE = "(name)", "(owner)"


def _form(value: Any) -> str:
    return IN_PLACE if isinstance(value, dict | Owner) else BY_NAME


OwnerChoice = Annotated[
    Annotated[Name, Tag(BY_NAME)] | Annotated[Owner, Tag(IN_PLACE)], Discriminator(_form)
]
"""An owner by name, or one described in place."""
