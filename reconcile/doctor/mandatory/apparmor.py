"""Which programs AppArmor confines, and what changes a profile.

Source: apparmor(7); /proc/PID/attr/apparmor/current.
"""

from __future__ import annotations

from reconcile.doctor.mandatory.audit import Refusal


def is_mended(confinement: str) -> bool:
    """Whether a process that was denied something is held by nothing now.

    `confinement` is its label, `PROFILE (enforce)`; "" where it cannot be read.
    """
    return confinement == "unconfined" or confinement.endswith("(complain)")


def remedy(refusal: Refusal) -> str:
    """A rule for the local part of the profile, and the command that loads it."""
    file = refusal.profile.lstrip("/").replace("/", ".") or "PROFILE"
    mask = "".join(letter for letter in "rwkmlx" if letter in _allowing(refusal.mask)) or "r"
    rule = f"  {refusal.path} {mask}," if refusal.path.startswith("/") else "what was denied"
    return (
        f"Add to /etc/apparmor.d/local/{file}: {rule.strip()} and load it: apparmor_parser -r"
        f" /etc/apparmor.d/{file}"
    )


def _allowing(mask: str) -> str:
    """A rule's letters for those of the log: create, delete and append are w."""
    return "".join("w" if letter in "cda" else letter for letter in mask)
