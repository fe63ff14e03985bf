"""Names of things in the file and on the host: entries, users, service units."""

from __future__ import annotations

from typing import Annotated

from reconcile.config.fields.field_type import regex_str

Name = Annotated[
    str,
    regex_str(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "a name",
        hint="use letters, digits, dots, hyphens and underscores",
        limit=64,
    ),
]
# systemd's "strict" user names, and the dots that some directories of accounts use.
UserName = Annotated[
    str,
    regex_str(
        r"[A-Za-z_][A-Za-z0-9_.-]{0,30}",
        "a user or group name",
        examples=("www-data", "root"),
        limit=31,
    ),
]
ServiceName = Annotated[
    str,
    regex_str(
        r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}\.service",
        "a service unit",
        hint="use the full unit name, such as gunicorn.service",
        examples=("gunicorn.service",),
    ),
]
