"""A bare mirror of one repository in the state directory; Git itself does the Git work.

What the repository says about configuration is never used: the mirror is made by us, in a
folder of ours, with no template, no hooks and no home, and files are checked out without
filters and symlinks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.commands import Completed

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
PRIVATE_UMASK = 0o077


class Unverified(ReconcileError):
    """A revision that was not signed by who may, or does not follow what was accepted."""


class Mirror:
    """The mirror in `folder`, a name below the state directory. Errors: ReconcileError."""

    def __init__(self, host: Host, folder: str, url: str) -> None:
        self._host = host
        self._folder = folder
        self._url = url

    @property
    def path(self) -> str:
        return self._host.state.path_of(f"{self._folder}/repository.git")

    def fetch(self, ref: str) -> str:
        """Bring `refs/heads/…` or `refs/tags/…` here; the object that it names."""
        self._make()
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
                "Look whether the repository can be reached and has it. Nothing was changed.",
            )
        return self._asked("rev-parse", "--verify", f"{FETCHED}^{{object}}")

    def commit_of(self, revision: str) -> str:
        return self._asked("rev-parse", "--verify", f"{revision}^{{commit}}")

    def accepted(self) -> str | None:
        """The commit that was accepted last."""
        done = self._git("rev-parse", "--verify", "--quiet", f"{ACCEPTED}^{{commit}}")
        return done.stdout.strip() if done.ok else None

    def accept(self, commit: str) -> None:
        self._asked("update-ref", ACCEPTED, commit)

    def refuse_unsigned(self, revision: str, ssh_signers: str | None, gpg_keys: str | None) -> None:
        """Errors: Unverified unless the object, a commit or a tag, is signed by one of these."""
        kind = self._asked("cat-file", "-t", revision)
        verify = "verify-tag" if kind == "tag" else "verify-commit"
        self._import_keys(gpg_keys)
        # Without a file of ours, none of root's own would be asked.
        allowed = ("-c", f"gpg.ssh.allowedSignersFile={ssh_signers or '/dev/null'}")
        done = self._git(verify, revision, before=allowed)
        if done.ok:
            return
        signed = b"-----BEGIN " in self._asked("cat-file", kind, revision).encode()
        raise Unverified(
            f"{revision[:12]} is signed by nobody who may"
            if signed
            else f"{revision[:12]} is not signed",
            done.error_output if signed else "the commit or tag holds no signature",
            "Have it signed with a key that this host allows. Nothing was changed.",
        )

    def refuse_rewritten(self, commit: str) -> None:
        """Errors: Unverified where `commit` does not follow what was accepted before."""
        before = self.accepted()
        if before is None or self._git("merge-base", "--is-ancestor", before, commit).ok:
            return
        raise Unverified(
            f"{commit[:12]} does not follow {before[:12]}, which was accepted before",
            "the history was rewritten, or an older revision is offered",
            "If that is right, remove "
            f"{self._host.state.path_of(self._folder)} and pull again. Nothing was changed.",
        )

    def check_out(self, commit: str) -> str:
        """The files of `commit` in a folder of their own, which only we can read; its path."""
        tree = f"{self._folder}/trees/{commit}"
        if not self._host.state.exists(tree):
            fresh = f"{tree}.new"
            self._host.state.remove(fresh)
            work_tree = self._host.state.make_directory(fresh)
            there = (f"--work-tree={work_tree}",)
            self._asked("checkout", "--force", commit, "--", ".", before=there)
            os.rename(work_tree, self._host.state.path_of(tree))
        for name in self._host.state.list_names(f"{self._folder}/trees"):
            if name != commit:
                self._host.state.remove(f"{self._folder}/trees/{name}")
        return self._host.state.path_of(tree)

    def _make(self) -> None:
        if self._exists("HEAD"):
            return
        self._host.state.make_directory(self._folder)
        self._asked("init", "--quiet", "--bare", "--template=", self.path, where=())

    def _exists(self, name: str) -> bool:
        return self._host.state.exists(f"{self._folder}/repository.git/{name}")

    def _import_keys(self, keys: str | None) -> None:
        """A key ring anew each time, so that a key which was taken away is gone."""
        self._host.state.remove(f"{self._folder}/gnupg")
        self._host.state.make_directory(f"{self._folder}/gnupg")
        if keys is None:
            return
        done = self._run("gpg", "--batch", "--quiet", "--import", "--", keys)
        if not done.ok:
            raise ReconcileError(
                f"the keys in {keys} cannot be used",
                done.error_output,
                "Export them with gpg --export.",
            )

    def _asked(
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
    ) -> Completed:
        settings = [part for setting in SETTINGS for part in ("-c", setting)]
        there = (f"--git-dir={self.path}",) if where is None else where
        return self._run("git", *settings, *there, *before, *arguments, timeout_s=timeout_s)

    def _run(self, program: str, *arguments: str, timeout_s: float = 60.0) -> Completed:
        commands = self._host.commands
        ring = f"GNUPGHOME={self._host.state.path_of(f'{self._folder}/gnupg')}"
        quiet = ("GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
        argv = ("env", ring, *quiet, commands.required(program), *arguments)
        # Git makes files as readable as the umask lets it.
        with _private_umask():
            return commands.run(argv, timeout_s=timeout_s)


@contextmanager
def _private_umask() -> Iterator[None]:
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)
