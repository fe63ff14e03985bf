"""Hosts by pyinfra's connectors: the only module that knows pyinfra.

It uses its inventories, and of a host `init`, `connect` and `run_shell_command`; none of its
operations and facts. The process has to be cooperative before this is imported.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from gevent import Timeout, get_hub
from gevent.pool import Pool
from gevent.queue import Queue
from pyinfra import logger
from pyinfra.api import Config, Inventory, State, StringCommand
from pyinfra.api import connectors as api_connectors
from pyinfra.api import inventory as api_inventory
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors import util as connector_util
from pyinfra.connectors.sshuserclient import client as ssh_client
from pyinfra.connectors.sshuserclient.client import StrictPolicy
from pyinfra.connectors.util import OutputLine
from pyinfra.context import ctx_state
from pyinfra_cli.exceptions import CliError, UnexpectedExternalError
from pyinfra_cli.inventory import make_inventory

from reconcile.errors import ReconcileError
from reconcile.fleet.answer import HostAnswer, unknown, unreachable
from reconcile.fleet.bounded_output import OutputExceeded, limit_packets, read_output
from reconcile.fleet.fleet_file import Fleet
from reconcile.fleet.host_keys import with_host_key_fix
from reconcile.fleet.script import ASK_INSTALLED, HEADER, parts
from reconcile.fleet.sent_files import SentFiles
from reconcile.fleet.target import Target, connection_of, target_of
from reconcile.fleet.work import Job

CONNECT_S = 10
CONNECTED_S = 60
"""The longest from the first packet to the login, jump hosts included."""
GRACE_S = 15
"""How much longer than its command a host may take."""
EXCEEDED = "exceeded"
"""The part of an answer that was cut off."""
STRICT = {"ssh_strict_host_key_checking": "yes"}
"""A host whose key is not known is never accepted, whatever an inventory has."""


class FleetHosts(NamedTuple):
    """The hosts of the fleet, and pyinfra's object for each."""

    targets: tuple[Target, ...]
    hosts: Mapping[str, Any]


class _Failure(Exception):
    """Why a host was not asked, or gave no answer."""


def members_of(fleet: Fleet) -> FleetHosts:
    """All hosts of the fleet. Errors: ReconcileError for an unusable inventory."""
    _keep_quiet()
    if fleet.inventory is None:
        targets = tuple(target_of(name, host) for name, host in fleet.hosts.items())
        return FleetHosts(targets, _listed_hosts(fleet))
    hosts = {host.name: host for host in _inventory(fleet.inventory)}
    return FleetHosts(tuple(map(_inventory_target, hosts.values())), hosts)


def _listed_hosts(fleet: Fleet) -> dict[str, Any]:
    """One inventory for all but those whose connector has the name of another host's."""
    names: dict[str, str] = {}
    data, found = dict[str, Any](), dict[str, Any]()
    for name, host in fleet.hosts.items():
        connector, about = connection_of(name, host)
        if connector in data:
            [found[name]] = Inventory(([(connector, about)], {}), override_data=STRICT)
        else:
            names[name], data[connector] = connector, about
    shared = Inventory(([*data.items()], {}), override_data=STRICT)
    return found | {name: shared.get_host(connector) for name, connector in names.items()}


def _inventory(path: str) -> Any:
    try:
        with open(path, "rb"), ctx_state.use(State()):
            return make_inventory(path, override_data=dict(STRICT))
    except UnexpectedExternalError as error:
        why = f"{type(error.exception).__name__}: {error.exception}"
    except (OSError, CliError, PyinfraError, TypeError, SyntaxError) as error:
        why = str(getattr(error, "message", "")) or str(error)
    fix = "Correct it: `pyinfra INVENTORY debug-inventory` shows what pyinfra reads."
    raise ReconcileError(f"The inventory {path} cannot be used", why, fix)


def _inventory_target(host: Any) -> Target:
    variables = host.data.get("vars") or {}
    groups = frozenset(group for group in host.groups if not group.startswith("@"))
    return Target(host.name, groups, variables, host.data.get("sudo", True) is not False)


class Connections:
    """Asks many hosts at once; each by a connection of its own, which ends with the answer."""

    def __init__(self, members: FleetHosts, parallel: int) -> None:
        # Kept to the end: pyinfra knows file transfers by the address of their connection.
        self._hosts = members.hosts
        # Without hosts: it takes time that grows faster than their number.
        self._state = State()
        self._state.init(Inventory.empty(), Config(CONNECT_TIMEOUT=CONNECT_S, PARALLEL=1))
        self._pool = Pool(parallel)
        self._answers: Any = Queue()

    def start(self, job: Job) -> None:
        """Ask the job's host; `next_answer` returns its answer."""
        self._pool.spawn(self._ask, job)

    def next_answer(self) -> tuple[str, HostAnswer]:
        """The name and the answer of the next host that ends."""
        name, answer = self._answers.get()
        return str(name), answer

    def _ask(self, job: Job) -> None:
        started = time.monotonic()
        host = self._hosts[job.name]
        host.init(self._state)
        asked = _Asked(host, job)
        with Timeout(job.timeout_s + GRACE_S, False):
            asked.run()
        asked.close()
        self._answers.put((job.name, asked.answer.after(time.monotonic() - started)))


class _Asked:
    """One host while it is asked; where that ends early, `answer` is what is known."""

    def __init__(self, host: Any, job: Job) -> None:
        self._host, self._job = host, job
        self.answer = unreachable("it did not answer in time")

    def run(self) -> None:
        """Connect, run the script with its files and read its answer."""
        try:
            self._connect_and_run()
        except Exception as error:  # noqa: BLE001  whatever one host sends must not end the others
            why = with_host_key_fix(str(error).strip() or type(error).__name__)
            self.answer = (unreachable if self.answer.state == "unreachable" else unknown)(why)

    def _connect_and_run(self) -> None:
        with Timeout(CONNECTED_S, _Failure("it did not answer in time")):
            self._host.connect(show_errors=False, raise_exceptions=True)
        self.answer = unknown("it did not answer in time")
        installed = ""
        if self._job.may_install:
            installed = self._parts(ASK_INSTALLED).get("installed", "").strip()
        self.answer = self._job.read(self._parts(*self._job.for_host(installed)))

    def _parts(self, script: str, files: SentFiles | None = None) -> dict[str, str]:
        _, output = self._host.run_shell_command(StringCommand(script), _stdin=files)
        found = parts(output.stdout.split("\n"))
        if EXCEEDED in found:
            raise _Failure("the answer is larger than any answer of reconcile")
        return found

    def close(self) -> None:
        """End the connection; pyinfra leaves it open."""
        client = getattr(self._host.connector, "client", None)
        if client is not None:
            client.close()
        self._host.connected = False


def _keep_quiet() -> None:
    """Silence pyinfra, whose log repeats the answers, and keep it from asking a person."""
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    # A signal arrives while all hosts are waited for: that is no error of gevent's.
    setattr(get_hub(), "exception_stream", None)  # noqa: B010  which it reads
    setattr(connector_util, "getpass", _refuse_password)  # noqa: B010
    # Read once: it would read what is installed for each host.
    for module in (api_connectors, api_inventory):
        setattr(module, "get_all_connectors", _all_connectors)  # noqa: B010
    # It would take all that a host sends.
    setattr(connector_util, "read_buffer", _read_within_limits)  # noqa: B010
    # It would ask whether to accept an unknown key of a jump host.
    setattr(ssh_client, "get_missing_host_key_policy", lambda _policy: StrictPolicy())  # noqa: B010
    limit_packets()


_all_connectors = cache(api_connectors.get_all_connectors)


def _read_within_limits(name: str, stream: Any, lines: Any, **_printing: Any) -> None:
    try:
        text = read_output(stream, is_stderr=name == "stderr")
    except OutputExceeded:
        text = HEADER + EXCEEDED
    lines.put(OutputLine(name, text))


def _refuse_password(_prompt: str = "") -> str:
    raise PyinfraError(
        "sudo asks for a password: allow passwordless sudo for the login, or log in as root"
    )
