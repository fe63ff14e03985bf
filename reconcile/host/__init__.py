"""The only room that touches the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.host.accounts import Accounts
    from reconcile.host.commands import Commands
    from reconcile.host.files import Files
    from reconcile.host.http import HttpClient
    from reconcile.host.services import ServiceManager
    from reconcile.host.state import StateDir
    from reconcile.host.undo import Recorder
