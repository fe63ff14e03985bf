"""The state of SELinux on this machine, and the kernel's own decisions, by selinuxfs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

LABEL = "security.selinux"


class SELinux:
    """SELinux, as the kernel reports it below `selinuxfs`."""

    def __init__(self, selinuxfs: str = "/sys/fs/selinux") -> None:
        self._selinuxfs = selinuxfs

    def is_enforcing(self) -> bool:
        """Whether SELinux denies access, rather than only log it."""
        return _read_text(f"{self._selinuxfs}/enforce").strip() == "1"

    def boolean(self, name: str) -> bool | None:
        """The present value of a boolean of the policy; None where it has none of that name."""
        # Source: sel_read_bool, "present pending".
        present, *_ = [*_read_text(f"{self._selinuxfs}/booleans/{name}").split(), ""]
        return present == "1" if present else None

    def denied(
        self, process: str, target: str, kind: str, permissions: Iterable[str]
    ) -> frozenset[str] | None:
        """Those of `permissions` on an object of class `kind` that the policy denies.

        `process`, `target`: contexts. None where the kernel does not know one of them.
        Source: security_compute_av(3), "allowed decided auditallow auditdeny seqno flags".
        """
        top = f"{self._selinuxfs}/class/{kind}"
        number = _read_text(f"{top}/index").strip()
        bits = {one: _read_text(f"{top}/perms/{one}").strip() for one in permissions}
        answer = self._decision(f"{process} {target} {number}") if number else []
        if len(answer) < 6 or not all(bits.values()):
            return None
        allowed, is_permissive = int(answer[0], 16), int(answer[5], 16) & 1
        wanted = {one: 1 << int(bit) - 1 for one, bit in bits.items()}
        return frozenset(one for one, bit in wanted.items() if not (allowed & bit or is_permissive))

    def _decision(self, question: str) -> list[str]:
        with suppress(OSError):
            fd = os.open(f"{self._selinuxfs}/access", os.O_RDWR | os.O_CLOEXEC)
            try:
                os.write(fd, question.encode("utf-8", "surrogateescape"))
                return os.read(fd, 4096).decode("ascii", "replace").split()
            finally:
                os.close(fd)
        return []


def context_of(pid: int) -> str:
    """The context that a process runs in; "" where it has none."""
    return _read_text(f"/proc/{pid}/attr/current").rstrip("\n\0")


def label_of(path: str) -> str:
    """The context of a file, a link not followed; "" where it has none."""
    with suppress(OSError):
        found = os.getxattr(path, LABEL, follow_symlinks=False)
        return found.decode("utf-8", "surrogateescape").rstrip("\0")
    return ""


def type_of(context: str) -> str:
    """The type in a context, `user:role:type:level`."""
    return [*context.split(":"), "", "", ""][2]


def _read_text(path: str) -> str:
    # The file is absent in a kernel without SELinux.
    with suppress(OSError), open(path, "rb") as file:
        return file.read(4096).decode("utf-8", "surrogateescape")
    return ""
