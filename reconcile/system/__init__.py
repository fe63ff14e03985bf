"""This machine: its files, accounts, programs, services and network, each behind one class."""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

from reconcile.dataclass import dataclass
from reconcile.filesystem.files import Files
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.state_dir import StateDir
from reconcile.system.accounts import Account, Accounts
from reconcile.system.commands import Commands
from reconcile.system.services.select_manager import select_manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconcile.filesystem.parallel import ProgressCounter
    from reconcile.filesystem.sync.copy_progress import OnProgress
    from reconcile.filesystem.undo import Recorder
    from reconcile.system.http import HttpClient
    from reconcile.system.services import ServiceManager

PROTECTION = "/var/lib/reconcile-protected"
Part = TypeVar("Part")
ServiceManagerName = Literal["systemd", "process", "none"]


@dataclass(frozen=True)
class HostSettings:
    """The `host` section of the YAML, or its defaults."""

    service_manager: ServiceManagerName = "systemd"
    state_dir: str = "/var/lib/reconcile"
    nginx_config: str = "/etc/nginx/nginx.conf"
    nginx_binary: str = "/usr/sbin/nginx"
    scope: str = ""
    """The part of the ledger that belongs to the configuration; "" for the one without a name."""


class Host:
    """This machine; each part is created on first use.

    During an apply, `recorder` is its journal, which gets the undo record of each effect before
    the effect, and `guard` refuses effects in protected folders. `scan_progress` counts the names
    that a scan has read; `on_copy_progress` gets how many files of how many are copied.
    """

    wrap_part: ClassVar[Callable[[str, Any], Any] | None] = None
    """Wraps each part, given its name, on first use; -v logs the calls of the parts with it."""

    def __init__(self, settings: HostSettings | None = None) -> None:
        self.settings = settings or HostSettings()
        self.now_s = time.time()
        """The one clock of a command: what outlives its time does so everywhere, or nowhere."""
        self.recorder: Recorder | None = None
        self.guard: PlaceGuard = UNGUARDED
        self.scan_progress: ProgressCounter | None = None
        self.on_copy_progress: OnProgress | None = None

    @cached_property
    def name(self) -> str:
        """The host name."""
        return os.uname().nodename

    @cached_property
    def privileged(self) -> bool:
        """Whether this process runs as root."""
        return os.geteuid() == 0

    @cached_property
    def files(self) -> Files:
        """Its files, accessed by descriptor."""
        return _part("files", Files(self))

    @cached_property
    def accounts(self) -> Accounts:
        """Its users and groups."""
        return _part("accounts", Accounts())

    @cached_property
    def managing_account(self) -> Account:
        """The user that applies here: root where this user cannot write the state directory."""
        if self.privileged or self.state.is_writable():
            return self.accounts.current
        return self.accounts.user(self.accounts.user_name(0))

    @property
    def is_unprivileged_viewer(self) -> bool:
        """Whether another user applies here, so that a denied access may be no fault."""
        return self.managing_account.uid != self.accounts.current.uid

    @cached_property
    def commands(self) -> Commands:
        """Its programs."""
        return _part("commands", Commands())

    @cached_property
    def services(self) -> ServiceManager:
        """Its service manager, as the settings name it."""
        return _part("services", select_manager(self))

    @cached_property
    def http(self) -> HttpClient:
        """HTTP requests to its own addresses."""
        # Brings sockets, which a plan does without.
        from reconcile.system.http import HttpClient

        return _part("http", HttpClient())

    @cached_property
    def state(self) -> StateDir:
        """The state directory of reconcile."""
        return _part("state", StateDir(self.settings.state_dir))

    @cached_property
    def protection(self) -> StateDir:
        """Where protected folders are recorded a second time, whatever `state_dir` is.

        A sandbox, or who is not root, has no place but beside the state directory.
        """
        path = PROTECTION if self._is_whole_machine else f"{self.settings.state_dir}-protected"
        return _part("protection", StateDir(path))

    @property
    def usual_state_dirs(self) -> tuple[str, ...]:
        """The state directories that may be this machine's although no record names them."""
        return (HostSettings().state_dir,) if self._is_whole_machine else ()

    @property
    def _is_whole_machine(self) -> bool:
        return self.privileged and self.settings.service_manager != "process"


def _part(name: str, part: Part) -> Part:
    wrap = Host.wrap_part
    return part if wrap is None else cast(Part, wrap(name, part))
