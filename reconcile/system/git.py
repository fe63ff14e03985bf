"""A bare mirror of one repository in the state directory, maintained by the git command.

Configuration in the repository has no effect: the mirror has no template, no hooks and no home
directory, and files are checked out without filters and symlinks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.commands import CompletedCommand

FETCHED, ACCEPTED = "refs/reconcile/fetched", "refs/reconcile/accepted"
FETCH_TIMEOUT_S = 300.0
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.attributesFile=/dev/null",
    "core.sshCommand=ssh -o BatchMode=yes",
    "credential.helper=",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "fetch.fsckObjects=true",
    "advice.detachedHead=false",
    "core.sharedRepository=0600",
    "submodule.recurse=false",
    "gpg.minTrustLevel=undefined",
)
ATTRIBUTES = b"* -text -ident -filter !eol !working-tree-encoding\n"
PRIVATE_UMASK = 0o077


class Unverified(ReconcileError):
    """A revision without a trusted signature, or one that rewrites the accepted history."""


class Mirror:
    """The mirror of `url` in `folder` below the state directory.

    Errors: each method raises ReconcileError where git fails.
    """

    def __init__(self, host: Host, folder: str, url: str) -> None:
        self._host = host
        self._folder = folder
        self._url = url

    @property
    def path(self) -> str:
        """The path of the bare repository."""
        return self._host.state.path_of(f"{self._folder}/repository.git")

    def fetch(self, ref: str) -> str:
        """Fetch `refs/heads/…` or `refs/tags/…`, and return the id of its object."""
        self._initialize()
        done = self._git(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--",
            self._url,
            f"+{ref}:{FETCHED}",
            timeout_s=FETCH_TIMEOUT_S,
        )
        if not done.ok:
            raise ReconcileError(
                f"{ref} could not be fetched",
                done.error_output,
                "Check that the repository is reachable and has this ref. Nothing was changed.",
            )
        return self._output_of("rev-parse", "--verify", f"{FETCHED}^{{object}}")

    def commit_of(self, revision: str) -> str:
        """The commit of a revision, such as an annotated tag."""
        return self._output_of("rev-parse", "--verify", f"{revision}^{{commit}}")

    def accepted(self) -> str | None:
        """The last commit that `accept` recorded; None before the first."""
        done = self._git("rev-parse", "--verify", "--quiet", f"{ACCEPTED}^{{commit}}")
        return done.stdout.strip() if done.ok else None

    def accept(self, commit: str) -> None:
        """Record `commit` as the one that later ones have to descend from."""
        self._output_of("update-ref", ACCEPTED, commit)

    def refuse_unsigned(self, revision: str, ssh_signers: str | None, gpg_keys: str | None) -> None:
        """Raise Unverified unless the commit or tag is signed by one of these keys."""
        kind = self._output_of("cat-file", "-t", revision)
        verify = "verify-tag" if kind == "tag" else "verify-commit"
        self._import_keys(gpg_keys)
        # Without it, git would read root's own allowed signers file.
        allowed = ("-c", f"gpg.ssh.allowedSignersFile={ssh_signers or '/dev/null'}")
        done = self._git(verify, revision, before=allowed)
        if done.ok:
            return
        signed = b"-----BEGIN " in self._output_of("cat-file", kind, revision).encode()
        raise Unverified(
            f"{revision[:12]} is not signed by an allowed key"
            if signed
            else f"{revision[:12]} is not signed",
            done.error_output if signed else "the commit or tag has no signature",
            "Sign it with a key that this host trusts. Nothing was changed.",
        )

    def refuse_rewritten(self, commit: str) -> None:
        """Raise Unverified where `commit` is not a descendant of the accepted one."""
        before = self.accepted()
        if before is None or self._git("merge-base", "--is-ancestor", before, commit).ok:
            return
        raise Unverified(
            f"{commit[:12]} is not a descendant of {before[:12]}, the last accepted commit",
            "the history was rewritten, or this is an older revision",
            "If this is intended, remove "
            f"{self._host.state.path_of(self._folder)} and pull again. Nothing was changed.",
        )

    def check_out(self, commit: str) -> str:
        """Check out `commit` into a private folder, and return its path; removes older ones."""
        tree = f"{self._folder}/trees/{commit}"
        if not self._host.state.exists(tree):
            self._neutralize_attributes()
            fresh = f"{tree}.new"
            self._host.state.remove(fresh)
            work_tree = self._host.state.make_directory(fresh)
            there = (f"--work-tree={work_tree}",)
            self._output_of("checkout", "--force", commit, "--", ".", before=there)
            os.rename(work_tree, self._host.state.path_of(tree))
        for name in self._host.state.list_names(f"{self._folder}/trees"):
            if name != commit:
                self._host.state.remove(f"{self._folder}/trees/{name}")
        return self._host.state.path_of(tree)

    def _neutralize_attributes(self) -> None:
        """Check out the bytes that were signed, whatever a .gitattributes asks for.

        Source: gitattributes(5): this file has the highest precedence.
        """
        folder = f"{self._folder}/repository.git/info"
        self._host.state.make_directory(folder)
        self._host.state.write(f"{folder}/attributes", ATTRIBUTES)

    def _initialize(self) -> None:
        if self._exists("HEAD"):
            return
        self._host.state.make_directory(self._folder)
        self._output_of("init", "--quiet", "--bare", "--template=", self.path, where=())

    def _exists(self, name: str) -> bool:
        return self._host.state.exists(f"{self._folder}/repository.git/{name}")

    def _import_keys(self, keys: str | None) -> None:
        """Build a new key ring each time, so that removed keys are gone."""
        self._host.state.remove(f"{self._folder}/gnupg")
        self._host.state.make_directory(f"{self._folder}/gnupg")
        if keys is None:
            return
        done = self._run_program("gpg", "--batch", "--quiet", "--import", "--", keys)
        if not done.ok:
            raise ReconcileError(
                f"gpg cannot import the keys in {keys}",
                done.error_output,
                "Export them with gpg --export.",
            )

    def _output_of(
        self, *arguments: str, before: tuple[str, ...] = (), where: tuple[str, ...] | None = None
    ) -> str:
        done = self._git(*arguments, before=before, where=where)
        if not done.ok:
            raise ReconcileError(
                f"git {arguments[0]} failed", done.error_output, "Nothing was changed on the host."
            )
        return done.stdout.strip()

    def _git(
        self,
        *arguments: str,
        before: tuple[str, ...] = (),
        where: tuple[str, ...] | None = None,
        timeout_s: float = 60.0,
    ) -> CompletedCommand:
        settings = [part for setting in SETTINGS for part in ("-c", setting)]
        there = (f"--git-dir={self.path}",) if where is None else where
        return self._run_program("git", *settings, *there, *before, *arguments, timeout_s=timeout_s)

    def _run_program(
        self, program: str, *arguments: str, timeout_s: float = 60.0
    ) -> CompletedCommand:
        commands = self._host.commands
        ring = f"GNUPGHOME={self._host.state.path_of(f'{self._folder}/gnupg')}"
        quiet = ("GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
        argv = ("env", ring, *quiet, commands.required(program), *arguments)
        # Git creates files with the umask's permissions.
        with _private_umask():
            return commands.run(argv, timeout_s=timeout_s)


@contextmanager
def _private_umask() -> Iterator[None]:
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)
