"""Open the workspace or the host that a command works on."""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.cli.options import LOCAL, config_file, find_config_file, variables_of
from reconcile.cli.standard_input import DASH, load_config, open_config
from reconcile.config.config_file import ConfigFile
from reconcile.engine.selection import Selection
from reconcile.system import Host
from reconcile.workspace import Workspace, kept_workspace


def open_workspace(file: str | None, variables: list[str] | None = None) -> Workspace:
    """The workspace of the configuration file, with the variables of --var.

    Errors: ReconcileError where there is none.
    """
    return open_file(config_file(file), variables)


def open_to_plan(file: str | None, variables: list[str] | None = None) -> Workspace:
    """The same for who only plans: with what the last apply compiled, as long as that holds."""
    path = config_file(file)
    if path == DASH:
        return open_file(path, variables)
    return kept_workspace.open_to_plan(open_config(path, variables_of(variables)))


def open_kept(
    file: str | None, variables: list[str] | None = None
) -> kept_workspace.KeptWorkspace | None:
    """The same for an apply that may find nothing to do; None where the file has to be compiled."""
    path = config_file(file)
    if path == DASH:
        return None
    return kept_workspace.open_kept(open_config(path, variables_of(variables)))


def open_file(path: str, variables: list[str] | None = None) -> Workspace:
    """The workspace of the configuration at `path`, "-" for standard input."""
    config = load_config(path, variables_of(variables))
    return Workspace(config, Host(config.host_settings()))


def open_state(file: str | None) -> Workspace:
    """The same for commands that need only the state directory, which outlives the YAML.

    Without a configuration file it is the default one.
    """
    if find_config_file(file) is None:
        config = ConfigFile(LOCAL, b"version: 1").load()
        return Workspace(config, Host(config.host_settings()))
    return open_workspace(file)


def open_host(file: str | None, variables: list[str] | None = None) -> Host:
    """The host as the configuration file describes it, else with the default settings."""
    path = find_config_file(file)
    return Host() if path is None else open_workspace(path, variables).host


def selection_of(
    sites: Sequence[str] | None, targets: Sequence[str] | None, excludes: Sequence[str] | None
) -> Selection:
    """The part of the host that --site, --target and --exclude select; by default all."""
    return Selection(tuple(sites or ()), tuple(targets or ()), tuple(excludes or ()))
