"""Ask nginx about the whole planned configuration before anything on the host changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.nginx.model import globs
from reconcile.nginx.model.lexer import NginxSyntaxError
from reconcile.nginx.model.output_paths import output_paths
from reconcile.nginx.model.planned_reader import Planned, PlannedReader
from reconcile.nginx.model.tree import ConfigTree, Directive, load
from reconcile.nginx.running.discover import NginxInstallation
from reconcile.system.private import ABSENT, Entry, NoNamespace, run_in_view

if TYPE_CHECKING:
    from reconcile.system.commands import Completed

# With a compiled error log of "stderr" (as on Debian) the lines come as in a log file.
_EMERG = re.compile(
    r"^(?:nginx: |\S+ \S+ )\[(?:emerg|crit|alert)\](?: \d+#\d+:)? (.*?)(?: in (/.*?):(\d+))?$",
    re.MULTILINE,
)
_READ_ONLY = re.compile(r'"(/[^"]+)" failed \(30: Read-only file system\)')
_MAX_RETRIES = 8
_DEATH = "nginx died by signal {}, as it does on files that include each other without end"


class NginxRejected(ReconcileError):
    """Nginx refuses a configuration; `file` and `line` are where it says so, if it does."""

    def __init__(self, what: str, refusal: NginxError, fix: str) -> None:
        super().__init__(what, refusal.message, fix)
        self.file, self.line = refusal.file, refusal.line


@dataclass(frozen=True)
class NginxError:
    """Nginx's no, in its own words."""

    message: str
    file: str = ""
    line: int = 0

    @property
    def position(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "its configuration"


@dataclass(frozen=True)
class AcceptedConfig:
    """Nginx took the planned configuration; `tree` is what it read, `notes` what to say aloud."""

    tree: ConfigTree
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfigTest:
    """The host's nginx with a plan laid over it; nothing of it is on the host."""

    nginx: NginxInstallation
    planned: Planned

    @cached_property
    def _reader(self) -> PlannedReader:
        return self.nginx.reader_with(self.planned)

    @cached_property
    def tree(self) -> ConfigTree | None:
        """The planned configuration, None where it cannot be read."""
        # Nginx stops at such an error before it opens anything to write, and says it better.
        try:
            return self.read()
        except ReconcileError:
            return None

    def read(self) -> ConfigTree:
        """The planned configuration. Errors: those of `tree.load`."""
        return load(self.nginx.config_path, self._reader)

    @cached_property
    def relevant_changes(self) -> Planned:
        """What nginx could read of the plan: not the web roots, which may hold a million files."""
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
        """Have nginx test the planned tree; the host is left untouched.

        Nginx runs as we do, in a private mount namespace where all but what it may write is
        read-only; ports are bound for a moment as by any `nginx -t`.
        Errors: NginxRejected, with "broken before us" where today's tree gets the same answer.
        """
        refusal, notes = self.run()
        if refusal is not None:
            raise self._rejection(refusal)
        return AcceptedConfig(self.tree or self.read(), notes)

    def run(self) -> tuple[NginxError | None, tuple[str, ...]]:
        """Nginx's no, if it says no, and what has to be said about how it was asked."""
        writes = output_paths(self.tree, self.nginx.build, self.nginx.build_text)
        try:
            return _run_in_namespace(
                self.nginx, {**dict.fromkeys(writes, ABSENT), **self.relevant_changes}
            ), ()
        except NoNamespace as missing:
            return self._run_on_copy(), (_copy_note(missing),)

    def _run_on_copy(self) -> NginxError | None:
        from reconcile.nginx.running.config_test_copy import copied_tree

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

    def _rejection(self, refusal: NginxError) -> NginxRejected:
        before, _ = ConfigTest(self.nginx, {}).run()
        if before == refusal:
            return NginxRejected(
                what=f"nginx's configuration was broken before us: {refusal.position}",
                refusal=refusal,
                fix=f"Mend {refusal.position}, then run this again. Nothing was changed.",
            )
        at = f" at {refusal.position}" if refusal.file else ""
        return NginxRejected(
            what=f"nginx refuses the planned configuration{at}",
            refusal=refusal,
            fix="Correct what the YAML says about it. Nothing was changed.",
        )


def _copy_note(missing: NoNamespace) -> str:
    return (
        f"{missing.what} ({missing.why}): nginx tested a copy of its configuration, "
        "with its logs and other files of its own elsewhere"
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
    done = run_in_view(argv, view)
    for _ in range(_MAX_RETRIES):
        # A module of its own may write where no directive that we know says so.
        surprise = _READ_ONLY.search(done.stderr)
        if done.ok or surprise is None or surprise[1] in view:
            break
        view[surprise[1]] = ABSENT
        done = run_in_view(argv, view)
    return parse_error(done)


def parse_error(done: Completed) -> NginxError | None:
    """What a run of `nginx -t` ended in; None where it took the configuration."""
    if done.ok:
        return None
    if done.returncode < 0:
        return NginxError(_DEATH.format(-done.returncode))
    found = _EMERG.search(done.stderr)
    if found is None:
        return NginxError(done.error_output)
    return NginxError(found[1], found[2] or "", int(found[3] or 0))
