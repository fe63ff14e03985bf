"""From a repository to a file that may be used: fetched, signed, following, remembered."""

from __future__ import annotations

import posixpath
from hashlib import sha256
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from reconcile.dataclass import dataclass
from reconcile.engine.ledger_store import now
from reconcile.errors import ReconcileError
from reconcile.system.git import Mirror

if TYPE_CHECKING:
    from reconcile.system import Host

FOLDER = "pull"


@dataclass(frozen=True)
class Origin:
    """What to pull, and who may have signed it; `unsigned` takes anything."""

    url: str
    ref: str
    file: str = "reconcile.yaml"
    ssh_signers: str | None = None
    gpg_keys: str | None = None
    unsigned: bool = False

    @property
    def folder(self) -> str:
        """Of the state directory; one for each repository and ref."""
        return f"{FOLDER}/{sha256(f'{self.url} {self.ref}'.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Pulled:
    """A revision that may be used: its commit, the folder of its files, and the YAML in there."""

    commit: str
    folder: str
    file: str


class Failure(BaseModel):
    """A revision that did not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    commit: str
    at: str
    why: str


def origin(
    url: str,
    *,
    branch: str | None,
    tag: str | None,
    file: str,
    ssh_signers: str | None,
    gpg_keys: str | None,
    unsigned: bool,
) -> Origin:
    """Errors: ReconcileError for what cannot be pulled, or would be taken from anyone."""
    if branch is not None and tag is not None:
        raise ReconcileError("A branch or a tag is pulled, not both", "", "Leave one out.")
    if url.startswith("-") or "\n" in url:
        raise ReconcileError("That is no address of a repository", "", "Name a URL or a path.")
    if unsigned and (ssh_signers or gpg_keys):
        raise ReconcileError(
            "--unsigned says that nobody has to sign, and keys say that somebody has to",
            "both cannot hold",
            "Leave out --unsigned, or the keys. Nothing was fetched.",
        )
    if not unsigned and not (ssh_signers or gpg_keys):
        raise ReconcileError(
            "Nobody is named who may have signed what is pulled",
            "whoever can push there would be root here",
            "Say --allowed-signers FILE or --gpg-keys FILE; or --unsigned, if you mean it.",
        )
    inside = posixpath.normpath(file)
    if inside.startswith(("/", "..")):
        raise ReconcileError(f"{file} is no file of the repository", "", "Name it from its top.")
    ref = f"refs/tags/{tag}" if tag is not None else f"refs/heads/{branch or 'main'}"
    return Origin(url, ref, inside, ssh_signers, gpg_keys, unsigned)


def pull(host: Host, of: Origin) -> Pulled:
    """Fetch, verify, and only then look at it. Errors: ReconcileError; the host is untouched."""
    from reconcile.filesystem.user_files import is_trusted_file

    for keys in filter(None, (of.ssh_signers, of.gpg_keys)):
        if not is_trusted_file(keys):
            raise ReconcileError(
                f"{keys} does not decide who may sign",
                "it is missing, or others may write it",
                "Give it and its folder to root, writable by nobody else. Nothing was changed.",
            )
    mirror = Mirror(host, of.folder, of.url)
    revision = mirror.fetch(of.ref)
    if not of.unsigned:
        mirror.refuse_unsigned(revision, of.ssh_signers, of.gpg_keys)
    commit = mirror.commit_of(revision)
    mirror.refuse_rewritten(commit)
    mirror.accept(commit)
    folder = mirror.check_out(commit)
    return Pulled(commit, folder, f"{folder}/{of.file}")


def failure(host: Host, of: Origin) -> Failure | None:
    """The revision that failed last; a damaged memory of it counts as none."""
    data = host.state.read(f"{of.folder}/failed.json")
    try:
        return Failure.model_validate_json(data) if data else None
    except ValidationError:
        return None


def refuse_failed(host: Host, of: Origin, commit: str) -> None:
    """Errors: ReconcileError where the same revision was applied before and did not hold."""
    before = failure(host, of)
    if before is not None and before.commit == commit:
        raise ReconcileError(
            f"{commit[:12]} is not applied again",
            f"at {before.at} it failed: {before.why}",
            "Push a revision that mends it, or say --retry. Nothing was changed.",
        )


def remember_failure(host: Host, of: Origin, commit: str, why: str) -> None:
    failed = Failure(commit=commit, at=now(), why=why)
    host.state.write(f"{of.folder}/failed.json", (failed.model_dump_json() + "\n").encode())
