"""The app behind a site."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconcile.config.models.section import Section
from reconcile.config.values.hosts import Upstream
from reconcile.config.values.names import ModuleName, ServiceName, SettingsName, UserName
from reconcile.config.values.paths import Path, UnitPath


class Gunicorn(Section):
    """Gunicorn, run by a unit that is managed here."""

    directory: UnitPath = Field(description="The directory the app is started in.")
    python: UnitPath = Field(
        description="The interpreter that has Gunicorn and the app.",
        examples=["/srv/myapp/.venv/bin/python"],
    )
    module: ModuleName = Field(description="The app as Gunicorn takes it: module:app.")
    workers: Annotated[int, Field(ge=1, le=512)] = Field(
        default=3, description="How many worker processes."
    )


class Flask(Section):
    """A Flask app whose own settings are compared with what nginx serves."""

    directory: Path = Field(description="The directory the app is imported from.")
    module: ModuleName = Field(description="The app as Gunicorn takes it: module:app.")


class Django(Section):
    """A Django project whose own settings are compared with what nginx serves."""

    directory: Path = Field(description="The directory that holds manage.py.")
    settings: SettingsName = Field(description="What DJANGO_SETTINGS_MODULE is to be.")


class App(Section):
    """Who answers what is no file."""

    upstream: Upstream | None = Field(
        default=None,
        description="Where the app listens: unix:/run/gunicorn.sock or http://127.0.0.1:8000.",
    )
    service: ServiceName | None = Field(
        default=None, description="The systemd service that runs the app."
    )
    user: UserName | None = Field(default=None, description="The user the app runs as.")
    gunicorn: Gunicorn | None = Field(
        default=None, description="Manage the unit and its socket as well."
    )
    flask: Flask | None = Field(
        default=None, description="Compare a Flask app's own settings (reconcile doctor)."
    )
    django: Django | None = Field(
        default=None, description="Compare a Django project's own settings (reconcile doctor)."
    )
