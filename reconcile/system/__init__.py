"""The only room that touches the machine."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

from reconcile.dataclass import dataclass
from reconcile.filesystem.files import Files
from reconcile.filesystem.state_dir import StateDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconcile.filesystem.parallel import ProgressCounter
    from reconcile.filesystem.sync.copy import OnProgress
    from reconcile.filesystem.undo import Recorder
    from reconcile.system.accounts import Account, Accounts
    from reconcile.system.commands import Commands
    from reconcile.system.http import HttpClient
    from reconcile.system.services import ServiceManager

Part = TypeVar("Part")
ServiceManagerName = Literal["systemd", "process", "none"]


@dataclass(frozen=True)
class HostSettings:
    """What the YAML's `host` section (or the defaults) says about this machine."""

    service_manager: ServiceManagerName = "systemd"
    state_dir: str = "/var/lib/reconcile"
    nginx_config: str = "/etc/nginx/nginx.conf"
    nginx_binary: str = "/usr/sbin/nginx"


class Host:
    """This machine, as everything above sees it; each part is made when first used.

    While an apply runs, `recorder` is its journal, which gets the undo record of each
    effect before the effect. `scan_progress` counts the names that a scan has read;
    `on_copy_progress` gets how many files of how many are copied.
    """

    wrap_part: ClassVar[Callable[[str, Any], Any] | None] = None
    """Applied to each part, with its name, when the part is first used: -v logs its calls so."""

    def __init__(self, settings: HostSettings | None = None) -> None:
        self.settings = settings or HostSettings()
        self.recorder: Recorder | None = None
        self.scan_progress: ProgressCounter | None = None
        self.on_copy_progress: OnProgress | None = None

    @cached_property
    def name(self) -> str:
        import socket

        return socket.gethostname()

    @cached_property
    def privileged(self) -> bool:
        """Whether we run as root."""
        import os

        return os.geteuid() == 0

    @cached_property
    def files(self) -> Files:
        return _part("files", Files(self))

    @cached_property
    def accounts(self) -> Accounts:
        from reconcile.system.accounts import Accounts

        return _part("accounts", Accounts())

    @cached_property
    def managing_account(self) -> Account:
        """Who applies here: root where what is remembered is not for us to write, else we."""
        if self.privileged or self.state.is_writable():
            return self.accounts.current
        return self.accounts.user(self.accounts.user_name(0))

    @property
    def is_unprivileged_viewer(self) -> bool:
        """Whether this machine is somebody else's, and what we may not see there may be fine."""
        return self.managing_account.uid != self.accounts.current.uid

    @cached_property
    def commands(self) -> Commands:
        from reconcile.system.commands import Commands

        return _part("commands", Commands())

    @cached_property
    def services(self) -> ServiceManager:
        from reconcile.system.services import service_manager

        return _part("services", service_manager(self))

    @cached_property
    def http(self) -> HttpClient:
        from reconcile.system.http import HttpClient

        return _part("http", HttpClient())

    @cached_property
    def state(self) -> StateDir:
        return _part("state", StateDir(self.settings.state_dir))


def _part(name: str, part: Part) -> Part:
    wrap = Host.wrap_part
    return part if wrap is None else cast(Part, wrap(name, part))
