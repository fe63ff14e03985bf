"""Commands that run another one where the kernel refuses it a read-only view of the host."""

from __future__ import annotations

WITHOUT_THE_CAPABILITY = ["setpriv", "--inh-caps=-sys_admin", "--bounding-set=-sys_admin"]
"""As root in a container: nothing is missing but CAP_SYS_ADMIN."""
WITHOUT_THE_CALL = [
    *("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=mount_setattr"),
    *("-e", "inject=mount_setattr:error=ENOSYS"),
]
"""As root on a kernel before 5.12."""
