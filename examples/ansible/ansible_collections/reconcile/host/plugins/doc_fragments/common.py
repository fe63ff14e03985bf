"""The documentation of the options that every module has."""

from __future__ import annotations


class ModuleDocFragment:
    """Named by the modules as `reconcile.host.common`."""

    DOCUMENTATION = r"""
options:
  file:
    description: The configuration file on the host; by default the one that reconcile finds.
    type: path
  vars:
    description: Values of the file's C(vars). They are visible in the host's process list.
    type: dict
    default: {}
  executable:
    description: The program.
    type: str
    default: reconcile
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
  diff_mode:
    description: Returns the differences when in diff mode.
    support: full
"""
