"""What is run on a host: a script that does the work, and before it, where the fleet installs
reconcile, one that asks what is installed.

Both answer with a header line before each part of their output. All that the first needs is in the
files: no argument and no variable of the environment holds anything of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import join, quote
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.fleet.sent_files import COMPLETE

HEADER = "== reconcile-fleet "
LARGEST_PART = 32 << 20
"""Bytes of one part of an answer."""
LARGEST_READING = 2 << 20
YAML, TAR, PLAN, PROGRAM = "reconcile.yaml", "files.tar", "saved.plan", "reconcile.program"
INSTALLED = "/usr/local/lib/reconcile-fleet"
_STOP_S = 10
# A controller that is gone must not end this before it has cleaned up.
_TRAPS = "trap '' PIPE; trap 'exit 1' HUP INT TERM"

# What was installed counts only while it is there.
ASK_INSTALLED = f"""printf '{HEADER}installed\\n'
kind=none
command -v reconcile >/dev/null && kind=deb
[ -e {INSTALLED}/reconcile.pyz ] && kind=file
grep "^$kind " {INSTALLED}/digest 2>/dev/null
exit 0
"""


@dataclass(frozen=True)
class InstalledProgram:
    """How reconcile is called on the host; `digest` is that of what has to be put there."""

    command: tuple[str, ...] = ("reconcile",)
    digest: str = ""
    install: str = ""
    """The shell commands that install $program."""


def installed_deb(digest: str) -> InstalledProgram:
    """A package of Debian, installed once."""
    # What packages create as they are installed is for everybody, as with apt at a terminal.
    apt = "umask 022; DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120"
    install = f'({apt} install --yes "$program.deb" >&2 </dev/null)'
    rest = f"rm -f {INSTALLED}/reconcile.pyz"
    return InstalledProgram(
        digest=digest, install=f'mv "$program" "$program.deb" && {install} && {rest}'
    )


def installed_file(digest: str) -> InstalledProgram:
    """The single file, put beside what reconcile itself installs nothing into."""
    path = f"{INSTALLED}/reconcile.pyz"
    return InstalledProgram(
        ("/usr/bin/python3", "-I", path), digest, f'chmod 0755 "$program" && mv "$program" {path}'
    )


class Call(NamedTuple):
    """A command of reconcile, and the files that it leaves as parts of the answer."""

    arguments: tuple[str, ...]
    parts: tuple[str, ...] = ()
    asks_history: bool = False
    """Whether the history is a part, where the exit code is that of a stale plan."""
    readings: str = ""
    """A folder of the host whose JSON files are a part, each on a line."""


@dataclass(frozen=True)
class Script:
    """The work on one host."""

    program: InstalledProgram
    call: Call
    has_files: bool
    timeout_s: int
    uses_sudo: bool = True
    asks_version: bool = False
    """Whether the version is a part of the answer: it takes a start of the program."""

    def text(self, *, installs: bool) -> str:
        """The script; its standard input is the files."""
        work = "\n".join(self._lines(installs))
        sudo = 'if [ "$(id -u)" = 0 ]; then as=; else as="sudo -n -H"; fi' * self.uses_sudo
        run = f"$as sh -c {quote(work)}" if self.uses_sudo else f"sh -c {quote(work)}"
        return f"{_TRAPS}\n{sudo}\n{run} || {_ended_by('refused')}"

    def _lines(self, installs: bool) -> Iterable[str]:
        yield "umask 077; cd / || exit 1"
        # Only root enters it: whoever logged in could change the files otherwise.
        folder = 'dir=$(mktemp -d "${TMPDIR:-/tmp}/reconcile-fleet.XXXXXXXXXX")'
        yield f"{folder} || {_ended_by('files')}"
        yield f"trap 'rm -rf \"$dir\"' EXIT; {_TRAPS}"
        # A tar of these has no times: what is installed has that of its arrival.
        tar = 'tar --no-same-owner -m -x -f - -C "$dir"'
        unpack = f'base64 -d | {tar} && [ -e "$dir"/{COMPLETE} ]'
        yield f"{unpack} || {_ended_by('files')}"
        yield f'program="$dir"/{PROGRAM}'
        if installs:
            folder = f"mkdir -p -m 0755 {INSTALLED} && chmod 0755 {INSTALLED}"
            yield f"{folder} && {self.program.install} || {_ended_by('install')}"
            yield f"printf '%s\\n' {quote(self.program.digest)} >{INSTALLED}/digest"
            yield f"chmod 0644 {INSTALLED}/digest"
        if self.asks_version:
            yield f"printf '{HEADER}version\\n'; {join(self.program.command)} --version 2>&1"
        yield f'{self._run} >"$dir"/out 2>"$dir"/err <"$dir"/{YAML}; code=$?'
        yield f"printf '{HEADER}code\\n%s\\n' \"$code\""
        for name in ("out", "err", *self.call.parts):
            yield _part(name)
        if self.call.asks_history:
            yield f'[ "$code" = 5 ] && {self._history} >"$dir"/history 2>/dev/null <"$dir"/{YAML}'
            yield _part("history")
        if self.call.readings:
            files = f"{quote(self.call.readings)}/*.json"
            show = f'head -c {LARGEST_READING} "$file"; echo'
            yield f"printf '{HEADER}readings\\n'"
            yield f'for file in {files}; do [ -f "$file" ] && {{ {show}; }}; done'
        yield "exit 0"

    @property
    def _run(self) -> str:
        limit = f"timeout -k {_STOP_S} {self.timeout_s}"
        return (
            f"{limit} {join(self.program.command)} {_arguments(self.call.arguments)}{self._input}"
        )

    @property
    def _history(self) -> str:
        return f"{join(self.program.command)} history --json{self._input}"

    @property
    def _input(self) -> str:
        return ' -f - --files "$dir"/' + TAR if self.has_files else " -f -"


def _ended_by(part: str) -> str:
    """Commands that end the script with that part as its answer.

    The exit code would only show whether it was 0. What is still sent is read: the controller would
    get an error of its connection otherwise.
    """
    return f"{{ printf '{HEADER}{part}\\n'; cat >/dev/null; exit 0; }}"


def _arguments(arguments: Sequence[str]) -> str:
    """The arguments for a shell; one that begins with @ is a file of the folder."""
    return " ".join(
        f'"$dir"/{quote(one[1:])}' if one.startswith("@") else quote(one) for one in arguments
    )


def _part(name: str) -> str:
    path = f'"$dir"/{quote(name)}'
    return (
        f"[ -e {path} ] && {{ printf '{HEADER}{name}\\n'; head -c {LARGEST_PART} {path}; echo; }}"
    )


def parts(lines: Iterable[str]) -> dict[str, str]:
    """The parts of an answer by their names."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith(HEADER):
            current = found.setdefault(line.removeprefix(HEADER), [])
        else:
            current.append(line)
    return {name: "\n".join(part) for name, part in found.items()}
