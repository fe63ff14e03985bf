"""Run `nginx -t` on the planned configuration before anything on the host changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.filesystem import globs
from reconcile.filesystem.planned_entry import ABSENT, Entry, PlannedEntries
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.config_tree import ConfigTree, Directive
from reconcile.nginx.model.lexer import NginxSyntaxError
from reconcile.nginx.model.output_paths import output_paths
from reconcile.nginx.running.config_test_copy import copied_tree
from reconcile.nginx.running.discover import HostReader, NginxInstallation
from reconcile.system.overlay_namespace import NoNamespace
from reconcile.system.planned_host import PlannedHost

if TYPE_CHECKING:
    from reconcile.system.commands import CompletedCommand

# With a compiled error log of "stderr" (as on Debian) the lines come as in a log file.
_EMERG = re.compile(
    r"^(?:nginx: |\S+ \S+ )\[(?:emerg|crit|alert)\](?: \d+#\d+:)? (.*?)(?: in (/.*?):(\d+))?$",
    re.MULTILINE,
)
_READ_ONLY = re.compile(r'"(/[^"]+)" failed \(30: Read-only file system\)')
_MAX_RETRIES = 8
_DEATH = "nginx was killed by signal {}, as happens with files that include each other"


class NginxRejected(ReconcileError):
    """Nginx rejects a configuration; `file` and `line` are the position that it reports.

    `is_planned`: because of the plan; without it, nginx accepts the configuration.
    """

    def __init__(self, what: str, error: NginxError, fix: str, *, is_planned: bool = True) -> None:
        super().__init__(what, error.message, fix)
        self.file, self.line, self.is_planned = error.file, error.line, is_planned


@dataclass(frozen=True)
class NginxError:
    """An error of `nginx -t`, in nginx's words."""

    message: str
    file: str = ""
    line: int = 0

    @property
    def position(self) -> str:
        """The position as `file:line`, or a phrase where nginx reports none."""
        return f"{self.file}:{self.line}" if self.file else "its configuration"


@dataclass(frozen=True)
class AcceptedConfig:
    """A configuration that passed `nginx -t`; `notes` are for the user."""

    tree: ConfigTree
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfigTest:
    """A configuration test of the host's nginx with planned files in place."""

    nginx: NginxInstallation
    planned: PlannedEntries

    @cached_property
    def _reader(self) -> HostReader:
        return HostReader(PlannedHost.with_entries(self.nginx.host, self.planned))

    @cached_property
    def tree(self) -> ConfigTree | None:
        """The planned configuration, None where it cannot be read."""
        # Nginx stops at such an error before it opens anything for writing, and reports it better.
        try:
            return self.read()
        except ReconcileError:
            return None

    def read(self) -> ConfigTree:
        """The planned configuration. Errors: those of `tree.load`."""
        return self._planned_tree

    @cached_property
    def _planned_tree(self) -> ConfigTree:
        return load(self.nginx.config_path, self._reader)

    @cached_property
    def relevant_changes(self) -> PlannedEntries:
        """The planned changes that nginx could read; web roots, with a million files, excluded."""
        folder = self.nginx.config_path.rpartition("/")[0] + "/"
        named = _words(self.tree) | self._reader.reached if self.tree else frozenset()
        patterns = _patterns(self.tree) if self.tree else ()
        return {
            path: entry
            for path, entry in self.planned.items()
            if path.startswith(folder)
            or path in named
            or any(globs.matches(pattern, path) for pattern in patterns)
        }

    def validate(self) -> AcceptedConfig:
        """Test the planned configuration; nothing on the host changes.

        Nginx runs as the current user in a private mount namespace that is read-only except for
        its own output files; ports are bound briefly, as by any `nginx -t`.
        Errors: NginxRejected, which distinguishes a configuration that is already invalid.
        """
        error, notes = self.run()
        if error is not None:
            raise self._rejection(error)
        return AcceptedConfig(self.tree or self.read(), notes)

    def run(self) -> tuple[NginxError | None, tuple[str, ...]]:
        """Run the test: nginx's error, if any, and notes about how it was run."""
        writes = output_paths(self.tree, self.nginx.build, self.nginx.build_text)
        try:
            return _run_in_namespace(
                self.nginx, {**dict.fromkeys(writes, ABSENT), **self.relevant_changes}
            ), ()
        except NoNamespace as missing:
            return self._run_on_copy(), (_copy_note(missing),)

    def _run_on_copy(self) -> NginxError | None:
        try:
            tree = self.tree or self.read()
        except NginxSyntaxError as error:
            return NginxError(error.message, error.file, error.line)
        except ReconcileError as error:
            return NginxError(error.why)
        with copied_tree(self.nginx, tree) as copy:
            argv = [self.nginx.binary, "-t", "-c", copy.config_path]
            done = self.nginx.host.commands.run(argv, timeout_s=10)
            return copy.with_original_paths(parse_error(done))

    def _rejection(self, error: NginxError) -> NginxRejected:
        before, _ = ConfigTest(self.nginx, {}).run()
        if before == error:
            return NginxRejected(
                what=f"the existing nginx configuration is already invalid: {error.position}",
                error=error,
                fix=f"Fix {error.position}, then run this again. Nothing was changed.",
                is_planned=False,
            )
        at = f" at {error.position}" if error.file else ""
        return NginxRejected(
            what=f"nginx rejects the planned configuration{at}",
            error=error,
            fix="Correct it in reconcile.yaml. Nothing was changed.",
        )


def _copy_note(missing: NoNamespace) -> str:
    return (
        f"{missing.what} ({missing.why}): nginx tested a copy of its configuration, "
        "with its logs and other output files redirected"
    )


def _patterns(tree: ConfigTree) -> tuple[str, ...]:
    return tuple(include.pattern for include in tree.includes.values() if include.is_glob)


def _words(tree: ConfigTree) -> frozenset[str]:
    return frozenset(word for file in tree.files.values() for word in _args(file.directives))


def _args(directives: Iterable[Directive]) -> Iterator[str]:
    for directive in directives:
        yield from directive.args
        yield from _args(directive.block or ())


def _run_in_namespace(nginx: NginxInstallation, view: dict[str, Entry]) -> NginxError | None:
    argv = [nginx.binary, "-t", "-c", nginx.config_path]
    done = nginx.host.commands.run_in_view(argv, view)
    for _ in range(_MAX_RETRIES):
        # A third-party module may write to paths that no known directive names.
        surprise = _READ_ONLY.search(done.stderr)
        if done.ok or surprise is None or surprise[1] in view:
            break
        view[surprise[1]] = ABSENT
        done = nginx.host.commands.run_in_view(argv, view)
    return parse_error(done)


def parse_error(done: CompletedCommand) -> NginxError | None:
    """Parse the result of `nginx -t`; None where the configuration passed."""
    if done.ok:
        return None
    if done.returncode < 0:
        return NginxError(_DEATH.format(-done.returncode))
    found = _EMERG.search(done.stderr)
    if found is None:
        return NginxError(done.error_output)
    return NginxError(found[1], found[2] or "", int(found[3] or 0))
