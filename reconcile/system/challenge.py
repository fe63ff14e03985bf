"""A file where an authority looks for a proof, put there to find out whether it is served."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from reconcile.filesystem.atomic_write import NEW_FILE, write_all
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.safe_path import closing, pin_name

FOLDERS = (".well-known", ".well-known/acme-challenge")
"""Source: RFC 8555, section 8.3."""
OPEN_MODE = 0o755
"""nginx's worker reads what authorities ask for."""


@dataclass(frozen=True)
class Proof:
    """A file below the webroot: its URL's path, and its content, which is random."""

    path: str
    content: bytes


@contextmanager
def published_proof(webroot: str) -> Iterator[Proof]:
    """Publish a proof for the body; then it is gone, and so are the folders that were missing.

    Errors: HostError.
    """
    name = f"reconcile-{secrets.token_hex(16)}"
    proof = Proof(f"/{FOLDERS[-1]}/{name}", f"{name}\n".encode())
    path = f"{webroot}{proof.path}"
    with ExitStack() as stack:
        with explained(f"{path} could not be written"):
            for folder in FOLDERS:
                if _make_folder(f"{webroot}/{folder}"):
                    stack.callback(_remove_folder, f"{webroot}/{folder}")
            stack.callback(_remove, path)
            _write_answer(path, proof.content)
        yield proof


def _make_folder(path: str) -> bool:
    with pin_name(path) as at:
        try:
            os.mkdir(at.name, 0o700, dir_fd=at.dir_fd)
        except FileExistsError:
            return False
        os.chmod(at.name, OPEN_MODE, dir_fd=at.dir_fd)
    return True


def _write_answer(path: str, content: bytes) -> None:
    with pin_name(path) as at, closing(os.open(at.name, NEW_FILE, 0o600, dir_fd=at.dir_fd)) as fd:
        write_all(fd, content)
        os.fchmod(fd, 0o644)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError), pin_name(path) as at:
        os.unlink(at.name, dir_fd=at.dir_fd)


def _remove_folder(path: str) -> None:
    # Somebody else's proofs may have arrived meanwhile.
    with suppress(OSError), pin_name(path) as at:
        os.rmdir(at.name, dir_fd=at.dir_fd)
