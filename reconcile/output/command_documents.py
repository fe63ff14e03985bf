"""The JSON of the commands that neither plan nor apply: state, graph, render, demo, schedule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconcile.engine.drift_report import State
from reconcile.output.documents import FORMAT_VERSION, ConfigFile, Document, Envelope


class StateItem(Document):
    """One row of the ledger: digests of what was last written, never contents."""

    address: str
    kind: str
    name: str
    sites: list[str]
    created: bool
    protected: bool
    since: str
    digests: dict[str, str]


class StateDocument(Envelope):
    """`reconcile state list|show|forget --json`."""

    resources: list[StateItem]
    forgotten: list[str]
    exit_code: int


class GraphItem(Document):
    """A resource, and the addresses of those that are created before it."""

    address: str
    requires: list[str]


class GraphDocument(Envelope):
    """`reconcile graph --json`."""

    resources: list[GraphItem]
    exit_code: int


class WrittenDocument(Document):
    """`reconcile init --json` and `reconcile schema --write DIR --json`."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str
    files: list[str]
    result: Literal["written"] = "written"
    exit_code: int = 0


class RenderedFile(Document):
    """One file or symlink; `content` is null for a symlink and "(sensitive)" for a secret."""

    path: str
    type: Literal["file", "symlink"]
    sites: list[str]
    user: str | None
    group: str | None
    mode: str | None
    sensitive: bool
    content: str | None
    target: str | None


class RenderDocument(Document):
    """What `render --json` prints."""

    format_version: str = FORMAT_VERSION
    config: ConfigFile
    assumed: dict[str, str] = Field(description="what was assumed of the host")
    files: list[RenderedFile]


class DemoDocument(Document):
    """`reconcile demo --json`; `address` is the URL of the demo while it is `running`."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str
    folder: str
    running: bool
    address: str
    port: int | None
    exit_code: int = 0


class ScheduleDocument(Envelope):
    """`reconcile schedule install|status|remove --json`: the schedule after the command.

    `by` and `next_run` are empty where nothing is scheduled; `failure` says why the timer's own
    last run brought no result.
    """

    installed: bool
    by: str
    next_run: str
    failure: str = ""
    last_run: str | None
    last_state: State | None
    last_success: str | None
    exit_code: int
