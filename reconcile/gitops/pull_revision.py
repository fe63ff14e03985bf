"""Fetches a revision from Git and verifies it before it is used."""

from __future__ import annotations

import posixpath
from hashlib import sha256
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from reconcile.dataclass import dataclass
from reconcile.engine.ledger_store import now
from reconcile.errors import ReconcileError
from reconcile.filesystem.user_files import is_trusted_file
from reconcile.system.git import Mirror

if TYPE_CHECKING:
    from reconcile.system import Host

FOLDER = "pull"


@dataclass(frozen=True)
class RemoteSource:
    """A repository, ref and file, and the trusted signers; `unsigned` accepts any commit."""

    url: str
    ref: str
    file: str = "reconcile.yaml"
    ssh_signers: str | None = None
    gpg_keys: str | None = None
    unsigned: bool = False

    @property
    def folder(self) -> str:
        """The folder in the state directory; one per repository and ref."""
        return f"{FOLDER}/{sha256(f'{self.url} {self.ref}'.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Pulled:
    """A verified revision: its commit, the folder of its files, and the path of its YAML."""

    commit: str
    folder: str
    file: str


class FailedRevision(BaseModel):
    """A revision whose apply failed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    commit: str
    at: str
    why: str


def remote_source(
    url: str,
    *,
    branch: str | None,
    tag: str | None,
    file: str,
    ssh_signers: str | None,
    gpg_keys: str | None,
    unsigned: bool,
) -> RemoteSource:
    """Validate the options of a pull. Errors: ReconcileError."""
    if branch is not None and tag is not None:
        raise ReconcileError("--branch and --tag are mutually exclusive", "", "Leave one out.")
    if url.startswith("-") or "\n" in url:
        raise ReconcileError("Invalid repository URL", "", "Use a URL or a path.")
    if unsigned and (ssh_signers or gpg_keys):
        raise ReconcileError(
            "--unsigned and trusted keys are mutually exclusive",
            "--unsigned accepts any commit, keys require a signature",
            "Leave out --unsigned, or the keys. Nothing was fetched.",
        )
    if not unsigned and not (ssh_signers or gpg_keys):
        raise ReconcileError(
            "No trusted signing keys were given",
            "anyone who can push to the repository could run code as root on this host",
            "Use --allowed-signers FILE, --gpg-keys FILE, or --unsigned to accept any commit.",
        )
    inside = posixpath.normpath(file)
    if inside.startswith(("/", "..")):
        raise ReconcileError(
            f"{file} is outside of the repository", "", "Use a path relative to its top."
        )
    ref = f"refs/tags/{tag}" if tag is not None else f"refs/heads/{branch or 'main'}"
    return RemoteSource(url, ref, inside, ssh_signers, gpg_keys, unsigned)


def pull(host: Host, source: RemoteSource) -> Pulled:
    """Fetch and verify a revision, then check it out. Errors: ReconcileError."""
    for keys in filter(None, (source.ssh_signers, source.gpg_keys)):
        if not is_trusted_file(keys):
            raise ReconcileError(
                f"{keys} is not a trusted keys file",
                "it is missing, or writable by others",
                "Make root the only user who can write it and its folder. Nothing was changed.",
            )
    mirror = Mirror(host, source.folder, source.url)
    revision = mirror.fetch(source.ref)
    if not source.unsigned:
        mirror.refuse_unsigned(revision, source.ssh_signers, source.gpg_keys)
    commit = mirror.commit_of(revision)
    mirror.refuse_rewritten(commit)
    mirror.accept(commit)
    folder = mirror.check_out(commit)
    return Pulled(commit, folder, f"{folder}/{source.file}")


def _failed_revision(host: Host, source: RemoteSource) -> FailedRevision | None:
    """The last failed revision; a damaged record counts as none."""
    data = host.state.read(f"{source.folder}/failed.json")
    try:
        return FailedRevision.model_validate_json(data) if data else None
    except ValidationError:
        return None


def refuse_failed(host: Host, source: RemoteSource, commit: str) -> None:
    """Raise ReconcileError where the same revision failed before."""
    before = _failed_revision(host, source)
    if before is not None and before.commit == commit:
        raise ReconcileError(
            f"{commit[:12]} was already attempted",
            f"at {before.at} it failed: {before.why}",
            "Push a revision that fixes it, or use --retry. Nothing was changed.",
        )


def record_failure(host: Host, source: RemoteSource, commit: str, why: str) -> None:
    """Record that the apply of a revision failed, so that it is not retried automatically."""
    failed = FailedRevision(commit=commit, at=now(), why=why)
    host.state.write(f"{source.folder}/failed.json", (failed.model_dump_json() + "\n").encode())
