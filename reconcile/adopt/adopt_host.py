"""From a host to the reconcile.yaml that leaves it as it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from reconcile.adopt.all_sites import read_sites
from reconcile.adopt.converge import Planner, Trial
from reconcile.adopt.draft import Draft, Note
from reconcile.adopt.host_inspector import HostAround
from reconcile.adopt.site_reader import Nginx
from reconcile.adopt.validity import make_valid
from reconcile.adopt.yaml_writer import yaml_text
from reconcile.config.load import load_bytes
from reconcile.doctor.inspection import HostInspection
from reconcile.engine.model import Plan
from reconcile.errors import ExitCode
from reconcile.system import Host, HostSettings
from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes

_HEAD = (
    "What `reconcile adopt` found on {host}. The plan after this file is empty.",
    "A site with `adopted` is left to the Nginx file that serves it now, whose text stands under"
    " `paths`: `reconcile drift` tells when somebody changes it, `reconcile apply` puts it back."
    " A site without `adopted` is one that reconcile wrote.",
    "No `source` is guessed: name the folder that a static location is shipped from, and its files"
    " are copied from there.",
)
_BOOTED = "/run/systemd/system"
"""The mark of a booted systemd; source: sd_booted(3)."""


@dataclass(frozen=True)
class Adopted:
    """The file, and what it cannot say.

    `plan` is the plan after it, None where only root could make it. `secret` tells that the
    text holds what not everybody may read on the host.
    """

    text: str
    sites: tuple[str, ...]
    notes: tuple[Note, ...]
    plan: Plan | None
    complete: bool
    secret: bool

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.OK if self.complete else ExitCode.ERROR


def adopt(host: Host, file: str, only: Collection[str] = ()) -> Adopted:
    """The host as a reconcile.yaml that will lie at `file`. Changes nothing.

    Errors: ReconcileError where nginx's configuration cannot be read, or no site is called so.
    """
    draft = Draft()
    for line in _HEAD:
        draft.remark((), line.format(host=host.name))
    _tell_host(host, draft)
    snapshot = HostInspection(host)
    nginx = Nginx(
        snapshot.nginx.tree,
        snapshot.nginx.router,
        snapshot.nginx.installation.layout,
        snapshot.nginx.installation.ipv6,
    )
    around = HostAround(host, snapshot)
    watched = read_sites(nginx, around, draft, only)
    plan = None
    if host.privileged or host.settings.service_manager == "process":
        plan = Trial(draft, watched, nginx.layout, around).settle(_planner(file), file)
    else:
        make_valid(draft, file)
        what = "whether the plan after this is empty cannot be told: only root sees what it needs"
        draft.failed("", what, "Run it again with sudo.")
    return Adopted(
        text=yaml_text(draft.values, draft.remarks),
        sites=tuple(draft.values.get("sites", {})),
        notes=tuple(draft.notes),
        plan=plan,
        complete=not draft.incomplete,
        secret=watched.secret,
    )


def _planner(file: str) -> Planner:
    def planned(draft: Draft) -> Plan:
        spec = load_bytes(yaml_text(draft.values, draft.remarks).encode(), file)
        return plan_changes(Workspace(spec, Host(spec.host.settings())))

    return planned


def _tell_host(host: Host, draft: Draft) -> None:
    """What the file has to say of the machine: only what is not as by default."""
    usual, here = HostSettings(), host.settings
    said: dict[str, object] = {}
    nginx = {
        key: getattr(here, f"nginx_{key}")
        for key in ("config", "binary")
        if getattr(here, f"nginx_{key}") != getattr(usual, f"nginx_{key}")
    }
    if nginx:
        said["nginx"] = nginx
    if here.service_manager != usual.service_manager:
        said["service_manager"] = here.service_manager
    elif host.files.stat(_BOOTED) is None:
        said["service_manager"] = "none"
        draft.tell("", "no systemd runs here, so no service is looked after", at=("host",))
    if here.state_dir != usual.state_dir:
        said["state_dir"] = here.state_dir
    if said:
        draft.values["host"] = said
