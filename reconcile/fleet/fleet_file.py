"""fleet.yaml: the hosts, what each is given, and the order of a rollout."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, Tag

from reconcile.config import yaml
from reconcile.config.config_file import read_file
from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import ConfigErrors, Violation, suggest
from reconcile.config.fields.field_type import (
    FieldType,
    InvalidValue,
    ParseContext,
    describe,
    quote_text,
    regex_str,
    require_str,
)
from reconcile.config.fields.identifiers import Name
from reconcile.config.fields.path_types import AbsolutePath, Path
from reconcile.config.fields.quantities import Duration
from reconcile.config.fields.short_form import short_or_mapping
from reconcile.config.load import diagnose_violations, validate
from reconcile.config.validation_errors import diagnose
from reconcile.fleet.rollout import ALL, StepMembers, StepShare

HOST = "{host}"
CONNECTIONS = ("ssh", "local", "docker", "podman", "chroot")

SshAddress = Annotated[
    str,
    regex_str(
        r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,63}@)?"
        r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252})(?::[0-9]{1,5})?",
        "an SSH address",
        hint="use user@host, or user@host:port",
        examples=("deploy@10.0.0.11",),
        limit=330,
    ),
]
Container = Annotated[
    str, regex_str(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", "the name or id of a container")
]
Version = Annotated[
    str, regex_str(r"[0-9]+(?:\.[0-9]+){0,3}", "a version", hint='use "1.0"', examples=("1.0",))
]
_SHARE = re.compile(r"([1-9][0-9]?|100)%", re.ASCII)


def parse_share(value: Any) -> StepShare:
    """A number of hosts, or a percentage of them."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return StepShare(value)
    found = _SHARE.fullmatch(require_str(value, "a number of hosts or a percentage", "use 2 or 5%"))
    if not found:
        raise InvalidValue(f"{describe(value)} is not a number of hosts", "use 2 or 5%")
    return StepShare(int(found[1]), is_percent=True)


HostShare = Annotated[
    StepShare,
    FieldType(
        parse_share,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^(?:[1-9][0-9]?|100)%$"},
            ]
        },
    ),
]


class FleetHost(ConfigModel):
    """One host: how it is reached, its tags, and the values of its variables."""

    ssh: SshAddress | None = Field(default=None, description="Reached by SSH.")
    port: int | None = Field(default=None, ge=1, le=65535, description="The port of SSH.")
    ssh_key: Path | None = Field(default=None, description="A private key; by default the agent's.")
    known_hosts: Path | None = Field(
        default=None, description="The host's key; by default in ~/.ssh/known_hosts."
    )
    local: bool = Field(default=False, description="This machine.")
    docker: Container | None = Field(default=None, description="A running container of Docker.")
    podman: Container | None = Field(default=None, description="A running container of Podman.")
    chroot: AbsolutePath | None = Field(default=None, description="A folder of this machine.")
    sudo: bool = Field(default=True, description="Use `sudo -n` where the login is not root.")
    tags: tuple[Name, ...] = Field(default=(), description="Names of groups it is in.")
    vars: dict[Name, str | int | bool] = Field(
        default={}, description="Values for the `vars` that its configuration declares."
    )

    @property
    def connections(self) -> tuple[str, ...]:
        """The keys for how it is reached: has to be one."""
        return tuple(name for name in CONNECTIONS if getattr(self, name))


class Install(ConfigModel):
    """What brings reconcile to a host."""

    require: Version | None = Field(
        default=None, description="Installed on the host already, in this version or a later one."
    )
    deb: Path | None = Field(default=None, description="A package to install where it is missing.")
    file: Path | None = Field(
        default=None, description="The single-file program, copied to the host."
    )
    command: AbsolutePath | None = Field(
        default=None, description="With require: the program; by default found on the PATH."
    )


class Selected(ConfigModel):
    """The hosts of one step, by tag and by name."""

    tags: tuple[Name, ...] = Field(default=(), description="All hosts with one of these tags.")
    hosts: tuple[Name, ...] = Field(default=(), description="These hosts.")


class StopSettings(ConfigModel):
    """Numbers of hosts, or percentages of all, that stop a rollout once they are reached."""

    failed: HostShare | None = Field(default=StepShare(1), description="Failed; by default one.")
    unreachable: HostShare | None = Field(
        default=None, description="Unreachable; by default any number may be."
    )


# Pydantic adds the tag to the location of an error: it must not look like a key.
MEMBERS, SHARE = "(members)", "(share)"


class RolloutSection(ConfigModel):
    """The order in which hosts are applied, and what stops it."""

    order: tuple[
        Annotated[
            Annotated[Selected, Tag(MEMBERS)] | Annotated[HostShare, Tag(SHARE)],
            short_or_mapping(SHARE, MEMBERS, Selected),
        ],
        ...,
    ] = Field(
        default=(ALL,),
        description="The steps: percentages or numbers of all hosts, or {tags: […]}, {hosts: […]}.",
        examples=[[{"tags": ["canary"]}, "10%", "100%"]],
    )
    parallel: int = Field(
        default=50, ge=1, le=1000, description="How many hosts are contacted at once."
    )
    pause: Duration = Field(default=0, description="After each step; then it is verified again.")
    timeout: Duration = Field(
        default=1800, description="The longest that one host may take, with its connection."
    )
    stop: StopSettings = Field(
        default=StopSettings.model_construct(), description="What stops a rollout."
    )

    @property
    def parts(self) -> tuple[StepShare | StepMembers, ...]:
        """The steps of the order."""
        return tuple(
            StepMembers(step.hosts, step.tags) if isinstance(step, Selected) else step
            for step in self.order
        )


class Fleet(ConfigModel):
    """Many hosts, and how they are brought to what their configurations declare."""

    version: Literal[1] = Field(description="The version of this format.")
    hosts: dict[Name, FleetHost] = Field(default={}, description="The hosts, by name.")
    inventory: Path | None = Field(
        default=None, description="An inventory of pyinfra, instead of `hosts`."
    )
    config: Path = Field(
        description="Each host's configuration; {host} stands for its name.",
        examples=["./hosts/{host}.yaml", "./site.yaml"],
    )
    install: Install = Field(
        default=Install.model_construct(), description="What brings reconcile to a host."
    )
    rollout: RolloutSection = Field(
        default=RolloutSection.model_construct(), description="The order of a rollout."
    )

    _file: str = PrivateAttr(default="fleet.yaml")

    @property
    def file(self) -> str:
        """The absolute path of the file."""
        return self._file

    def of_file(self, file: str) -> Fleet:
        """The same, which knows the file that it was read from."""
        fleet = self.model_copy()
        fleet._file = posixpath.abspath(file)
        return fleet

    def config_of(self, host: str) -> str:
        """The path of a host's configuration."""
        return self.config.replace(HOST, host)

    def check(self) -> Iterator[Violation]:
        """Every rule that values break, by themselves or together."""
        if bool(self.hosts) == bool(self.inventory):
            message = "either hosts or an inventory is needed, and not both"
            yield Violation(("hosts",), message)
        for name, host in self.hosts.items():
            yield from _check_host(name, host)
        yield from self._check_install()
        yield from self._check_order()

    def _check_install(self) -> Iterator[Violation]:
        ways = [key for key in ("require", "deb", "file") if getattr(self.install, key)]
        if len(ways) > 1:
            yield Violation(("install", ways[1]), f"{ways[0]} and {ways[1]} exclude each other")
        if self.install.command and ways not in ([], ["require"]):
            yield Violation(("install", "command"), f"{ways[0]} brings its own command")

    def _check_order(self) -> Iterator[Violation]:
        """Tags and names of hosts have to exist: a mistyped one would be an empty step."""
        if not self.hosts:
            return
        tags = sorted({tag for host in self.hosts.values() for tag in host.tags})
        for index, step in enumerate(self.rollout.order):
            if not isinstance(step, Selected):
                continue
            for key, names, known in (
                ("tags", step.tags, tags),
                ("hosts", step.hosts, [*self.hosts]),
            ):
                for at, name in enumerate(names):
                    if name not in known:
                        what = f"no host {'has the tag' if key == 'tags' else 'is called'}"
                        loc = ("rollout", "order", index, key, at)
                        yield Violation(loc, f"{what} {quote_text(name)}", suggest(name, known))


def _check_host(name: str, host: FleetHost) -> Iterator[Violation]:
    found = host.connections
    if len(found) != 1:
        what = f"{' and '.join(found)} exclude each other" if found else "it has no connection"
        hint = "" if found else "add ssh: user@host"
        yield Violation(("hosts", name), f"{quote_text(name)}: {what}", hint)
    for key in ("port", "ssh_key", "known_hosts"):
        if getattr(host, key) and not host.ssh:
            yield Violation(("hosts", name, key), f"{key} is only for ssh")


CREATE = "Name the file with -f, or write one that lists your hosts. Nothing was changed."


def load_fleet(path: str) -> Fleet:
    """The fleet of a file. Errors: ConfigErrors with every error; ReconcileError."""
    return load_fleet_bytes(read_file(path, CREATE), path)


def load_fleet_bytes(data: bytes, file: str) -> Fleet:
    """The same for the bytes of a file called `file`."""
    root, rejected = yaml.read(data, file)
    context = ParseContext(posixpath.dirname(posixpath.abspath(file)))
    fleet, errors = validate(Fleet, root, context)
    diagnostics = [*rejected, *diagnose(errors, file, root, Fleet)]
    if fleet is not None:
        diagnostics += diagnose_violations(fleet.check(), errors, file, root)
    if diagnostics or fleet is None:
        raise ConfigErrors(file, diagnostics)
    return fleet.of_file(file)
