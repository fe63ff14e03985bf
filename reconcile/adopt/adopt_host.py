"""Read a host into a reconcile.yaml that changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from reconcile.adopt.all_sites import read_sites
from reconcile.adopt.converge import Convergence
from reconcile.adopt.draft import Draft
from reconcile.adopt.host_inspector import HostInspector
from reconcile.adopt.site_reader import NginxReading
from reconcile.adopt.suggested_probes import drop_failing_probes
from reconcile.adopt.text_files import move_large_texts
from reconcile.adopt.validity import make_valid
from reconcile.adopt.yaml_writer import yaml_text
from reconcile.config.load import load_bytes
from reconcile.doctor.inspection import HostInspection
from reconcile.engine.model import Plan
from reconcile.output.adoption import Adopted
from reconcile.system import Host, HostSettings
from reconcile.workspace import Workspace
from reconcile.workspace.checking import run_http_probes
from reconcile.workspace.planning import plan_changes

_HEAD = (
    "What `reconcile adopt` found on {host}. A plan with this file shows no changes.",
    "A site with `adopted` keeps its existing Nginx file, whose text is listed under `paths`:"
    " `reconcile drift` reports changes to it, `reconcile apply` reverts them."
    " A site without `adopted` was written by reconcile.",
    "No `source` is guessed: set it on a static location to have its files copied from there.",
)
_BOOTED = "/run/systemd/system"
"""Exists where systemd is the init system. Source: sd_booted(3)."""


def adopt_host(
    host: Host, file: str, only: Collection[str] = (), *, has_files: bool = False
) -> Adopted:
    """Read the host into the text of a reconcile.yaml for the path `file`. Changes nothing.

    `has_files`: large texts become files beside it.

    Errors: ReconcileError where nginx's configuration cannot be read, or a site is unknown.
    """
    draft = Draft()
    for line in _HEAD:
        draft.add_comment((), line.format(host=host.name))
    _write_host_section(host, draft)
    inspection = HostInspection(host)
    found, installed = inspection.nginx, inspection.nginx.installation
    nginx = NginxReading(found.tree, found.router, installed.layout, installed.ipv6)
    inspector = HostInspector(host, inspection)
    watched = read_sites(nginx, inspector, draft, only)
    if missing := nginx.layout.missing_folder:
        draft.add_note("", f"no other site can be added: {missing.what}", missing.fix)
    plan = None
    if host.privileged or host.settings.service_manager == "process":
        convergence = Convergence(draft, watched, nginx.layout, inspector)
        plan = convergence.converge(partial(_plan_draft, file), file)
        _drop_failing_probes(host, draft, file, inspection)
    else:
        make_valid(draft, file)
        what = "could not check that a plan with this file shows no changes: that needs root"
        draft.add_error("", what, "Run it again with sudo.")
    files = tuple(move_large_texts(draft, file)) if has_files else ()
    return Adopted(
        text=yaml_text(draft.values, draft.comments),
        sites=tuple(draft.values.get("sites", {})),
        notes=tuple(draft.notes),
        plan=plan,
        complete=not draft.incomplete,
        secret=watched.secret,
        files=files,
    )


def _drop_failing_probes(host: Host, draft: Draft, file: str, inspection: HostInspection) -> None:
    if host.privileged or host.services.runs_services:
        asleep = _sleeping_sites(draft, inspection)
        drop_failing_probes(draft, run_http_probes(_workspace(draft, file), without=asleep))


def _sleeping_sites(draft: Draft, inspection: HostInspection) -> frozenset[str]:
    """The sites whose app a request would start, by its socket."""
    units = inspection.units
    services = {
        site: entry.get("app", {}).get("service")
        for site, entry in draft.values.get("sites", {}).items()
    }
    return frozenset(
        site for site, name in services.items() if name in units and not units[name].active
    )


def _plan_draft(file: str, draft: Draft) -> Plan:
    return plan_changes(_workspace(draft, file))


def _workspace(draft: Draft, file: str) -> Workspace:
    config = load_bytes(yaml_text(draft.values, draft.comments).encode(), file)
    return Workspace(config, Host(config.host_settings()))


def _write_host_section(host: Host, draft: Draft) -> None:
    """Write the `host` section: only what differs from the defaults."""
    defaults, settings = HostSettings(), host.settings
    section: dict[str, object] = {}
    nginx = {
        key: getattr(settings, f"nginx_{key}")
        for key in ("config", "binary")
        if getattr(settings, f"nginx_{key}") != getattr(defaults, f"nginx_{key}")
    }
    if nginx:
        section["nginx"] = nginx
    if settings.service_manager != defaults.service_manager:
        section["service_manager"] = settings.service_manager
    elif host.files.stat(_BOOTED) is None:
        section["service_manager"] = "none"
        draft.add_note("", "systemd does not run here, so no services are managed", at=("host",))
    if settings.state_dir != defaults.state_dir:
        section["state_dir"] = settings.state_dir
    if section:
        draft.values["host"] = section
