#!/usr/bin/python
"""Shows what an apply would change."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Show what reconcile would change on a host
description:
  - Runs C(reconcile plan), which reads the host and changes nothing. It is never C(changed).
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
  sites:
    description: Only these sites.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
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
    ERROR,
    HELD,
    arguments,
    differences,
    error_message,
    refusal_message,
    run,
)


def main():
    """Run the module."""
    spec = dict(COMMON_OPTIONS, sites={"type": "list", "elements": "str", "default": []})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    options = [part for site in module.params["sites"] for part in ("--site", site)]
    code, objects = run(module, arguments("plan", module.params, options))
    plan = objects[-1]
    if code == ERROR:
        message = error_message(plan) or refusal_message(plan)
        module.fail_json(msg=message, rc=code, document=plan)
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
