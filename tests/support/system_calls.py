"""What a command asks the kernel to change, as strace sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.lab import DebianHost

TRACE = "/tmp/trace"
ALWAYS_CHANGING = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "creat"),
    *("truncate", "ftruncate", "fallocate", "utime", "utimes", "utimensat", "futimesat"),
    *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
    *("mount", "umount2", "move_mount", "kill", "tgkill"),
)
OPENING = ("open", "openat", "openat2")
FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE")
# An apply holds its lock and says who holds it; a terminal or /dev/null keeps nothing;
# who only looks has mounts of his own, which nobody else sees.
ALLOWED = re.compile(
    r"/run(/|>, \")reconcile\.lock|\"/dev/(null|tty|urandom)\""
    r"|^mount\(\"none\", \"/\", .*MS_REC\|MS_PRIVATE"
)
CALL = re.compile(r"^\d+ +(?P<call>(?P<name>\w+)\(.*\)) += (?P<result>-?\d+|0x\w+)")


@dataclass(frozen=True)
class Trace:
    """The system calls of a command and of all that it started."""

    lines: tuple[str, ...]

    def changing(self) -> list[str]:
        """The calls that succeeded in changing something other than the lock."""
        calls = (CALL.match(line) for line in self.lines)
        done = [call for call in calls if call and not call["result"].startswith("-")]
        return [call["call"] for call in done if _changes(call["name"], call["call"])]


def traced(host: DebianHost, *argv: str) -> Trace:
    """Run a command that has to succeed under strace."""
    wanted = ",".join("?" + name for name in (*ALWAYS_CHANGING, *OPENING))
    strace = ("strace", "-f", "-y", "-qq", "-o", TRACE, "-e", f"trace={wanted}")
    host.run(*strace, *argv)
    return Trace(tuple(host.read(TRACE).decode(errors="backslashreplace").splitlines()))


def _changes(name: str, call: str) -> bool:
    if ALLOWED.search(call):
        return False
    return name not in OPENING or bool(FOR_WRITING.search(call))
