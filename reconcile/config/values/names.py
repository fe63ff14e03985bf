"""Names of things on the host and in the file: users, units, modules, owners, sites."""

from __future__ import annotations

from typing import Annotated

from reconcile.config.values.written import matching

Name = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "a name",
        hint="use letters, digits, dots, hyphens and underscores",
        limit=64,
    ),
]
# systemd's "strict" user names, and the dots that some directories of accounts use.
UserName = Annotated[
    str,
    matching(
        r"[A-Za-z_][A-Za-z0-9_.-]{0,30}",
        "a user or group name",
        examples=("www-data", "root"),
        limit=31,
    ),
]
ServiceName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}\.service",
        "a service unit",
        hint="name the whole unit, as in gunicorn.service",
        examples=("gunicorn.service",),
    ),
]
ModuleName = Annotated[
    str,
    matching(
        r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
        r":[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?:\(\))?",
        "a module and its app",
        hint='write "module:app", as Gunicorn takes it',
        examples=("app:app", "myapp.wsgi:application", "app:create_app()"),
    ),
]
SettingsName = Annotated[
    str,
    matching(
        r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*",
        "a module of settings",
        hint="write it as DJANGO_SETTINGS_MODULE has it: project.settings",
        examples=("project.settings",),
    ),
]
CertificateName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*",
        "the name of a certificate of certbot's",
        hint="`certbot certificates` lists them",
        examples=("example.com",),
        limit=200,
    ),
]
ComposeService = Annotated[
    str,
    matching(
        r"[A-Za-z0-9._-]+",
        "the name of a service of a compose file",
        examples=("web",),
        limit=200,
    ),
]
