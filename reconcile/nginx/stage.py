"""Ask nginx about the whole planned configuration before anything on the host changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.host.private import ABSENT, Entry, NoNamespace, run_in_view
from reconcile.nginx.discover import Discovered
from reconcile.nginx.lexer import NginxSyntaxError
from reconcile.nginx.planned import Planned
from reconcile.nginx.tree import ConfigTree, Directive
from reconcile.nginx.written import written_paths

if TYPE_CHECKING:
    from reconcile.host.commands import Completed

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


def validate(nginx: Discovered, planned: Planned) -> Validated:
    """Have nginx test the tree as `planned` would make it; the host is left untouched.

    It runs as we do, in a private mount namespace where all but what it may write is
    read-only; ports are bound for a moment as by any `nginx -t`.
    Errors: NginxRejected, with "broken before us" where today's tree gets the same answer.
    """
    refusal, notes = _tested(nginx, planned)
    if refusal is None:
        return Validated(nginx.read_with(planned), notes)
    before, _ = _tested(nginx, {})
    if before == refusal:
        raise NginxRejected(
            what=f"nginx's configuration was broken before us: {refusal.place}",
            refusal=refusal,
            fix=f"Mend {refusal.place}, then run this again. Nothing was changed.",
        )
    raise NginxRejected(
        what=f"nginx refuses the planned configuration at {refusal.place}",
        refusal=refusal,
        fix="Correct what reconcile.yaml says about it. Nothing was changed.",
    )


def concerning(nginx: Discovered, planned: Planned) -> Planned:
    """What of `planned` nginx reads, now or once it is in place."""
    return _concerning(nginx, planned, _readable(nginx, planned))


def _tested(nginx: Discovered, planned: Planned) -> tuple[Refusal | None, tuple[str, ...]]:
    tree = _readable(nginx, planned)
    writes = written_paths(tree, nginx.build, nginx.build_text)
    view = {**dict.fromkeys(writes, ABSENT), **_concerning(nginx, planned, tree)}
    try:
        return _asked(nginx, view), ()
    except NoNamespace as missing:
        return _tested_on_a_copy(nginx, planned), (_told_aloud(missing),)


def _readable(nginx: Discovered, planned: Planned) -> ConfigTree | None:
    # Nginx stops at such an error before it opens anything to write, and says it better.
    try:
        return nginx.read_with(planned)
    except ReconcileError:
        return None


def _tested_on_a_copy(nginx: Discovered, planned: Planned) -> Refusal | None:
    from reconcile.nginx.copied import copied_tree

    try:
        tree = nginx.read_with(planned)
    except NginxSyntaxError as error:
        return Refusal(error.message, error.file, error.line)
    except ReconcileError as error:
        return Refusal(error.why)
    with copied_tree(nginx, tree) as copy:
        argv = [nginx.binary, "-t", "-c", copy.config_path]
        return copy.told_of_originals(refusal_of(nginx.host.commands.run(argv, timeout_s=10)))


def _told_aloud(missing: NoNamespace) -> str:
    return (
        f"{missing.what} ({missing.why}): nginx tested a copy of its configuration, "
        "with its logs and other files of its own elsewhere"
    )


def _concerning(nginx: Discovered, planned: Planned, tree: ConfigTree | None) -> Planned:
    """What of the plan nginx could read: not the web roots, which may hold a million files."""
    folder = nginx.config_path.rpartition("/")[0] + "/"
    named = _words(tree) if tree else frozenset()
    return {
        path: entry
        for path, entry in planned.items()
        if path.startswith(folder) or path in named or (tree and path in tree.files)
    }


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
        return Refusal(done.said)
    return Refusal(found[1], found[2] or "", int(found[3] or 0))
