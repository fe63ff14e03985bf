#!/usr/bin/python
"""Shows what an apply would change."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Show what reconcile would change on a host
description:
  - Runs C(reconcile plan), which reads the host and changes nothing. It is never C(changed).
extends_documentation_fragment: [reconcile.host.common]
options:
  sites:
    description: Only these sites.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: What would change
  reconcile.host.plan:
  register: planned
- debug:
    msg: "{{ planned.summary }}"
"""

RETURN = r"""
has_changes: {description: Whether an apply would change anything., returned: success, type: bool}
summary: {description: Numbers of resources by action., returned: success, type: dict}
held: {description: Whether a hold is in force., returned: success, type: bool}
document: {description: What C(reconcile plan --json) prints., returned: always, type: dict}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reconcile.host.plugins.module_utils.command_line import (
    COMMON_OPTIONS,
    HELD,
    differences,
    read_plan,
)


def main():
    """Run the module."""
    spec = dict(COMMON_OPTIONS, sites={"type": "list", "elements": "str", "default": []})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    options = [part for site in module.params["sites"] for part in ("--site", site)]
    code, plan = read_plan(module, options)
    changes = plan["resource_changes"]
    result = {
        "changed": False,
        "has_changes": bool(changes),
        "summary": plan["summary"],
        "held": code == HELD,
        "document": plan,
    }
    if module._diff:
        result["diff"] = differences(changes)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
