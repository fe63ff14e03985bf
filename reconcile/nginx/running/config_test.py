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
from reconcile.nginx.model.output_paths import written_paths
from reconcile.nginx.model.planned_reader import Planned, PlannedReader
from reconcile.nginx.model.tree import ConfigTree, Directive, load
from reconcile.nginx.running.discover import Discovered
from reconcile.system.private import ABSENT, Entry, NoNamespace, run_in_view

if TYPE_CHECKING:
    from reconcile.system.commands import Completed

# With a compiled error log of "stderr" (as on Debian) the lines come as in a log file.
_EMERG = re.compile(
    r"^(?:nginx: |\S+ \S+ )\[(?:emerg|crit|alert)\](?: \d+#\d+:)? (.*?)(?: in (/.*?):(\d+))?$",
    re.MULTILINE,
)
_READ_ONLY = re.compile(r'"(/[^"]+)" failed \(30: Read-only file system\)')
_MOST_SURPRISES = 8
_DEATH = "nginx died by signal {}, as it does on files that include each other without end"


class NginxRejected(ReconcileError):
    """Nginx refuses a configuration; `file` and `line` are where it says so, if it does."""

    def __init__(self, what: str, refusal: Refusal, fix: str) -> None:
        super().__init__(what, refusal.message, fix)
        self.file, self.line = refusal.file, refusal.line


@dataclass(frozen=True)
class Refusal:
    """Nginx's no, in its own words."""

    message: str
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "its configuration"


@dataclass(frozen=True)
class Validated:
    """Nginx took the planned configuration; `tree` is what it read, `notes` what to say aloud."""

    tree: ConfigTree
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """The host's nginx with a plan laid over it; nothing of it is on the host."""

    nginx: Discovered
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
    def concerning(self) -> Planned:
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

    def validate(self) -> Validated:
        """Have nginx test the planned tree; the host is left untouched.

        Nginx runs as we do, in a private mount namespace where all but what it may write is
        read-only; ports are bound for a moment as by any `nginx -t`.
        Errors: NginxRejected, with "broken before us" where today's tree gets the same answer.
        """
        refusal, notes = self.tested()
        if refusal is not None:
            raise self._rejected(refusal)
        return Validated(self.tree or self.read(), notes)

    def tested(self) -> tuple[Refusal | None, tuple[str, ...]]:
        """Nginx's no, if it says no, and what has to be said about how it was asked."""
        writes = written_paths(self.tree, self.nginx.build, self.nginx.build_text)
        try:
            return _asked(self.nginx, {**dict.fromkeys(writes, ABSENT), **self.concerning}), ()
        except NoNamespace as missing:
            return self._tested_on_a_copy(), (_told_aloud(missing),)

    def _tested_on_a_copy(self) -> Refusal | None:
        from reconcile.nginx.running.config_test_copy import copied_tree

        try:
            tree = self.tree or self.read()
        except NginxSyntaxError as error:
            return Refusal(error.message, error.file, error.line)
        except ReconcileError as error:
            return Refusal(error.why)
        with copied_tree(self.nginx, tree) as copy:
            argv = [self.nginx.binary, "-t", "-c", copy.config_path]
            done = self.nginx.host.commands.run(argv, timeout_s=10)
            return copy.told_of_originals(refusal_of(done))

    def _rejected(self, refusal: Refusal) -> NginxRejected:
        before, _ = Stage(self.nginx, {}).tested()
        if before == refusal:
            return NginxRejected(
                what=f"nginx's configuration was broken before us: {refusal.place}",
                refusal=refusal,
                fix=f"Mend {refusal.place}, then run this again. Nothing was changed.",
            )
        at = f" at {refusal.place}" if refusal.file else ""
        return NginxRejected(
            what=f"nginx refuses the planned configuration{at}",
            refusal=refusal,
            fix="Correct what the YAML says about it. Nothing was changed.",
        )


def _told_aloud(missing: NoNamespace) -> str:
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


def _asked(nginx: Discovered, view: dict[str, Entry]) -> Refusal | None:
    argv = [nginx.binary, "-t", "-c", nginx.config_path]
    done = run_in_view(argv, view)
    for _ in range(_MOST_SURPRISES):
        # A module of its own may write where no directive that we know says so.
        surprise = _READ_ONLY.search(done.stderr)
        if done.ok or surprise is None or surprise[1] in view:
            break
        view[surprise[1]] = ABSENT
        done = run_in_view(argv, view)
    return refusal_of(done)


def refusal_of(done: Completed) -> Refusal | None:
    """What a run of `nginx -t` ended in; None where it took the configuration."""
    if done.ok:
        return None
    if done.returncode < 0:
        return Refusal(_DEATH.format(-done.returncode))
    found = _EMERG.search(done.stderr)
    if found is None:
        return Refusal(done.error_output)
    return Refusal(found[1], found[2] or "", int(found[3] or 0))
