"""Our copy of an htpasswd, to which the login of our own probes is added."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from reconcile.dataclass import dataclass
from reconcile.resources.file import File
from reconcile.system import Host
from reconcile.system.probe_login import made_password, read_password, with_login, without_login


@dataclass(frozen=True, kw_only=True)
class PasswordFile(File):
    """A file whose `content` is what people wrote; `has_login`: our line is there, too.

    The line is no part of the content: no plan and no ledger knows it.
    """

    has_login: bool | None = True

    def observe(self, host: Host) -> Self | None:
        """The file, its content without our line."""
        found = super().observe(host)
        if found is None or found.content is None:
            return found
        people = without_login(found.content)
        password = read_password(host)
        expected = None if password is None else with_login(people, password)
        # A last line without its end is completed when ours follows.
        content = self.content if people.rstrip(b"\n") == _stripped(self.content) else people
        update: dict[str, Any] = {"content": content, "has_login": found.content == expected}
        return replace(found, **update)

    def file_data(self, host: Host) -> bytes:
        """What people wrote, and our line."""
        return with_login(self.content or b"", made_password(host))

    def differs_in_content(self, before: File | None) -> bool:
        """Whether it has to be written."""
        login = isinstance(before, PasswordFile) and before.has_login
        return super().differs_in_content(before) or not login


def _stripped(content: bytes | None) -> bytes:
    return (content or b"").rstrip(b"\n")
